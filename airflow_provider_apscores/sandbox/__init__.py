"""A College Board of your own on localhost, for trying things out and for testing DAGs.

It speaks the whole protocol of the AP Higher Education score report web service, with invented students from a seed,
and fails on demand::

    from airflow_provider_apscores.sandbox import Sandbox

    with Sandbox() as sandbox:
        sandbox.fail("order", "504", times=2)
        ...  # point a connection at sandbox.base_url, or take sandbox.airflow_connection whole
        assert sandbox.audit().recorded_reports == sandbox.audit().all_reports

``python -m airflow_provider_apscores.sandbox`` runs it in the foreground. Standard library only, loopback only.
"""

from __future__ import annotations

from airflow_provider_apscores.sandbox.archive import reports_in
from airflow_provider_apscores.sandbox.college_board import (
    DEFAULT_CAMPUSES,
    DEFAULT_EMAIL,
    DEFAULT_PASSWORD,
    DEFAULT_SEED,
    Sandbox,
)
from airflow_provider_apscores.sandbox.control import RemoteSandbox
from airflow_provider_apscores.sandbox.entries import Audit, Call, Campus
from airflow_provider_apscores.sandbox.faults import FAULTS, TRANSIENT, Fault, FaultKind, PlannedFault

__all__ = [
    "DEFAULT_CAMPUSES",
    "DEFAULT_EMAIL",
    "DEFAULT_PASSWORD",
    "DEFAULT_SEED",
    "FAULTS",
    "TRANSIENT",
    "Audit",
    "Call",
    "Campus",
    "Fault",
    "FaultKind",
    "PlannedFault",
    "RemoteSandbox",
    "Sandbox",
    "reports_in",
]

"""A sandbox of the College Board web service on localhost, for trials and for testing DAGs.

It implements the whole protocol of the AP Higher Education score report web service with invented students, and injects
faults on request::

    from airflow_provider_apscores.sandbox import Sandbox

    with Sandbox() as sandbox:
        sandbox.fail("order", "504", times=2)
        ...  # use sandbox.airflow_connection as AIRFLOW_CONN_APSCORES_DEFAULT
        assert sandbox.audit().recorded_reports == sandbox.audit().all_reports

``apscores sandbox`` runs it in the foreground. Standard library only, loopback only.
"""

from __future__ import annotations

from airflow_provider_apscores.sandbox.archive import reports_in
from airflow_provider_apscores.sandbox.control import RemoteSandbox
from airflow_provider_apscores.sandbox.entries import Audit, Call, Campus
from airflow_provider_apscores.sandbox.fault_plan import TRANSIENT
from airflow_provider_apscores.sandbox.faults import CALLS, FAULTS, REFUSALS, Fault, FaultKind, PlannedFault
from airflow_provider_apscores.sandbox.sandbox import (
    DEFAULT_CAMPUSES,
    DEFAULT_EMAIL,
    DEFAULT_PASSWORD,
    DEFAULT_SEED,
    Sandbox,
)

__all__ = [
    "CALLS",
    "DEFAULT_CAMPUSES",
    "DEFAULT_EMAIL",
    "DEFAULT_PASSWORD",
    "DEFAULT_SEED",
    "FAULTS",
    "REFUSALS",
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

"""Fixtures for tests of DAGs. pytest finds them by the entry point ``apscores``.

Airflow and the sandbox are imported when a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_apscores.testing import apscores_run_dag as run_dag
from airflow_provider_apscores.testing import apscores_sandbox as connected_sandbox

if TYPE_CHECKING:
    from airflow_provider_apscores.sandbox import Audit, PlannedFault
    from airflow_provider_apscores.testing.connected_sandbox import ConnectedSandbox
    from airflow_provider_apscores.testing.dag_run import FinishedRun


@pytest.fixture
def apscores_settings() -> dict[str, Any]:
    """Arguments of the sandbox, such as ``conn_id``. Override this fixture to change them."""
    return {}


@pytest.fixture
def apscores_sandbox(apscores_settings: dict[str, Any]) -> Iterator[ConnectedSandbox]:
    """A fresh sandbox, and an Airflow connection to it."""
    with connected_sandbox(**apscores_settings) as sandbox:
        yield sandbox


@pytest.fixture
def apscores_news(apscores_sandbox: ConnectedSandbox) -> Callable[..., list[str]]:
    """``apscores_news(di_code, count=1)`` issues reports to a campus; 0 for a campus without news."""
    return apscores_sandbox.add_reports


@pytest.fixture
def apscores_fault(apscores_sandbox: ConnectedSandbox) -> Callable[..., PlannedFault]:
    """``apscores_fault(call, fault, times=1, after=0, di_code=None)`` lets calls of the service fail."""
    return apscores_sandbox.fail


@pytest.fixture
def apscores_audit(apscores_sandbox: ConnectedSandbox) -> Callable[[], Audit]:
    """``apscores_audit()`` returns what the service saw until now."""
    return apscores_sandbox.audit


@pytest.fixture
def apscores_run_dag(apscores_sandbox: ConnectedSandbox) -> Callable[..., FinishedRun]:
    """``apscores_run_dag(dag)`` runs a DAG, or a DAG file, against the sandbox."""
    return run_dag

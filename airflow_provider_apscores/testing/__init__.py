"""A testing kit for DAGs: a sandbox behind an Airflow connection, and runs of a DAG in a temporary database.

With pytest, the fixtures of :mod:`airflow_provider_apscores.testing.pytest_plugin` need no import. Without pytest::

    from airflow_provider_apscores.testing import apscores_run_dag, apscores_sandbox

    with apscores_sandbox() as sandbox:
        sandbox.add_reports("4866", 3)
        run = apscores_run_dag("dags/ap_scores_daily.py")
        assert run.state == "success"
        assert sandbox.audit().recorded_reports == sandbox.audit().all_reports

pytest loads this module at each start, so it imports neither Airflow nor another module of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_apscores.testing.connected_sandbox import ConnectedSandbox
    from airflow_provider_apscores.testing.dag_run import FinishedRun

__all__ = ["apscores_run_dag", "apscores_sandbox"]


def apscores_sandbox(*, conn_id: str = "apscores_default", **settings: Any) -> ConnectedSandbox:
    """Return a sandbox to use as a context manager; inside it, the Airflow connection *conn_id* leads to the sandbox.

    The sandbox has no campus until its ``add_reports`` names one.

    Args:
        conn_id: The connection, set as an environment variable.
        settings: Those of :class:`~airflow_provider_apscores.sandbox.Sandbox`.
    """
    from airflow_provider_apscores.testing.connected_sandbox import ConnectedSandbox

    return ConnectedSandbox(conn_id, **settings)


def apscores_run_dag(dag: Any, *, dag_id: str | None = None, conf: dict[str, Any] | None = None) -> FinishedRun:
    """Run a DAG once in this process, with a temporary metadata database, and wait for its end.

    Tasks retry as often as they declare, without delay.

    Args:
        dag: A DAG, or the path of a DAG file.
        dag_id: The DAG, when the file has several.
        conf: Parameters of the run.

    Returns:
        The states of the run and of its tasks, and what they returned.

    Raises:
        ValueError: The file cannot be imported, or does not have that DAG.
    """
    from airflow_provider_apscores.testing.dag_run import run_dag

    return run_dag(dag, dag_id=dag_id, conf=conf)

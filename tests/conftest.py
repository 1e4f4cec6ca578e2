"""A temporary Airflow home for the tests. pytest reads this file before any test imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

# The tests must not use or change the Airflow and the proxies of this machine.
for name in list(os.environ):
    if name.startswith(("AIRFLOW_", "_AIRFLOW_")) or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
        del os.environ[name]

AIRFLOW_HOME = tempfile.mkdtemp(prefix="apscores-tests-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)

os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    # dag.test() of Airflow 3.3 wants DAGs that are files of the DAGs folder.
    AIRFLOW__CORE__DAGS_FOLDER=str(PROJECT / "example_dags"),
    AIRFLOW__CORE__EXECUTOR="LocalExecutor",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    # Not unit_test_mode: it changes settings, and the tests should run with the users' settings.
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in tests/provider: they also run on Airflow 2.11, with ``pytest -m airflow``."""
    for item in items:
        if item.path.is_relative_to(PROJECT / "tests" / "provider") and not item.get_closest_marker("one_airflow"):
            item.add_marker("airflow")

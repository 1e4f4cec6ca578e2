"""A throw-away Airflow for the tests, set up here because pytest reads this file before any test imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

# Whatever Airflow or proxy the machine is set up for, the tests must neither see nor touch it.
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
    # Not unit_test_mode: it exchanges settings that users have, and the tests should see what users see.
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in tests/provider needs Airflow, and so runs on Airflow 2.11 as well: ``pytest -m airflow``."""
    for item in items:
        if item.path.is_relative_to(PROJECT / "tests" / "provider"):
            item.add_marker("airflow")

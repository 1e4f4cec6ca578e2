"""A metadata database of a test, instead of the one that Airflow is configured with."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_airflow() -> Iterator[Path]:
    """Let Airflow use an SQLite database of this process and an empty DAGs folder, then those from before.

    Yields:
        The database file. All runs of this process share it.
    """
    import airflow

    home = _home()
    settings = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"sqlite+aiosqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": "dags-folder",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {},
                }
            ]
        ),
    }
    if airflow.__version__.startswith("2."):
        # Airflow 2 refuses other executors with SQLite.
        settings["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        _configure()
        _create_tables(home)
        yield home / "airflow.db"
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _configure()


@functools.cache
def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="apscores-testing-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "dags").mkdir()
    return home


def _configure() -> None:
    """Let Airflow read its settings again."""
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()


@functools.cache
def _create_tables(home: Path) -> None:
    from airflow.utils.db import initdb

    initdb()

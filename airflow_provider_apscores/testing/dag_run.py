"""Run a DAG in this process, on each supported version of Airflow."""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_provider_apscores.testing.temporary_airflow import temporary_airflow


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has ended.

    Attributes:
        state: ``success`` or ``failed``.
        tasks: The state of each task, such as ``success``, ``skipped`` or ``upstream_failed``; for a mapped task a
            list in the order of its map indexes, as in the other attributes.
        tries: How often Airflow tried each task.
        returned: What each task returned, without those that returned nothing.
    """

    state: str
    tasks: dict[str, Any]
    tries: dict[str, Any]
    returned: dict[str, Any]


def run_dag(dag: Any, *, dag_id: str | None, conf: dict[str, Any] | None) -> FinishedRun:
    """Run *dag*; see :func:`airflow_provider_apscores.testing.apscores_run_dag`."""
    with temporary_airflow() as database:
        if isinstance(dag, (str, os.PathLike)):
            dag = _read(Path(dag), dag_id)
        _store(dag)
        with _without_delays(dag):
            run = dag.test(run_conf=conf)
        return _finished(database, dag.dag_id, run.run_id)


def _bags() -> Any:
    """Return the module that reads DAG files and stores DAGs."""
    try:
        return importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:  # before Airflow 3.2
        return importlib.import_module("airflow.models.dagbag")


def _read(path: Path, dag_id: str | None) -> Any:
    if not path.is_file():
        raise ValueError(f"There is no DAG file {path}.")
    bag = _bags().DagBag(str(path))
    for error in bag.import_errors.values():
        raise ValueError(f"{path} cannot be imported:\n{error}")
    found = sorted(bag.dags)
    if dag_id is None and len(found) == 1:
        dag_id = found[0]
    if dag_id not in found:
        raise ValueError(f"{path} has the DAGs {', '.join(found) or '(none)'}; choose one of them by dag_id.")
    return bag.dags[dag_id]


def _store(dag: Any) -> None:
    """Store the DAG in the database, where ``dag.test()`` of Airflow 3.1 and later looks for it."""
    bags = _bags()
    if not hasattr(bags, "sync_bag_to_db"):
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    bag = bags.DagBag(os.devnull)
    bag.bag_dag(dag)
    bags.sync_bag_to_db(bag, "dags-folder", None)


@contextmanager
def _without_delays(dag: Any) -> Iterator[None]:
    """Let failed tasks retry at once."""
    now = {"retry_delay": timedelta(0), "retry_exponential_backoff": False}
    # A mapped task keeps the arguments of its instances.
    places = [getattr(task, "partial_kwargs", task.__dict__) for task in dag.tasks]
    before = [dict(place) for place in places]
    for place in places:
        place.update(now)
    try:
        yield
    finally:
        for place, values in zip(places, before, strict=True):
            for name in now:
                del place[name]
                if name in values:
                    place[name] = values[name]


def _finished(database: Path, dag_id: str, run_id: str) -> FinishedRun:
    this_run = (dag_id, run_id)
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:

        def by_task(columns_and_table: str) -> dict[str, Any]:
            sql = f"SELECT task_id, map_index, {columns_and_table} WHERE dag_id=? AND run_id=? ORDER BY 1, 2"
            found: dict[str, Any] = {}
            for task_id, map_index, value in connection.execute(sql, this_run):
                if map_index < 0:
                    found[task_id] = value
                else:
                    found.setdefault(task_id, []).append(value)
            return found

        ((state,),) = connection.execute("SELECT state FROM dag_run WHERE dag_id=? AND run_id=?", this_run)
        returned = by_task("value FROM (SELECT * FROM xcom WHERE key='return_value')")
        return FinishedRun(
            state=state,
            tasks=by_task("state FROM task_instance"),
            tries=by_task("try_number FROM task_instance"),
            returned={
                task: [_value(each) for each in value] if isinstance(value, list) else _value(value)
                for task, value in returned.items()
            },
        )


def _value(stored: Any) -> Any:
    """Return what a task returned. SQLite changes the JSON of a number to a number."""
    return stored if isinstance(stored, (int, float)) else json.loads(stored)

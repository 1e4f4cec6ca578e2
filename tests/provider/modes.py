"""Run a sensor in its three modes as Airflow does: with a new object wherever Airflow starts a new process."""

from __future__ import annotations

import asyncio
import datetime
import importlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import BaseSensorOperator, TaskDeferred

airflow_sensor = importlib.import_module(BaseSensorOperator.__module__)

MODES = ["poke", "reschedule", "deferrable"]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


class TaskInstance:
    """What Airflow's sensor uses of a task instance."""

    dag_id, task_id, run_id, map_index, try_number, max_tries = "dag", "wait", "run", -1, 1, 0

    def __init__(self) -> None:
        self.started = datetime.datetime.now(tz=datetime.UTC)

    def get_first_reschedule_date(self, context: Any) -> datetime.datetime:
        return self.started


class Store(dict[str, Any]):
    """The task state store of Airflow 3.3, as far as it is used."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def run(make: Callable[[], Any], mode: str, events: list[Any], store: Any = None) -> Any:
    """Run the sensor that *make* creates to its end; *events* receives the events of its triggers."""
    ti = TaskInstance()
    if hasattr(airflow_sensor, "_orig_start_date"):
        # Airflow 2.11 asks its database when a rescheduled sensor first started; there is none here.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(airflow_sensor, "_orig_start_date", lambda *_, **__: ti.started)
            return _run(make, mode, events, store, ti)
    return _run(make, mode, events, store, ti)


def _run(make: Callable[[], Any], mode: str, events: list[Any], store: Any, ti: TaskInstance) -> Any:
    context: Any = {"ti": ti} | ({"task_state_store": store} if store is not None else {})
    step: Callable[[Any], Any] = lambda fresh: fresh.execute(context)  # noqa: E731
    while True:
        try:
            return step(make())
        except AirflowRescheduleException as later:
            assert mode == "reschedule"
            # As the scheduler does. Otherwise a sensor would poll thousands of times.
            wait = later.reschedule_date - datetime.datetime.now(tz=datetime.UTC)
            time.sleep(max(0.0, wait.total_seconds()))
        except TaskDeferred as deferred:
            assert mode == "deferrable"
            event = first_event(deferred.trigger)
            events.append(event)
            kwargs = json.loads(json.dumps(deferred.kwargs)) | {"event": event}

            def step(fresh: Any, name: str = deferred.method_name, kwargs: dict[str, Any] = kwargs) -> Any:
                return fresh.resume_execution(name, kwargs, context)


def first_event(trigger: Any, seconds: float = 30) -> Any:
    """Store *trigger* and create it again, as the database does, and run it to its only event."""
    again = revived(trigger)

    async def payloads() -> list[Any]:
        return [event.payload async for event in again.run()]

    (payload,) = asyncio.run(asyncio.wait_for(payloads(), seconds))
    return json.loads(json.dumps(payload))


def revived(trigger: Any) -> Any:
    """*trigger* as a triggerer creates it from the database."""
    path, kwargs = trigger.serialize()
    assert all(value is None or isinstance(value, (str, int, float, bool)) for value in kwargs.values())
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(kwargs)))


def error_of(outcome: Callable[[], Any]) -> Exception | None:
    """What *outcome* raises, if it does."""
    try:
        outcome()
    except Exception as error:
        return error
    return None


def is_error(error: Exception | None, kind: type[Exception]) -> bool:
    """Whether *error* is of a kind, or fails a task permanently because of one of that kind."""
    return isinstance(error, kind) or (error is not None and isinstance(error.__cause__, kind))

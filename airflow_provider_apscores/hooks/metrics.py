"""Metrics of campuses through Airflow's ``Stats``. Each has a name ``apscores.…`` and the tag ``di_code``."""

from __future__ import annotations

from typing import Any


def gauge(name: str, value: float, di_code: str, *, in_triggerer: bool = False) -> None:
    """
    Set a gauge of a campus.

    :param name: without ``apscores.``.
    :param value: the value.
    :param di_code: the campus.
    :param in_triggerer: whether a trigger calls this, not a task.
    """
    _stats(in_triggerer).gauge(f"apscores.{name}", value, tags={"di_code": di_code})


def count(name: str, di_code: str, *, in_triggerer: bool = False) -> None:
    """Add one to a counter of a campus; see :func:`gauge`."""
    _stats(in_triggerer).incr(f"apscores.{name}", tags={"di_code": di_code})


def _stats(in_triggerer: bool) -> Any:
    if in_triggerer:
        # Since 3.2, Airflow has two copies of this module. The triggerer sets up that of Airflow's core, and a task
        # that of the SDK.
        try:
            from airflow.observability.stats import Stats as TriggererStats
        except ImportError:
            pass
        else:
            return TriggererStats
    from airflow.providers.common.compat.sdk import Stats

    return Stats

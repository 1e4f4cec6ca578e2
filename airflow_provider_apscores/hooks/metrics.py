"""Metrics about campuses, through Airflow's own ``Stats``: each has the tag ``di_code`` and a name ``apscores.…``."""

from __future__ import annotations


def count(name: str, number: int, di_code: str) -> None:
    """Add to a counter of a campus."""
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(f"apscores.{name}", number, tags={"di_code": di_code})


def gauge(name: str, value: float, di_code: str) -> None:
    """Set a gauge of a campus."""
    from airflow.providers.common.compat.sdk import Stats

    Stats.gauge(f"apscores.{name}", value, tags={"di_code": di_code})

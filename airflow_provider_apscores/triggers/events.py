"""Errors on their way from a trigger to the worker."""

from __future__ import annotations

from typing import Any

from airflow_provider_apscores.errors import APScoresError


def as_ours(error: Exception, otherwise: type[APScoresError], what: str) -> APScoresError:
    """
    Return *error*, or one of ours for that of a stranger: its text may hold anything, so its name must do.

    :param error: what was met.
    :param otherwise: what a stranger's becomes.
    :param what: what failed then, in words.
    """
    return error if isinstance(error, APScoresError) else otherwise(f"{what} failed: {type(error).__name__}.")


def error_event(error: APScoresError) -> dict[str, Any]:
    """Return the event that tells of *error*."""
    return {
        "status": "error",
        "error": type(error).__name__,
        "message": str(error),
        "transient": error.transient,
    }

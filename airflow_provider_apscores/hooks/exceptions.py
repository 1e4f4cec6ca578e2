"""Our errors in Airflow's words: fail for good, or leave it to the task's retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_apscores.errors import APScoresError


@contextmanager
def airflow_outcome() -> Iterator[None]:
    """
    Make permanent errors fail the task for good, whatever its ``retries`` say.

    Repeating a refused password can lock the account; repeating a wrong argument helps nobody. Transient errors
    pass unchanged: Airflow retries the task as its DAG says.
    """
    try:
        yield
    except APScoresError as error:
        if error.transient:
            raise
        raise for_good(error).with_traceback(error.__traceback__) from error.__cause__


def for_good(error: APScoresError) -> APScoresError:
    """Return *error* as one that is an ``AirflowFailException`` as well, so that its own class still catches it."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    kind = type(error)

    def reduce(final: APScoresError) -> tuple[Any, ...]:
        # Its class has no address, so that it is pickled as what it was made of.
        return for_good, (kind(*final.args),)

    members = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__reduce__": reduce}
    final: APScoresError = type(kind.__name__, (kind, AirflowFailException), members)(*error.args)
    return final

"""Map the errors of this package to what Airflow does with a task: retry it, or fail it permanently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import APScoresError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AirflowFailException


@contextmanager
def airflow_exceptions() -> Iterator[None]:
    """
    Fail the task permanently on permanent errors, whatever its ``retries`` say.

    Repeating a refused password can lock the account, and repeating a wrong argument is of no use. Transient errors
    pass unchanged: Airflow retries the task as its DAG says.

    :raises AirflowFailException: with the message of the permanent error, which is its ``__cause__``.
    """
    try:
        yield
    except APScoresError as error:
        if error.transient:
            raise
        raise as_permanent(error) from error


def as_permanent(error: APScoresError) -> AirflowFailException:
    """Return the exception that makes Airflow fail a task without a retry, with the message of *error*."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    return AirflowFailException(str(error))

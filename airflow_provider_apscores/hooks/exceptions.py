"""Map the errors of this package to what Airflow does with a task: retry it, or fail it permanently."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_apscores.errors import APScoresError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AirflowFailException

log = logging.getLogger(__name__)


@contextmanager
def airflow_exceptions() -> Iterator[None]:
    """
    Fail the task permanently on permanent errors, whatever its ``retries`` say.

    Repeating a refused password can lock the account, and repeating a wrong argument is of no use. Transient errors
    pass unchanged: Airflow retries the task as its DAG says.

    The log has the message of a permanent error in short lines, above Airflow's traceback. The traceback ends where the
    task called this package: a person has to change something, not to read code.

    :raises AirflowFailException: with the message of the permanent error, which is its ``__cause__``.
    """
    try:
        yield
    except APScoresError as error:
        if error.transient:
            raise
        for line in _short_lines(str(error)):
            log.error("%s", line)
        # The error keeps its message; frames and causes below are of no use here.
        error.__cause__ = None
        raise as_permanent(error) from error.with_traceback(None)


def as_permanent(error: APScoresError) -> AirflowFailException:
    """Return the exception that makes Airflow fail a task without a retry, with the message of *error*."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    return AirflowFailException(str(error))


def skip(reason: str) -> NoReturn:
    """
    Skip the task. The log has the reason: Airflow 3 logs only that the task is skipped.

    :raises AirflowSkipException: always.
    """
    from airflow.providers.common.compat.sdk import AirflowSkipException

    log.info("%s", reason)
    raise AirflowSkipException(reason)


def _short_lines(message: str) -> list[str]:
    """Return a message in lines: one for each sentence, and for each item of a list of three or more behind a colon."""
    lines: list[str] = []
    for sentence in re.split(r"(?<=[.!?]) +(?=[A-Z])|\n+", message):
        head, _, rest = sentence.partition(": ")
        items = rest.split("; ")
        lines += [f"{head}:", *(f"- {item}" for item in items)] if len(items) > 2 else [sentence]
    return lines

"""What the triggers share: their arguments, the loop of polls, and the events that report its end."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_apscores.errors import APScoresError, ServiceUnavailable
from airflow_provider_apscores.hooks.polling import FailedPolls


class DataclassTrigger(BaseTrigger):
    """A trigger that is a dataclass: its fields are its arguments, and what is stored of it."""

    def __post_init__(self) -> None:
        super().__init__()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and the arguments to create it again."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]


@dataclass(kw_only=True, eq=False, repr=False)
class PollingTrigger(DataclassTrigger):
    """
    Poll until there is something new, the deadline passes, or a poll fails permanently or too often; then one event.

    Events: ``{"status": "found", ...}``, ``{"status": "timeout"}`` (with ``failed_polls`` if the last polls failed) and
    ``{"status": "error", "error", "message", "transient"}``.

    :param poke_interval: seconds between polls.
    :param deadline: seconds since 1970 at which the wait ends, after a last poll; None for never.
    :param failed_polls: failed polls in a row so far.
    :param max_consecutive_failures: that many failed polls in a row are an error; 0 for any number.
    """

    poke_interval: float = 3600.0
    deadline: float | None = None
    failed_polls: int = 0
    max_consecutive_failures: int = 5

    #: The error that an unexpected exception in a poll becomes.
    unavailable: ClassVar[type[APScoresError]] = ServiceUnavailable

    @abstractmethod
    async def poll(self) -> dict[str, Any] | None:
        """Poll once; return the contents of the event, or None to go on."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, poll, and so on; then one event."""
        yield TriggerEvent(await self._wait())

    async def _wait(self) -> dict[str, Any]:
        failures = FailedPolls(self.max_consecutive_failures, self.failed_polls)
        while await self.sleep():
            try:
                found = await self.poll()
            except Exception as cause:
                error = as_apscores_error(cause, self.unavailable)
                if failures.end_wait(error):
                    return error_event(error)
            else:
                failures.reset()
                if found is not None:
                    return {"status": "found", **found}
            if self.deadline is not None and time.time() >= self.deadline:
                break
        return {"status": "timeout"} | ({"failed_polls": failures.count} if failures.count else {})

    async def sleep(self) -> bool:
        """Sleep until the next poll is due. False: the deadline has passed, and no poll is due."""
        left = float("inf") if self.deadline is None else self.deadline - time.time()
        await asyncio.sleep(max(0.0, min(self.poke_interval, left)))
        return True


def as_apscores_error(error: Exception, default: type[APScoresError]) -> APScoresError:
    """
    Return *error*, or an error of type *default* for one of another package, whose text may hold anything.

    Only its type is named.
    """
    return error if isinstance(error, APScoresError) else default(f"The poll failed: {type(error).__name__}.")


def error_event(error: APScoresError) -> dict[str, Any]:
    """Return the event that reports *error* to the worker."""
    return {
        "status": "error",
        "error": type(error).__name__,
        "message": str(error),
        "transient": error.transient,
    }

"""Ask for new reports from the triggerer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_apscores.errors import APScoresError, ServiceUnavailable
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.polling import COURTESY, JITTER, Look, look_async, patience_of, read_campuses
from airflow_provider_apscores.triggers.events import as_ours, error_event

# A last look, at the deadline, is worth so many seconds more.
_LAST_LOOK = 60.0


class APScoresNewReportsTrigger(BaseTrigger):
    """
    Ask until there are new reports or the deadline has passed; tell so in one event.

    It orders files and fetches and records none, so it may run again, or twice, at any time. The sensor has looked
    just before; therefore it sleeps first. Each look reads the connection, opens a client, logs in once and closes
    the client again: between looks a trigger holds nothing but a timer.

    The looks are a timetable that starts at *since*, so a triggerer that restarts again and again neither asks more
    often nor puts off the next look for ever.

    Events: ``{"status": "found", "di_codes"}``, ``{"status": "timeout"}`` and
    ``{"status": "error", "error", "message", "transient"}``.

    :param di_codes: the campuses, separated by commas; empty for those of the connection.
    :param wait_for: ``any`` or ``all`` of them.
    :param seen: the campuses that have been seen to have new reports; with ``all`` they are not asked for again.
    :param file_format: ``TXT`` or ``CSV``: what is ordered.
    :param poke_interval: seconds between looks.
    :param minimum_interval: seconds between looks at a service that is not on this machine, at least.
    :param since: seconds since 1970 of the look before; None for now.
    :param deadline: seconds since 1970 at which the wait ends; None for never.
    :param timeout: seconds after which the wait ends, for a trigger that begins it and so has no *deadline*.
    :param missed: failed looks in a row up to now.
    :param max_consecutive_failures: that many failed looks in a row are an error; 0 for any number.
    :param apscores_conn_id: the connection to use.
    """

    def __init__(
        self,
        di_codes: str = "",
        wait_for: str = "any",
        seen: str = "",
        file_format: str = "TXT",
        poke_interval: float = 3600.0,
        minimum_interval: float = COURTESY,
        since: float | None = None,
        deadline: float | None = None,
        timeout: float | None = None,
        missed: int = 0,
        max_consecutive_failures: int = 5,
        apscores_conn_id: str = APScoresHook.default_conn_name,
    ) -> None:
        super().__init__()
        self.di_codes = di_codes
        self.wait_for = wait_for
        self.seen = seen
        self.file_format = file_format
        self.poke_interval = poke_interval
        self.minimum_interval = minimum_interval
        self.since = since
        self.deadline = deadline
        self.timeout = timeout
        self.missed = missed
        self.max_consecutive_failures = max_consecutive_failures
        self.apscores_conn_id = apscores_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "di_codes": self.di_codes,
                "wait_for": self.wait_for,
                "seen": self.seen,
                "file_format": self.file_format,
                "poke_interval": self.poke_interval,
                "minimum_interval": self.minimum_interval,
                "since": self.since,
                "deadline": self.deadline,
                "timeout": self.timeout,
                "missed": self.missed,
                "max_consecutive_failures": self.max_consecutive_failures,
                "apscores_conn_id": self.apscores_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, look, and so on; then one event."""
        try:
            payload = await self._wait()
        except Exception as error:
            payload = error_event(_as_ours(error))
        yield TriggerEvent(payload)

    async def _wait(self) -> dict[str, Any]:
        missed, seen = self.missed, list(read_campuses(self.seen))
        since = last = time.time() if self.since is None else self.since
        if self.deadline is None and self.timeout is not None:
            self.deadline = time.time() + self.timeout
        interval = await self._interval()
        while True:
            if not await self._sleep(interval, since, last):
                return {"status": "timeout"}
            last = time.time()
            fault: APScoresError | None
            try:
                found = await self._look(seen, interval)
            except Exception as error:
                fault = _as_ours(error)
                if not fault.transient:
                    raise
            else:
                self.log.info("Looked: %s.", found)
                seen += [code for code in found.news if code not in seen]
                if news := found.result(seen, self.wait_for):
                    return {"status": "found", "di_codes": news}
                fault = found.fault
            if fault is None:
                missed = 0
            else:
                missed += 1
                if 0 < self.max_consecutive_failures <= missed:
                    raise fault
                self.log.warning("A missed look, %d in a row: %s", missed, fault)
            if self.deadline is not None and time.time() >= self.deadline:
                return {"status": "timeout"}

    async def _look(self, seen: list[str], interval: float) -> Look:
        hook = APScoresHook(self.apscores_conn_id, patience=patience_of(interval))
        longest = None if self.deadline is None else max(self.deadline - time.time(), _LAST_LOOK)
        async with asyncio.timeout(longest):
            return await look_async(hook, read_campuses(self.di_codes), self.file_format, but=seen)

    async def _sleep(self, interval: float, since: float, last: float) -> bool:
        """Sleep until the next look is due, or the deadline is there. False when there is none any more."""
        now = time.time()
        # Whatever the clock does, the look that was just made is not due again.
        due = next_look(since, interval, max(now, last + interval / 2))
        last_one = self.deadline is not None and due > self.deadline
        if self.deadline is not None and last_one:
            due = max(self.deadline, now)
        await asyncio.sleep(due - now)
        # At the end there is one more, unless it would be too soon after the one before.
        return not last_one or due - last >= min(interval, self.minimum_interval)

    async def _interval(self) -> float:
        least = courteous(self.minimum_interval)
        if self.poke_interval >= least:
            return self.poke_interval
        try:
            nearby = (await APScoresHook(self.apscores_conn_id).async_settings()).is_loopback
        except Exception:
            # The look itself will tell what is wrong; until then, be courteous.
            nearby = False
        return self.poke_interval if nearby else least


def courteous(minimum_interval: float) -> float:
    """The interval that keeps looks *minimum_interval* apart, whatever comes by chance."""
    return minimum_interval / (1 - JITTER)


def next_look(since: float, interval: float, now: float) -> float:
    """When to look next: the next time after *now* on the timetable that began *since*."""
    if interval <= 0:
        return now
    rounds = max(1, int((now - since) // interval))
    while (due := since + (rounds + _lateness(since, rounds)) * interval) <= now:
        rounds += 1
    return due


def _lateness(since: float, rounds: int) -> float:
    """By which share of the interval a look is late: by chance, but the same again after a restart."""
    return random.Random(f"{since} {rounds}").uniform(0, JITTER)  # noqa: S311 - no secret


def _as_ours(error: Exception) -> APScoresError:
    return as_ours(error, ServiceUnavailable, "The look for new reports")

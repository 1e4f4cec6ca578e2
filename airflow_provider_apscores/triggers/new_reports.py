"""Poll for new reports in the triggerer."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any

from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.polling import (
    JITTER,
    MIN_INTERVAL,
    next_poll,
    patience_for,
    poll_async,
    read_campuses,
)
from airflow_provider_apscores.triggers.base import PollingTrigger

# Seconds that the last poll, at the deadline, may take.
_LAST_POLL = 60.0


@dataclass(kw_only=True, eq=False, repr=False)
class APScoresNewReportsTrigger(PollingTrigger):
    """
    Poll until there are new reports or the deadline has passed; then send one event.

    It orders files, and downloads and records none, so it may run again, or twice, at any time. The sensor polls
    before it defers; therefore the trigger sleeps first. Each poll reads the connection, opens a client, logs in once
    and closes the client. Between polls a trigger holds nothing but a timer.

    Polls follow a timetable that starts at *last_poll*. A triggerer that restarts often neither polls more often nor
    delays the next poll again and again.

    Events: ``{"status": "found", "di_codes"}``, ``{"status": "timeout"}`` and
    ``{"status": "error", "error", "message", "transient"}``.

    :param di_codes: the campuses, separated by commas; empty for those of the connection.
    :param wait_for: ``any`` or ``all`` of them.
    :param found: the campuses that have new reports, separated by commas. They are not polled again.
    :param file_format: ``TXT`` or ``CSV``: what to order.
    :param poke_interval: seconds between polls.
    :param minimum_interval: minimum seconds between polls of a service that is not on this machine.
    :param last_poll: seconds since 1970 of the poll before; None for now.
    :param deadline: seconds since 1970 at which the wait ends; None for never.
    :param timeout: seconds after which the wait ends, for a trigger that starts it and so has no *deadline*.
    :param failed_polls: failed polls in a row so far.
    :param max_consecutive_failures: that many failed polls in a row are an error; 0 for any number.
    :param apscores_conn_id: the connection to use.
    """

    di_codes: str = ""
    wait_for: str = "any"
    found: str = ""
    file_format: str = "TXT"
    minimum_interval: float = MIN_INTERVAL
    last_poll: float | None = None
    timeout: float | None = None
    apscores_conn_id: str = APScoresHook.default_conn_name

    async def _wait(self) -> dict[str, Any]:
        self._first = self._last = time.time() if self.last_poll is None else self.last_poll
        self._found = list(read_campuses(self.found))
        if self.deadline is None and self.timeout is not None:
            self.deadline = time.time() + self.timeout
        self._interval = await self._allowed_interval()
        return await super()._wait()

    async def poll(self) -> dict[str, Any] | None:
        """Poll the campuses that had no new reports so far."""
        self._last = time.time()
        left = math.inf if self.deadline is None else max(self.deadline - self._last, _LAST_POLL)
        hook = APScoresHook(self.apscores_conn_id, patience=min(patience_for(self._interval), left))
        campuses = read_campuses(self.di_codes)
        result = await poll_async(hook, campuses, self.file_format, exclude=self._found, time_limit=left)
        self.log.info("Polled: %s.", result)
        self._found += [code for code in result.new if code not in self._found]
        finished = result.finished(self._found, self.wait_for)
        if finished is None and result.error is not None:
            raise result.error
        return None if finished is None else {"di_codes": finished}

    async def sleep(self) -> bool:
        """Sleep until the next poll of the timetable is due, or until the deadline."""
        now = time.time()
        # If the clock was set back, the poll that was just made is not due again.
        due = next_poll(self._first, self._interval, max(now, self._last + self._interval / 2))
        is_last = self.deadline is not None and due > self.deadline
        if self.deadline is not None and is_last:
            due = max(self.deadline, now)
        await asyncio.sleep(due - now)
        # A last poll at the deadline, unless it would follow the one before too closely.
        return not is_last or due - self._last >= min(self._interval, self.minimum_interval)

    async def _allowed_interval(self) -> float:
        # Jitter brings two polls closer together by up to its share of the interval.
        least = self.minimum_interval / (1 - JITTER)
        if self.poke_interval >= least:
            return self.poke_interval
        try:
            is_loopback = (await APScoresHook(self.apscores_conn_id).async_settings()).is_loopback
        except Exception:
            # The poll reports what is wrong with the connection.
            is_loopback = False
        return self.poke_interval if is_loopback else least

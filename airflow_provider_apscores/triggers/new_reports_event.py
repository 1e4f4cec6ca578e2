"""Watch for new reports, so that they start DAGs: the trigger behind the assets of ``new_reports()``.

A watcher never ends and never fails, because Airflow would restart it within seconds, again and again. It treats
every error as a failed poll.

The service answers only *new* or *nothing new*, with a new download id at each order. So new reports stay the same
event until a poll finds nothing new, or a task notes that it recorded a download. What is new after that is another
event. Airflow 3.3 keeps the times of the last event and the last poll in the asset state store. Before 3.3 both are
lost when the triggerer restarts. The store also has what the page in Airflow's UI shows: the next poll and the last
error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_apscores.errors import APScoresError, CredentialsRefused
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.metrics import count, gauge
from airflow_provider_apscores.hooks.polling import MIN_INTERVAL, PollResult, patience_for, poll_async, with_jitter
from airflow_provider_apscores.triggers.base import DataclassTrigger

log = logging.getLogger(__name__)

#: Keys of the asset state store: the times of the last event, record and poll, in seconds since 1970.
NOTIFIED, RECORDED, POLLED = "apscores.notified_at", "apscores.recorded_at", "apscores.polled_at"
# Seconds to wait for the watchers that start at the same time, so that the first poll is for all of them.
_STARTUP_DELAY = 5.0
# Seconds that Airflow gets to write an event to its database before the store says that it was sent.
_EVENT_WRITE_DELAY = 3.0
# Seconds until a refused login is tried again unchanged. Trying more often might lock the account.
_REFUSED_PAUSE = 86_400.0

#: Key of the asset state store: ``next_poll_at``; ``last_error`` with ``class`` and ``at``, or None; ``new_since`` or
#: None; and ``checked_at``, the last poll that College Board answered. The times are ISO 8601 in UTC.
POLL = "poll"

#: The time of a poll, in seconds since 1970, and what it found.
Poll = tuple[float, PollResult]


@dataclass(kw_only=True, eq=False, repr=False)
class APScoresNewReportsEventTrigger(DataclassTrigger, BaseEventTrigger):
    """
    Send one event for each time that a campus has new reports; never end. For an ``AssetWatcher``: ``new_reports()``.

    The watchers of one connection share one loop of polls (Airflow 3.3), with one login for all their campuses.

    Events: ``{"di_code", "polled_at"}``, with the time in ISO 8601.

    :param di_code: the campus.
    :param asset_name: the name of the watched asset. It tells this trigger from others, and names its state.
    :param poke_interval: seconds between polls.
    :param minimum_interval: minimum seconds between polls of a service that is not on this machine.
    :param remind_after: seconds after which an event is repeated for reports that are still new; None for never.
    :param file_format: ``TXT`` or ``CSV``: what to order.
    :param apscores_conn_id: the connection to use.
    """

    di_code: str = ""
    asset_name: str = ""
    poke_interval: float = 3600.0
    minimum_interval: float = MIN_INTERVAL
    remind_after: float | None = 86_400.0
    file_format: str = "TXT"
    apscores_conn_id: str = APScoresHook.default_conn_name

    # The watchers in this process, by the loop that polls for them.
    _watchers: ClassVar[dict[Hashable, list[APScoresNewReportsEventTrigger]]] = defaultdict(list)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll in a loop of this watcher alone: before 3.3, Airflow has no shared streams."""
        async with aclosing(_polls(self.serialize()[1], [self])) as polls, aclosing(self._events(polls)) as events:
            async for event in events:
                yield event

    def shared_stream_key(self) -> Hashable:
        """Share the loop with the watchers of the same account that poll at the same interval."""
        return _stream_key(self.serialize()[1])

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Poll]:
        """Poll all campuses that are watched at the time. Airflow runs this once for all watchers of a loop."""
        async with aclosing(_polls(kwargs, cls._watchers[_stream_key(kwargs)])) as polls:
            async for poll in polls:
                yield poll

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Poll]) -> AsyncIterator[TriggerEvent]:
        """Take what concerns this campus from the shared polls."""
        watchers = self._watchers[self.shared_stream_key()]
        watchers.append(self)
        try:
            async for event in self._events(shared_stream):
                yield event
        finally:
            watchers.remove(self)

    @cached_property
    def state(self) -> _AssetState:
        """The state of the asset. Airflow sets the store after it creates the trigger."""
        return _AssetState(getattr(self, "asset_state_store", None), self.asset_name)

    async def _events(self, polls: AsyncIterator[Poll]) -> AsyncGenerator[TriggerEvent, None]:
        state = self.state
        async for polled_at, result in polls:
            if self.di_code in result.none:
                await state.forget()
            elif self.di_code in result.new and await self._is_due(state, polled_at):
                self.log.info("Campus %s has new reports.", self.di_code)
                state.notified_at = polled_at
                yield TriggerEvent({"di_code": self.di_code, "polled_at": _at(polled_at)})
                # First the event, then the note: a triggerer that dies in between repeats the event and loses none.
                await asyncio.sleep(_EVENT_WRITE_DELAY)
                await state.keep_notified()

    async def note_poll(self, polled_at: float, due: float, result: PollResult | None, error: Exception | None) -> None:
        """
        Store what a poll means for this campus, and report its metrics.

        :param polled_at: seconds since 1970.
        :param due: when the next poll is, in seconds since 1970.
        :param result: what the poll found; None if it failed or was left out.
        :param error: why it failed.
        """
        state, code = self.state, self.di_code
        poll = await state.last_poll()
        failure = error if result is None else result.failed.get(code)
        if failure is not None:
            poll["last_error"] = {"class": type(failure).__name__, "at": _at(polled_at)}
        if result is None and error is not None:
            count("poll_failures", code, in_triggerer=True)
        elif result is not None and failure is None:
            since = _seconds(poll.get("new_since"))
            is_old = since is not None and since >= state.recorded_at
            since = (since if is_old else polled_at) if code in result.new else None
            poll |= {"last_error": None, "checked_at": _at(polled_at)}
            poll["new_since"] = None if since is None else _at(since)
            gauge("news_age", 0 if since is None else polled_at - since, code, in_triggerer=True)
        await state.keep_poll({"last_error": None, "new_since": None} | poll | {"next_poll_at": _at(due)})

    async def _is_due(self, state: _AssetState, polled_at: float) -> bool:
        await state.refresh()
        if state.notified_at is None:
            return True
        if state.notified_at < state.recorded_at:
            # A poll from before the record may have seen the reports that were recorded.
            return state.recorded_at <= polled_at
        return self.remind_after is not None and polled_at - state.notified_at >= self.remind_after


class _AssetState:
    """When an event was sent and a download recorded: in Airflow's asset state store, or else in this process.

    A store that cannot be reached ends no watch. The state of this process is used then.
    """

    def __init__(self, stores: Any, asset_name: str) -> None:
        self._stores = stores
        self._asset_name = asset_name
        self.notified_at: float | None = None
        self.recorded_at = 0.0
        self._poll: dict[str, Any] | None = None

    async def refresh(self) -> None:
        """Read what an earlier triggerer sent, and what tasks recorded."""

        async def read(store: Any) -> None:
            notified_at, recorded_at = await store.aget(NOTIFIED), await store.aget(RECORDED)
            self.recorded_at = float(recorded_at or 0)
            self.notified_at = self.notified_at if notified_at is None else float(notified_at)

        await self._with_store(read)

    async def keep_notified(self) -> None:
        """Store the time of the last event."""
        await self._with_store(lambda store: store.aset(NOTIFIED, self.notified_at))

    async def polled_at(self) -> float | None:
        """Return the time of the last poll by any triggerer; 0 for never, None if it is not known."""

        async def read(store: Any) -> float:
            return float(await store.aget(POLLED) or 0)

        polled_at: float | None = await self._with_store(read)
        return polled_at

    async def keep_polled(self, polled_at: float) -> None:
        """Store that a poll starts."""
        await self._with_store(lambda store: store.aset(POLLED, polled_at))

    async def last_poll(self) -> dict[str, Any]:
        """Return what is known of the last poll; see :data:`POLL`."""
        if self._poll is None:
            self._poll = await self._with_store(lambda store: store.aget(POLL)) or {}
        return dict(self._poll)

    async def keep_poll(self, poll: dict[str, Any]) -> None:
        """Store what is known of a poll."""
        self._poll = poll
        await self._with_store(lambda store: store.aset(POLL, poll))

    async def forget(self) -> None:
        """Nothing is new any more: what is new next is another event."""
        self.notified_at = None

        async def delete(store: Any) -> None:
            if await store.aget(NOTIFIED) is not None:
                await store.adelete(NOTIFIED)

        await self._with_store(delete)

    async def _with_store(self, use: Callable[[Any], Any]) -> Any:
        if self._stores is None:
            return None
        from airflow.sdk import Asset

        try:
            return await use(self._stores[Asset.ref(name=self._asset_name)])
        except Exception as error:
            log.warning("The state of asset %s cannot be reached: %s.", self._asset_name, type(error).__name__)
            return None


def _seconds(time: str | None) -> float | None:
    """Return a time, ISO 8601, in seconds since 1970."""
    return None if time is None else datetime.fromisoformat(time).timestamp()


def _stream_key(kwargs: dict[str, Any]) -> tuple[Hashable, ...]:
    """What the watchers that share a loop have in common: everything that the loop itself uses."""
    names = ("apscores_conn_id", "file_format", "poke_interval", "minimum_interval")
    return ("apscores", *(kwargs[name] for name in names))


async def _polls(
    kwargs: dict[str, Any], watchers: Sequence[APScoresNewReportsEventTrigger]
) -> AsyncGenerator[Poll, None]:
    """Poll the campuses of all current *watchers* again and again. No error ends the loop."""
    hook = APScoresHook(kwargs["apscores_conn_id"], patience=patience_for(kwargs["poke_interval"]))
    refused: tuple[Any, float] | None = None
    await asyncio.sleep(min(_STARTUP_DELAY, kwargs["poke_interval"]))
    await asyncio.sleep(await _until_first(kwargs, hook, watchers))
    while True:
        polled_at, interval = time.time(), max(kwargs["poke_interval"], kwargs["minimum_interval"])
        campuses, result, settings = sorted({each.di_code for each in watchers}), None, None
        failure: Exception | None = None
        try:
            settings = await hook.async_settings()
            interval = kwargs["poke_interval"] if settings.is_loopback else interval
            if campuses and (
                refused is None or refused[0] != settings.credentials or polled_at - refused[1] >= _REFUSED_PAUSE
            ):
                for each in list(watchers):
                    await each.state.keep_polled(polled_at)
                result = await poll_async(hook, campuses, kwargs["file_format"], isolate_failures=True)
                refused = None
        except CredentialsRefused as error:
            failure, refused = error, (settings and settings.credentials, polled_at)
            log.error("No more polls until the connection is changed, or for a day: %s", error)
        except Exception as error:
            failure = error
            log.warning("Poll failed: %s", error if isinstance(error, APScoresError) else type(error).__name__)
        if result is not None:
            log.info("Polled: %s.", result)
            for code, fault in result.failed.items():
                log.warning("Campus %s: %s", code, fault)
            yield polled_at, result
        pause = with_jitter(interval)
        due = time.time() + pause
        for each in list(watchers):
            try:
                await each.note_poll(polled_at, due, result, failure)
            except Exception as error:
                log.warning("The poll of campus %s was not noted: %s.", each.di_code, type(error).__name__)
        log.info("The next poll is at %s.", _at(due))
        await asyncio.sleep(max(0.0, due - time.time()))


def _at(seconds: float) -> str:
    """Return a time, in seconds since 1970, as ISO 8601 in UTC."""
    import pendulum

    return pendulum.from_timestamp(int(seconds)).to_iso8601_string()


async def _until_first(
    kwargs: dict[str, Any], hook: APScoresHook, watchers: Sequence[APScoresNewReportsEventTrigger]
) -> float:
    """Seconds until the first poll in this process. A triggerer that restarts often polls no more often for that."""
    least: float = kwargs["minimum_interval"]
    with suppress(Exception):  # the poll reports what is wrong with the connection
        least = 0.0 if (await hook.async_settings()).is_loopback else least
    polls = [await each.state.polled_at() for each in list(watchers)]
    if None in polls:  # there may have been a poll just now
        return least
    pause = with_jitter(max(kwargs["poke_interval"], least))
    last = max(filter(None, polls), default=0.0)
    return min(max(0.0, last + pause - time.time()), pause)

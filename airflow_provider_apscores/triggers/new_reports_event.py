"""Watch for new reports, so that they start DAGs: the trigger behind the assets of ``new_reports()``.

A watcher never ends and never fails: Airflow would start it again within seconds, for ever. So this one takes every
fault as a missed look.

The service tells only *new* or *nothing new*, and a fresh download id at each order. So news is the same news until a
look found nothing new, or a task noted that it recorded a download; both end it, and what is new after that is told
again. Airflow 3.3 keeps what was told, and when the last look was, in the asset state store; before, both
are forgotten when the triggerer restarts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_apscores.errors import APScoresError, CredentialsRefused
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.polling import COURTESY, JITTER, Look, look_async, patience_of

log = logging.getLogger(__name__)

#: Where the asset state store keeps when was told, recorded and looked: seconds since 1970.
TOLD, RECORDED, LOOKED = "apscores.told_at", "apscores.recorded_at", "apscores.looked_at"
# Seconds until those who start together are all there, so that the first look is for all of them.
_GATHERING = 5.0
# Seconds that Airflow gets to write an event down before the store says that it was told.
_SETTLING = 3.0
# Seconds until a refused login is tried again unchanged: more often might lock the account.
_REFUSED_PAUSE = 86_400.0

Found = tuple[float, Look]


class APScoresNewReportsEventTrigger(BaseEventTrigger):
    """
    Tell of each news for a campus once; never end. For an ``AssetWatcher``: see ``new_reports()``.

    The watchers of one connection share one loop of looks (Airflow 3.3), with one login for all their campuses.

    Events: ``{"di_code", "looked_at"}``.

    :param di_code: the campus.
    :param asset_name: the name of the watched asset: where the state is kept, and what makes this trigger its own.
    :param poke_interval: seconds between looks.
    :param minimum_interval: seconds between looks at a service that is not on this machine, at least.
    :param remind_after: seconds after which the same news is told again; None for never.
    :param file_format: ``TXT`` or ``CSV``: what is ordered to ask.
    :param apscores_conn_id: the connection to use.
    """

    # The watchers in this process, by the loop that looks for them.
    _watchers: ClassVar[dict[Hashable, list[APScoresNewReportsEventTrigger]]] = defaultdict(list)

    def __init__(
        self,
        di_code: str = "",
        asset_name: str = "",
        poke_interval: float = 3600.0,
        minimum_interval: float = COURTESY,
        remind_after: float | None = 86_400.0,
        file_format: str = "TXT",
        apscores_conn_id: str = APScoresHook.default_conn_name,
    ) -> None:
        super().__init__()
        self.di_code = di_code
        self.asset_name = asset_name
        self.poke_interval = poke_interval
        self.minimum_interval = minimum_interval
        self.remind_after = remind_after
        self.file_format = file_format
        self.apscores_conn_id = apscores_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "di_code": self.di_code,
                "asset_name": self.asset_name,
                "poke_interval": self.poke_interval,
                "minimum_interval": self.minimum_interval,
                "remind_after": self.remind_after,
                "file_format": self.file_format,
                "apscores_conn_id": self.apscores_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look with a loop of one's own, where Airflow has no shared streams: before 3.3."""
        async with aclosing(_looks(self.serialize()[1], [self])) as looks, aclosing(self._events(looks)) as events:
            async for event in events:
                yield event

    def shared_stream_key(self) -> Hashable:
        """Share the loop with the watchers of the same account that look at the same pace."""
        return _loop(self.serialize()[1])

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Found]:
        """Look for all campuses that are watched at the time. Airflow runs this once for all watchers of a loop."""
        async with aclosing(_looks(kwargs, cls._watchers[_loop(kwargs)])) as looks:
            async for found in looks:
                yield found

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Found]) -> AsyncIterator[TriggerEvent]:
        """Take what concerns this campus out of the looks for all."""
        watchers = self._watchers[self.shared_stream_key()]
        watchers.append(self)
        try:
            async for event in self._events(shared_stream):
                yield event
        finally:
            watchers.remove(self)

    @cached_property
    def memory(self) -> _Memory:
        """What is remembered of the asset. Airflow gives the store after it made the trigger."""
        return _Memory(getattr(self, "asset_state_store", None), self.asset_name)

    async def _events(self, looks: AsyncIterator[Found]) -> AsyncGenerator[TriggerEvent, None]:
        memory = self.memory
        async for looked_at, found in looks:
            if self.di_code in found.nothing:
                await memory.forget()
            elif self.di_code in found.news and await self._is_news(memory, looked_at):
                when = datetime.fromtimestamp(looked_at, UTC).isoformat(timespec="seconds")
                self.log.info("Campus %s has new reports.", self.di_code)
                memory.told_at = looked_at
                yield TriggerEvent({"di_code": self.di_code, "looked_at": when})
                # Told first, remembered second: who dies in between tells twice, but never not at all.
                await asyncio.sleep(_SETTLING)
                await memory.keep()

    async def _is_news(self, memory: _Memory, looked_at: float) -> bool:
        await memory.refresh()
        if memory.told_at is None:
            return True
        if memory.told_at < memory.recorded_at:
            # What this look saw may be what was recorded meanwhile.
            return memory.recorded_at <= looked_at
        return self.remind_after is not None and looked_at - memory.told_at >= self.remind_after


class _Memory:
    """What was told and recorded: in the asset state store where Airflow has one, else in this process.

    A store that can't be reached is no reason to fail: then what this process remembers has to do.
    """

    def __init__(self, stores: Any, asset_name: str) -> None:
        self._stores = stores
        self._asset_name = asset_name
        self.told_at: float | None = None
        self.recorded_at = 0.0

    async def refresh(self) -> None:
        """Learn what an earlier triggerer told, and what tasks recorded."""

        async def read(store: Any) -> None:
            told_at, recorded_at = await store.aget(TOLD), await store.aget(RECORDED)
            self.recorded_at = float(recorded_at or 0)
            self.told_at = self.told_at if told_at is None else float(told_at)

        await self._with_store(read)

    async def keep(self) -> None:
        """Keep when it was told."""
        await self._with_store(lambda store: store.aset(TOLD, self.told_at))

    async def looked_at(self) -> float | None:
        """When a triggerer looked last; 0 for never, None where nobody can tell."""

        async def read(store: Any) -> float:
            return float(await store.aget(LOOKED) or 0)

        looked_at: float | None = await self._with_store(read)
        return looked_at

    async def keep_look(self, looked_at: float) -> None:
        """Keep that a look begins."""
        await self._with_store(lambda store: store.aset(LOOKED, looked_at))

    async def forget(self) -> None:
        """There is nothing new any more: whatever comes is news."""
        self.told_at = None

        async def delete(store: Any) -> None:
            if await store.aget(TOLD) is not None:
                await store.adelete(TOLD)

        await self._with_store(delete)

    async def _with_store(self, use: Callable[[Any], Any]) -> Any:
        if self._stores is None:
            return None
        from airflow.sdk import Asset

        try:
            return await use(self._stores[Asset.ref(name=self._asset_name)])
        except Exception as error:
            log.warning("The state of asset %s is out of reach: %s.", self._asset_name, type(error).__name__)
            return None


def _loop(kwargs: dict[str, Any]) -> tuple[Hashable, ...]:
    """What the watchers that share a loop have in common: everything that the loop itself needs."""
    names = ("apscores_conn_id", "file_format", "poke_interval", "minimum_interval")
    return ("apscores", *(kwargs[name] for name in names))


async def _looks(
    kwargs: dict[str, Any], watchers: Sequence[APScoresNewReportsEventTrigger]
) -> AsyncGenerator[Found, None]:
    """Look for all *watchers*, who come and go, again and again, for ever, whatever happens."""
    hook = APScoresHook(kwargs["apscores_conn_id"], patience=patience_of(kwargs["poke_interval"]))
    refused: tuple[Any, float] | None = None
    await asyncio.sleep(min(_GATHERING, kwargs["poke_interval"]))
    await asyncio.sleep(await _until_first(kwargs, hook, watchers))
    while True:
        looked_at, interval = time.time(), max(kwargs["poke_interval"], kwargs["minimum_interval"])
        campuses, found, settings = sorted({each.di_code for each in watchers}), None, None
        try:
            settings = await hook.async_settings()
            interval = kwargs["poke_interval"] if settings.is_loopback else interval
            if campuses and (
                refused is None or refused[0] != settings.credentials or looked_at - refused[1] >= _REFUSED_PAUSE
            ):
                for each in list(watchers):
                    await each.memory.keep_look(looked_at)
                found = await look_async(hook, campuses, kwargs["file_format"], each_for_itself=True)
                refused = None
        except CredentialsRefused as error:
            refused = (settings and settings.credentials, looked_at)
            log.error("The watch rests until the connection is changed, a day at most: %s", error)
        except Exception as error:
            log.warning("A missed look: %s", error if isinstance(error, APScoresError) else type(error).__name__)
        if found is not None:
            log.info("Looked: %s.", found)
            for code, fault in found.missed.items():
                log.warning("Campus %s: %s", code, fault)
            yield looked_at, found
        await asyncio.sleep(_pause(interval))


async def _until_first(
    kwargs: dict[str, Any], hook: APScoresHook, watchers: Sequence[APScoresNewReportsEventTrigger]
) -> float:
    """Seconds until the first look in this process, so that a triggerer that dies again and again doesn't hammer."""
    least: float = kwargs["minimum_interval"]
    with suppress(Exception):  # the look itself will tell what is wrong; until then, be courteous
        least = 0.0 if (await hook.async_settings()).is_loopback else least
    looks = [await each.memory.looked_at() for each in list(watchers)]
    if None in looks:  # nobody can tell whether there was a look just now
        return least
    pause = _pause(max(kwargs["poke_interval"], least))
    last = max(filter(None, looks), default=0.0)
    return min(max(0.0, last + pause - time.time()), pause)


def _pause(interval: float) -> float:
    seconds: float = interval * random.uniform(1, 1 + JITTER)  # noqa: S311 - no secret
    return seconds

"""Poll for new reports, and the rules of polling that sensors, triggers and watchers share.

The web service has no call that says whether there are new reports. A poll orders a ``new`` file for each campus and
does not download it. Nothing is recorded, so the reports stay new. The campuses of a poll share one client and one
login.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import random
import re
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import APScoresError, CampusRefused, ConfigurationError, ServiceUnavailable
from airflow_provider_apscores.hooks.metrics import count

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.apscores import APScoresHook
    from airflow_provider_apscores.hooks.connection import Settings

log = logging.getLogger(__name__)

#: Orders that a poll sends at the same time.
MAX_CONCURRENT_ORDERS = 10
#: Seconds between two polls of a service that is not on this machine, unless the user sets another minimum.
MIN_INTERVAL = 300.0
#: Largest share of the interval by which a poll is delayed at random, so that many sensors do not poll in step.
JITTER = 0.2
#: Bounds of the seconds for which one poll repeats an order while College Board generates the file.
MIN_PATIENCE, MAX_PATIENCE = 5.0, 600.0
#: Seconds that a poll may take in addition to the patience for its orders: to connect, to log in, to close.
_OVERHEAD = 60.0


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found.

    Attributes:
        campuses: All campuses of the wait, in the given order, including those that were not polled.
        new: Campuses that have new reports.
        none: Campuses that have none.
        failed: Campuses without an answer, each with the transient error.
        is_loopback: Whether the service is on this machine, as the sandbox is.
    """

    campuses: tuple[str, ...]
    new: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    failed: dict[str, APScoresError] = field(default_factory=dict)
    is_loopback: bool = False

    def __str__(self) -> str:
        parts = [f"new reports for {', '.join(self.new) or 'no campus'}"]
        if self.none:
            parts.append(f"none for {', '.join(self.none)}")
        if self.failed:
            parts.append(f"no answer for {', '.join(self.failed)}")
        return "; ".join(parts)

    def finished(self, found: Collection[str], wait_for: str) -> list[str] | None:
        """Return the campuses that a wait for *any* or *all* ends with, or None if the wait goes on.

        Args:
            found: The campuses that had new reports in this poll or before.
            wait_for: ``any`` or ``all``.
        """
        new = [code for code in self.campuses if code in found]
        enough = len(self.campuses) if wait_for == "all" else 1
        return new if len(new) >= enough else None

    @property
    def error(self) -> APScoresError | None:
        """The first transient error, or None if every campus was answered for."""
        return next(iter(self.failed.values()), None)


class FailedPolls:
    """Count failed polls in a row, and decide when they end the wait. One rule for every mode.

    Attributes:
        count: Failed polls in a row so far.
    """

    def __init__(self, limit: int, count: int = 0) -> None:
        """Start with *count* failed polls; *limit* of them end the wait, 0 means no limit."""
        self.limit = limit
        self.count = count

    def end_wait(self, error: APScoresError) -> bool:
        """Count a failed poll, and return whether *error* ends the wait: it is permanent, or the last one allowed."""
        if not error.transient:
            return True
        self.count += 1
        if 0 < self.limit <= self.count:
            return True
        log.warning("Poll failed (%d in a row): %s", self.count, error)
        return False

    def reset(self) -> None:
        """A poll succeeded: start counting from zero."""
        self.count = 0


def poll(hook: APScoresHook, di_codes: Sequence[str], file_format: str, *, exclude: Collection[str] = ()) -> PollResult:
    """Poll *di_codes*, or the campuses of the connection if there are none, in threads.

    Args:
        hook: The account.
        di_codes: The campuses.
        file_format: ``TXT`` or ``CSV``: what to order.
        exclude: Campuses that are not polled any more.

    Raises:
        APScoresError: A permanent one, as soon as one campus meets it. The others would meet it too.
    """
    settings = hook.settings()
    campuses = chosen_campuses(di_codes, settings)
    codes = [code for code in campuses if code not in exclude]
    limit = _time_limit(hook, codes)
    waiting, answers = deque(codes), queue.SimpleQueue[tuple[str, Any]]()

    def ask() -> None:
        while True:
            try:
                code = waiting.popleft()
            except IndexError:
                return
            try:
                answers.put((code, client.order(code, file_format=file_format)))
            except BaseException as error:
                answers.put((code, error))

    found: dict[str, Any] = {}
    with hook.get_conn(settings, mask_transient_secrets=False) as client:
        end = time.monotonic() + limit
        # Not an executor: a task that Airflow stops would wait until the last of its threads has an answer.
        for _ in range(min(MAX_CONCURRENT_ORDERS, len(codes))):
            threading.Thread(target=ask, name="apscores-poll", daemon=True).start()
        try:
            while len(found) < len(codes):
                code, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
                found[code] = _raise_permanent(answer)
        except queue.Empty:
            pass  # the campuses without an answer are failed
        finally:
            waiting.clear()
    return _result(campuses, codes, found, settings, limit)


async def poll_async(
    hook: APScoresHook,
    di_codes: Sequence[str],
    file_format: str,
    *,
    exclude: Collection[str] = (),
    isolate_failures: bool = False,
    time_limit: float = math.inf,
) -> PollResult:
    """Poll as :func:`poll` does, on the event loop.

    Args:
        hook: The account.
        di_codes: The campuses.
        file_format: ``TXT`` or ``CSV``: what to order.
        exclude: Campuses that are not polled any more.
        isolate_failures: Treat a refused campus as one without an answer, because the other campuses belong to other
            watchers.
        time_limit: Seconds after which campuses without an answer are failed. The patience of *hook* sets one too.
    """
    settings = await hook.async_settings()
    campuses = chosen_campuses(di_codes, settings)
    codes = [code for code in campuses if code not in exclude]
    limit = min(_time_limit(hook, codes), time_limit)
    concurrent = asyncio.Semaphore(MAX_CONCURRENT_ORDERS)
    found: dict[str, Any] = {}

    async def ask(code: str) -> None:
        async with concurrent:
            try:
                answer: Any = await client.order(code, file_format=file_format)
            except APScoresError as error:
                answer = error
        isolated = isolate_failures and isinstance(answer, CampusRefused | ConfigurationError)
        found[code] = answer if isolated else _raise_permanent(answer)

    async with hook.get_async_conn(settings, mask_transient_secrets=False) as client:
        tasks = [asyncio.ensure_future(ask(code)) for code in codes]
        try:
            if tasks:
                done, _pending = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _result(campuses, codes, found, settings, limit, in_triggerer=True)


def read_campuses(value: Any) -> tuple[str, ...]:
    """Return the campuses that a task names: a list, comma-separated text, or a list that a template turned into text.

    Raises:
        ConfigurationError: One of them is not a DI code.
    """
    from airflow_provider_apscores.webservice import FileOrder  # it checks the form of a DI code

    if value is None:
        return ()
    items = re.split(r"[\s,;\[\]()'\"]+", value) if isinstance(value, str) else value
    items = [items] if isinstance(items, int) else items
    codes = [str(item).strip() for item in items]
    return tuple(dict.fromkeys(FileOrder(code).di_code for code in codes if code not in ("", "None")))


def chosen_campuses(di_codes: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Return *di_codes*, or those of the connection.

    Raises:
        ConfigurationError: Neither names any.
    """
    chosen = tuple(di_codes) or settings.di_codes
    if not chosen:
        raise ConfigurationError("Name the campuses: in di_codes of the task or in di_codes of its connection.")
    return chosen


def patience_for(poke_interval: float) -> float:
    """Return the seconds for which a poll repeats its orders: until the next poll is due, within bounds."""
    return min(max(poke_interval, MIN_PATIENCE), MAX_PATIENCE)


def with_jitter(interval: float) -> float:
    """Return *interval* plus a random share of it, at most :data:`JITTER`."""
    return interval * random.uniform(1, 1 + JITTER)  # noqa: S311 - no secret


def next_poll(first: float, interval: float, now: float) -> float:
    """Return the next time after *now* on the timetable of polls that started at *first*. All in seconds since 1970.

    The jitter of each poll depends on *first* and the number of the poll only, so a restart does not change it.
    """
    if interval <= 0:
        return now
    number = max(1, int((now - first) // interval))
    while (due := first + (number + _jitter(first, number)) * interval) <= now:
        number += 1
    return due


def _jitter(first: float, number: int) -> float:
    return random.Random(f"{first} {number}").uniform(0, JITTER)  # noqa: S311 - no secret


def _time_limit(hook: APScoresHook, codes: Sequence[str]) -> float:
    """Seconds after which a poll stops waiting, whatever the service does."""
    return math.ceil(len(codes) / MAX_CONCURRENT_ORDERS) * hook.patience + _OVERHEAD


def _raise_permanent(answer: Any) -> Any:
    if isinstance(answer, BaseException) and not (isinstance(answer, APScoresError) and answer.transient):
        raise answer
    return answer


def _result(
    campuses: tuple[str, ...],
    codes: Sequence[str],
    found: dict[str, Any],
    settings: Settings,
    limit: float,
    *,
    in_triggerer: bool = False,
) -> PollResult:
    late = ServiceUnavailable(f"No answer from College Board within {limit:.0f} seconds.")
    answers = {code: found.get(code, late) for code in codes}
    failed = {code: answer for code, answer in answers.items() if isinstance(answer, APScoresError)}
    for code in failed:
        count("poll_failures", code, in_triggerer=in_triggerer)
    return PollResult(
        campuses=campuses,
        new=tuple(code for code, answer in answers.items() if answer is not None and code not in failed),
        none=tuple(code for code, answer in answers.items() if answer is None),
        failed=failed,
        is_loopback=settings.is_loopback,
    )

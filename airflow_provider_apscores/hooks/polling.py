"""A look: which campuses have new reports? Blocking for workers, awaiting for triggerers.

The web service has no call that asks. A look orders a ``new`` file for each campus and does not fetch it; nothing is
recorded, so the reports stay new. All campuses of a look share one client, hence one login, and so many orders at
once as :data:`AT_ONCE` says.
"""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import APScoresError, CampusRefused, ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.apscores import APScoresHook
    from airflow_provider_apscores.hooks.connection import Settings
    from airflow_provider_apscores.webservice import GeneratedFile

#: Orders under way at the same time, for the campuses of one look.
AT_ONCE = 10
#: Seconds between two looks at a service that is not on this machine, unless the user says otherwise. A courtesy.
COURTESY = 300.0
#: A look comes up to this share of the interval later than it could, so that many sensors don't ask in step.
JITTER = 0.2
#: Seconds that one look goes on asking while College Board generates a file: until the next one is due, but in these
#: bounds.
SHORTEST_PATIENCE, LONGEST_PATIENCE = 5.0, 600.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found.

    Attributes:
        campuses: All campuses that the wait is about, in the order in which they were named, also those left out.
        news: Campuses that have new reports.
        nothing: Campuses that have none.
        missed: Campuses whose answer did not come, each with the passing fault.
        nearby: Whether the service is on this machine, as the sandbox is.
    """

    campuses: tuple[str, ...]
    news: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()
    missed: dict[str, APScoresError] = field(default_factory=dict)
    nearby: bool = False

    def __str__(self) -> str:
        parts = [f"new reports for {', '.join(self.news) or 'no campus'}"]
        if self.nothing:
            parts.append(f"none for {', '.join(self.nothing)}")
        if self.missed:
            parts.append(f"no answer about {', '.join(self.missed)}")
        return "; ".join(parts)

    def result(self, seen: Collection[str], wait_for: str) -> list[str] | None:
        """What a wait for *any* or *all* has come to, or None when it goes on.

        Args:
            seen: The campuses that were seen to have news, in this look or before.
            wait_for: ``any`` or ``all``.
        """
        news = [code for code in self.campuses if code in seen]
        enough = len(self.campuses) if wait_for == "all" else 1
        return news if len(news) >= enough else None

    @property
    def fault(self) -> APScoresError | None:
        """Why an answer is missing, or None when none is."""
        return next(iter(self.missed.values()), None)


def look(hook: APScoresHook, di_codes: Sequence[str], file_format: str, but: Collection[str] = ()) -> Look:
    """Ask about *di_codes*, or the connection's campuses when there are none, in threads.

    Args:
        hook: The account.
        di_codes: The campuses.
        file_format: What to order.
        but: Campuses that need not be asked for any more.

    Raises:
        APScoresError: With ``transient`` false, as soon as one campus meets it: it would meet us again.
    """
    settings = hook.settings()
    campuses = chosen_campuses(di_codes, settings)
    codes = [code for code in campuses if code not in but]
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

    with hook.get_conn(settings, mask_transient_secrets=False) as client:
        # Not an executor: its threads would hold up a task that Airflow stops until the last of them has its answer.
        for _ in range(min(AT_ONCE, len(codes))):
            threading.Thread(target=ask, name="apscores-look", daemon=True).start()
        try:
            found = dict(_judged(*answers.get()) for _ in codes)
        finally:
            waiting.clear()
    return _look(campuses, found, settings)


async def look_async(
    hook: APScoresHook,
    di_codes: Sequence[str],
    file_format: str,
    but: Collection[str] = (),
    *,
    each_for_itself: bool = False,
) -> Look:
    """The awaiting twin of :func:`look`.

    Args:
        hook: The account.
        di_codes: The campuses.
        file_format: What to order.
        but: Campuses that need not be asked for any more.
        each_for_itself: Take a refused campus for a missed answer, because the others are somebody else's.
    """
    settings = await hook.async_settings()
    campuses = chosen_campuses(di_codes, settings)
    codes = [code for code in campuses if code not in but]
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(code: str) -> tuple[str, Any]:
        async with at_once:
            try:
                answer: Any = await client.order(code, file_format=file_format)
            except APScoresError as error:
                answer = error
        if each_for_itself and isinstance(answer, CampusRefused | ConfigurationError):
            return code, answer
        return _judged(code, answer)

    async with hook.get_async_conn(settings, mask_transient_secrets=False) as client:
        asking = [asyncio.ensure_future(ask(code)) for code in codes]
        try:
            found = dict(await asyncio.gather(*asking))
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    return _look(campuses, found, settings)


def read_campuses(value: Any) -> tuple[str, ...]:
    """The campuses that a task names: a list, text separated by commas, or a list that a template made text of.

    Raises:
        ConfigurationError: One of them is no DI code.
    """
    from airflow_provider_apscores.webservice import FileOrder  # it knows what a DI code looks like

    if value is None:
        return ()
    items = re.split(r"[\s,;\[\]()'\"]+", value) if isinstance(value, str) else value
    items = [items] if isinstance(items, int) else items
    codes = [str(item).strip() for item in items]
    return tuple(dict.fromkeys(FileOrder(code).di_code for code in codes if code not in ("", "None")))


def chosen_campuses(di_codes: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """*di_codes*, or those of the connection.

    Raises:
        ConfigurationError: Neither names any.
    """
    chosen = tuple(di_codes) or settings.di_codes
    if not chosen:
        raise ConfigurationError("Name the campuses: in di_codes of the task or in di_codes of its connection.")
    return chosen


def patience_of(poke_interval: float) -> float:
    """Seconds that a look may go on asking, where looks are *poke_interval* apart."""
    return min(max(poke_interval, SHORTEST_PATIENCE), LONGEST_PATIENCE)


def _judged(code: str, answer: GeneratedFile | BaseException | None) -> tuple[str, Any]:
    if isinstance(answer, BaseException) and not (isinstance(answer, APScoresError) and answer.transient):
        raise answer
    return code, answer


def _look(campuses: tuple[str, ...], found: dict[str, Any], settings: Settings) -> Look:
    asked = [code for code in campuses if code in found]
    missed = {code: found[code] for code in asked if isinstance(found[code], APScoresError)}
    return Look(
        campuses=campuses,
        news=tuple(code for code in asked if code not in missed and found[code] is not None),
        nothing=tuple(code for code in asked if found[code] is None),
        missed=missed,
        nearby=settings.is_loopback,
    )

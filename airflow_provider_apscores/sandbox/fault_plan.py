"""Which fault a call gets: planned faults in order, then random faults ("chaos").

The random draw for a call depends on the seed, the kind of call, the campus and the number of earlier calls of that
kind, so that threads do not change it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from airflow_provider_apscores.sandbox.faults import CALLS, FAULTS, Fault, PlannedFault

#: The faults that chaos draws from: a client with retries recovers from each of them.
TRANSIENT = (
    "status=500", "status=502", "status=503", "status=504", "rate-limit=0", "maintenance=0", "slow=0.05", "drop",
    "reset", "bad-json", "expire-token", "lost-reply", "lost-reply=504", "missing-url", "expired-url", "truncate=0.5",
    "break=0.3",
)  # fmt: skip
#: Not drawn at a login: there the client does not ask again, since an answer like that may be a refusal.
FINAL_AT_LOGIN = ("bad-json",)


@dataclass(frozen=True, slots=True)
class Chaos:
    """Random faults, reproducible by seed.

    Attributes:
        seed: Of the draws.
        rate: Share of the calls that fail, 0 to 1.
        faults: The faults to draw from, each for the calls that it applies to.
        calls: The calls that may fail.
        in_a_row: At most this many calls of one kind for one campus fail in a row, so that retries succeed.
    """

    seed: int
    rate: float = 0.3
    faults: tuple[Fault, ...] = tuple(Fault.parse(text) for text in TRANSIENT)
    calls: tuple[str, ...] = CALLS
    in_a_row: int = 2

    def draw(self, call: str, di_code: str | None, number: int) -> Fault | None:
        """Return the fault of the *number*-th call of a kind for a campus, or None."""
        excluded = FINAL_AT_LOGIN if call == "login" else ()
        candidates = [fault for fault in self.faults if call in FAULTS[fault.name].calls and fault.name not in excluded]
        # Not for secrets: the draw must be reproducible.
        random = Random(f"{self.seed}/{call}/{di_code}/{number}")  # noqa: S311
        if call not in self.calls or not candidates or random.random() >= self.rate:
            return None
        return random.choice(candidates)


class FaultPlan:
    """The planned and random faults of a sandbox. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[PlannedFault] = []
        self._chaos: Chaos | None = None
        self._seen: Counter[tuple[str, str | None]] = Counter()
        self._in_a_row: Counter[tuple[str, str | None]] = Counter()
        self._injected: list[str] = []

    def add(self, planned: PlannedFault | str) -> PlannedFault:
        """Plan a fault, after the faults planned before.

        Raises:
            ValueError: The text is not a fault.
        """
        if isinstance(planned, str):
            planned = PlannedFault.parse(planned)
        with self._lock:
            self._queue.append(planned)
        return planned

    def chaos(
        self,
        seed: int,
        rate: float = 0.3,
        *,
        faults: Iterable[str] = TRANSIENT,
        calls: Iterable[str] = CALLS,
        in_a_row: int = 2,
    ) -> Chaos:
        """Inject random faults from now on; see :class:`Chaos`.

        Raises:
            ValueError: A fault or a call does not exist, or the rate is not from 0 to 1.
        """
        chosen = tuple(calls)
        if unknown := set(chosen) - set(CALLS):
            raise ValueError(f"There is no call {sorted(unknown)[0]!r}. There are: {', '.join(CALLS)}.")
        if not 0 <= rate <= 1:
            raise ValueError("The rate is a share of the calls, from 0 to 1.")
        chaos = Chaos(seed, rate, tuple(Fault.parse(text) for text in faults), chosen, in_a_row)
        with self._lock:
            self._chaos = chaos
            self._seen.clear()
            self._in_a_row.clear()
        return chaos

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._queue.clear()
            self._chaos = None

    @property
    def planned(self) -> list[str]:
        """The faults that are still to come."""
        with self._lock:
            return [str(planned) for planned in self._queue]

    @property
    def injected(self) -> list[str]:
        """The faults injected so far, as ``CALL[@CAMPUS]:FAULT``, in order."""
        with self._lock:
            return list(self._injected)

    def draw(self, call: str, di_code: str | None) -> Fault | None:
        """Return the fault to inject into a call that arrives now, or None."""
        with self._lock:
            fault = self._from_queue(call, di_code) or self._from_chaos(call, di_code)
            if fault is not None:
                self._injected.append(f"{call}{f'@{di_code}' if di_code else ''}:{fault}")
            return fault

    def _from_queue(self, call: str, di_code: str | None) -> Fault | None:
        for place, planned in enumerate(self._queue):
            if not planned.matches(call, di_code):
                continue
            if planned.after:
                self._queue[place] = replace(planned, after=planned.after - 1)
                return None
            if planned.times is None:
                return planned.fault
            if planned.times > 1:
                self._queue[place] = replace(planned, times=planned.times - 1)
            else:
                del self._queue[place]
            return planned.fault if planned.times else self._from_queue(call, di_code)
        return None

    def _from_chaos(self, call: str, di_code: str | None) -> Fault | None:
        if self._chaos is None:
            return None
        key = (call, di_code)
        number = self._seen[key]
        self._seen[key] += 1
        fault = self._chaos.draw(call, di_code, number)
        if fault is None or self._in_a_row[key] >= self._chaos.in_a_row:
            self._in_a_row[key] = 0
            return None
        self._in_a_row[key] += 1
        return fault

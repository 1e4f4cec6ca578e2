"""Faults on purpose: which can be played, when, and on which call.

A fault is written as text, the same in Python, on the command line and over the control address::

    order:504:2              the next two orders are answered 504
    download:truncate        the next download ends half-way
    order@9120:refuse=mfa:*  every order for campus 9120 is refused with the words about MFA
    record+1:lost-reply      the second record from now is done, but its answer never arrives

that is ``CALL[@CAMPUS][+PASSED]:FAULT[=ARGUMENT][:TIMES]``. *CALL* is ``login``, ``order``, ``download``, ``record``
or ``any``. *PASSED* calls go well first. *TIMES* is a number or ``*``; 1 when it is left out. A bare number as the
fault is an HTTP status. :data:`FAULTS` lists them all.

Two ways to plan: a *queue* of faults that a test writes down, and *chaos*: faults drawn at random from a seed, where
the draw for a call depends on the seed, the kind of call, the campus and how many such calls came before, so that
threads do not change it. The queue goes first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

CALLS = ("login", "order", "download", "record")

#: What College Board might say when it refuses. The wording is invented where the reference does not quote it.
REFUSALS = {
    "credentials": "Invalid username or password.",
    "mfa": "Multifactor authentication is enabled for this account. It must be disabled to use the web service.",
    "expired": "Your password has expired. Please update your password.",
    "terms": "The site terms of use have not been accepted for this account.",
    "role": "This account does not have the role APOSRD HED Admin.",
    "locked": "This account has been locked because of too many failed login attempts.",
    "campus": "You do not have access to this institution.",
    "nothing-new": "There were no score orders found for the institution.",
    "token": "The authorization token is not valid or has expired.",
    "download-id": "The download was not found.",
}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What one fault does.

    Attributes:
        calls: The calls that it can be played on.
        effect: True when the call does what it asks for and only the answer suffers; False when nothing is done.
        default: The argument when none is given; None when it takes none.
        summary: For people.
    """

    calls: tuple[str, ...]
    effect: bool
    default: str | None
    summary: str


_JSON_CALLS = ("login", "order", "record")

#: Every fault by its name.
FAULTS: dict[str, FaultKind] = {
    "status": FaultKind(CALLS, False, "500", "this HTTP status"),
    "rate-limit": FaultKind(CALLS, False, "1", "429 with Retry-After of so many seconds"),
    "maintenance": FaultKind(CALLS, False, "1", "503 with an HTML page and Retry-After of so many seconds"),
    "html": FaultKind(CALLS, False, None, "200 with an HTML page"),
    "bad-json": FaultKind(_JSON_CALLS, False, None, "200 with JSON that ends in the middle"),
    "not-an-object": FaultKind(_JSON_CALLS, False, None, "200 with JSON that is a list"),
    "empty": FaultKind(CALLS, False, None, "200 with an empty body"),
    "refuse": FaultKind(
        _JSON_CALLS,
        False,
        "credentials",
        "200 with success false and these words: " + ", ".join(REFUSALS) + ", or your own",
    ),
    "expire-token": FaultKind(
        CALLS, False, None, "the token is no longer good: 401; a login gives a token that is already expired"
    ),
    "redirect": FaultKind(CALLS, False, "302", "a redirect with this status to another host, which notes what arrives"),
    "drop": FaultKind(CALLS, False, None, "the connection closes without an answer"),
    "reset": FaultKind(CALLS, False, None, "the connection is reset without an answer"),
    "slow": FaultKind(CALLS, True, "1", "the answer comes so many seconds late"),
    "lost-reply": FaultKind(
        CALLS, True, "drop", "it is done, but the answer is lost: drop, reset, or an HTTP status such as 504"
    ),
    "missing": FaultKind(_JSON_CALLS, True, "success", "it is done, but this field is left out of the answer"),
    "missing-url": FaultKind(("order",), True, None, "a file is generated, but the answer has no url yet"),
    "null-url": FaultKind(("order",), True, None, "a file is generated, but the answer's url is null"),
    "expired-url": FaultKind(("order",), True, "0", "the answer's url is good for so many seconds only"),
    "evil-name": FaultKind(("order",), True, "../../escaped.txt", "the answer's fileName is this"),
    "truncate": FaultKind(CALLS, True, "0.5", "this share of the announced bytes, then the connection closes"),
    "break": FaultKind(CALLS, True, "0.5", "this share of the announced bytes, then the connection is reset"),
    "stall": FaultKind(("download",), True, "1", "half of the bytes, then nothing for so many seconds, then the rest"),
    "short": FaultKind(("download",), True, "0.5", "this share of the file, announced as if it were all of it"),
    "no-length": FaultKind(("download",), True, "1", "no length announced; this share of the file, then it closes"),
    "overrun": FaultKind(("download",), True, "0.5", "this share of the length announced, all of the file sent"),
    "wrong-campus": FaultKind(("download",), True, "", "the file of another campus (a DI code, or any other)"),
    "stray-record": FaultKind(("download",), True, "", "one record of another campus among the right ones"),
}

#: What chaos draws from: faults that a patient client gets over by itself, each with its argument.
TRANSIENT = (
    "status=500", "status=502", "status=503", "status=504", "rate-limit=0", "maintenance=0", "slow=0.05", "drop",
    "reset", "bad-json", "expire-token", "lost-reply", "lost-reply=504", "missing-url", "expired-url", "truncate=0.5",
    "break=0.3",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its argument.

    Attributes:
        name: A key of :data:`FAULTS`.
        argument: As text; the default of its kind where none was given.
    """

    name: str
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Understand ``504``, ``drop``, ``slow=2`` or ``status:504``.

        Raises:
            ValueError: There is no such fault, or its argument makes no sense.
        """
        if text.isdigit():
            text = f"status={text}"
        cut = min((place for mark in "=:" if (place := text.find(mark)) >= 0), default=len(text))
        name, argument = text[:cut], text[cut + 1 :]
        kind = FAULTS.get(name)
        if kind is None:
            raise ValueError(f"There is no fault {name!r}. There are: {', '.join(FAULTS)}.")
        if argument and kind.default is None:
            raise ValueError(f"The fault {name} takes no argument.")
        fault = cls(name, argument or kind.default or "")
        if name == "lost-reply" and fault.argument not in ("drop", "reset"):
            cls("status", fault.argument).number  # noqa: B018 - what is no status shall fail here
        if name in _NUMBERS:
            fault.number  # noqa: B018 - a bad number shall fail where it is written, not at the call
        return fault

    @property
    def number(self) -> float:
        """The argument as seconds, a share, or a status.

        Raises:
            ValueError: It is no number, or a negative one.
        """
        try:
            number = float(self.argument)
        except ValueError:
            number = -1.0
        low, high = (200, 599) if self.name in ("status", "redirect") else (0, 86_400)
        if not low <= number <= high:
            raise ValueError(f"The fault {self.name} takes a number from {low} to {high}, not {self.argument!r}.")
        return number

    def __str__(self) -> str:
        return f"{self.name}={self.argument}" if self.argument else self.name


_NUMBERS = frozenset(
    {"status", "rate-limit", "maintenance", "redirect", "slow", "expired-url"}
    | {"truncate", "break", "stall", "short", "no-length", "overrun"}
)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault and the calls that it waits for.

    Attributes:
        call: One of :data:`CALLS`, or ``any``.
        fault: What to play.
        times: How often; None for ever.
        after: How many such calls go well first.
        di_code: Only calls about this campus; None for all.
    """

    call: str
    fault: Fault
    times: int | None = 1
    after: int = 0
    di_code: str | None = None

    def __post_init__(self) -> None:
        if self.call != "any" and self.call not in CALLS:
            raise ValueError(f"There is no call {self.call!r}. There are: {', '.join(CALLS)}, and any.")
        if self.call != "any" and self.call not in FAULTS[self.fault.name].calls:
            raise ValueError(f"The fault {self.fault.name} can't be played on {self.call}.")
        if self.call == "login" and self.di_code is not None:
            raise ValueError("A login is about no campus.")

    @classmethod
    def parse(cls, text: str) -> PlannedFault:
        """Understand ``CALL[@CAMPUS][+PASSED]:FAULT[=ARGUMENT][:TIMES]``.

        Raises:
            ValueError: It is not of that form, or names what does not exist.
        """
        head, colon, rest = text.partition(":")
        if not colon:
            raise ValueError(f"{text!r} is no fault. Write CALL:FAULT or CALL:FAULT:TIMES, for example order:504:2.")
        head, _, passed = head.partition("+")
        call, _, di_code = head.partition("@")
        times: int | None = 1
        body, _, last = rest.rpartition(":")
        if body and (last == "*" or last.isdigit()):
            rest, times = body, None if last == "*" else int(last)
        if passed and not passed.isdigit():
            raise ValueError(f"After + stands how many calls go well first, not {passed!r}.")
        return cls(call, Fault.parse(rest), times, int(passed or 0), di_code or None)

    def __str__(self) -> str:
        campus = f"@{self.di_code}" if self.di_code else ""
        passed = f"+{self.after}" if self.after else ""
        return f"{self.call}{campus}{passed}:{self.fault}:{'*' if self.times is None else self.times}"

    def matches(self, call: str, di_code: str | None) -> bool:
        """Whether a call is one that this fault waits for."""
        return (
            self.call in (call, "any")
            and call in FAULTS[self.fault.name].calls
            and (self.di_code is None or self.di_code == di_code)
        )


@dataclass(frozen=True, slots=True)
class Chaos:
    """Faults at random, the same again for the same seed.

    Attributes:
        seed: Of the draws.
        rate: Share of the calls that go wrong, 0 to 1.
        faults: What to draw from; each where it can be played.
        calls: Which calls.
        in_a_row: So many of one kind for one campus go wrong one after the other at most, so that patience wins.
    """

    seed: int
    rate: float = 0.3
    faults: tuple[Fault, ...] = tuple(Fault.parse(text) for text in TRANSIENT)
    calls: tuple[str, ...] = CALLS
    in_a_row: int = 2

    def draw(self, call: str, di_code: str | None, number: int) -> Fault | None:
        """The fault of the *number*-th call of a kind for a campus."""
        menu = [fault for fault in self.faults if call in FAULTS[fault.name].calls]
        # Not for secrets: the draw must be the same again for the same seed.
        random = Random(f"{self.seed}/{call}/{di_code}/{number}")  # noqa: S311
        if call not in self.calls or not menu or random.random() >= self.rate:
            return None
        return random.choice(menu)


class Faults:
    """What is planned. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[PlannedFault] = []
        self._chaos: Chaos | None = None
        self._seen: Counter[tuple[str, str | None]] = Counter()
        self._in_a_row: Counter[tuple[str, str | None]] = Counter()
        self._played: list[str] = []

    def add(self, planned: PlannedFault | str) -> PlannedFault:
        """Plan a fault, behind those planned before.

        Raises:
            ValueError: The text is not understood.
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
        """Let faults come at random from now on; see :class:`Chaos`.

        Raises:
            ValueError: A fault or a call does not exist, or the rate is none.
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
        """From now on everything goes well."""
        with self._lock:
            self._queue.clear()
            self._chaos = None

    @property
    def planned(self) -> list[str]:
        """What still waits in the queue."""
        with self._lock:
            return [str(planned) for planned in self._queue]

    @property
    def played(self) -> list[str]:
        """What was played, as ``CALL[@CAMPUS]:FAULT``, in order."""
        with self._lock:
            return list(self._played)

    def draw(self, call: str, di_code: str | None) -> Fault | None:
        """The fault to play on a call that arrives now, or None."""
        with self._lock:
            fault = self._from_queue(call, di_code) or self._from_chaos(call, di_code)
            if fault is not None:
                self._played.append(f"{call}{f'@{di_code}' if di_code else ''}:{fault}")
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

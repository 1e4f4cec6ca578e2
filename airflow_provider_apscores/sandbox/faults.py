"""The faults that the sandbox can inject, and their text form.

The text form is the same in Python, on the command line and over the control address::

    order:504:2              the next two orders get a 504
    download:truncate        the next download stops half-way
    order@9120:refuse=mfa:*  every order for campus 9120 is refused because of MFA
    record+1:lost-reply      the second record from now takes effect, but its reply is lost

that is ``CALL[@CAMPUS][+PASSED]:FAULT[=ARGUMENT][:TIMES]``. *CALL* is ``login``, ``order``, ``download``, ``record``
or ``any``. *PASSED* calls succeed first. *TIMES* is a number or ``*``; the default is 1. A bare number as the fault is
an HTTP status. :data:`FAULTS` lists all faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CALLS = ("login", "order", "download", "record")

#: Messages of refusals. The wording is invented where the reference does not quote it.
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
    """One kind of fault.

    Attributes:
        calls: The calls that it can be injected into.
        effect: True when the call takes effect and only the reply is damaged; False when the call has no effect.
        default: The default argument; None when it takes no argument.
        summary: For the documentation.
    """

    calls: tuple[str, ...]
    effect: bool
    default: str | None
    summary: str


_JSON_CALLS = ("login", "order", "record")

#: Every fault by its name.
FAULTS: dict[str, FaultKind] = {
    "status": FaultKind(CALLS, False, "500", "this HTTP status"),
    "rate-limit": FaultKind(CALLS, False, "1", "429 with Retry-After of this many seconds"),
    "maintenance": FaultKind(CALLS, False, "1", "503 with an HTML page and Retry-After of this many seconds"),
    "html": FaultKind(CALLS, False, None, "200 with an HTML page"),
    "bad-json": FaultKind(_JSON_CALLS, False, None, "200 with incomplete JSON"),
    "not-an-object": FaultKind(_JSON_CALLS, False, None, "200 with a JSON list"),
    "empty": FaultKind(CALLS, False, None, "200 with an empty body"),
    "refuse": FaultKind(
        _JSON_CALLS,
        False,
        "credentials",
        "200 with success false and this message: " + ", ".join(REFUSALS) + ", or other text",
    ),
    "expire-token": FaultKind(
        CALLS, False, None, "the token is expired: 401; a login issues a token that is already expired"
    ),
    "redirect": FaultKind(CALLS, False, "302", "a redirect with this status to a host that logs leaked secrets"),
    "drop": FaultKind(CALLS, False, None, "the connection closes without a reply"),
    "reset": FaultKind(CALLS, False, None, "the connection is reset without a reply"),
    "slow": FaultKind(CALLS, True, "1", "the reply arrives after this many seconds"),
    "lost-reply": FaultKind(
        CALLS, True, "drop", "takes effect, but the reply is lost: drop, reset, or an HTTP status such as 504"
    ),
    "missing": FaultKind(_JSON_CALLS, True, "success", "takes effect, but the reply lacks this field"),
    "missing-url": FaultKind(("order",), True, None, "a file is generated, but the reply has no url yet"),
    "null-url": FaultKind(("order",), True, None, "a file is generated, but the url in the reply is null"),
    "expired-url": FaultKind(("order",), True, "0", "the url in the reply expires after this many seconds"),
    "evil-name": FaultKind(("order",), True, "../../escaped.txt", "this fileName in the reply"),
    "truncate": FaultKind(CALLS, True, "0.5", "the connection closes after this share of the announced bytes"),
    "break": FaultKind(CALLS, True, "0.5", "the connection is reset after this share of the announced bytes"),
    "stall": FaultKind(("download",), True, "1", "a pause of this many seconds after half of the bytes"),
    "short": FaultKind(("download",), True, "0.5", "only this share of the file, with a matching Content-Length"),
    "no-length": FaultKind(("download",), True, "1", "no Content-Length; this share of the file, then it closes"),
    "overrun": FaultKind(("download",), True, "0.5", "the whole file, with a Content-Length of this share"),
    "wrong-campus": FaultKind(("download",), True, "", "the file of another campus: this DI code, or any other"),
    "stray-record": FaultKind(("download",), True, "", "one record of another campus among the correct ones"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its argument.

    Attributes:
        name: A key of :data:`FAULTS`.
        argument: As text; the default of its kind if empty.

    Raises:
        ValueError: There is no such fault, or its argument is invalid.
    """

    name: str
    argument: str = ""

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise ValueError(f"There is no fault {self.name!r}. There are: {', '.join(FAULTS)}.")
        if self.argument and kind.default is None:
            raise ValueError(f"The fault {self.name} takes no argument.")
        if not self.argument:
            object.__setattr__(self, "argument", kind.default or "")
        if self.name == "lost-reply" and self.argument not in ("drop", "reset"):
            Fault("status", self.argument)
        if self.name in _NUMBERS:
            self.number  # noqa: B018 - an invalid number fails here, not at the call
        # It becomes part of a file name.
        if self.name in ("wrong-campus", "stray-record") and not re.fullmatch(r"([0-9]{4})?", self.argument):
            raise ValueError(f"The fault {self.name} takes a DI code of four digits, not {self.argument!r}.")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Parse ``504``, ``drop``, ``slow=2`` or ``status:504``.

        Raises:
            ValueError: There is no such fault, or its argument is invalid.
        """
        if text.isdigit():
            text = f"status={text}"
        cut = min((place for mark in "=:" if (place := text.find(mark)) >= 0), default=len(text))
        return cls(text[:cut], text[cut + 1 :])

    @property
    def number(self) -> float:
        """The argument as seconds, a share, or an HTTP status.

        Raises:
            ValueError: It is not a number in the range of this fault.
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
    """A fault and the calls to inject it into.

    Attributes:
        call: One of :data:`CALLS`, or ``any``.
        fault: The fault.
        times: How many calls fail; None for all.
        after: How many matching calls succeed first.
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
            raise ValueError(f"The fault {self.fault.name} does not apply to {self.call}.")
        if self.call == "login" and self.di_code is not None:
            raise ValueError("A login has no campus.")

    @classmethod
    def parse(cls, text: str) -> PlannedFault:
        """Parse ``CALL[@CAMPUS][+PASSED]:FAULT[=ARGUMENT][:TIMES]``.

        Raises:
            ValueError: It does not have that form, or names a call or fault that does not exist.
        """
        head, colon, rest = text.partition(":")
        if not colon:
            raise ValueError(f"{text!r} is not a fault. Write CALL:FAULT or CALL:FAULT:TIMES, for example order:504:2.")
        head, _, passed = head.partition("+")
        call, _, di_code = head.partition("@")
        times: int | None = 1
        body, _, last = rest.rpartition(":")
        if body and (last == "*" or last.isdigit()):
            rest, times = body, None if last == "*" else int(last)
        if passed and not passed.isdigit():
            raise ValueError(f"Write the number of calls that succeed first after +, not {passed!r}.")
        return cls(call, Fault.parse(rest), times, int(passed or 0), di_code or None)

    def __str__(self) -> str:
        campus = f"@{self.di_code}" if self.di_code else ""
        passed = f"+{self.after}" if self.after else ""
        return f"{self.call}{campus}{passed}:{self.fault}:{'*' if self.times is None else self.times}"

    def matches(self, call: str, di_code: str | None) -> bool:
        """Return whether the fault applies to a call."""
        return (
            self.call in (call, "any")
            and call in FAULTS[self.fault.name].calls
            and (self.di_code is None or self.di_code == di_code)
        )

"""When a call asks again, and after how long. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_apscores.errors import ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice import error_text
from airflow_provider_apscores.webservice.answer import Answer
from airflow_provider_apscores.webservice.messages import Kind, Reply, Wait

Fault = ServiceUnavailable | UnexpectedReply | TransferBroken

#: Tries of a request when something is broken, the first included.
ATTEMPTS = 4
#: Longest wait while a file is being generated, in seconds.
LONGEST_WAIT = 30.0


def token_lost(reply: Reply, kind: Kind) -> bool:
    """Whether a new login may help.

    Open: how long a token lives, and how its end is reported. 401 always counts; 403 on a call with a JSON body,
    unless its words are about the account or the campus; and ``success: false`` in words that may be about a token.
    """
    message = Answer(reply).message
    if error_text.mentions_account(message):
        return False
    if reply.status == 401 or error_text.mentions_token(message) or error_text.may_mention_token(message):
        return True
    return reply.status == 403 and kind != "download" and not error_text.mentions_campus(message)


def may_repeat(fault: Fault, reply: Reply | None, kind: Kind) -> bool:
    """Whether the same request may be sent again within the call.

    A login only when no answer came, or a gateway answered in place of the service: each login with a wrong password
    counts towards a lock, and an answer that broke off may have been a refusal. Other calls after any temporary
    failure, and after a page in place of an answer.

    Args:
        fault: What went wrong.
        reply: The answer that it was read from, or None when none came whole.
        kind: The call.
    """
    if not fault.transient:
        return False
    if kind == "login":
        if reply is None:
            return isinstance(fault, ServiceUnavailable) and fault.status is None
        answer = Answer(reply)
        return reply.status in (502, 503, 504) and not answer.is_json and not answer.is_markup
    if reply is None:
        return True
    return Answer(reply).is_busy or (200 <= reply.status < 300 and not token_lost(reply, kind))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take, transfers of files excepted.

    Attributes:
        seconds: From its start.
        clock: A monotonic clock, in seconds.
        started: Its reading at the start.
    """

    seconds: float
    clock: Callable[[], float]
    started: float

    @property
    def left(self) -> float:
        """Seconds until the call must end."""
        return self.started + self.seconds - self.clock()


class Waits:
    """The waits between the tries of one request, growing, within a call's patience.

    Args:
        patience: That of the call.
        random: A number from 0 to 1; shortens waits by up to a quarter, so that many clients do not ask in step.
        kind: The call. At login every try counts; elsewhere those that the service asked to wait for do not.
    """

    def __init__(self, patience: Patience, random: Callable[[], float], kind: Kind) -> None:
        self._patience = patience
        self._kind = kind
        self._random = random
        self._faults = self._polls = 0

    def after_fault(self, fault: Fault, asked: float | None) -> Wait:
        """The wait before the next try; raises *fault* when there is none.

        Args:
            fault: What went wrong.
            asked: Seconds that the service asked to wait, waited exactly; None or 0 when it named none.
        """
        if not asked or self._kind == "login":
            self._faults += 1
            if self._faults >= ATTEMPTS:
                fault.args = (f"{fault} Given up after {self._faults} tries.",)
                raise fault
        seconds = asked or self._with_jitter(2.0 ** (self._faults - 1))
        if seconds >= self._patience.left:
            fault.args = (
                f"{fault} Waiting {seconds:.0f} s more would exceed the patience of {self._patience.seconds:g} s.",
            )
            raise fault
        return _wait(seconds, str(fault))

    def until_generated(self, reason: str, asked: float | None) -> Wait:
        """The wait while a file is being generated.

        Raises:
            ServiceUnavailable: It would exceed the patience.
        """
        self._faults, self._polls = 0, self._polls + 1
        seconds = asked or self._with_jitter(min(2.0**self._polls, LONGEST_WAIT))
        if seconds >= self._patience.left:
            raise ServiceUnavailable(
                f"{reason}, and was not ready within the patience of {self._patience.seconds:g} s.", retry_after=asked
            )
        return _wait(seconds, reason)

    def _with_jitter(self, seconds: float) -> float:
        return seconds * (1 - 0.25 * self._random())


def _wait(seconds: float, reason: str) -> Wait:
    shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}".removesuffix(".0")
    return Wait(seconds, f"{reason.removesuffix('.')}; asking again in {shown} s")

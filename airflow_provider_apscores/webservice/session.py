"""The order of calls, without any I/O.

Each call of a :class:`Session` is a generator that yields what to do next, a :class:`Request` to send or a
:class:`Wait` to sit out, and is sent the :class:`Reply` in return; it returns the call's result. A driver that can't
get a reply throws :class:`ServiceUnavailable` or :class:`TransferBroken` into it instead. Two short drivers, blocking
and awaiting, are in :mod:`~airflow_provider_apscores.webservice.client`, so what is decided here is decided once:

* **Login** when there is no token; the token stays with the session, for as many calls as follow. A refused login is
  never repeated, not even by another call of the same session.
* **Renewal** once a call when the token is no longer accepted, with one login for all calls that lost it together.
* **Asking again**, with growing waits and within the call's patience: patiently while a file is being generated, up to
  four tries when something is broken, exactly as told when the service names a time.
* **Ordering afresh** when the short-lived URL of a file is no longer good.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import random as _random
from typing import TypeVar
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import (
    ConfigurationError,
    CredentialsRefused,
    DownloadExpired,
    ServiceUnavailable,
    TransferBroken,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import addresses, protocol
from airflow_provider_apscores.webservice.messages import (
    Credentials,
    FileOrder,
    GeneratedFile,
    Kind,
    Received,
    Reply,
    Request,
    Transfer,
    Wait,
    check_file_format,
)

T = TypeVar("T")
#: What a driver runs. It is sent None after a :class:`Wait`, and when a login has been seen to elsewhere.
Talk = Generator[Request | Wait, Reply | None, T]
_LoginFault = ServiceUnavailable | UnexpectedReply | CredentialsRefused
_Fault = ServiceUnavailable | UnexpectedReply | TransferBroken

#: Tries in all when something is broken, the first included.
TRIES = 4
#: Fresh orders in one download.
FRESH_ORDERS = 3
REDIRECTS = 5
#: Longest wait while a file is being generated, in seconds.
LONGEST_WAIT = 30.0


class _SeenTo(Exception):
    """A signal, never seen outside: another call has logged in, or failed to."""


@dataclass(slots=True)
class _Call:
    """What one call has to remember.

    Attributes:
        patience: Seconds that it may take, transfers of files excepted.
        deadline: When they are over, by the session's clock.
        logins: How many logins had come to an end before it.
        refused: The number of the login whose token was not accepted, once one was: there is one renewal a call.
    """

    patience: float
    deadline: float
    logins: int
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and the number of the login that gave it: a service may give the same one twice."""

    value: str = field(repr=False)
    login: int


class Session:
    """A College Board account, its token, and how to make calls with them.

    Args:
        credentials: The account.
        base_url: Where the web service is.
        di_codes: The campuses of this account. When there are any, no other is ordered.
        patience: Seconds that one call may take, its last answer included, where the call names no other limit. The
            transfer of a file does not count.
        clock: A monotonic clock, in seconds.
        now: The time of day, in UTC.
        random: A number from 0 to 1; takes the edge off waits, so that many clients don't ask in step.

    Raises:
        ConfigurationError: The base URL is not https (loopback excepted).
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = protocol.PRODUCTION_URL,
        di_codes: Collection[str] = (),
        patience: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[], float] = _random,
    ) -> None:
        self.base_url = addresses.check_base(base_url or protocol.PRODUCTION_URL)
        self.di_codes = tuple(di_codes)
        self.patience = patience
        #: How many logins have come to an end, well or not. A driver sees by it whether another call saw to one.
        self.logins = 0
        self._credentials = credentials
        self._clock = clock
        self._now = now
        self._random = random
        self._token: _Token | None = None
        self._login_failed: _LoginFault | None = None
        #: Enough to scrub the answers that can still come; a session may live for months.
        self._learned: deque[str] = deque(maxlen=64)
        self._untold: list[str] = [credentials.password, credentials.encoded]

    def __repr__(self) -> str:
        return f"Session({self.base_url})"

    # ------------------------------------------------------------------------------------------------ the calls

    def log_in(self, *, patience: float | None = None) -> Talk[None]:
        """Log in, whether or not there is a token.

        Args:
            patience: Seconds that the call may take; None for the session's.

        Raises:
            CredentialsRefused: College Board declined now, or has declined these credentials before.
            ServiceUnavailable: No usable answer within the patience.
            UnexpectedReply: The answers are not what the reference describes.
        """
        if self._login_failed is not None and isinstance(self._login_failed, CredentialsRefused):
            raise _again(self._login_failed)
        yield from self._log_in(self._call(patience))

    def order(self, order: FileOrder, *, patience: float | None = None) -> Talk[GeneratedFile | None]:
        """Have a score file generated.

        Args:
            order: What to generate.
            patience: Seconds that the call may take, a login included; None for the session's.

        Returns:
            The file to fetch, or None when there is nothing new for the campus.

        Raises:
            ConfigurationError: The campus is not one of the session's; nothing was sent.
            CampusRefused: College Board declined.
            CredentialsRefused: It declined on account of the account.
            ServiceUnavailable: No usable answer, or no file, within the patience.
            UnexpectedReply: The answers are not what the reference describes.
        """
        if self.di_codes and order.di_code not in self.di_codes:
            raise ConfigurationError(
                f"Campus {order.di_code} is not one of this connection's campuses ({', '.join(self.di_codes)}); "
                "nothing was sent. Add it to di_codes if it should be."
            )
        return (yield from self._order(self._call(patience), order))

    def download(self, generated: GeneratedFile) -> Talk[Transfer]:
        """Fetch a generated file; the driver puts its bytes into a sink.

        A file whose URL is no longer good is ordered afresh: the one that was fetched is in the result.

        Raises:
            DownloadExpired: Fresh orders did not help.
            TransferBroken: The bytes kept ending early.
            ServiceUnavailable: No usable answer within the patience.
            UnexpectedReply: A page came instead of a file, again and again.
            InsecureAddress: The file is at an address that is not https.
        """
        call = self._call()
        started = self._clock()
        # Not for files that this session has ordered: where clocks differ, a fresh file may look expired at once.
        ours = generated.url in self._learned
        expired = not ours and generated.expires_at is not None and generated.expires_at <= self._now()
        self._learn_url(generated.url)
        for fresh_orders in range(FRESH_ORDERS + 1):
            received = None if expired else (yield from self._fetch(call, generated))
            if received is not None:
                return Transfer(generated, received.bytes, received.sha256, self._clock() - started)
            if fresh_orders == FRESH_ORDERS:
                break
            fresh = yield from self._order(call, generated.order)
            if fresh is None:
                raise DownloadExpired(
                    f"The URL of {generated.order} (download {generated.download_id}) is no longer good, and a fresh "
                    "order was answered with nothing new: somebody has recorded these reports meanwhile. A full order "
                    "still has them."
                )
            generated, expired = fresh, False
        raise DownloadExpired(
            f"The URL of {generated.order} was not accepted (expired, or refused), nor were those of "
            f"{FRESH_ORDERS} fresh orders."
        )

    def record(self, download_id: str, file_format: str, *, patience: float | None = None) -> Talk[None]:
        """Tell College Board that a file has arrived: the commit.

        Harmless to repeat; a download that is recorded already is fine.

        Args:
            download_id: From the generated file.
            file_format: ``TXT`` or ``CSV``.
            patience: Seconds that the call may take, a login included; None for the session's.

        Raises:
            ConfigurationError: The arguments can't be right; nothing was sent.
            RequestRefused: College Board declined.
            ServiceUnavailable: No usable answer within the patience.
            UnexpectedReply: The answers are not what the reference describes.
        """
        check_file_format(file_format)
        if not download_id:
            raise ConfigurationError("The id of the download to record is missing.")
        call = self._call(patience)
        yield from self._ask(
            call,
            "record",
            lambda token: self._once(call, protocol.build_record(self.base_url, token, download_id, file_format)),
            lambda reply: protocol.read_record(reply, download_id, secrets=self._secrets),
        )

    # --------------------------------------------------------------------------------------------- their parts

    def _log_in(self, call: _Call) -> Talk[None]:
        request = protocol.build_log_in(self.base_url, self._credentials)
        try:
            token = yield from self._ask(
                call,
                "login",
                lambda _: self._once(call, request),
                lambda reply: protocol.read_log_in(reply, secrets=self._secrets),
            )
        except (ServiceUnavailable, UnexpectedReply, CredentialsRefused) as error:
            self._login_failed = error
            self.logins += 1
            raise
        self.logins += 1
        self._token, self._login_failed = _Token(token, self.logins), None
        self._learn(token)

    def _good_token(self, call: _Call) -> Talk[_Token]:
        """The session's token, unless this call has seen it refused: then that of a later login."""
        while self._token is None or self._token.login == call.refused:
            failed = self._login_failed
            if failed is not None and (isinstance(failed, CredentialsRefused) or self.logins > call.logins):
                raise _again(failed)
            with suppress(_SeenTo):
                yield from self._log_in(call)
        return self._token

    def _order(self, call: _Call, order: FileOrder) -> Talk[GeneratedFile | None]:
        generated = yield from self._ask(
            call,
            "order",
            lambda token: self._once(call, protocol.build_order(self.base_url, token, order)),
            lambda reply: protocol.read_order(reply, order, secrets=self._secrets),
            lambda reply: protocol.still_generating(reply, order),
        )
        if generated is not None:
            self._learn_url(generated.url)
        return generated

    def _fetch(self, call: _Call, generated: GeneratedFile) -> Talk[Received | None]:
        received = yield from self._ask(
            call,
            "download",
            lambda token: self._transfer(protocol.build_download(token, generated)),
            lambda reply: protocol.read_download(reply, generated, secrets=self._secrets),
        )
        return received

    def _once(self, call: _Call, request: Request) -> Talk[Reply]:
        """One request, one reply, within what is left of the call's patience."""
        left = self._left(call)
        if left <= 0:
            raise ServiceUnavailable(f"The patience of {call.patience:g} s was over before {request.what}.")
        return _answered((yield replace(request, patience=left)))

    def _transfer(self, request: Request) -> Talk[Reply]:
        """A download. Where the service does not mark the end of the file, two transfers must agree.

        Such a body ends with its connection, so one that was cut between two records looks whole. A network that cuts
        connections does not cut two of them at the same byte.
        """
        reply = yield from self._follow(request)
        if (first := reply.received) is None or first.framed:
            return reply
        reply = yield from self._follow(replace(request, discard=True))
        if (second := reply.received) is not None and second.sha256 != first.sha256:
            raise TransferBroken(
                f"Two transfers differ ({first.bytes} and {second.bytes} bytes) while {request.what}. The service "
                "announced neither a length nor chunks, so at least one of them was cut; the file was not recorded."
            )
        return reply

    def _follow(self, request: Request) -> Talk[Reply]:
        """A download through its redirects."""
        for _ in range(REDIRECTS + 1):
            reply = _answered((yield request))
            if not protocol.is_redirect(reply):
                return reply
            request = replace(protocol.build_redirected_download(request, reply), discard=request.discard)
            self._learn_url(request.url)
        raise UnexpectedReply(f"More than {REDIRECTS} redirects while {request.what}.")

    def _ask(
        self,
        call: _Call,
        kind: Kind,
        ask: Callable[[str], Talk[Reply]],
        read: Callable[[Reply], T],
        not_yet: Callable[[Reply], str | None] = lambda reply: None,
    ) -> Talk[T]:
        """Ask with a good token until there is an answer that can be read, or no use in asking again."""
        faults = looks = 0
        while True:
            token = None if kind == "login" else (yield from self._good_token(call))
            reply = None
            try:
                reply = yield from ask(token.value if token else "")
                if token is not None and call.refused is None and protocol.token_lost(reply, kind):
                    call.refused = token.login
                    continue
                reason = not_yet(reply)
                if reason is None:
                    return read(reply)
            except (ServiceUnavailable, UnexpectedReply, TransferBroken) as fault:
                if not fault.transient or (reply is not None and not protocol.is_passing(reply, kind)):
                    raise
                told = None if reply is None else protocol.retry_after(reply, self._now())
                faults += not told
                wait = self._wait_after_fault(call, fault, faults, told)
            else:
                faults, looks = 0, looks + 1
                wait = self._wait_for_file(call, reason, looks, protocol.retry_after(reply, self._now()))
            yield wait

    def _wait_after_fault(self, call: _Call, fault: _Fault, faults: int, told: float | None) -> Wait:
        """How long to wait before the next try: as *told*, or longer each time; raises *fault* when it is the last."""
        if isinstance(fault, ServiceUnavailable):
            fault.retry_after = told
        if not told and faults >= TRIES:
            fault.args = (f"{fault} Given up after {faults} tries.",)
            raise fault
        seconds = told or self._blurred(2.0 ** (faults - 1))
        if seconds >= self._left(call):
            fault.args = (f"{fault} Waiting {seconds:.0f} s more would be past the patience of {call.patience:g} s.",)
            raise fault
        return _wait(seconds, str(fault))

    def _wait_for_file(self, call: _Call, reason: str, looks: int, told: float | None) -> Wait:
        seconds = told or self._blurred(min(2.0**looks, LONGEST_WAIT))
        if seconds >= self._left(call):
            raise ServiceUnavailable(
                f"{reason}, and was not ready within the patience of {call.patience:g} s.", retry_after=told
            )
        return _wait(seconds, reason)

    def _blurred(self, seconds: float) -> float:
        return seconds * (1 - 0.25 * self._random())

    def _call(self, patience: float | None = None) -> _Call:
        patience = self.patience if patience is None else patience
        return _Call(patience, self._clock() + patience, self.logins)

    def _left(self, call: _Call) -> float:
        return call.deadline - self._clock()

    # --------------------------------------------------------------------------------------------- the secrets

    def take_untold_secrets(self) -> list[str]:
        """The secrets that have come up since this was asked last, each once."""
        untold, self._untold = self._untold, []
        return untold

    def add_secret(self, secret: str) -> None:
        """Keep a secret of the driver's out of messages, and tell it with the others."""
        self._learn(secret)

    @property
    def _secrets(self) -> tuple[str, ...]:
        credentials = self._credentials
        return (credentials.password, credentials.encoded, credentials.email, *self._learned)

    def _learn(self, *secrets: str) -> None:
        self._learned.extend(secrets)
        self._untold.extend(secrets)

    def _learn_url(self, url: str) -> None:
        query = urlsplit(url).query
        if url not in self._learned:
            self._learn(url, *([query] if query else []))


def _answered(reply: Reply | None) -> Reply:
    if reply is None:
        raise _SeenTo
    return reply


def _wait(seconds: float, why: str) -> Wait:
    shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}".removesuffix(".0")
    return Wait(seconds, f"{why.removesuffix('.')}; asking again in {shown} s")


def _again(error: _LoginFault) -> _LoginFault:
    """The same error once more, for another caller."""
    if isinstance(error, ServiceUnavailable):
        return ServiceUnavailable(str(error), retry_after=error.retry_after)
    return type(error)(str(error))

"""The order of calls, without any I/O.

Each call of a :class:`Session` is a generator. It yields what to do next, a :class:`Request` or a :class:`Wait`, is
sent the :class:`Reply`, and returns the call's result. A driver that gets no complete reply throws
:class:`ServiceUnavailable` or :class:`TransferBroken` into it. The two drivers, blocking and awaiting, are in
:mod:`~airflow_provider_apscores.webservice.client`. Decided here, once for both:

* **Login** when there is no token. The token stays with the session, for all calls that follow. A refused login is
  never repeated, not even by another call of the same session.
* **Renewal** once a call when the token is no longer accepted, with one login for all calls that lost it together.
* **Asking again** with growing waits: see :mod:`~airflow_provider_apscores.webservice.retries`.
* **Ordering again** when the short-lived URL of a file has expired.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import random as _random
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import (
    ConfigurationError,
    CredentialsRefused,
    DownloadExpired,
    ServiceUnavailable,
    TransferBroken,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import addresses, protocol, retries
from airflow_provider_apscores.webservice.answer import retry_after
from airflow_provider_apscores.webservice.conversation import Conversation, LoginHandledElsewhere, T, send, transfer
from airflow_provider_apscores.webservice.logins import Logins, Token
from airflow_provider_apscores.webservice.messages import (
    DOWNLOAD_ID,
    Credentials,
    FileOrder,
    GeneratedFile,
    Kind,
    Received,
    Reply,
    Request,
    Transfer,
    check_file_format,
)
from airflow_provider_apscores.webservice.secret import Secret

log = logging.getLogger(__name__)

#: Fresh orders in one download.
FRESH_ORDERS = 3


@dataclass(slots=True)
class _Call:
    """The state of one call.

    Attributes:
        patience: How long it may go on.
        logins: How many logins had ended before it.
        refused: The number of the login whose token was not accepted, once one was: there is one renewal a call.
    """

    patience: retries.Patience
    logins: int
    refused: int | None = None


class Session:
    """A College Board account, its token, and how to make calls with them.

    Args:
        credentials: The account.
        base_url: Where the web service is.
        di_codes: The campuses of this account. When there are any, no other is ordered.
        trusted_hosts: Hosts of files that are allowed although they are IP addresses of a private network.
        patience: Seconds that one call may take, its last answer included, where the call names no other limit. The
            transfer of a file does not count.
        clock: A monotonic clock, in seconds.
        now: The time of day, in UTC.
        random: A number from 0 to 1, for the length of waits.

    Raises:
        ConfigurationError: The base URL is not https (loopback excepted).
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = addresses.PRODUCTION_URL,
        di_codes: Collection[str] = (),
        trusted_hosts: Collection[str] = (),
        patience: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[], float] = _random,
    ) -> None:
        self.base_url = addresses.check_base(base_url or addresses.PRODUCTION_URL)
        self.di_codes = tuple(di_codes)
        self.patience = patience
        self._files = addresses.FileAddresses(self.base_url, tuple(trusted_hosts))
        self._credentials = credentials
        self._clock = clock
        self._now = now
        self._random = random
        self._logins = Logins(clock)
        #: Signed URLs that have come up. Bounded, since a session may live for months.
        self._urls: deque[Secret] = deque(maxlen=64)
        self._new_secrets: list[Secret] = [credentials.password, credentials.encoded]

    def __repr__(self) -> str:
        return f"Session({self.base_url})"

    @property
    def logins(self) -> int:
        """How many logins have ended, successful or not. It tells a driver whether another call has handled one."""
        return self._logins.count

    # ------------------------------------------------------------------------------------------------ the calls

    def log_in(self, *, patience: float | None = None) -> Conversation[None]:
        """Log in, whether or not there is a token.

        Args:
            patience: Seconds that the call may take; None for the session's.

        Raises:
            CredentialsRefused: College Board declined now, or has declined these credentials before.
            ServiceUnavailable: No usable answer, now or within the last minute.
            UnexpectedReply: The login was accepted without a usable token.
        """
        self._logins.check()
        yield from self._log_in(self._call(patience))

    def order(self, order: FileOrder, *, patience: float | None = None) -> Conversation[GeneratedFile | None]:
        """Have a score file generated.

        Args:
            order: What to generate.
            patience: Seconds that the call may take, a login included; None for the session's.

        Returns:
            The file to fetch, or None when there is nothing new for the campus.

        Raises:
            ConfigurationError: The campus is not one of the session's; nothing was sent.
            CampusRefused: College Board declined.
            CredentialsRefused: It declined because of the account.
            ServiceUnavailable: No usable answer, or no file, within the patience.
            UnexpectedReply: The answers are not what the reference describes.
        """
        if self.di_codes and order.di_code not in self.di_codes:
            raise ConfigurationError(
                f"Campus {order.di_code} is not one of this connection's campuses ({', '.join(self.di_codes)}); "
                "nothing was sent. Add it to di_codes if it should be."
            )
        return (yield from self._order(self._call(patience), order))

    def download(self, generated: GeneratedFile) -> Conversation[Transfer]:
        """Fetch a generated file; the driver puts its bytes into a sink.

        A file whose URL has expired is ordered again: the file that was fetched is in the result.

        Raises:
            DownloadExpired: Fresh orders did not help.
            TransferBroken: The bytes kept ending early.
            ServiceUnavailable: No usable answer within the patience.
            UnexpectedReply: A page came instead of a file, at each attempt.
            InsecureAddress: The file is at an address that is not allowed.
        """
        call = self._call()
        started = self._clock()
        # Not for files that this session has ordered: where clocks differ, a fresh file may look expired at once.
        known = generated.url in self._urls
        expired = not known and generated.expires_at is not None and generated.expires_at <= self._now()
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
                    f"The URL of {generated.order} (download {generated.download_id}) has expired, and a fresh order "
                    "was answered with nothing new: another client has recorded these reports meanwhile. A full order "
                    "still has them."
                )
            generated, expired = fresh, False
        raise DownloadExpired(
            f"The URL of {generated.order} was not accepted (expired, or refused), nor were those of "
            f"{FRESH_ORDERS} fresh orders."
        )

    def record(self, download_id: str, file_format: str, *, patience: float | None = None) -> Conversation[None]:
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
        if not DOWNLOAD_ID.fullmatch(download_id):
            raise ConfigurationError(
                "The id of the download to record must be 1 to 128 letters, digits, '.', '_' or '-'; nothing was sent."
            )
        call = self._call(patience)
        yield from self._ask(
            call,
            "record",
            lambda token: self._once(call, protocol.build_record(self.base_url, token, download_id, file_format)),
            lambda reply: protocol.read_record(reply, download_id),
        )

    # --------------------------------------------------------------------------------------------- their parts

    def _log_in(self, call: _Call) -> Conversation[None]:
        request = protocol.build_log_in(self.base_url, self._credentials)
        try:
            token = yield from self._ask(call, "login", lambda _: self._once(call, request), protocol.read_log_in)
        except (ServiceUnavailable, UnexpectedReply, CredentialsRefused) as error:
            self._logins.fail(error)
            raise
        self._logins.succeed(token)
        log.info("Logged in to College Board at %s.", urlsplit(self.base_url).hostname)
        self.add_secret(token)

    def _good_token(self, call: _Call) -> Conversation[Token]:
        """The session's token, unless this call has seen it refused: then that of a later login."""
        while (token := self._logins.token) is None or token.login == call.refused:
            self._logins.check(since=call.logins)
            with suppress(LoginHandledElsewhere):
                yield from self._log_in(call)
        return token

    def _order(self, call: _Call, order: FileOrder) -> Conversation[GeneratedFile | None]:
        generated = yield from self._ask(
            call,
            "order",
            lambda token: self._once(call, protocol.build_order(self.base_url, token, order)),
            lambda reply: protocol.read_order(reply, order, self._files),
            lambda reply: protocol.still_generating(reply, order),
        )
        if generated is not None:
            self._learn_url(generated.url)
        return generated

    def _fetch(self, call: _Call, generated: GeneratedFile) -> Conversation[Received | None]:
        received = yield from self._ask(
            call,
            "download",
            lambda token: transfer(
                protocol.build_download(token, generated, self._files), self._files, self._learn_url
            ),
            lambda reply: protocol.read_download(reply, generated),
        )
        return received

    def _once(self, call: _Call, request: Request) -> Conversation[Reply]:
        """One request, one reply, within what is left of the call's patience."""
        if (left := call.patience.left) <= 0:
            raise ServiceUnavailable(f"The patience of {call.patience.seconds:g} s was used up before {request.what}.")
        return (yield from send(replace(request, patience=left)))

    def _ask(
        self,
        call: _Call,
        kind: Kind,
        ask: Callable[[Secret], Conversation[Reply]],
        read: Callable[[Reply], T],
        not_yet: Callable[[Reply], str | None] = lambda reply: None,
    ) -> Conversation[T]:
        """Ask with a good token until there is an answer that can be read, or no use in asking again."""
        waits = retries.Waits(call.patience, self._random, kind)
        while True:
            token = None if kind == "login" else (yield from self._good_token(call))
            reply = None
            try:
                reply = yield from ask(token.value if token else Secret(""))
                if token is not None and call.refused is None and retries.token_lost(reply, kind):
                    call.refused = token.login
                    continue
                reason = not_yet(reply)
                if reason is None:
                    return read(reply)
            except (ServiceUnavailable, UnexpectedReply, TransferBroken) as fault:
                asked = None if reply is None else retry_after(reply, self._now())
                if isinstance(fault, ServiceUnavailable):
                    fault.retry_after = asked
                if not retries.may_repeat(fault, reply, kind):
                    raise
                yield waits.after_fault(fault, asked)
            else:
                yield waits.until_generated(reason, retry_after(reply, self._now()))

    def _call(self, patience: float | None = None) -> _Call:
        seconds = self.patience if patience is None else patience
        return _Call(retries.Patience(seconds, self._clock, self._clock()), self.logins)

    # --------------------------------------------------------------------------------------------- the secrets

    def pop_new_secrets(self) -> list[Secret]:
        """The secrets that have come up since the last call of this method, each once."""
        new, self._new_secrets = self._new_secrets, []
        return new

    def add_secret(self, secret: Secret | str) -> None:
        """Report a secret of the driver's with the others."""
        self._new_secrets.append(Secret(secret))

    def _learn_url(self, url: Secret) -> None:
        if url not in self._urls:
            self._urls.append(url)
            self.add_secret(url)
            if urlsplit(url.reveal()).query:
                self.add_secret(urlsplit(url.reveal()).query)

"""The two drivers of sessions: blocking and awaiting.

:class:`Client` and :class:`AsyncClient` differ in how they send, sleep and lock, and in nothing else. The session
decides what a call consists of, :class:`ResponseBody` processes what arrives, and
:mod:`~airflow_provider_apscores.webservice.transport` opens connections.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar
from urllib.parse import unquote, urlsplit

from airflow_provider_apscores.errors import ConfigurationError, WebServiceError
from airflow_provider_apscores.webservice import log_redaction, transport
from airflow_provider_apscores.webservice.conversation import Conversation, T
from airflow_provider_apscores.webservice.deadlines import AsyncTimeLimit, Deadline
from airflow_provider_apscores.webservice.messages import FileOrder, GeneratedFile, Reply, Request, Transfer, Wait
from airflow_provider_apscores.webservice.response_body import MAX_FILE_BYTES, ResponseBody, Sink
from airflow_provider_apscores.webservice.secret import Secret
from airflow_provider_apscores.webservice.session import Session

log = logging.getLogger("airflow_provider_apscores.webservice")

Fault = WebServiceError | ConfigurationError
Http = TypeVar("Http", transport.BlockingHttp, transport.AwaitingHttp)

_FAULTS = (*transport.FAULTS, WebServiceError)


class _Driver(Generic[Http]):
    """What both clients share: their arguments, and the errors of failed exchanges."""

    _open: Callable[..., Http]
    _lock: Callable[[], Any]

    def __init__(
        self,
        session: Session,
        *,
        timeout: float = 120.0,
        verify: bool | str | os.PathLike[str] = True,
        proxy: Secret | str | None = None,
        on_secret: Callable[[Secret], Any] | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        proxy = Secret(proxy) if proxy else None  # it may hold a password
        if timeout <= 0:
            raise ConfigurationError(f"The time-out must be more than 0 seconds, not {timeout}.")
        self._session = session
        self._timeout = timeout
        self._on_secret = on_secret or (lambda secret: None)
        self._sleep = sleep
        self._one_login = type(self)._lock()
        log_redaction.install()
        self._http: Http = type(self)._open(verify, proxy, session.base_url)
        if proxy and urlsplit(proxy.reveal()).password:
            session.add_secret(unquote(urlsplit(proxy.reveal()).password or ""))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    def _deadline(self, request: Request) -> Deadline:
        return Deadline(self._timeout if request.patience is None else min(self._timeout, request.patience))

    def _fault(self, error: Exception, request: Request, deadline: Deadline, body: ResponseBody | None) -> Fault:
        """The error for a failed exchange; *body* is None when it failed before its headers came."""
        if isinstance(error, WebServiceError):
            return error
        if (fault := transport.configuration_fault(error, request)) is not None:
            return fault
        why = transport.reason(error, deadline)
        return transport.no_answer(error, request, why) if body is None else body.broken(why)


class Client(_Driver[transport.BlockingHttp]):
    """A blocking client. Threads may share it.

    Args:
        session: The account and where the service is.
        timeout: Seconds for one answer, headers included; generating a file takes its time. For the transfer of a
            file: seconds until its headers, and the window in which its rate is measured.
        verify: Whether to check the server's certificate, or the path of a CA bundle to check it with.
        proxy: The URL of a proxy. Without it, the usual environment variables count, except for loopback addresses.
        on_secret: Called with each :class:`Secret` as soon as it exists, before anything is done with it.
        sleep: How to wait; ``time.sleep`` by default.

    Raises:
        ConfigurationError: The CA bundle or the proxy can't be used.
    """

    _open = transport.open_blocking
    _lock = threading.Lock

    def log_in(self, *, patience: float | None = None) -> None:
        """Log in, also when there is a token. See :meth:`Session.log_in`."""
        with self._one_login:
            self._run(self._session.log_in(patience=patience), login=True)

    def order(
        self,
        di_code: str,
        *,
        file_format: str = "TXT",
        download_type: str = "new",
        patience: float | None = None,
    ) -> GeneratedFile | None:
        """Have a score file generated; None when the campus has no new reports. See :meth:`Session.order`."""
        return self._run(self._session.order(FileOrder(di_code, file_format, download_type), patience=patience))

    def download(self, generated: GeneratedFile, sink: Sink, *, max_bytes: int = MAX_FILE_BYTES) -> Transfer:
        """Fetch a generated file into *sink*, in constant memory. See :meth:`Session.download`.

        Args:
            generated: The file.
            sink: Where its bytes go.
            max_bytes: Largest file that is accepted.

        Raises:
            FileTooLarge: The file has more bytes; the sink has at most *max_bytes* of them.
        """
        with closing(ResponseBody(sink, max_bytes=max_bytes)) as body:
            return self._run(self._session.download(generated), body)

    def record(self, download_id: str, file_format: str, *, patience: float | None = None) -> None:
        """Tell College Board that a file has arrived: the commit. See :meth:`Session.record`."""
        self._run(self._session.record(download_id, file_format, patience=patience))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, conversation: Conversation[T], body: ResponseBody | None = None, *, login: bool = False) -> T:
        body = body or ResponseBody()
        outcome: Reply | Fault | None = None
        while True:
            logins = self._session.logins  # before the session decides that one is needed
            try:
                step = _next(conversation, outcome)
            finally:
                for secret in self._session.pop_new_secrets():
                    self._on_secret(secret)
            match step:
                case _Result():
                    return step.value
                case Wait():
                    log.info("%s", step.reason)
                    outcome = (self._sleep or time.sleep)(step.seconds)
                case Request(kind="login") if not login:
                    self._log_in_once(logins, step.patience)
                    outcome = None
                case Request():
                    outcome = self._exchange(step, body)

    def _log_in_once(self, logins: int, patience: float | None) -> None:
        with self._one_login:
            if self._session.logins == logins:  # else another call has logged in while this one waited
                self._run(self._session.log_in(patience=patience), login=True)

    def _exchange(self, request: Request, body: ResponseBody) -> Reply | Fault:
        begun: ResponseBody | None = None
        deadline = self._deadline(request)
        try:
            with (
                log_redaction.redact_logs(),
                transport.time_limit(deadline),
                self._http.stream(**transport.arguments(request, deadline)) as response,
            ):
                begun = body
                body.begin(request, response.status_code, response.headers)
                if body.expects_file:
                    deadline.start_file()
                for chunk in response.iter_raw():
                    deadline.receive(len(chunk))
                    if work := body.take(chunk):
                        work.result()
                        deadline.restart()  # Waiting for the sink does not count.
                    if body.full:
                        break
                if work := body.flush():
                    work.result()
                return body.end()
        except _FAULTS as error:
            fault = self._fault(error, request, deadline, begun)
        except BaseException as error:
            transport.drop_requests(error)
            raise
        if work := body.pending:
            work.result()
        body.check_retry(fault)
        return fault


class AsyncClient(_Driver[transport.AwaitingHttp]):
    """An awaiting client, the twin of :class:`Client`. Any number of its calls may run at once.

    *on_secret* and *sleep* may be async functions. Sinks are written to in a thread, so that a slow disk does not
    block the event loop.
    """

    _open = transport.open_awaiting
    _lock = asyncio.Lock

    async def log_in(self, *, patience: float | None = None) -> None:
        """See :meth:`Client.log_in`."""
        async with self._one_login:
            await self._run(self._session.log_in(patience=patience), login=True)

    async def order(
        self,
        di_code: str,
        *,
        file_format: str = "TXT",
        download_type: str = "new",
        patience: float | None = None,
    ) -> GeneratedFile | None:
        """See :meth:`Client.order`."""
        order = FileOrder(di_code, file_format, download_type)
        return await self._run(self._session.order(order, patience=patience))

    async def download(self, generated: GeneratedFile, sink: Sink, *, max_bytes: int = MAX_FILE_BYTES) -> Transfer:
        """See :meth:`Client.download`."""
        body = ResponseBody(sink, max_bytes=max_bytes)
        try:
            return await self._run(self._session.download(generated), body)
        finally:
            await asyncio.to_thread(body.close)

    async def record(self, download_id: str, file_format: str, *, patience: float | None = None) -> None:
        """See :meth:`Client.record`."""
        await self._run(self._session.record(download_id, file_format, patience=patience))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self, conversation: Conversation[T], body: ResponseBody | None = None, *, login: bool = False) -> T:
        body = body or ResponseBody()
        outcome: Reply | Fault | None = None
        while True:
            logins = self._session.logins  # before the session decides that one is needed
            try:
                step = _next(conversation, outcome)
            finally:
                for secret in self._session.pop_new_secrets():
                    await _done(self._on_secret(secret))
            match step:
                case _Result():
                    return step.value
                case Wait():
                    log.info("%s", step.reason)
                    outcome = await _done((self._sleep or asyncio.sleep)(step.seconds))
                case Request(kind="login") if not login:
                    await self._log_in_once(logins, step.patience)
                    outcome = None
                case Request():
                    outcome = await self._exchange(step, body)

    async def _log_in_once(self, logins: int, patience: float | None) -> None:
        async with self._one_login:
            if self._session.logins == logins:
                await self._run(self._session.log_in(patience=patience), login=True)

    async def _exchange(self, request: Request, body: ResponseBody) -> Reply | Fault:
        begun: ResponseBody | None = None
        deadline = self._deadline(request)
        try:
            with log_redaction.redact_logs():
                async with (
                    AsyncTimeLimit(deadline) as limit,
                    self._http.stream(**transport.arguments(request, deadline)) as response,
                ):
                    begun = body
                    body.begin(request, response.status_code, response.headers)
                    if body.expects_file:
                        deadline.start_file()
                        limit.update()
                    async for chunk in response.aiter_raw():
                        deadline.receive(len(chunk))
                        if work := body.take(chunk):
                            limit.pause()
                            await asyncio.wrap_future(work)
                            deadline.restart()
                        limit.update()
                        if body.full:
                            break
                    limit.pause()
                    if work := body.flush():
                        await asyncio.wrap_future(work)
                    return body.end()
        except _FAULTS as error:
            fault = self._fault(error, request, deadline, begun)
        except BaseException as error:
            transport.drop_requests(error)
            raise
        if work := body.pending:
            await asyncio.wrap_future(work)
        body.check_retry(fault)
        return fault


# ---------------------------------------------------------------------------------------------- what drivers need


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    """The result of a conversation."""

    value: T


def _next(conversation: Conversation[T], outcome: Reply | Fault | None) -> Request | Wait | _Result[T]:
    try:
        return conversation.throw(outcome) if isinstance(outcome, Exception) else conversation.send(outcome)
    except StopIteration as done:
        return _Result(done.value)


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result

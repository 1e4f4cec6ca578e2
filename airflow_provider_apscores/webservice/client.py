"""The only file that moves bytes: sessions driven by httpx, blocking and awaiting.

:class:`Client` and :class:`AsyncClient` differ in how they send, sleep and lock, and in nothing else: what a call
consists of is the session's business, and what arrives is :class:`ResponseBody`'s.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Generic, Self, TypeVar
from urllib.parse import unquote, urlsplit

import httpx

from airflow_provider_apscores import __version__
from airflow_provider_apscores.errors import ConfigurationError, ServiceUnavailable, WebServiceError
from airflow_provider_apscores.webservice import log_redaction as hush
from airflow_provider_apscores.webservice.messages import FileOrder, GeneratedFile, Reply, Request, Transfer, Wait
from airflow_provider_apscores.webservice.response_body import ResponseBody, Sink
from airflow_provider_apscores.webservice.session import Session, T, Talk

log = logging.getLogger("airflow_provider_apscores.webservice")

Fault = WebServiceError | ConfigurationError
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

#: Seconds to connect, to send, and to get a connection from the pool.
_CONNECT = 30.0
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, WebServiceError)


class _Shared(Generic[Http]):
    """What both clients have in common: how they are set up, and what they make of httpx's words."""

    _open: Callable[..., Http]
    _lock: Callable[[], Any]

    def __init__(
        self,
        session: Session,
        *,
        timeout: float = 120.0,
        verify: bool | str | os.PathLike[str] = True,
        proxy: str | None = None,
        on_secret: Callable[[str], Any] | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        if timeout <= 0:
            raise ConfigurationError(f"The time-out must be more than 0 seconds, not {timeout}.")
        self._session = session
        self._timeout = timeout
        self._on_secret = on_secret or (lambda secret: None)
        self._sleep = sleep
        self._one_login = type(self)._lock()
        tls = _tls(verify)
        hush.install()
        try:
            self._http: Http = type(self)._open(
                verify=tls,
                proxy=_proxy(proxy, tls, session),
                headers={"User-Agent": f"airflow-provider-apscores/{__version__}"},
                # The reference knows no cookies, and they would follow from one port of a host to another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                trust_env=True,
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            # Not httpx's own words, which may show the password in a proxy's URL.
            extra = " A SOCKS proxy needs the package socksio." if isinstance(error, ImportError) else ""
            problem = ConfigurationError(
                "The proxy can't be used: it must be a URL such as http://proxy.college.edu:3128, given by the "
                f"connection or the environment variables HTTPS_PROXY and HTTP_PROXY.{extra}"
            )
        else:
            return
        raise problem

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    def _prepared(self, request: Request) -> dict[str, Any]:
        read = self._timeout if request.patience is None else min(self._timeout, request.patience)
        return {
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "content": request.body,
            "timeout": httpx.Timeout(min(_CONNECT, self._timeout), read=read),
        }

    def _fault(self, error: Exception, request: Request, body: ResponseBody | None) -> Fault:
        """What became of an exchange, in our words: httpx's may show URLs with their signatures."""
        if isinstance(error, WebServiceError):
            return error
        host, causes = urlsplit(request.url).hostname, list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ConfigurationError(
                    f"The certificate of {host} was not accepted ({cause.verify_message}); nothing was sent. If your "
                    "network inspects TLS, let verify name the file of its CA; if not, somebody may be in between."
                )
        if isinstance(error, httpx.ProxyError):
            if str(error).startswith(("401", "403", "407")):
                return ConfigurationError(f"The proxy does not let us through to {host} (HTTP {str(error)[:3]}).")
            return ServiceUnavailable(f"The proxy found no way to {host} while {request.what}.")
        if isinstance(error, httpx.ConnectTimeout):
            why = "no connection in time"
        elif isinstance(error, httpx.PoolTimeout):
            why = "too many calls at once"
        elif isinstance(error, httpx.TimeoutException):
            why = f"nothing came for {self._prepared(request)['timeout'].read:.0f} s"
        elif isinstance(error, httpx.ConnectError):
            why = f"no connection ({next((_reason(cause) for cause in causes if cause.strerror), 'refused')})"
        elif isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
            why = "the connection was closed too early"
        else:
            why = type(error).__name__
        if body is not None:
            return body.broken(why)
        return ServiceUnavailable(f"No answer from {host} while {request.what}: {why}.")


class Client(_Shared[httpx.Client]):
    """A blocking client. Threads may share it.

    Args:
        session: The account and where the service is.
        timeout: Seconds to wait for the next bytes of an answer. Generating a file takes its time.
        verify: Whether to check the server's certificate, or the path of a CA bundle to check it with.
        proxy: The URL of a proxy. Without it, the usual environment variables count.
        on_secret: Called with each secret as soon as it exists, before anything is done with it.
        sleep: How to wait; ``time.sleep`` unless told otherwise.

    Raises:
        ConfigurationError: The CA bundle or the proxy can't be used.
    """

    _open = httpx.Client
    _lock = threading.Lock

    def log_in(self) -> None:
        """Log in, whether or not that was done before. See :meth:`Session.log_in` for what is raised."""
        with self._one_login:
            self._run(self._session.log_in(), login=True)

    def order(self, di_code: str, *, file_format: str = "TXT", download_type: str = "new") -> GeneratedFile | None:
        """Have a score file generated; None when the campus has no new reports. See :meth:`Session.order`."""
        return self._run(self._session.order(FileOrder(di_code, file_format, download_type)))

    def download(self, generated: GeneratedFile, sink: Sink) -> Transfer:
        """Fetch a generated file into *sink*, in constant memory. See :meth:`Session.download`."""
        with closing(ResponseBody(sink)) as body:
            return self._run(self._session.download(generated), body)

    def record(self, download_id: str, file_format: str) -> None:
        """Tell College Board that a file has arrived: the commit. See :meth:`Session.record`."""
        self._run(self._session.record(download_id, file_format))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, talk: Talk[T], body: ResponseBody | None = None, *, login: bool = False) -> T:
        body = body or ResponseBody()
        outcome: Reply | Fault | None = None
        while True:
            logins = self._session.logins  # as they were when the session decides that one is needed
            try:
                step = _next(talk, outcome)
            finally:
                for secret in self._session.take_untold_secrets():
                    self._on_secret(secret)
            match step:
                case _Result():
                    return step.value
                case Wait():
                    log.info("%s", step.reason)
                    outcome = (self._sleep or time.sleep)(step.seconds)
                case Request(kind="login") if not login:
                    self._log_in_once(logins)
                    outcome = None
                case Request():
                    outcome = self._exchange(step, body)

    def _log_in_once(self, logins: int) -> None:
        with self._one_login:
            if self._session.logins == logins:  # else another call has seen to it while this one stood in line
                self._run(self._session.log_in(), login=True)

    def _exchange(self, request: Request, body: ResponseBody) -> Reply | Fault:
        begun = False
        try:
            with hush.our_exchange(), self._http.stream(**self._prepared(request)) as response:
                begun = True
                body.begin(request, response.status_code, response.headers)
                for chunk in response.iter_raw():
                    if work := body.take(chunk):
                        work.result()
                if work := body.flush():
                    work.result()
                return body.end()
        except _FAULTS as error:
            fault = self._fault(error, request, body if begun else None)
        if work := body.at_work():
            work.result()
        body.check_retry(fault)
        return fault


class AsyncClient(_Shared[httpx.AsyncClient]):
    """An awaiting client, the twin of :class:`Client`. Any number of its calls may run at once.

    *on_secret* and *sleep* may be async functions. Sinks are written to in a thread, so that a slow disk does not
    hold up the loop.
    """

    _open = httpx.AsyncClient
    _lock = asyncio.Lock

    async def log_in(self) -> None:
        """See :meth:`Client.log_in`."""
        async with self._one_login:
            await self._run(self._session.log_in(), login=True)

    async def order(
        self, di_code: str, *, file_format: str = "TXT", download_type: str = "new"
    ) -> GeneratedFile | None:
        """See :meth:`Client.order`."""
        return await self._run(self._session.order(FileOrder(di_code, file_format, download_type)))

    async def download(self, generated: GeneratedFile, sink: Sink) -> Transfer:
        """See :meth:`Client.download`."""
        body = ResponseBody(sink)
        try:
            return await self._run(self._session.download(generated), body)
        finally:
            await asyncio.to_thread(body.close)

    async def record(self, download_id: str, file_format: str) -> None:
        """See :meth:`Client.record`."""
        await self._run(self._session.record(download_id, file_format))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self, talk: Talk[T], body: ResponseBody | None = None, *, login: bool = False) -> T:
        body = body or ResponseBody()
        outcome: Reply | Fault | None = None
        while True:
            logins = self._session.logins  # as they were when the session decides that one is needed
            try:
                step = _next(talk, outcome)
            finally:
                for secret in self._session.take_untold_secrets():
                    await _done(self._on_secret(secret))
            match step:
                case _Result():
                    return step.value
                case Wait():
                    log.info("%s", step.reason)
                    outcome = await _done((self._sleep or asyncio.sleep)(step.seconds))
                case Request(kind="login") if not login:
                    await self._log_in_once(logins)
                    outcome = None
                case Request():
                    outcome = await self._exchange(step, body)

    async def _log_in_once(self, logins: int) -> None:
        async with self._one_login:
            if self._session.logins == logins:
                await self._run(self._session.log_in(), login=True)

    async def _exchange(self, request: Request, body: ResponseBody) -> Reply | Fault:
        begun = False
        try:
            with hush.our_exchange():
                async with self._http.stream(**self._prepared(request)) as response:
                    begun = True
                    body.begin(request, response.status_code, response.headers)
                    async for chunk in response.aiter_raw():
                        if work := body.take(chunk):
                            await asyncio.wrap_future(work)
                    if work := body.flush():
                        await asyncio.wrap_future(work)
                    return body.end()
        except _FAULTS as error:
            fault = self._fault(error, request, body if begun else None)
        if work := body.at_work():
            await asyncio.wrap_future(work)
        body.check_retry(fault)
        return fault


# ---------------------------------------------------------------------------------------------- what drivers need


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    """What a talk came to."""

    value: T


def _next(talk: Talk[T], outcome: Reply | Fault | None) -> Request | Wait | _Result[T]:
    try:
        return talk.throw(outcome) if isinstance(outcome, Exception) else talk.send(outcome)
    except StopIteration as done:
        return _Result(done.value)


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _tls(verify: bool | str | os.PathLike[str]) -> ssl.SSLContext:
    """One way to check certificates for both clients.

    Raises:
        ConfigurationError: *verify* names no CA bundle that can be read.
    """
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    path = os.fspath(verify)
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = "is no CA bundle in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
    raise ConfigurationError(f"The CA bundle {path} can't be used: {why}.")


def _proxy(proxy: str | None, tls: ssl.SSLContext, session: Session) -> httpx.Proxy | None:
    if not proxy:
        return None
    parts = urlsplit(proxy)
    if not parts.hostname:
        raise ValueError("no host")
    if parts.password:
        session.add_secret(unquote(parts.password))
    return httpx.Proxy(proxy, ssl_context=tls if parts.scheme == "https" else None)


def _reason(cause: OSError) -> str:
    # asyncio puts words of its own where the operating system's belong.
    return os.strerror(cause.errno) if isinstance(cause, ConnectionError) and cause.errno else str(cause.strerror)


def _causes(error: BaseException | None) -> Iterator[OSError]:
    """The operating system's errors under the layers of libraries."""
    while error is not None:
        if isinstance(error, OSError):
            yield error
        if isinstance(error, BaseExceptionGroup):  # one for each address of a host
            yield from _causes(error.exceptions[0])
        error = error.__cause__ or error.__context__

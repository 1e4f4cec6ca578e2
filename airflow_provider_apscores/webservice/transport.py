"""HTTP connections: the only module that imports httpx and httpcore.

It makes the blocking and the awaiting httpx client. Both check certificates and use proxies in the same way. It also
turns httpx's errors into this package's errors, whose messages show no signed URL and no password.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from airflow_provider_apscores import __version__
from airflow_provider_apscores.errors import ConfigurationError, ServiceUnavailable, UnexpectedReply
from airflow_provider_apscores.webservice.addresses import is_loopback
from airflow_provider_apscores.webservice.deadlines import Deadline, DeadlineOver
from airflow_provider_apscores.webservice.messages import Request
from airflow_provider_apscores.webservice.secret import Secret

BlockingHttp: TypeAlias = httpx.Client
AwaitingHttp: TypeAlias = httpx.AsyncClient
#: What an exchange may raise besides the errors of this package.
#: UnicodeError: the service named a host that is no valid name.
FAULTS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError, DeadlineOver)

#: Seconds to connect, at most.
_CONNECT = 30.0

#: The deadline of the exchange in this thread.
_deadline: ContextVar[Deadline | None] = ContextVar("_deadline", default=None)

_Transport = TypeVar("_Transport", httpx.HTTPTransport, httpx.AsyncHTTPTransport)


# ------------------------------------------------------------------------------------------------- the two clients


def open_blocking(verify: bool | str | os.PathLike[str], proxy: Secret | None, base_url: str) -> httpx.Client:
    """A blocking client.

    Args:
        verify: Whether to check certificates, or the path of a CA bundle to check them with.
        proxy: The URL of a proxy for all hosts. Without it, the environment names one for each host.
        base_url: Where the service is.

    Raises:
        ConfigurationError: The CA bundle or the proxy can't be used.
    """
    return httpx.Client(transport=_BlockingRoutes(_TimedTransport, verify, proxy, base_url), **_settings())


def open_awaiting(verify: bool | str | os.PathLike[str], proxy: Secret | None, base_url: str) -> httpx.AsyncClient:
    """The awaiting twin of :func:`open_blocking`."""
    routes = _AwaitingRoutes(httpx.AsyncHTTPTransport, verify, proxy, base_url)
    return httpx.AsyncClient(transport=routes, **_settings())


def _settings() -> dict[str, Any]:
    return {
        "headers": {"User-Agent": f"airflow-provider-apscores/{__version__}"},
        # The reference knows no cookies, and they would follow from one port of a host to another.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "follow_redirects": False,
        # Proxies from the environment are chosen in _Routes.
        "trust_env": False,
    }


def arguments(request: Request, deadline: Deadline) -> dict[str, Any]:
    """The arguments of ``httpx.Client.stream`` for a request."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": httpx.Timeout(deadline.seconds, connect=min(_CONNECT, deadline.seconds)),
    }


@contextmanager
def time_limit(deadline: Deadline) -> Iterator[None]:
    """Limit what the blocking client does in this thread to *deadline*."""
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)


# --------------------------------------------------------------------------------------------- certificates, proxies


class _Routes(Generic[_Transport]):
    """Chooses between httpx transports: one for direct connections, one for each proxy."""

    def __init__(
        self,
        transport: Callable[..., _Transport],
        verify: bool | str | os.PathLike[str],
        proxy: Secret | None,
        base_url: str,
    ) -> None:
        self._make: Callable[..., _Transport] = transport
        self._tls = _tls(verify)
        self._proxy = proxy
        self._transports: dict[Secret | None, _Transport] = {}
        self._to(httpx.URL(base_url))  # Fails before the first call if the proxy can't be used.

    def _to(self, url: httpx.URL) -> _Transport:
        proxy = self._proxy or _environment_proxy(url)
        if proxy not in self._transports:
            self._transports.setdefault(proxy, self._open(proxy))  # another thread may have opened one meanwhile
        return self._transports[proxy]

    def _open(self, proxy: Secret | None) -> _Transport:
        try:
            if proxy is None:
                return self._make(verify=self._tls)
            if not urlsplit(proxy.reveal()).hostname:
                raise ValueError("no host")
            tls = self._tls if urlsplit(proxy.reveal()).scheme == "https" else None
            return self._make(verify=self._tls, proxy=httpx.Proxy(proxy.reveal(), ssl_context=tls))
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            extra = " A SOCKS proxy needs the package socksio." if isinstance(error, ImportError) else ""
        # Not httpx's own words, which may show the password in a proxy's URL.
        raise ConfigurationError(
            "The proxy can't be used: it must be a URL such as http://proxy.college.edu:3128, given by the "
            f"connection or the environment variables HTTPS_PROXY and HTTP_PROXY.{extra}"
        )

    @contextmanager
    def _proxy_named(self, url: httpx.URL) -> Iterator[None]:
        """Note the proxy on an error. httpx's errors do not tell it from the service."""
        try:
            yield
        except httpx.TransportError as error:
            if proxy := self._proxy or _environment_proxy(url):
                error.add_note(f"through the proxy {urlsplit(proxy.reveal()).netloc.rpartition('@')[2]}")
            raise


class _BlockingRoutes(_Routes[httpx.HTTPTransport], httpx.BaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._proxy_named(request.url):
            return self._to(request.url).handle_request(request)

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()


class _AwaitingRoutes(_Routes[httpx.AsyncHTTPTransport], httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with self._proxy_named(request.url):
            return await self._to(request.url).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()


def _environment_proxy(url: httpx.URL) -> Secret | None:
    """The proxy that the environment names for a host, or None.

    None for loopback addresses: a proxy can't reach this machine's loopback, and the password of an http service on
    it would leave the machine in clear.
    """
    if is_loopback(url.host) or proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxy = Secret(getproxies().get(url.scheme) or getproxies().get("all") or "")
    if not proxy:
        return None
    return proxy if "://" in proxy.reveal() else Secret(f"http://{proxy.reveal()}")


def _tls(verify: bool | str | os.PathLike[str]) -> ssl.SSLContext:
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


# ------------------------------------------------------------------------------------------- deadlines when blocking


class _TimedTransport(httpx.HTTPTransport):
    """Ends reads and writes at the exchange's deadline.

    httpx has time-outs for each read only, and one reply takes many reads. httpcore accepts a network backend, but
    httpx has no argument for it, hence the private attributes.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool._network_backend = _TimedBackend(self._pool._network_backend)


class _TimedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **named: Any) -> Any:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        # One by one: socket.create_connection() gives each address of a host the whole time-out.
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for *_, address in addresses:
            try:
                stream = self._backend.connect_tcp(str(address[0]), port, _left(timeout), *args, **named)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
            else:
                return _TimedStream(stream)
        raise fault


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline.left
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline is over")
    return left if timeout is None else min(left, timeout)


# ------------------------------------------------------------------------------------------------ what errors mean


def configuration_fault(error: BaseException, request: Request) -> ConfigurationError | None:
    """The error for a certificate or a proxy that must be configured before anything can be sent, or None."""
    host = urlsplit(request.url).hostname
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConfigurationError(
                f"The certificate of {host} was not accepted ({cause.verify_message}); nothing was sent. If your "
                "network inspects TLS, set verify to the file of its CA; if not, the connection may be intercepted."
            )
    if isinstance(error, httpx.ProxyError) and str(error).startswith(("401", "403", "407")):
        return ConfigurationError(f"The proxy refuses connections to {host} (HTTP {str(error)[:3]}).")
    return None


def no_answer(error: BaseException, request: Request, why: str) -> ServiceUnavailable | UnexpectedReply:
    """The error for an exchange that failed before the headers came; *why* comes from :func:`reason`."""
    host = urlsplit(request.url).hostname
    through = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, httpx.ProxyError):
        return ServiceUnavailable(f"The proxy could not connect to {host} while {request.what}.")
    if _is_invalid(error):  # An answer came: a login must not be repeated.
        return UnexpectedReply(f"The answer from {host} while {request.what} is not valid HTTP.")
    return ServiceUnavailable(f"No answer from {host}{through} while {request.what}: {why}.")


def reason(error: BaseException, deadline: Deadline) -> str:
    """Why an exchange failed, in a few words without any part of a URL."""
    if isinstance(error, httpx.PoolTimeout):
        return "too many calls at once"
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException | DeadlineOver):
        return deadline.reason
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({next((_strerror(cause) for cause in _causes(error) if cause.strerror), 'refused')})"
    if _is_invalid(error):
        return "the answer is not valid HTTP"
    if isinstance(error, httpx.InvalidURL | UnicodeError):
        return "the address is not valid"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "the connection was closed too early"
    return type(error).__name__


def drop_requests(error: BaseException) -> None:
    """Remove the frames of httpx from *error*, such as a time-out of Airflow: their variables hold the request."""
    each: BaseException | None = error
    while each is not None:
        step = each.__traceback__
        while step is not None:
            inner = step.tb_next
            if inner is not None and inner.tb_frame.f_globals.get("__name__", "").startswith("httpx."):
                step.tb_next = None
            step = step.tb_next
        each = each.__cause__ or each.__context__


def _is_invalid(error: BaseException) -> bool:
    # httpx has one class for answers that break the rules of HTTP and for connections that end early.
    # Other messages quote the answer, and may hold any word.
    ended = ("Server disconnected", "peer closed")
    return isinstance(error, httpx.RemoteProtocolError) and not str(error).startswith(ended)


def _strerror(cause: OSError) -> str:
    # asyncio replaces the text of the operating system by its own.
    return os.strerror(cause.errno) if isinstance(cause, ConnectionError) and cause.errno else str(cause.strerror)


def _causes(error: BaseException | None) -> Iterator[OSError]:
    """The operating system's errors under the layers of libraries."""
    while error is not None:
        if isinstance(error, OSError):
            yield error
        if isinstance(error, BaseExceptionGroup):  # one for each address of a host
            yield from _causes(error.exceptions[0])
        error = error.__cause__ or error.__context__

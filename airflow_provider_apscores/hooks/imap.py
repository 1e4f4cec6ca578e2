"""Connections to mail servers: from an Airflow connection of type ``imap`` to an IMAPClient that is logged in.

The errors of IMAPClient are not passed on: they quote what the server sent, and that may be a message.
"""

from __future__ import annotations

import imaplib
import logging
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import (
    APScoresError,
    ConfigurationError,
    MailboxRefused,
    MailboxUnavailable,
)
from airflow_provider_apscores.hooks.lookup import check_type, read_extra
from airflow_provider_apscores.hooks.notification import INSTALL_EXTRA

if TYPE_CHECKING:
    from imapclient import IMAPClient

#: The type of the connections to mailboxes. It comes from Airflow's IMAP provider.
CONN_TYPE = "imap"

#: Seconds to wait for the server's next bytes.
TIMEOUT = 30.0
#: Seconds to connect, and then from login to logout. A server that sends byte by byte never exceeds the other limit.
TIME_LIMIT = 120.0

# Response codes that mean "not now" (RFC 5530, 3). A NO without one of them is permanent.
_NOT_NOW = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA)\b|too many (simultaneous )?connections", re.I)


@contextmanager
def imap_client(connection: Any) -> Iterator[IMAPClient]:
    """
    Log in to the mail server of an Airflow connection of type ``imap``; log out at the end.

    Only errors of this package leave the block.

    :param connection: the connection, already fetched, so that this can run in a thread of the triggerer.
    :raises ConfigurationError: the connection is wrong, or the extra ``[imap]`` is not installed.
    :raises MailboxRefused: the mail server refused the login.
    :raises MailboxUnavailable: any transient error.
    """
    check_type(connection, CONN_TYPE)
    where = f"The mailbox of connection {connection.conn_id!r}"
    if not connection.host:
        raise ConfigurationError(f"Connection {connection.conn_id!r} has no host: enter the name of the mail server.")
    if not (connection.login and connection.password):
        raise ConfigurationError(f"{where} cannot be opened: the connection needs a login and a password.")
    if not f"{connection.login}{connection.password}".isascii():
        raise ConfigurationError(f"{where} cannot be opened: IMAP sends ASCII logins and passwords only.")
    try:
        client = _client(connection)
        with _time_limit(client), client:  # in this order, the limit covers the logout as well
            _log_in(client, connection, where)
            yield client
    except APScoresError:
        raise
    except imaplib.IMAP4.readonly:
        raise ConfigurationError(f"{where}: the folder can be read but not changed.") from None
    except ssl.SSLCertVerificationError:
        raise ConfigurationError(f"{where}: the server's certificate is not valid for this worker.") from None
    except Exception as error:
        cause = f"IMAP error{_code(error)}" if isinstance(error, imaplib.IMAP4.error) else type(error).__name__
        raise MailboxUnavailable(f"{where} gave no usable answer ({cause}).") from None


def _client(connection: Any) -> IMAPClient:
    try:
        from imapclient import IMAPClient
    except ImportError:
        raise ConfigurationError(INSTALL_EXTRA) from None
    # At level DEBUG it logs every line of the server, messages included.
    logging.getLogger("imapclient").setLevel(logging.WARNING)
    extra = read_extra(connection)
    # The form saves untouched fields as null. Null must not mean "send the password unencrypted".
    encrypted = extra.get("use_ssl") is None or bool(extra["use_ssl"])
    connect = partial(
        IMAPClient,
        connection.host,
        connection.port or (993 if encrypted else 143),
        ssl=encrypted,
        ssl_context=_ssl_context(extra) if encrypted else None,
        timeout=TIMEOUT,
    )
    client = _connected(connect)
    client.normalise_times = False  # times with their time zone
    return client


def _connected(connect: Callable[[], IMAPClient]) -> IMAPClient:
    """Connect in a thread, and abandon it after :data:`TIME_LIMIT`: a greeting may come byte by byte as well."""
    outcomes = queue.SimpleQueue[Any]()

    def run() -> None:
        try:
            outcomes.put(connect())
        except Exception as error:
            outcomes.put(error)

    threading.Thread(target=run, name="apscores-imap", daemon=True).start()
    try:
        outcome = outcomes.get(timeout=TIME_LIMIT)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _ssl_context(extra: dict[str, Any]) -> ssl.SSLContext:
    """The context that the IMAP provider documents: the connection's, ``[imap]``'s or ``[email]``'s ``ssl_context``."""
    from airflow.providers.common.compat.sdk import conf

    name = (
        extra.get("ssl_context")
        or conf.get("imap", "ssl_context", fallback=None)
        or conf.get("email", "ssl_context", fallback=None)
        or "default"
    )
    if name not in ("default", "none"):
        raise ConfigurationError("The connection's ssl_context must be 'default' or 'none'.")
    context = ssl.create_default_context()
    if name == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(client: IMAPClient, connection: Any, where: str) -> None:
    from imapclient.exceptions import LoginError

    try:
        client.login(connection.login, connection.password)
    except LoginError as error:
        # A connection that broke is no refusal.
        if isinstance(error.__context__, imaplib.IMAP4.abort) or _NOT_NOW.search(str(error)):
            raise
        raise MailboxRefused(f"{where} refused the login{_code(error)}.") from None


@contextmanager
def _time_limit(client: IMAPClient) -> Iterator[None]:
    """Break the connection after :data:`TIME_LIMIT`."""

    def end() -> None:
        with suppress(OSError):
            client.socket().shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TIME_LIMIT, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def existing_folder(folder: str) -> Iterator[None]:
    """The server's NO to a command that names *folder* means that there is no such folder, unless it says otherwise."""
    from imapclient.exceptions import ProtocolError

    try:
        yield
    except (imaplib.IMAP4.abort, imaplib.IMAP4.readonly, ProtocolError):
        raise
    except imaplib.IMAP4.error as error:
        if _NOT_NOW.search(str(error)):
            raise
        raise ConfigurationError(
            f"The mail server refused the folder {folder!r}. Check its name; this provider creates no folders."
        ) from None


def _code(error: Exception) -> str:
    """The response code in an answer, such as AUTHENTICATIONFAILED. The rest of it may hold anything."""
    code = re.search(r"\[([A-Z]+)\]", str(error))
    return f" ({code[1]})" if code else ""

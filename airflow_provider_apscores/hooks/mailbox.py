"""The mailbox that notification e-mails arrive in: look for them, later mark or move them. Blocking; IMAP4rev1.

Looking changes nothing: the folder is opened for reading only, and texts are fetched with ``BODY.PEEK``, which leaves
messages unseen (RFC 3501, 6.4.5). The server narrows a large folder down first: unseen, not deleted, young enough,
the right sender. Messages are named by UID and UIDVALIDITY, which stay the same when others use the mailbox.

Whatever goes wrong, the errors of imaplib are not passed on: they quote what the server sent, and that may be a
message.
"""

from __future__ import annotations

import base64
import imaplib
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_apscores.errors import (
    APScoresError,
    ConfigurationError,
    MailboxRefused,
    MailboxUnavailable,
)
from airflow_provider_apscores.hooks.lookup import check_type, read_extra

if TYPE_CHECKING:
    from airflow.providers.imap.hooks.imap import ImapHook

    from airflow_provider_apscores.hooks.notification import Rules

#: The type of the connections to mailboxes, which is the IMAP provider's.
CONN_TYPE = "imap"

#: Seconds to wait for the server, at each step.
TIMEOUT = 30.0

# What is fetched of a message: enough to find a campus named in it; attachments may be large.
_HEADER = "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]<0.16384>"
_MESSAGE = "BODY.PEEK[]<0.262144>"
# So many messages in one command: its line stays below what servers accept (RFC 7162: 8192 octets), and the answer
# small in memory.
_BATCH = 200
_MESSAGE_BATCH = 20
# Response codes that say "not now" (RFC 5530, 3), where a bare NO means "never like this".
_NOT_NOW = re.compile(rb"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA)\b|too many (simultaneous )?connections", re.I)
# imaplib and strftime("%b") go by the locale; the protocol does not.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Notices:
    """What one look at a mailbox found. It says nothing about a message but where it lies.

    Attributes:
        di_codes: The campuses named, sorted.
        uids: The messages that named them.
        uidvalidity: What makes *uids* good; 0 when the server has none.
        unmatched: How many more messages look like notifications, of campuses that no pattern knows.
    """

    di_codes: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    uidvalidity: int = 0
    unmatched: int = 0

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Notices:
        """Read what :meth:`as_event` wrote, in this version or another."""
        return cls(
            di_codes=tuple(map(str, event.get("di_codes", ()))),
            uids=tuple(map(int, event.get("uids", ()))),
            uidvalidity=int(event.get("uidvalidity", 0)),
            unmatched=int(event.get("unmatched", 0)),
        )

    def as_event(self) -> dict[str, Any]:
        """The same as plain JSON, for the trigger's event."""
        return {
            "di_codes": list(self.di_codes),
            "uids": list(self.uids),
            "uidvalidity": self.uidvalidity,
            "unmatched": self.unmatched,
        }

    def __str__(self) -> str:
        campuses = f"{_number(len(self.uids), 'notification e-mail')} for {', '.join(self.di_codes) or 'no campus'}"
        return campuses + (f"; {self.unmatched} more without a campus" if self.unmatched else "")


class Mailbox:
    """A folder of a mailbox, over a connection that is logged in. Made by :func:`open_mailbox`."""

    def __init__(self, client: imaplib.IMAP4, folder: str) -> None:
        self._client = client
        self._folder = folder

    def look(self, rules: Rules, *, max_age: float | None, on_unmatched: str = "ignore") -> Notices:
        """
        Find unseen notifications and the campuses that they name.

        :param rules: which messages count, and how they name a campus.
        :param max_age: how many seconds ago they may have arrived; None for any time.
        :param on_unmatched: ``fail`` makes a notification without a campus an error.
        :raises ConfigurationError: there is one, and it is an error.
        """
        uidvalidity = self._select(readonly=True)
        oldest = 0.0 if max_age is None else time.time() - max_age
        headers = self._fetch(self._search(rules, max_age), _HEADER, _BATCH)
        campuses = {
            uid: _campuses(rules, header)
            for uid, arrived, header in headers
            if arrived >= oldest and _concerns(rules, header)
        }
        if rules.match_body:
            messages = self._fetch(list(campuses), _MESSAGE, _MESSAGE_BATCH)
            campuses = {uid: _campuses(rules, message) for uid, _arrived, message in messages}
        notices = Notices(
            di_codes=tuple(sorted({code for codes in campuses.values() for code in codes})),
            uids=tuple(sorted(uid for uid, codes in campuses.items() if codes)),
            uidvalidity=uidvalidity,
            unmatched=sum(not codes for codes in campuses.values()),
        )
        if notices.unmatched and on_unmatched == "fail":
            raise ConfigurationError(
                f"{_number(notices.unmatched, 'unseen notification e-mail')} matched no pattern in campus_patterns. "
                "Add the campus, or mark the message as seen."
            )
        return notices

    def mark_seen(self, notices: Notices) -> bool:
        """Mark the messages of *notices* as seen. False: the server has numbered its messages anew since the look."""
        return self._change(notices, lambda uids: self._ask("STORE", uids, "+FLAGS.SILENT", r"(\Seen)"))

    def move(self, notices: Notices, folder: str) -> bool:
        """Move the messages of *notices* to *folder*, which must exist. False: as with :meth:`mark_seen`."""
        target = _quoted(folder)
        # What a server can do it says anew after the login.
        capabilities = b" ".join(part or b"" for part in self._client.capability()[1]).upper().split()

        def move(uids: str) -> None:
            if b"MOVE" in capabilities:
                self._ask("MOVE", uids, target, refused=_no_folder(folder))
                return
            self._ask("COPY", uids, target, refused=_no_folder(folder))
            self._ask("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")
            if b"UIDPLUS" in capabilities:
                # A plain EXPUNGE would also remove what other people have marked as deleted.
                self._ask("EXPUNGE", uids)

        return self._change(notices, move)

    def _change(self, notices: Notices, change: Callable[[str], object]) -> bool:
        if self._select(readonly=False) != notices.uidvalidity:
            return False
        for uids in _batches(notices.uids, _BATCH):
            change(uids)
        return True

    def _select(self, *, readonly: bool) -> int:
        status, data = self._client.select(_quoted(self._folder), readonly=readonly)
        if status != "OK":
            _refuse(data, _no_folder(self._folder))
        _name, uidvalidity = self._client.response("UIDVALIDITY")
        return int(uidvalidity[0]) if uidvalidity and uidvalidity[0] else 0

    def _search(self, rules: Rules, max_age: float | None) -> list[int]:
        criteria = ["UNSEEN", "UNDELETED"]
        if max_age is not None:
            # SINCE knows days only, in the server's time zone.
            day = datetime.now(tz=UTC) - timedelta(seconds=max_age, days=1)
            criteria += ["SINCE", f"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year}"]
        *others, last = (f'FROM "{sender}"' for sender in rules.senders)
        criteria += [f"OR {sender}" for sender in others] + [last]
        found = self._ask("SEARCH", *criteria)
        return [int(uid) for line in found for uid in (line or b"").split()]

    def _fetch(self, uids: Sequence[int], what: str, batch: int) -> Iterator[tuple[int, float, bytes]]:
        """UID, arrival in seconds since 1970, and *what* was asked for, of each message that is still there."""
        for some in _batches(uids, batch):
            for about, content in _literals(self._ask("FETCH", some, f"(UID INTERNALDATE {what})")):
                uid = re.search(rb"\bUID (\d+)", about)
                if uid:
                    yield int(uid[1]), _arrival(about), content

    def _ask(self, command: str, *arguments: str, refused: str = "") -> list[Any]:
        status, data = self._client.uid(command, *arguments)
        if status != "OK":
            _refuse(data, refused)
        return data


@contextmanager
def open_mailbox(connection: Any, folder: str) -> Iterator[Mailbox]:
    """
    Log in to the mailbox of an Airflow connection of type ``imap``; log out at the end.

    Nothing but this package's errors comes out of the block.

    :param connection: the connection, already fetched, so that this can run in a thread of the triggerer.
    :param folder: the folder of the messages.
    :raises ConfigurationError: the connection or the folder is wrong, or the extra ``[imap]`` is missing.
    :raises MailboxRefused: the mail server refused the login.
    :raises MailboxUnavailable: anything that may pass.
    """
    check_type(connection, CONN_TYPE)
    where = f"The mailbox of connection {connection.conn_id!r}"
    hook = None
    try:
        hook = _hook(connection)
        client = hook.get_conn().mail_client
        if client is None or client.state == "NONAUTH":
            raise ConfigurationError(f"{where} can't be opened: the connection needs a login and a password.")
        yield Mailbox(client, folder)
    except APScoresError:
        raise
    except UnicodeEncodeError:
        # Its repr holds the text that can't be encoded.
        raise ConfigurationError(f"{where} can't be opened: imaplib sends ASCII logins and passwords only.") from None
    except imaplib.IMAP4.readonly:
        raise ConfigurationError(f"{where}: the folder can be read but not changed.") from None
    except Exception as error:
        if _is_refused_login(error, hook):
            raise MailboxRefused(f"{where} refused the login{_code(error)}.") from None
        if isinstance(error, ssl.SSLCertVerificationError):
            raise ConfigurationError(f"{where}: the server's certificate is not valid for this worker.") from None
        raise MailboxUnavailable(f"{where} gave no usable answer ({_cause(error)}).") from None
    finally:
        if hook is not None and hook.mail_client is not None:
            with suppress(Exception):
                hook.mail_client.logout()


def _hook(connection: Any) -> ImapHook:
    try:
        from airflow.providers.imap.hooks.imap import ImapHook
    except ImportError:
        raise ConfigurationError(
            "Reading notification e-mails needs the IMAP provider: pip install 'airflow-provider-apscores[imap]'"
        ) from None

    class PatientHook(ImapHook):
        """Airflow's hook, with the time-outs that it lacks, for a connection that was fetched before."""

        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            return connection

        def _build_client(self, conn: Any) -> imaplib.IMAP4:
            if not conn.host:
                raise ConfigurationError(f"Connection {conn.conn_id!r} has no host: enter the name of the mail server.")
            extra = read_extra(conn)
            # The form saves untouched fields as null; null must not mean "send the password in clear".
            if extra.get("use_ssl") is None or extra["use_ssl"]:
                return imaplib.IMAP4_SSL(conn.host, conn.port or 993, ssl_context=_ssl_context(extra), timeout=TIMEOUT)
            return imaplib.IMAP4(conn.host, conn.port or 143, timeout=TIMEOUT)

    return PatientHook(connection.conn_id)


def _ssl_context(extra: dict[str, Any]) -> ssl.SSLContext | None:
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
    return ssl.create_default_context() if name == "default" else None


def _is_refused_login(error: Exception, hook: ImapHook | None) -> bool:
    client = hook.mail_client if hook is not None else None
    return (
        client is not None
        and client.state == "NONAUTH"
        and isinstance(error, imaplib.IMAP4.error)
        and not isinstance(error, imaplib.IMAP4.abort)
        and not _NOT_NOW.search(_words(error))
    )


def _refuse(data: Sequence[Any], message: str) -> NoReturn:
    """Raise what a server's NO means: not now, or, where *message* says what is wrong, never."""
    words = b" ".join(part for part in data if isinstance(part, bytes))
    if message and not _NOT_NOW.search(words):
        raise ConfigurationError(message)
    raise imaplib.IMAP4.error(words)


def _words(error: Exception) -> bytes:
    return b" ".join(arg if isinstance(arg, bytes) else str(arg).encode() for arg in error.args)


def _code(error: Exception) -> str:
    """The response code in an answer, such as AUTHENTICATIONFAILED; the rest of it may hold anything."""
    code = re.search(rb"\[([A-Z]+)\]", _words(error))
    return f" ({code[1].decode()})" if code else ""


def _cause(error: Exception) -> str:
    if isinstance(error, imaplib.IMAP4.error):
        return f"IMAP error{_code(error)}"
    return type(error).__name__


def _concerns(rules: Rules, header: bytes) -> bool:
    try:
        return rules.concern(header)
    except Exception:  # the e-mail package gives up on some malformed messages, in many ways
        return False


def _campuses(rules: Rules, message: bytes) -> tuple[str, ...]:
    try:
        return rules.campuses_in(message)
    except Exception:  # as above; the message counts as one that names no campus
        return ()


def _literals(data: Sequence[Any]) -> Iterator[tuple[bytes, bytes]]:
    """
    The messages of a FETCH as imaplib gives them: a tuple each, and what follows it in bytes of its own.

    A server may name the UID before the content or after it.
    """
    for position, item in enumerate(data):
        if isinstance(item, tuple):
            after = data[position + 1] if position + 1 < len(data) else b""
            yield item[0] + b" " + (after if isinstance(after, bytes) else b""), item[1]


def _arrival(about: bytes) -> float:
    arrived = imaplib.Internaldate2tuple(about)
    # A message of unknown age is not too old.
    return time.mktime(arrived) if arrived else time.time()


def _batches(uids: Sequence[int], size: int) -> Iterator[str]:
    for start in range(0, len(uids), size):
        yield ",".join(map(str, uids[start : start + size]))


def _quoted(folder: str) -> str:
    """*folder* as the protocol spells it: quoted, in modified UTF-7 (RFC 3501, 5.1.3)."""

    def shifted(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        code = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
        return f"&{code.replace('/', ',')}-"

    name = re.sub(r"&|[^ -~]+", shifted, folder)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _no_folder(folder: str) -> str:
    return f"The mail server refused the folder {folder!r}. Is there one of this name? None is made."


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")

"""The mailbox that notification e-mails arrive in: find them, and later mark or move them. Blocking.

Finding changes nothing: the folder is opened for reading only, and texts are fetched with ``BODY.PEEK``, which leaves
messages unseen (RFC 3501, 6.4.5). The server selects first: unseen, not deleted, recent enough, the right sender.
Messages are identified by UID and UIDVALIDITY, which stay the same while others use the mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.imap import existing_folder, imap_client

if TYPE_CHECKING:
    from datetime import datetime

    from imapclient import IMAPClient

    from airflow_provider_apscores.hooks.notification import Rules

# What is fetched of a message: enough to find a campus named in it. Attachments may be large.
_HEADER = "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT AUTHENTICATION-RESULTS)]<0.16384>"
_MESSAGE = "BODY.PEEK[]<0.262144>"
# Messages in one command: its line stays below what servers accept (RFC 7162: 8192 octets), the answer small in memory.
_BATCH = 200
_MESSAGE_BATCH = 20


@dataclass(frozen=True, slots=True)
class Notifications:
    """What one poll of a mailbox found. Of a message, it holds nothing but its identity.

    Attributes:
        di_codes: The campuses named, sorted.
        uids: The messages that name them.
        uidvalidity: What *uids* are valid for; 0 if the server has none.
        unmatched: How many more messages look like notifications, but match no campus pattern.
    """

    di_codes: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    uidvalidity: int = 0
    unmatched: int = 0

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Notifications:
        """Read what :meth:`as_event` wrote, in this version or another."""
        return cls(
            di_codes=tuple(map(str, event.get("di_codes", ()))),
            uids=tuple(map(int, event.get("uids", ()))),
            uidvalidity=int(event.get("uidvalidity", 0)),
            unmatched=int(event.get("unmatched", 0)),
        )

    def as_event(self) -> dict[str, Any]:
        """Return the same as plain JSON, for the trigger's event."""
        return {
            "di_codes": list(self.di_codes),
            "uids": list(self.uids),
            "uidvalidity": self.uidvalidity,
            "unmatched": self.unmatched,
        }

    def __str__(self) -> str:
        campuses = f"{_number(len(self.uids), 'notification e-mail')} for {', '.join(self.di_codes) or 'no campus'}"
        return campuses + (f"; {self.unmatched} more without a known campus" if self.unmatched else "")


class Mailbox:
    """A folder of a mailbox, over a connection that is logged in. Created by :func:`open_mailbox`."""

    def __init__(self, client: IMAPClient, folder: str) -> None:
        self._client = client
        self._folder = folder

    def poll(self, rules: Rules, *, max_age: float | None, on_unmatched: str = "ignore") -> Notifications:
        """
        Find unseen notifications and the campuses that they name.

        :param rules: which messages are notifications, and how they name a campus.
        :param max_age: maximum seconds since the arrival of a message; None for any age.
        :param on_unmatched: ``fail`` makes it an error if there are notifications, but none names a known campus.
        :raises ConfigurationError: that error.
        """
        import pendulum

        oldest = None if max_age is None else pendulum.now("UTC").subtract(seconds=max_age)
        uidvalidity = self._select(readonly=True)
        headers = self._fetch(self._search(rules, oldest), _HEADER, _BATCH)
        campuses = {
            uid: _campuses(rules, header)
            for uid, arrived, header in headers
            if (oldest is None or arrived is None or arrived >= oldest) and _is_notification(rules, header)
        }
        if rules.match_body:
            messages = self._fetch(list(campuses), _MESSAGE, _MESSAGE_BATCH)
            campuses = {uid: _campuses(rules, message) for uid, _arrived, message in messages}
        found = Notifications(
            di_codes=tuple(sorted({code for codes in campuses.values() for code in codes})),
            uids=tuple(sorted(uid for uid, codes in campuses.items() if codes)),
            uidvalidity=uidvalidity,
            unmatched=sum(not codes for codes in campuses.values()),
        )
        if found.unmatched and not found.di_codes and on_unmatched == "fail":
            raise ConfigurationError(
                f"{_number(found.unmatched, 'unseen notification e-mail')} matched no pattern in campus_patterns. "
                "Add the campus, or mark the message as seen."
            )
        return found

    def mark_seen(self, found: Notifications) -> bool:
        """Mark the messages as seen. False: the server has renumbered its messages since the poll."""
        return self._change(found, lambda uids: self._client.add_flags(uids, [rb"\Seen"], silent=True))

    def move(self, found: Notifications, folder: str) -> bool:
        """Move the messages to *folder*, which must exist. False: as with :meth:`mark_seen`."""

        def move(uids: Sequence[int]) -> None:
            if self._client.has_capability("MOVE"):
                with existing_folder(folder):
                    self._client.move(uids, folder)
                return
            with existing_folder(folder):
                self._client.copy(uids, folder)
            self._client.delete_messages(uids, silent=True)
            if self._client.has_capability("UIDPLUS"):
                # A plain EXPUNGE would also remove what other users have marked as deleted.
                self._client.uid_expunge(uids)

        return self._change(found, move)

    def _change(self, found: Notifications, change: Callable[[Sequence[int]], object]) -> bool:
        if self._select(readonly=False) != found.uidvalidity:
            return False
        for uids in _batches(found.uids, _BATCH):
            change(uids)
        return True

    def _select(self, *, readonly: bool) -> int:
        with existing_folder(self._folder):
            return int(self._client.select_folder(self._folder, readonly=readonly).get(b"UIDVALIDITY", 0))

    def _search(self, rules: Rules, oldest: datetime | None) -> list[int]:
        criteria: list[Any] = ["UNSEEN", "UNDELETED"]
        if oldest is not None:
            import pendulum

            # SINCE compares days only, in the time zone of the server.
            criteria += ["SINCE", pendulum.instance(oldest).subtract(days=1).date()]
        *others, last = ([b"FROM", sender] for sender in rules.senders)
        for sender in others:
            criteria += [b"OR", *sender]
        return list(self._client.search(criteria + last))

    def _fetch(self, uids: Sequence[int], what: str, size: int) -> Iterator[tuple[int, datetime | None, bytes]]:
        """UID, arrival (None if the server names none) and *what* was asked for, of each message still there."""
        for batch in _batches(uids, size):
            for uid, fields in self._client.fetch(batch, ["INTERNALDATE", what]).items():
                content = next((value for key, value in fields.items() if key.startswith(b"BODY[")), None)
                if content is not None:
                    yield uid, fields.get(b"INTERNALDATE"), content


@contextmanager
def open_mailbox(connection: Any, folder: str) -> Iterator[Mailbox]:
    """
    Log in to a mailbox; log out at the end. Only errors of this package leave the block.

    :param connection: an Airflow connection of type ``imap``, already fetched, so that this can run in a thread of
        the triggerer.
    :param folder: the folder of the messages.
    :raises ConfigurationError: the connection or the folder is wrong, or the extra ``[imap]`` is not installed.
    :raises MailboxRefused: the mail server refused the login.
    :raises MailboxUnavailable: any transient error.
    """
    with imap_client(connection) as client:
        yield Mailbox(client, folder)


def _is_notification(rules: Rules, header: bytes) -> bool:
    try:
        return rules.is_notification(header)
    except Exception:  # the email package fails on some malformed messages, in many ways
        return False


def _campuses(rules: Rules, message: bytes) -> tuple[str, ...]:
    try:
        return rules.campuses_in(message)
    except Exception:  # as above; the message counts as one without a campus
        return ()


def _batches(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")

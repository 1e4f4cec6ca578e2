"""Look for notification e-mails in the triggerer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_apscores.errors import APScoresError, MailboxUnavailable
from airflow_provider_apscores.triggers.base import PollingTrigger

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.mailbox import Notifications

_THREADS = ThreadPoolExecutor(8, thread_name_prefix="apscores-mailbox")


@dataclass(kw_only=True, eq=False, repr=False)
class APScoresNotificationEmailTrigger(PollingTrigger):
    """
    Poll a mailbox until there is a notification or the deadline has passed; then send one event.

    It changes nothing: the sensor marks or moves the messages in its worker. So it may run again, or twice, at any
    time. The sensor polls before it defers; therefore the trigger sleeps first. IMAP is blocking. It runs in threads
    of its own and with time limits, so that a mail server that hangs does not hold up other triggers.

    Events: ``{"status": "found", "di_codes", "uids", "uidvalidity", "unmatched"}``, ``{"status": "timeout"}`` and
    ``{"status": "error", "error", "message", "transient"}``.

    :param imap_conn_id: a connection of type ``imap``.
    :param folder: the mailbox folder to poll.
    :param sender: addresses or domains, separated by commas.
    :param subject_pattern: a regular expression that the subject must contain.
    :param campus_patterns: a JSON object of a regular expression for each DI code.
    :param match_body: whether the text of a message may name the campus as well.
    :param authserv_id: the server whose ``Authentication-Results`` must confirm the sender; None for no check.
    :param max_age: maximum seconds since the arrival of a message; None for any.
    :param on_unmatched: ``fail`` makes it an error if there are notifications, but none names a known campus.
    :param poke_interval: seconds between polls.
    :param deadline: seconds since 1970 at which the wait ends, after a last poll; None for never.
    :param failed_polls: failed polls in a row so far.
    :param max_consecutive_failures: that many failed polls in a row are an error; 0 for any number.
    """

    imap_conn_id: str = "imap_default"
    folder: str = "INBOX"
    sender: str = "collegeboard.org"
    subject_pattern: str = ""
    campus_patterns: str = "{}"
    match_body: bool = False
    authserv_id: str | None = None
    max_age: float | None = None
    on_unmatched: str = "ignore"
    poke_interval: float = 300.0

    unavailable: ClassVar[type[APScoresError]] = MailboxUnavailable

    async def poll(self) -> dict[str, Any] | None:
        """Poll the mailbox in a thread. A thread that exceeds its time limit is abandoned."""
        from airflow.providers.common.compat.connection import get_async_connection

        from airflow_provider_apscores.hooks.imap import CONN_TYPE, TIME_LIMIT, TIMEOUT
        from airflow_provider_apscores.hooks.lookup import OpaqueConnection, connection_errors

        with connection_errors(self.imap_conn_id, CONN_TYPE):
            connection = OpaqueConnection(await get_async_connection(self.imap_conn_id))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(2 * TIME_LIMIT + TIMEOUT):
            found = await loop.run_in_executor(_THREADS, copy_context().run, self._poll_mailbox, connection)
        self.log.info("Found %s.", found)
        return found.as_event() if found.di_codes else None

    def _poll_mailbox(self, connection: Any) -> Notifications:
        from airflow_provider_apscores.hooks.mailbox import open_mailbox
        from airflow_provider_apscores.hooks.notification import read_rules

        rules = read_rules(
            sender=self.sender,
            subject_pattern=self.subject_pattern,
            campus_patterns=self.campus_patterns,
            match_body=self.match_body,
            authserv_id=self.authserv_id,
        )
        with open_mailbox(connection, self.folder) as mailbox:
            return mailbox.poll(rules, max_age=self.max_age, on_unmatched=self.on_unmatched)

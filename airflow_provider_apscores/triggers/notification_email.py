"""Look for notification e-mails from the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_apscores.errors import MailboxUnavailable
from airflow_provider_apscores.triggers.events import as_ours, error_event

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.mailbox import Notices


_THREADS = ThreadPoolExecutor(8, thread_name_prefix="apscores-mailbox")


class APScoresNotificationEmailTrigger(BaseTrigger):
    """
    Look into a mailbox until there is a notification or the deadline has passed; tell so in one event.

    It changes nothing: the sensor marks or moves the messages, in its worker. So it may run again, or twice, at any
    time. The sensor has looked just before; therefore it sleeps first. IMAP is spoken with a time-out at each
    step, and in threads of its own: a mail server that hangs must not hold up what other triggers do in theirs.

    Events: ``{"status": "found", "di_codes", "uids", "uidvalidity", "unmatched"}``, ``{"status": "timeout"}`` and
    ``{"status": "error", "error", "message", "transient"}``.

    :param imap_conn_id: a connection of type ``imap``.
    :param folder: the mailbox folder to look in.
    :param sender: addresses or domains, separated by commas.
    :param subject_pattern: a regular expression that the subject must hold.
    :param campus_patterns: a JSON object of a regular expression for each DI code.
    :param match_body: whether the campus may be named in the text of the message as well.
    :param max_age: seconds since the arrival of a message; None for any.
    :param on_unmatched: ``fail`` makes a notification without a campus an error.
    :param poke_interval: seconds between looks.
    :param deadline: seconds since 1970 at which the wait ends, after a last look; None for never.
    :param missed: failed looks in a row up to now.
    :param max_consecutive_failures: that many failed looks in a row are an error; 0 for any number.
    """

    def __init__(
        self,
        imap_conn_id: str = "imap_default",
        folder: str = "INBOX",
        sender: str = "collegeboard.org",
        subject_pattern: str = "",
        campus_patterns: str = "{}",
        match_body: bool = False,
        max_age: float | None = None,
        on_unmatched: str = "ignore",
        poke_interval: float = 300.0,
        deadline: float | None = None,
        missed: int = 0,
        max_consecutive_failures: int = 5,
    ) -> None:
        super().__init__()
        self.imap_conn_id = imap_conn_id
        self.folder = folder
        self.sender = sender
        self.subject_pattern = subject_pattern
        self.campus_patterns = campus_patterns
        self.match_body = match_body
        self.max_age = max_age
        self.on_unmatched = on_unmatched
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.missed = missed
        self.max_consecutive_failures = max_consecutive_failures

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "imap_conn_id": self.imap_conn_id,
                "folder": self.folder,
                "sender": self.sender,
                "subject_pattern": self.subject_pattern,
                "campus_patterns": self.campus_patterns,
                "match_body": self.match_body,
                "max_age": self.max_age,
                "on_unmatched": self.on_unmatched,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "missed": self.missed,
                "max_consecutive_failures": self.max_consecutive_failures,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, look, and so on; then one event."""
        yield TriggerEvent(await self._event())

    async def _event(self) -> dict[str, Any]:
        missed = self.missed
        while True:
            left = float("inf") if self.deadline is None else self.deadline - time.time()
            await asyncio.sleep(max(0.0, min(self.poke_interval, left)))
            try:
                found = await self._look()
            except Exception as error:
                missed += 1
                given_up = 0 < self.max_consecutive_failures <= missed
                fault = as_ours(error, MailboxUnavailable, "The look into the mailbox")
                if given_up or not fault.transient:
                    return error_event(fault)
                self.log.warning("A missed look, %d in a row: %s", missed, fault)
            else:
                missed = 0
                self.log.info("Found %s.", found)
                if found.di_codes:
                    return {"status": "found", **found.as_event()}
            if self.deadline is not None and time.time() >= self.deadline:
                return {"status": "timeout"}

    async def _look(self) -> Notices:
        from airflow.providers.common.compat.connection import get_async_connection

        from airflow_provider_apscores.hooks.lookup import connection_errors
        from airflow_provider_apscores.hooks.mailbox import CONN_TYPE

        with connection_errors(self.imap_conn_id, CONN_TYPE):
            connection = await get_async_connection(self.imap_conn_id)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_THREADS, copy_context().run, self._look_into, connection)

    def _look_into(self, connection: Any) -> Notices:
        from airflow_provider_apscores.hooks.mailbox import open_mailbox
        from airflow_provider_apscores.hooks.notification import read_rules

        rules = read_rules(
            sender=self.sender,
            subject_pattern=self.subject_pattern,
            campus_patterns=self.campus_patterns,
            match_body=self.match_body,
        )
        with open_mailbox(connection, self.folder) as mailbox:
            return mailbox.look(rules, max_age=self.max_age, on_unmatched=self.on_unmatched)

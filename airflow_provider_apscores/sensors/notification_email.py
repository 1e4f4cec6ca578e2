"""Wait for the e-mail in which College Board announces new score reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.notification import read_rules
from airflow_provider_apscores.operators.arguments import read_boolean, read_seconds
from airflow_provider_apscores.sensors.base import DEFERRABLE, PollingSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_apscores.hooks.mailbox import Mailbox, Notifications

_ON_MATCH = ("seen", "move", "leave")
_ON_UNMATCHED = ("ignore", "fail")


class APScoresNotificationEmailSensor(PollingSensor):
    """
    Wait for an unseen notification e-mail; return the campuses that have new score reports.

    ::

        notification = APScoresNotificationEmailSensor(
            task_id="wait_for_email",
            campus_patterns={"4866": "Main Campus", "0417": "Online Campus"},
            deferrable=True,
        )
        download = APScoresDownloadOperator.partial(task_id="download", destination="…")
        download.expand(di_code=notification.output)

    Polling a mailbox sends nothing to College Board. It needs the extra ``[imap]``. DI codes, counts and UIDs are all
    that reaches logs, XComs and the trigger's event; nothing else of a message does.

    The task marks or moves a message as its last step. If it is interrupted there, the next run finds the message
    again, or succeeds with the next message. The reports stay new at College Board until their download is recorded.

    :param campus_patterns: for each DI code, a regular expression that names the campus in a notification's subject.
        Patterns are in RE2's syntax. They may match anywhere, and ignore case. (templated)
    :param imap_conn_id: a connection of type ``imap``. (templated)
    :param folder: the mailbox folder to poll. (templated)
    :param sender: the addresses, or domains with their subdomains, that notifications come from, separated by commas.
        (templated)
    :param subject_pattern: a regular expression that the subject must contain. (templated)
    :param match_body: whether the text of the message may name the campus as well.
    :param authserv_id: accept a message only if this server confirms its sender: the name that your mail server
        writes first into the ``Authentication-Results`` field. ``*`` accepts the topmost such field, whatever its
        name: for Microsoft 365, which writes none. None for no check. (templated)
    :param max_age: seconds, or a ``timedelta``: older messages are left alone. None for any age.
    :param on_match: ``seen`` marks the messages as seen, ``move`` moves them to *move_to*, ``leave`` leaves them, and
        the next run finds them again. None means ``move`` if *move_to* is given, otherwise ``seen``.
    :param move_to: the folder to move the messages to; it must exist. (templated)
    :param on_unmatched: what to do if there are notifications, but none names a campus of *campus_patterns*:
        ``ignore`` them (the log gives their number, and they stay unseen), or ``fail`` the task permanently.
    :param poke_interval: seconds between polls.
    :param max_consecutive_failures: that many failed polls in a row fail the task.
    :param deferrable: wait in the triggerer; ``mode`` has no effect then.
    :return: the DI codes, sorted.
    :raises AirflowFailException: the mail server refused the login, or the connection or an argument is wrong. Its
        ``__cause__`` is the error, of a class in ``airflow_provider_apscores.errors``.
    :raises AirflowSensorTimeout: there was no message within ``timeout``; a skip with ``soft_fail``.
    :raises MailboxUnavailable: too many failed polls in a row.
    """

    template_fields: Sequence[str] = (
        "campus_patterns",
        "imap_conn_id",
        "folder",
        "sender",
        "subject_pattern",
        "authserv_id",
        "move_to",
    )
    template_fields_renderers = {"campus_patterns": "json"}  # noqa: RUF012  # Airflow's own declaration
    ui_color = "#cfe2f3"

    def __init__(
        self,
        *,
        campus_patterns: Mapping[str, str],
        imap_conn_id: str = "imap_default",
        folder: str = "INBOX",
        sender: str = "collegeboard.org",
        subject_pattern: str = "",
        match_body: bool = False,
        authserv_id: str | None = None,
        max_age: timedelta | float | None = timedelta(days=7),
        on_match: str | None = None,
        move_to: str | None = None,
        on_unmatched: str = "ignore",
        poke_interval: timedelta | float = 300,
        max_consecutive_failures: int = 5,
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            max_consecutive_failures=max_consecutive_failures,
            deferrable=deferrable,
            **kwargs,
        )
        if on_match not in (None, *_ON_MATCH):
            raise ValueError(f"on_match must be one of {', '.join(_ON_MATCH)}.")
        if on_match is not None and (on_match == "move") != (move_to is not None):
            raise ValueError('on_match="move" and move_to go together.')
        if on_unmatched not in _ON_UNMATCHED:
            raise ValueError(f"on_unmatched must be one of {', '.join(_ON_UNMATCHED)}.")
        self.campus_patterns = campus_patterns
        self.imap_conn_id = imap_conn_id
        self.folder = folder
        self.sender = sender
        self.subject_pattern = subject_pattern
        self.match_body = read_boolean(match_body, "match_body", False)
        self.authserv_id = authserv_id
        self.max_age = read_seconds(max_age, "max_age", None)
        self.on_match = on_match
        self.move_to = move_to
        self.on_unmatched = on_unmatched

    def poll(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """Poll the mailbox, or take what the trigger found there; then mark or move the messages."""
        from airflow_provider_apscores.hooks.imap import CONN_TYPE
        from airflow_provider_apscores.hooks.lookup import OpaqueConnection, connection_errors
        from airflow_provider_apscores.hooks.mailbox import Notifications, open_mailbox

        found = Notifications.from_event(event) if event else Notifications()
        on_match = self._on_match()
        if found.di_codes and on_match == "leave":
            return list(found.di_codes)
        rules = read_rules(**self._rules())
        with connection_errors(self.imap_conn_id, CONN_TYPE):
            connection = OpaqueConnection(BaseHook.get_connection(self.imap_conn_id))
        with open_mailbox(connection, self.folder) as mailbox:
            if not found.di_codes:
                found = mailbox.poll(rules, max_age=self.max_age, on_unmatched=self.on_unmatched)
                self.log.info("Found %s.", found)
            if found.di_codes and not self._commit(mailbox, found, on_match):
                self.log.warning(
                    "The mail server has renumbered its messages. They stay unmarked; the next run finds them again."
                )
        return list(found.di_codes)

    def make_trigger(self, *, deadline: float, failed_polls: int) -> BaseTrigger:
        """Return the trigger that polls for the same messages."""
        from airflow_provider_apscores.triggers.notification_email import APScoresNotificationEmailTrigger

        rules = self._rules()
        return APScoresNotificationEmailTrigger(
            **{**rules, "campus_patterns": json.dumps(dict(rules["campus_patterns"]))},
            imap_conn_id=self.imap_conn_id,
            folder=self.folder,
            max_age=self.max_age,
            on_unmatched=self.on_unmatched,
            poke_interval=self.poke_interval,
            deadline=deadline,
            failed_polls=failed_polls,
            max_consecutive_failures=self._failure_limit,
        )

    def _rules(self) -> dict[str, Any]:
        return {
            "campus_patterns": self.campus_patterns,
            "sender": self.sender,
            "subject_pattern": self.subject_pattern,
            "match_body": self.match_body,
            "authserv_id": self.authserv_id,
        }

    def _on_match(self) -> str:
        """What to do with the messages. Known only after templates are rendered."""
        if self.on_match == "move" and not self.move_to:
            raise ConfigurationError('on_match="move" needs a folder to move to, and move_to is empty.')
        return self.on_match or ("move" if self.move_to else "seen")

    def _commit(self, mailbox: Mailbox, found: Notifications, on_match: str) -> bool:
        if on_match == "seen":
            return mailbox.mark_seen(found)
        if on_match == "move":
            return mailbox.move(found, str(self.move_to))
        return True

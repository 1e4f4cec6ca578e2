"""Wait for College Board's e-mail that says: a campus has new score reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.notification import read_rules
from airflow_provider_apscores.sensors.base import DEFERRABLE, PatientSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_apscores.hooks.mailbox import Mailbox, Notices

_ON_MATCH = ("seen", "move", "leave")
_ON_UNMATCHED = ("ignore", "fail")


class APScoresNotificationEmailSensor(PatientSensor):
    """
    Wait for an unseen notification e-mail; return the campuses that have new score reports.

    ::

        news = APScoresNotificationEmailSensor(
            task_id="news",
            campus_patterns={"4866": "Main Campus", "0417": "Online Campus"},
            deferrable=True,
        )
        download = APScoresDownloadOperator.partial(task_id="download", destination="…")
        download.expand(di_code=news.output)

    Asking the web service means ordering a file; asking a mailbox costs College Board nothing. Needs the extra
    ``[imap]``. Nothing of a message reaches a log, an XCom or a trigger's event but DI codes, counts and UIDs.

    A message is marked or moved as the last step. Whoever is interrupted there sees the same message again, or
    succeeds at the next one: the reports stay new at College Board until their download is recorded.

    :param campus_patterns: for each DI code, a regular expression that names the campus in a notification's subject.
        All patterns are searched, not matched at the start, and ignore case. (templated)
    :param imap_conn_id: a connection of type ``imap``. (templated)
    :param folder: the mailbox folder to look in. (templated)
    :param sender: the addresses, or domains with their subdomains, that notifications come from, separated by commas.
        (templated)
    :param subject_pattern: a regular expression that the subject must hold. (templated)
    :param match_body: whether the campus may be named in the text of the message as well.
    :param max_age: seconds, or a ``timedelta``: messages that arrived earlier are left alone. None for any age.
    :param on_match: ``seen`` marks the messages as seen, ``move`` moves them to *move_to*, ``leave`` leaves them, and
        finds them again at the next run. None means ``move`` where *move_to* is given, ``seen`` otherwise.
    :param move_to: the folder to move the messages to; it must exist. (templated)
    :param on_unmatched: a notification of a campus that no pattern names: ``ignore`` it (the log says how many there
        are; they stay unseen), or ``fail`` for good.
    :param poke_interval: seconds between looks.
    :param max_consecutive_failures: that many failed looks in a row fail the task; fewer are missed looks.
    :param deferrable: wait in the triggerer; ``mode`` does not matter then.
    :return: the sorted DI codes.
    :raises AirflowFailException: the mail server refused the login, or an argument is wrong. Its ``__cause__`` is the
        error, of a class in ``airflow_provider_apscores.errors``.
    :raises AirflowSensorTimeout: there was no message within ``timeout``; a skip with ``soft_fail``.
    :raises MailboxUnavailable: the mailbox was out of reach too many times in a row.
    """

    template_fields: Sequence[str] = (
        "campus_patterns",
        "imap_conn_id",
        "folder",
        "sender",
        "subject_pattern",
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
        self.match_body = match_body
        self.max_age = max_age
        self.on_match = on_match
        self.move_to = move_to
        self.on_unmatched = on_unmatched

    def look(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """Look into the mailbox, or take what the trigger found there; then mark or move the messages."""
        from airflow_provider_apscores.hooks.lookup import connection_errors
        from airflow_provider_apscores.hooks.mailbox import CONN_TYPE, Notices, open_mailbox

        found = Notices.from_event(event) if event else Notices()
        on_match = self._on_match()
        if found.di_codes and on_match == "leave":
            return list(found.di_codes)
        rules = read_rules(**self._rules())
        with connection_errors(self.imap_conn_id, CONN_TYPE):
            connection = BaseHook.get_connection(self.imap_conn_id)
        with open_mailbox(connection, self.folder) as mailbox:
            if not found.di_codes:
                found = mailbox.look(rules, max_age=self._max_age, on_unmatched=self.on_unmatched)
                self.log.info("Found %s.", found)
            if found.di_codes and not self._commit(mailbox, found, on_match):
                self.log.warning("The mail server has numbered its messages anew: they stay, and are found again.")
        return list(found.di_codes)

    def make_trigger(self, *, deadline: float, missed: int) -> BaseTrigger:
        """Return the trigger that looks for the same messages."""
        from airflow_provider_apscores.triggers.notification_email import APScoresNotificationEmailTrigger

        rules = self._rules()
        return APScoresNotificationEmailTrigger(
            **{**rules, "campus_patterns": json.dumps(dict(rules["campus_patterns"]))},
            imap_conn_id=self.imap_conn_id,
            folder=self.folder,
            max_age=self._max_age,
            on_unmatched=self.on_unmatched,
            poke_interval=self.poke_interval,
            deadline=deadline,
            missed=missed,
            max_consecutive_failures=0 if self.silent_fail else self.max_consecutive_failures,
        )

    def _rules(self) -> dict[str, Any]:
        return {
            "campus_patterns": self.campus_patterns,
            "sender": self.sender,
            "subject_pattern": self.subject_pattern,
            "match_body": self.match_body,
        }

    @property
    def _max_age(self) -> float | None:
        return self.max_age.total_seconds() if isinstance(self.max_age, timedelta) else self.max_age

    def _on_match(self) -> str:
        """What to do about messages. Not known before templates are rendered."""
        if self.on_match == "move" and not self.move_to:
            raise ConfigurationError('on_match="move" needs a folder to move to, and move_to is empty.')
        return self.on_match or ("move" if self.move_to else "seen")

    def _commit(self, mailbox: Mailbox, found: Notices, on_match: str) -> bool:
        if on_match == "seen":
            return mailbox.mark_seen(found)
        if on_match == "move":
            return mailbox.move(found, str(self.move_to))
        return True

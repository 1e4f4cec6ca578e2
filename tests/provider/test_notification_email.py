"""The notification e-mail sensor against a real IMAP server, in each of its modes."""

from __future__ import annotations

import asyncio
import datetime
import imaplib
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from pytest_mock import MockerFixture

from airflow_provider_apscores.errors import ConfigurationError, MailboxRefused, MailboxUnavailable
from airflow_provider_apscores.hooks import imap
from airflow_provider_apscores.hooks import mailbox as mailbox_module
from airflow_provider_apscores.sensors.notification_email import APScoresNotificationEmailSensor
from airflow_provider_apscores.triggers.notification_email import APScoresNotificationEmailTrigger
from tests.provider import modes
from tests.provider.deployment import AIRFLOW
from tests.provider.mail_server import LOGIN, PASSWORD, mail_connection, mail_server
from tests.provider.modes import ARGUMENTS, MODES, Store, error_of, first_event, is_error
from tests.provider.world import fails_permanently

pytestmark = pytest.mark.airflow

PATTERNS = {"4866": "Main Campus", "0417": "Online Campus"}
# Words of the messages. None of them may appear anywhere else.
SECRET_WORDS = ("zanzibar", "quetzal", "xylophone")


# The mail server, and what can go wrong on the way to it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port."""
    with mail_server(tmp_path_factory.mktemp("pymap")) as port:
        yield port


def without_delay(connection: socket.socket) -> socket.socket:
    """Send short lines at once (TCP_NODELAY), which saves 40 ms for each pair of them."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Gate:
    """
    The way to the mail server: each connection does what the next step of the plan says.

    A step is "pass", "drop", "hang", "drip" (a byte at a time), or a function to call before the connection passes.
    After the plan, all connections pass.
    """

    def __init__(self, server: int, tls: ssl.SSLContext | None = None) -> None:
        self.plan: list[str | Callable[[], object]] = []
        self.connections = 0
        self.withheld: list[bytes] = []  # words that are blanked out in the server's lines
        self.asked = b""  # what clients sent
        self._server, self._tls = server, tls
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for held in self._held:
            held.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self.connections += 1
                step = self.plan.pop(0) if self.plan else "pass"
                if step == "drop":
                    client.close()
                elif step == "hang":
                    self._held.append(client)
                else:
                    if callable(step):
                        step()
                    threading.Thread(
                        target=self._serve, args=(without_delay(client), step == "drip"), daemon=True
                    ).start()

    def _serve(self, client: socket.socket, drip: bool) -> None:
        with suppress(OSError), without_delay(socket.create_connection(("127.0.0.1", self._server))) as server:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            with client:
                back = threading.Thread(target=self._copy, args=(server, client, True, drip), daemon=True)
                back.start()
                self._copy(client, server, False)
                back.join(5)

    def _copy(self, source: socket.socket, target: socket.socket, from_server: bool, drip: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(1 if drip else 65536):
                time.sleep(0.01 if drip else 0)
                self.asked += b"" if from_server else data
                for word in self.withheld if from_server else ():
                    data = data.replace(word, b"X" * len(word))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@dataclass
class Mail:
    """A folder of its own for each test."""

    client: imaplib.IMAP4
    folder: str
    gate: Gate
    events: list[dict[str, Any]] = field(default_factory=list)

    def deliver(self, *messages: bytes, folder: str | None = None, days_ago: float = 0, seen: bool = False) -> None:
        for message in messages:
            date = imaplib.Time2Internaldate(time.time() - days_ago * 86400)
            status, _ = self.client.append(f'"{folder or self.folder}"', r"(\Seen)" if seen else "", date, message)
            assert status == "OK"

    def count(self, criterion: str = "ALL", folder: str | None = None) -> int:
        self.client.select(f'"{folder or self.folder}"', readonly=True)
        return len(self.client.search(None, criterion)[1][0].split())


@pytest.fixture(scope="module")
def client(server: int) -> Iterator[imaplib.IMAP4]:
    """Another user of the same mailbox."""
    with imaplib.IMAP4("127.0.0.1", server) as client:
        without_delay(client.sock)
        client.login(LOGIN, PASSWORD)
        yield client


@pytest.fixture
def mail(server: int, client: imaplib.IMAP4, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mail]:
    gate = Gate(server)
    mail = Mail(client, f"folder-{uuid.uuid4().hex[:12]}", gate)
    client.create(mail.folder)
    set_connection(monkeypatch, gate.port)
    yield mail
    gate.close()


def set_connection(monkeypatch: pytest.MonkeyPatch, port: int, name: str = "imap_default", **changes: Any) -> None:
    connection = json.loads(mail_connection(port)) | changes
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def message(
    subject: str = "New AP score reports: Main Campus",
    text: str = "Score reports are available. zanzibar",
    sender: str = "College Board <quetzal@e.collegeboard.org>",
    html: str | None = None,
    confirmed: str | None = None,
) -> bytes:
    email = EmailMessage()
    if confirmed:
        email["Authentication-Results"] = confirmed
    email["From"] = sender
    email["To"] = "registrar@college.edu"
    email["Subject"] = subject
    email.set_content(text, charset="iso-8859-1", cte="quoted-printable")
    if html:
        email.add_alternative(html, subtype="html", cte="base64")
    return email.as_bytes()


# The sensor in its three modes


def sensor(mail: Mail, mode: str, **arguments: Any) -> APScoresNotificationEmailSensor:
    defaults = {"folder": mail.folder, "campus_patterns": PATTERNS, "poke_interval": 0.02, "timeout": 20}
    return APScoresNotificationEmailSensor(task_id="wait", **defaults | ARGUMENTS[mode] | arguments)


def run(mail: Mail, mode: str, store: Any = None, **arguments: Any) -> Any:
    return modes.run(lambda: sensor(mail, mode, **arguments), mode, mail.events, store)


# One table for all modes


@dataclass
class Case:
    """Messages, faults and arguments; the outcome, and how many messages are unseen afterwards."""

    name: str
    expected: Any
    messages: tuple[bytes, ...] = ()
    unseen: int = 0
    arguments: dict[str, Any] = field(default_factory=dict)
    plan: tuple[Any, ...] = ()
    days_ago: float = 0
    seen: bool = False
    connections: int | None = None


ONLINE = message("New AP score reports: Online Campus")
NOTHING = {"timeout": 0}
BROKEN = b"From: quetzal@e.collegeboard.org\r\nSubject: =?utf-8?b?////?= =?nonsense?q?=FF?= \xff\xfe Main\r\n"
BROKEN += b"Content-Type: multipart/mixed; boundary=\r\nContent-Transfer-Encoding: base64\r\n\r\n=\xff--\r\n"

CASES = [
    Case("found at the first poll", ["4866"], (message(),), connections=1),
    Case("several campuses are sorted", ["0417", "4866"], (message(), ONLINE, message()), connections=1),
    Case("one message, both campuses", ["0417", "4866"], (message("Main Campus, Online Campus"),)),
    Case("found later", ["4866"], plan=("pass", "deliver"), arguments={"on_match": "leave"}, unseen=1),
    Case("nothing in time", AirflowSensorTimeout, arguments=NOTHING, connections=1),
    Case("nothing in time, with soft_fail", AirflowSkipException, arguments=NOTHING | {"soft_fail": True}),
    Case("another sender", AirflowSensorTimeout, (message(sender="a@example.edu"),), 1, NOTHING),
    Case("a domain that only ends alike", AirflowSensorTimeout, (message(sender="a@notcollegeboard.org"),), 1, NOTHING),
    Case(
        "a sender with a borrowed name",
        AirflowSensorTimeout,
        (message(sender='"x@collegeboard.org" <x@example.edu>'),),
        1,
        NOTHING,
    ),
    Case(
        "another sender that the user names",
        ["4866"],
        (message(sender="it@a.edu"),),
        arguments={"sender": "x.org, it@a.edu"},
    ),
    Case("another subject", AirflowSensorTimeout, (message(),), 1, NOTHING | {"subject_pattern": "^Invoice"}),
    Case("the right subject", ["4866"], (message(),), arguments={"subject_pattern": "new ap score reports"}),
    Case("too old", AirflowSensorTimeout, (message(),), 1, NOTHING, days_ago=8),
    Case("too old by hours", AirflowSensorTimeout, (message(),), 1, NOTHING | {"max_age": 3600}, days_ago=0.1),
    Case("old, but any age will do", ["4866"], (message(),), arguments={"max_age": None}, days_ago=400),
    Case("seen already", AirflowSensorTimeout, (message(),), arguments=NOTHING, seen=True),
    Case("an unknown campus", AirflowSensorTimeout, (message("xylophone"),), 1, NOTHING),
    Case("an unknown campus besides a known one", ["0417"], (message("xylophone"), ONLINE), 1),
    Case(
        "an unknown campus is an error",
        (ConfigurationError, AirflowFailException),
        (message("xylophone"),),
        1,
        {"on_unmatched": "fail"},
    ),
    Case(
        "an unknown campus does not delay a known one",
        ["4866"],
        (message("xylophone"), message()),
        1,
        {"on_unmatched": "fail"},
    ),
    Case(
        "a confirmed sender",
        ["4866"],
        (message(confirmed="mx.college.edu; dmarc=pass header.from=e.collegeboard.org"),),
        arguments={"authserv_id": "mx.college.edu"},
    ),
    Case(
        "a forged sender",
        AirflowSensorTimeout,
        (message(confirmed="mx.college.edu; dmarc=fail header.from=e.collegeboard.org"), message()),
        2,
        NOTHING | {"authserv_id": "mx.college.edu", "on_unmatched": "fail"},
    ),
    Case(
        "a pattern that takes Python's engine minutes",
        AirflowSensorTimeout,
        (message("New", "main " * 50_000),),
        1,
        NOTHING | {"match_body": True, "campus_patterns": {"4866": r"main(\s+\S+)*\s+campus"}},
    ),
    Case("the text does not count", AirflowSensorTimeout, (message("New", "Main Campus"),), 1, NOTHING),
    Case("the text counts", ["4866"], (message("New", "Main\r\nCampus"),), arguments={"match_body": True}),
    Case(
        "HTML in Base64 counts",
        ["0417"],
        (message("New", html="<p>Online&nbsp;<b>Campus</b></p>"),),
        arguments={"match_body": True},
    ),
    Case(
        "an encoded subject",
        ["4866"],
        (message("Nouveaux résultats: Màin"),),
        arguments={"campus_patterns": {"4866": "Màin"}},
    ),
    Case("a broken message besides a sound one", ["0417"], (BROKEN, ONLINE), 1, {"match_body": True}),
    Case("left alone", ["4866"], (message(),), 1, {"on_match": "leave"}),
    Case("two faults", ["4866"], (message(),), plan=("drop", "drop"), connections=3),
    Case(
        "faults now and then",
        ["4866"],
        arguments={"max_consecutive_failures": 2},
        plan=("drop", "pass", "drop", "pass", "drop", "deliver"),
        connections=6,
    ),
    Case("faults without end", MailboxUnavailable, (message(),), 1, plan=("drop",) * 50, connections=3),
    Case(
        "faults without end, with never_fail",
        AirflowSkipException,
        arguments={"never_fail": True},
        plan=("drop",) * 50,
        connections=3,
    ),
    Case(
        "faults without end, with soft_fail",
        MailboxUnavailable,
        arguments={"soft_fail": True},
        plan=("drop",) * 50,
        connections=3,
    ),
    Case(
        "a refused login",
        (MailboxRefused, AirflowFailException),
        (message(),),
        1,
        {"imap_conn_id": "wrong"},
        connections=1,
    ),
    Case(
        "a refused login after a fault",
        (MailboxRefused, AirflowFailException),
        arguments={"imap_conn_id": "wrong"},
        plan=("drop",),
        connections=2,
    ),
    Case("no such folder", (ConfigurationError, AirflowFailException), arguments={"folder": "nowhere"}, connections=1),
    Case(
        "no such connection",
        (ConfigurationError, AirflowFailException),
        arguments={"imap_conn_id": "nowhere"},
        connections=0,
    ),
    Case(
        "no such folder to move to",
        (ConfigurationError, AirflowFailException),
        (message(),),
        1,
        {"on_match": "move", "move_to": "nowhere"},
    ),
]


# Only "nothing new in time" is soft: a permanent failure fails the task with soft_fail as well.
CASES += [
    replace(case, name=f"{case.name}, with soft_fail", arguments=case.arguments | {"soft_fail": True})
    for case in CASES
    if isinstance(case.expected, tuple)
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_mode_ends_the_same(case: Case, mode: str, mail: Mail, monkeypatch: pytest.MonkeyPatch):
    set_connection(monkeypatch, mail.gate.port, "wrong", password="wrong-Passw0rd")
    mail.deliver(*case.messages, days_ago=case.days_ago, seen=case.seen)
    mail.gate.plan = [(lambda: mail.deliver(message())) if step == "deliver" else step for step in case.plan]
    outcome: list[Any] = []

    error = error_of(lambda: outcome.append(run(mail, mode, **{"max_consecutive_failures": 3} | case.arguments)))

    if isinstance(case.expected, list):
        assert error is None, error
        assert outcome == [case.expected]
    else:
        kinds = case.expected if isinstance(case.expected, tuple) else (case.expected,)
        assert error is not None
        assert all(is_error(error, kind) for kind in kinds), repr(error)
        assert isinstance(error, AirflowFailException) == (AirflowFailException in kinds)
    assert mail.count("UNSEEN") == case.unseen
    if case.connections is not None:
        # The worker marks what the trigger found, over another connection.
        handed_over = sum(event["status"] == "found" for event in mail.events)
        assert mail.gate.connections == case.connections + handed_over


@pytest.mark.parametrize("mode", MODES)
def test_messages_that_were_found_are_moved(mode: str, mail: Mail):
    target = f"{mail.folder}-done"
    mail.client.create(target)
    mail.deliver(message(), message("xylophone"))

    assert run(mail, mode, move_to=target) == ["4866"]

    assert (mail.count(), mail.count(folder=target)) == (1, 1)


def test_a_server_without_move_copies_and_deletes(mail: Mail):
    mail.gate.withheld = [b"MOVE"]
    target = f"{mail.folder}-done"
    mail.client.create(target)
    mail.deliver(message(), message("xylophone"))

    assert run(mail, "poke", on_match="move", move_to=target) == ["4866"]

    assert (mail.count(), mail.count(folder=target)) == (1, 1)


def test_what_others_have_deleted_is_not_expunged(mail: Mail):
    """
    A server with neither MOVE nor UIDPLUS can only expunge everything; so nothing is.
    """
    mail.gate.withheld = [b"MOVE", b"UIDPLUS"]
    target = f"{mail.folder}-done"
    mail.client.create(target)
    mail.deliver(message(), message("xylophone"))
    mail.client.select(mail.folder)
    mail.client.store("2", "+FLAGS", r"(\Deleted)")

    assert run(mail, "poke", on_match="move", move_to=target) == ["4866"]

    assert (mail.count("DELETED"), mail.count(folder=target)) == (2, 1)
    with pytest.raises(AirflowSensorTimeout):
        run(mail, "poke", timeout=0)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Score reports", "Score reports"),
        ('a "quoted" \\ name', 'a \\"quoted\\" \\\\ name'),
        ("R&D", "R&-D"),
        ("Prüfung 成績 & more", "Pr&APw-fung &YhB+Pg- &- more"),  # modified UTF-7: RFC 3501, 5.1.3
    ],
)
def test_folders_of_any_name(name: str, encoded: str, mail: Mail):
    folder = f'"{mail.folder} {encoded}"'
    assert mail.client.create(folder)[0] == "OK"
    assert mail.client.append(folder, "", "", message())[0] == "OK"

    assert run(mail, "poke", folder=f"{mail.folder} {name}") == ["4866"]


def test_the_server_searches_and_polling_leaves_no_trace(mail: Mail):
    """
    Either of read-only and PEEK leaves messages unseen. The sensor uses both.
    """
    mail.deliver(message())
    day = datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(days=31)

    rules = {"sender": "a.edu, collegeboard.org", "match_body": True, "max_age": 30 * 86400}
    assert run(mail, "poke", on_match="leave", **rules) == ["4866"]

    asked = mail.gate.asked.decode()
    since = f"{day:%d-%b-%Y}"
    assert f"UID SEARCH UNSEEN UNDELETED SINCE {since} OR FROM a.edu FROM collegeboard.org" in asked
    assert f'EXAMINE "{mail.folder}"' in asked
    assert asked.count("UID FETCH 101 ") == asked.count("BODY.PEEK[") == 2
    assert not any(word in asked for word in ("SELECT", "STORE", "EXPUNGE"))


def test_a_large_mailbox_is_read_in_batches(mail: Mail, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mailbox_module, "_BATCH", 20)
    monkeypatch.setattr(mailbox_module, "_MESSAGE_BATCH", 7)
    mail.deliver(*[message(), message(sender="list@example.edu"), ONLINE] * 15)

    assert run(mail, "poke", match_body=True) == ["0417", "4866"]

    assert mail.count("UNSEEN") == 15


# What the trigger may and may not do


def test_the_trigger_changes_nothing_and_the_worker_marks_the_messages(mail: Mail):
    mail.deliver(message())
    event = first_event(sensor(mail, "deferrable").make_trigger(deadline=time.time() + 20, failed_polls=0))

    assert (event["status"], event["di_codes"], len(event["uids"])) == ("found", ["4866"], 1)
    assert mail.count("UNSEEN") == 1
    assert sensor(mail, "deferrable").execute_complete({}, event) == ["4866"]
    assert mail.count("UNSEEN") == 0


def test_a_message_that_was_read_meanwhile_still_counts(mail: Mail):
    mail.deliver(message())
    event = first_event(sensor(mail, "deferrable").make_trigger(deadline=time.time() + 20, failed_polls=0))
    mail.client.select(mail.folder)
    mail.client.store("1", "+FLAGS", r"(\Seen)")

    assert sensor(mail, "deferrable").execute_complete({}, event) == ["4866"]


def test_renumbered_messages_are_left_alone(mail: Mail):
    mail.deliver(message())
    event = first_event(sensor(mail, "deferrable").make_trigger(deadline=time.time() + 20, failed_polls=0))
    event["uidvalidity"] += 1

    assert sensor(mail, "deferrable").execute_complete({}, event) == ["4866"]
    assert mail.count("UNSEEN") == 1


def test_a_fault_while_marking_is_a_failed_poll(mail: Mail):
    mail.gate.plan = ["pass", lambda: mail.deliver(message()), "drop"]

    assert run(mail, "deferrable", max_consecutive_failures=2) == ["4866"]

    assert mail.count("UNSEEN") == 0
    assert [event["status"] for event in mail.events] == ["found", "found"]


def test_repeated_faults_while_marking_fail_the_task(mail: Mail):
    mail.deliver(message())
    # Every poll of the worker fails, every poll of the trigger succeeds.
    mail.gate.plan = ["drop", "pass"] * 10

    with pytest.raises(MailboxUnavailable):
        run(mail, "deferrable", max_consecutive_failures=3)

    assert mail.gate.connections == 5


@pytest.mark.parametrize("silent", [False, True])
def test_a_deferred_wait_ends_at_its_deadline(silent: bool, mail: Mail):
    mail.gate.plan = ["pass"] + (["drop"] * 1000 if silent else [])

    with pytest.raises(AirflowSensorTimeout):
        run(mail, "deferrable", timeout=0.5, poke_interval=0.1, silent_fail=silent)

    (event,) = mail.events
    assert event["status"] == "timeout"
    assert ("failed_polls" in event) == silent


def test_a_trigger_that_starts_late_polls_once_more(mail: Mail):
    mail.deliver(message())
    late = {"folder": mail.folder, "campus_patterns": json.dumps(PATTERNS), "deadline": time.time() - 60}

    assert first_event(APScoresNotificationEmailTrigger(**late))["status"] == "found"
    mail.deliver(message(), folder="INBOX", seen=True)
    assert first_event(APScoresNotificationEmailTrigger(**late | {"folder": "INBOX"})) == {"status": "timeout"}


@pytest.mark.parametrize("step", ["hang", "drip"])
def test_a_slow_server_delays_neither_the_wait_nor_the_loop_nor_its_threads(
    step: str, mail: Mail, monkeypatch: pytest.MonkeyPatch
):
    """
    A server that sends a byte at a time never meets the time-out of a read, only the limit of the whole session.
    """
    monkeypatch.setattr(imap, "TIMEOUT", 0.4)
    monkeypatch.setattr(imap, "TIME_LIMIT", 1.0)
    mail.deliver(message())
    mail.gate.plan = [step]
    trigger = APScoresNotificationEmailTrigger(
        folder=mail.folder, campus_patterns=json.dumps(PATTERNS), poke_interval=0.01, deadline=time.time() + 20
    )
    beats: list[float] = []

    async def heartbeat() -> None:
        while True:
            await asyncio.to_thread(time.sleep, 0.01)
            beats.append(time.time())

    async def both() -> Any:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        beating = asyncio.create_task(heartbeat())
        payloads = [event.payload async for event in trigger.run()]
        beating.cancel()
        return payloads

    (event,) = asyncio.run(asyncio.wait_for(both(), 20))

    assert event["di_codes"] == ["4866"]
    assert mail.gate.connections == 2
    assert len(beats) > 20


@pytest.mark.parametrize("limit", [0.2, 2.0], ids=["in the greeting", "later"])
def test_a_session_with_a_slow_server_ends_in_the_worker_as_well(
    limit: float, mail: Mail, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(imap, "TIME_LIMIT", limit)
    mail.deliver(message())
    mail.gate.plan = ["drip"]

    # How far the session comes in this time depends on the machine.
    with pytest.raises(MailboxUnavailable, match="no usable answer"):
        run(mail, "poke", max_consecutive_failures=1)


def test_an_event_of_another_version_or_no_event_is_another_poll(mail: Mail):
    mail.deliver(message())

    assert sensor(mail, "deferrable").execute_complete({}) == ["4866"]
    with pytest.raises(AirflowFailException, match="what to do"):
        sensor(mail, "deferrable").execute_complete(
            {}, {"status": "error", "error": "NewKind", "message": "what to do"}
        )


# The count of a rescheduled sensor: Airflow 3.3 has a store for it


def test_failed_polls_are_counted_across_reschedules(mail: Mail):
    mail.gate.plan = ["drop", "drop", "pass", "drop", "drop", lambda: mail.deliver(message())]
    store = Store()

    assert run(mail, "reschedule", store, max_consecutive_failures=3, poke_interval=0) == ["4866"]

    assert mail.gate.connections == 6
    assert set(store.values()) == {0}


def test_a_retry_counts_failed_polls_from_zero(mail: Mail):
    mail.gate.plan = ["drop"] * 5
    mail.deliver(message())
    store = Store()

    with pytest.raises(MailboxUnavailable):
        run(mail, "reschedule", store, max_consecutive_failures=3)
    assert mail.gate.connections == 3
    assert run(mail, "reschedule", store, max_consecutive_failures=3) == ["4866"]


# Secrets, personal values, and the connection


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_a_message_is_logged_or_passed_on(
    mode: str, mail: Mail, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    mail.gate.plan = ["pass", "drop", lambda: mail.deliver(message("Main Campus xylophone"), message("xylophone"))]

    assert run(mail, mode, match_body=True) == ["4866"]
    with fails_permanently(ConfigurationError) as unmatched:
        run(mail, mode, match_body=True, on_unmatched="fail")

    output = capfd.readouterr()
    output_text = caplog.text + output.out + output.err + json.dumps(mail.events) + repr(unmatched.value)
    assert "1 notification e-mail for 4866" in output_text
    for word in (*SECRET_WORDS, PASSWORD, "e.collegeboard.org"):
        assert word not in output_text


def test_a_server_that_quotes_messages_in_its_errors_is_not_quoted(mail: Mail):
    """
    The errors of the library hold what the server sent; a garbled answer may be a message.
    """
    mail.deliver(message("Main Campus xylophone"))
    mail.gate.withheld = [b"{"]  # a literal is not recognised, and its lines are read as answers

    with pytest.raises(MailboxUnavailable) as unavailable:
        run(mail, "poke", max_consecutive_failures=1, match_body=True)

    import traceback

    assert not any(word in "".join(traceback.format_exception(unavailable.value)) for word in SECRET_WORDS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": ""}, "no host"),
        ({"conn_type": "apscores"}, "of type apscores, not imap; nothing was sent"),
        ({"login": "", "password": ""}, "login and a password"),
        ({"password": "naïve-Passw0rd"}, "ASCII"),
        # Airflow 3.0 and 3.1 find no such connection then.
        ({"extra": "[]"}, "no connection" if (3, 0) <= AIRFLOW < (3, 2) else "JSON object"),
        ({"extra": {"ssl_context": "maybe"}}, "ssl_context"),
    ],
)
def test_a_wrong_connection_is_named(changes: dict[str, Any], words: str, mail: Mail, monkeypatch: pytest.MonkeyPatch):
    set_connection(monkeypatch, mail.gate.port, "odd", **changes)

    error = error_of(lambda: run(mail, "poke", imap_conn_id="odd"))

    assert isinstance(error, AirflowFailException)
    assert is_error(error, ConfigurationError)
    assert words in str(error)
    assert "Passw0rd" not in f"{error!r} {error.__cause__!r}"


@pytest.fixture
def tls_gate(server: int, tmp_path: Path) -> Iterator[Gate]:
    """The same server behind TLS, with a certificate that no authority signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(tz=datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    certificate = builder.sign(key, hashes.SHA256())
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    gate = Gate(server, context)
    yield gate
    gate.close()


@pytest.mark.parametrize("use_ssl", [{}, {"use_ssl": None}, {"use_ssl": True}], ids=str)
def test_tls_is_the_default(use_ssl: dict[str, Any], mail: Mail, tls_gate: Gate, monkeypatch: pytest.MonkeyPatch):
    mail.deliver(message())
    set_connection(monkeypatch, tls_gate.port, "strict", extra=use_ssl)
    set_connection(monkeypatch, tls_gate.port, "lax", extra=use_ssl | {"ssl_context": "none"})

    with fails_permanently(ConfigurationError, match="certificate"):
        run(mail, "poke", imap_conn_id="strict")
    assert run(mail, "poke", imap_conn_id="lax") == ["4866"]


@pytest.mark.parametrize("module", ["imapclient", "re2"])
def test_without_the_extra_there_is_one_clear_error(module: str, mail: Mail, mocker: MockerFixture):
    mocker.patch.dict(sys.modules, {module: None})

    error = error_of(lambda: run(mail, "poke"))

    assert is_error(error, ConfigurationError)
    assert "install the extra airflow-provider-apscores[imap]" in str(error)


def test_parsing_a_dag_file_imports_no_mail_libraries():
    code = (
        "import sys, airflow.providers.common.compat.sdk as sdk\n"
        "sdk.BaseSensorOperator, sdk.BaseOperatorLink, sdk.conf, sdk.BaseHook\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_apscores.sensors.notification_email\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    output = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)

    new = set(output.stdout.split("\n")[-2].split()) - set(sys.stdlib_module_names)
    assert new == {"airflow_provider_apscores"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"on_match": "delete"}, "on_match"),
        ({"on_match": "move"}, "move_to"),
        ({"on_match": "seen", "move_to": "Done"}, "move_to"),
        ({"on_unmatched": "shrug"}, "on_unmatched"),
        ({"max_consecutive_failures": 0}, "max_consecutive_failures"),
    ],
)
def test_wrong_arguments_fail_when_the_dag_is_parsed(arguments: dict[str, Any], words: str):
    with pytest.raises((ValueError, ConfigurationError), match=words):
        APScoresNotificationEmailSensor(task_id="wait", campus_patterns=PATTERNS, **arguments)

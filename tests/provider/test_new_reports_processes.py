"""Sensors and watcher on a real Airflow of several processes, through the sudden death of the triggerer.

The DAGs are the examples, with shorter intervals. The sandbox counts the calls.
"""

from __future__ import annotations

import imaplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from airflow_provider_apscores.sandbox import RemoteSandbox
from tests.provider.deployment import AIRFLOW, AIRFLOW_2, PROJECT, Deployment, deployment, sandbox
from tests.provider.mail_server import LOGIN, PASSWORD, mail_connection, mail_server

SENSOR, EVENT, EMAIL = "example_apscores_sensor", "example_apscores_event", "example_apscores_email"
ONE, OTHER, THIRD = "0901", "9120", "9245"
#: Watchers share one loop of polls, and an asset's state outlives the triggerer.
STATEFUL = AIRFLOW >= (3, 3)
NOTIFIED = "SELECT value FROM asset_state_store WHERE key='apscores.notified_at'"


def example(name: str, changes: dict[str, str]) -> str:
    text = (PROJECT / "example_dags" / f"{name}.py").read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"{name}: {old}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RemoteSandbox, str]]:
    """The sandbox of the sensor: three campuses without new reports."""
    campuses = [argument for code in (ONE, OTHER, THIRD) for argument in ("--campus", f"{code}:College {code}:0")]
    with sandbox(tmp_path_factory.mktemp("polled"), *campuses) as running:
        yield running


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RemoteSandbox, str]]:
    """The sandbox of the watcher: two campuses without new reports."""
    campuses = [argument for code in (ONE, OTHER) for argument in ("--campus", f"{code}:College {code}:0")]
    with sandbox(tmp_path_factory.mktemp("watched"), *campuses) as running:
        yield running


@pytest.fixture(scope="module")
def mailed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RemoteSandbox, str]]:
    """The sandbox of the e-mails: two campuses with new reports."""
    campuses = [argument for code in (ONE, OTHER) for argument in ("--campus", f"{code}:College {code}:3")]
    with sandbox(tmp_path_factory.mktemp("mailed"), *campuses) as running:
        yield running


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the mail server."""
    with mail_server(tmp_path_factory.mktemp("mailbox")) as port:
        yield port


@pytest.fixture(scope="module")
def airflow(
    polled: tuple[RemoteSandbox, str],
    watched: tuple[RemoteSandbox, str],
    mailed: tuple[RemoteSandbox, str],
    mailbox: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    changes = {
        "poke_interval=timedelta(minutes=5)": "poke_interval=2",
        'CONNECTION = "apscores_default"': 'CONNECTION = "apscores_mailed"',
    }
    dags = {
        "sensor.py": example(SENSOR, {"poke_interval=timedelta(hours=1)": "poke_interval=2"}),
        "email.py": example(EMAIL, changes),
    }
    if not AIRFLOW_2:
        changes = {
            "poke_interval=timedelta(hours=1)": "poke_interval=2",
            'CONNECTION = "apscores_default"': 'CONNECTION = "apscores_watched"',
            '"retries": 3': '"retries": 0',
        }
        dags["event.py"] = example(EVENT, changes)
    connections = {
        "apscores_default": polled[1],
        "apscores_watched": watched[1],
        "apscores_mailed": mailed[1],
        "imap_default": mail_connection(mailbox),
    }
    with deployment(tmp_path_factory.mktemp("airflow") / "home", connections, dags) as running:
        yield running


def orders(college_board: RemoteSandbox, di_code: str) -> int:
    return college_board.audit().calls_by_campus.get(di_code, {}).get("order", 0)


def more_polls(airflow: Deployment, college_board: RemoteSandbox, di_code: str, count: int = 2) -> None:
    begun = orders(college_board, di_code)
    airflow.wait(lambda: orders(college_board, di_code) >= begun + count, f"polls of campus {di_code}")


def test_sensor_and_watcher_outlive_a_triggerer(
    airflow: Deployment, polled: tuple[RemoteSandbox, str], watched: tuple[RemoteSandbox, str]
):
    polled_board, watched_board = polled[0], watched[0]
    runs = ["failed"]
    # The worker makes the first poll; then the task is in the triggerer.
    airflow.wait(lambda: airflow.tasks(SENSOR, "wait_for_reports") == [("deferred", 1)], "the sensor to be deferred")
    more_polls(airflow, polled_board, ONE)
    if not AIRFLOW_2:
        # Reports that are fetched and parsed, but never recorded, stay the same event.
        watched_board.fail("record", "503", times=None, di_code=OTHER)
        more_polls(airflow, watched_board, OTHER)
        watched_board.add_reports(OTHER, 2)
        airflow.wait(lambda: airflow.runs(EVENT) == runs, "the run that cannot record")
    if STATEFUL:
        airflow.wait(lambda: airflow.query(NOTIFIED), "the watcher to note its event", 30)

    airflow.kill("triggerer")
    airflow.start("triggerer")

    more_polls(airflow, polled_board, ONE)
    assert airflow.tasks(SENSOR, "wait_for_reports") == [("deferred", 1)]
    polled_board.add_reports(OTHER, 2)
    polled_board.add_reports(THIRD)
    airflow.wait(lambda: airflow.runs(SENSOR)[0] == "success", "the sensor's run to succeed")
    assert_one_continuation(airflow, polled_board)

    if not AIRFLOW_2:
        if not STATEFUL:
            runs += ["failed"]
            airflow.wait(lambda: airflow.runs(EVENT) == runs, "the event to be repeated after the restart")
        more_polls(airflow, watched_board, OTHER, 3)
        assert airflow.runs(EVENT) == runs, "the event was repeated"
        watched_board.clear_faults()
        watched_board.add_reports(ONE)
        runs += ["success"]
        airflow.wait(lambda: airflow.runs(EVENT) == runs, "a run for other reports")
        # That run has fetched and recorded everything: what comes now is another event.
        more_polls(airflow, watched_board, OTHER, 2)
        if STATEFUL:
            assert airflow.query(NOTIFIED) == []
        watched_board.add_reports(OTHER)
        runs += ["success"]
        airflow.wait(lambda: airflow.runs(EVENT) == runs, "a run for newer reports")
        more_polls(airflow, watched_board, OTHER, 2)
        assert_one_run_for_each(runs, airflow, watched_board)


def assert_one_continuation(airflow: Deployment, college_board: RemoteSandbox) -> None:
    assert airflow.returned(SENSOR, "wait_for_reports") == [[OTHER, THIRD]]
    assert airflow.tasks(SENSOR, "wait_for_reports") == [("success", 1)]
    assert airflow.tasks(SENSOR, "download") == [("success", 1)] * 2
    assert airflow.tasks(SENSOR, "parse") == [("success", 1)] * 2
    assert [each["di_code"] for each in airflow.returned(SENSOR, "download")] == [OTHER, THIRD]
    audit = college_board.audit()
    assert audit.recorded_reports == audit.all_reports
    # Each poll is one login and one order a campus, and each download one login, one order, one file, one record.
    polls = audit.calls["login"] - 2
    orders = {code: calls["order"] for code, calls in audit.calls_by_campus.items()}
    # The triggerer may have died during a poll.
    assert set(orders) == {ONE, OTHER, THIRD}
    assert polls - 1 <= orders[ONE] <= polls
    assert polls <= orders[OTHER] <= polls + 1
    assert polls <= orders[THIRD] <= polls + 1
    assert (audit.calls["download"], audit.calls["record"]) == (2, 2)


def assert_one_run_for_each(runs: list[str], airflow: Deployment, college_board: RemoteSandbox) -> None:
    time.sleep(3)
    assert airflow.runs(EVENT) == runs
    by_watchers = [row for row in airflow.query("SELECT extra FROM asset_event") if "from_trigger" in row[0]]
    assert len(by_watchers) == len(runs)
    audit = college_board.audit()
    assert audit.recorded_reports == audit.all_reports
    # The first task of a run, its downloads and its records log in; the watchers share polls and logins if they can.
    tasks = audit.calls_by_campus[ONE]["record"] + audit.calls_by_campus[OTHER]["record"] + 3 * len(runs)
    polls = audit.calls_by_campus[ONE]["order"] + (0 if STATEFUL else audit.calls_by_campus[OTHER]["order"])
    assert audit.calls["login"] <= polls + tasks
    landed = airflow.query("SELECT extra FROM asset_event WHERE extra LIKE '%manifest_uri%'")
    assert landed, "there are no events of files and tables"


def test_the_email_starts_downloads(airflow: Deployment, mailed: tuple[RemoteSandbox, str], mailbox: int):
    airflow.wait(lambda: airflow.tasks(EMAIL, "wait_for_email") == [("deferred", 1)], "the sensor to be deferred")
    airflow.kill("triggerer")
    with imaplib.IMAP4("127.0.0.1", mailbox) as client:
        client.login(LOGIN, PASSWORD)
        message = EmailMessage()
        message["From"] = "College Board <scores@e.collegeboard.org>"
        message["Subject"] = "New AP score reports: Saltmarsh University"
        message.set_content("zanzibar")
        client.append("INBOX", "", imaplib.Time2Internaldate(time.time()), message.as_bytes())
        assert not any(mailed[0].audit().calls.values()), "there were calls before the e-mail"

        airflow.start("triggerer")

        airflow.wait(lambda: airflow.runs(EMAIL)[0] == "success", "the run to succeed")
        client.select("INBOX", readonly=True)
        assert client.search(None, "SEEN")[1] == client.search(None, "ALL")[1] != [b""]
    assert airflow.returned(EMAIL, "wait_for_email") == [[ONE]]
    assert airflow.tasks(EMAIL, "wait_for_email") == [("success", 1)]
    assert airflow.tasks(EMAIL, "campus.record") == [("success", 1)]
    audit = mailed[0].audit()
    assert {code: calls["order"] for code, calls in audit.calls_by_campus.items()} == {ONE: 1}
    assert len(audit.recorded_reports) == 3
    logs = [path.read_text(errors="replace") for path in airflow.home.rglob("*.log*") if path.is_file()]
    assert not any("zanzibar" in text or "New AP score reports:" in text for text in logs)

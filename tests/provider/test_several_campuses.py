"""Several campuses in one task: one login, ten at once, and each campus by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_apscores import errors
from airflow_provider_apscores.operators.campuses import AT_ONCE, Campus, failure_of, for_each
from tests.provider.worker import KILL, Point, Try, Worker
from tests.provider.world import EMBERWICK, QUILLFEATHER, SALTMARSH, World, fails_permanently, reports_in

ALL = [SALTMARSH, QUILLFEATHER, EMBERWICK]


def campuses_of(references: list[dict]) -> list[str]:
    return [each["di_code"] for each in references]


# Download


@pytest.mark.parametrize(
    "campuses",
    [ALL, tuple(ALL), str(ALL), "connection", ["connection"], [ALL], [", ".join(ALL)], [*ALL, SALTMARSH]],
    ids=["list", "tuple", "text", "connection", "connection in a list", "nested", "commas in a list", "twice"],
)
def test_each_campus_lands_with_one_login(world: World, monkeypatch: pytest.MonkeyPatch, campuses):
    connection = json.loads(world.connection)
    connection["extra"]["di_codes"] = ALL
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    landed = world.download(campuses)

    assert campuses_of(landed) == [SALTMARSH, QUILLFEATHER]
    assert world.xcoms == {"errors": []}
    assert world.sandbox.counts == {"login": 1, "order": 3, "download": 2, "record": 2}
    world.assert_all_is_well()


def test_a_list_of_one_campus_returns_a_list(world: World):
    assert campuses_of(world.download([SALTMARSH])) == [SALTMARSH]


def test_no_campus_with_anything_new_skips_the_task(world: World):
    with pytest.raises(AirflowSkipException):
        world.download([EMBERWICK])
    assert world.download([EMBERWICK], on_no_new_reports="succeed") == []
    with pytest.raises(AirflowSkipException):
        world.download([])
    assert world.sandbox.counts["login"] == 2


def test_a_connection_without_campuses_is_refused(world: World, monkeypatch: pytest.MonkeyPatch):
    connection = json.loads(world.connection)
    connection["extra"]["di_codes"] = ""
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))
    with fails_permanently(errors.ConfigurationError, match="names no campuses"):
        world.download("connection")
    assert world.sandbox.counts["login"] == 0


@pytest.mark.parametrize("wrong", [["12345"], [1], "[cut", ["0901", None]])
def test_what_is_no_campus_is_refused_before_anything_is_sent(world: World, wrong):
    with fails_permanently(errors.ConfigurationError):
        world.download(wrong)
    assert world.sandbox.counts["login"] == 0


@pytest.mark.parametrize(
    ("call", "fault", "error", "transient"),
    [("order", "503", "ServiceUnavailable", True), ("order", "refuse=campus", "CampusRefused", False)],
)
def test_a_campus_in_trouble_does_not_fail_the_others(world: World, call: str, fault: str, error: str, transient: bool):
    world.sandbox.fail(call, fault, times=None, di_code=QUILLFEATHER)

    landed = world.download(ALL)

    assert campuses_of(landed) == [SALTMARSH]
    (reported,) = world.xcoms["errors"]
    assert (reported["di_code"], reported["error"], reported["transient"]) == (QUILLFEATHER, error, transient)
    assert 0 < len(reported["message"]) <= 500
    assert world.sandbox.password not in json.dumps(world.xcoms)
    world.assert_nothing_is_lost()


def test_a_retry_orders_only_what_is_missing(world: World):
    world.sandbox.fail("order", "503", times=4, di_code=QUILLFEATHER)
    first = world.download(ALL)
    orders = world.sandbox.counts["order"]

    landed = world.download(ALL, try_number=2)

    assert campuses_of(landed) == [SALTMARSH, QUILLFEATHER]
    assert landed[0] == first[0]
    assert world.sandbox.counts["order"] == orders + 2  # Emberwick has nothing, so it is asked again
    assert world.sandbox.counts["login"] == 2
    world.assert_all_is_well()


def test_a_task_without_any_delivery_fails_and_is_retried(world: World):
    """There is nothing to hand on, so Airflow may try again without a delay for another campus."""
    world.sandbox.fail("order", "refuse=campus", times=None, di_code=QUILLFEATHER)
    with fails_permanently(errors.CampusRefused, match=f"Campus {QUILLFEATHER}: "):
        world.download([QUILLFEATHER, EMBERWICK])

    world.sandbox.fail("order", "503", times=None, di_code=SALTMARSH)
    with pytest.raises(errors.ServiceUnavailable, match=f"Campus {SALTMARSH}: .* Campus {QUILLFEATHER}: "):
        world.download([SALTMARSH, QUILLFEATHER])
    assert [each["error"] for each in world.xcoms["errors"]] == ["ServiceUnavailable", "CampusRefused"]


def test_a_refused_login_fails_the_task_at_once(world: World, monkeypatch: pytest.MonkeyPatch):
    connection = json.loads(world.connection) | {"password": "expired"}
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    with fails_permanently(errors.CredentialsRefused):
        world.download(ALL)

    assert world.sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}


def test_an_account_that_is_refused_later_fails_the_task(world: World):
    world.sandbox.fail("order", "refuse=role", times=None, di_code=QUILLFEATHER)

    with fails_permanently(errors.CredentialsRefused):
        world.download(ALL)

    assert world.sandbox.counts["login"] == 1


def test_a_record_that_fails_leaves_its_campus_to_the_next_try(world: World):
    world.sandbox.fail("record", "503", times=4, di_code=QUILLFEATHER)

    assert campuses_of(world.download([SALTMARSH, QUILLFEATHER])) == [SALTMARSH]

    assert [each["di_code"] for each in world.xcoms["errors"]] == [QUILLFEATHER]
    assert campuses_of(world.download([SALTMARSH, QUILLFEATHER], try_number=2)) == [SALTMARSH, QUILLFEATHER]
    world.assert_all_is_well()


# Record


def test_a_list_of_downloads_is_recorded_with_one_login(world: World):
    landed = world.download(ALL, record=False)
    logins = world.sandbox.counts["login"]

    recorded = world.record([*landed, None])

    assert recorded == [each | {"recorded": True} for each in landed]
    assert world.xcoms == {"errors": []}
    assert world.sandbox.counts["login"] == logins + 1
    assert world.record(str(landed)) == recorded  # a template renders text
    assert world.sandbox.counts["login"] == logins + 1
    world.assert_all_is_well()


def test_a_download_that_can_not_be_recorded_does_not_stop_the_others(world: World):
    landed = world.download(ALL, record=False)
    Path(landed[0]["uri"].removeprefix("file://")).write_bytes(b"changed")

    assert campuses_of(world.record(landed)) == [QUILLFEATHER]

    assert [(each["di_code"], each["error"]) for each in world.xcoms["errors"]] == [(SALTMARSH, "DeliveryDamaged")]
    assert world.sandbox.audit().recorded == [landed[1]["download_id"]]


def test_a_list_without_a_download_skips_the_record(world: World):
    for nothing in ([], [None], "[]"):
        with pytest.raises(AirflowSkipException):
            world.record(nothing)


@pytest.mark.parametrize("answer", ["Approve", {"chosen_options": ["Approve"], "params_input": {}}])
def test_an_approved_download_is_recorded(world: World, answer):
    assert world.record(world.download(record=False), approval=answer)["recorded"] is True


@pytest.mark.parametrize("answer", ["Reject", None, {}, {"chosen_options": ["Reject"]}, {"chosen_options": []}, True])
def test_a_download_that_is_not_approved_is_not_recorded(world: World, answer):
    landed = world.download(record=False)

    with pytest.raises(AirflowSkipException, match="not approved"):
        world.record(landed, approval=answer)

    world.assert_nothing_was_recorded()


# At once


def test_ten_campuses_at_once_and_no_more():
    now = most = 0
    lock, ten = threading.Lock(), threading.Barrier(AT_ONCE, timeout=30)

    def work(campus: Campus) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        ten.wait()
        with lock:
            now -= 1

    for_each(work, [Campus(str(number)) for number in range(2 * AT_ONCE)])

    assert most == AT_ONCE == 10


def test_campuses_that_have_not_begun_are_left_out_after_a_refused_account():
    begun = []

    def work(campus: Campus) -> None:
        begun.append(campus.di_code)
        raise errors.CredentialsRefused("refused")

    with pytest.raises(errors.CredentialsRefused):
        for_each(work, [Campus(str(number)) for number in range(10_000)])

    assert len(begun) < 10_000


# Killed


@pytest.fixture
def hire(world: World, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def fork() -> Worker:
        workers.append(Worker(world.connection, tmp_path / "worker.log"))
        return workers[-1]

    yield fork
    for worker in workers:
        worker.close()


@pytest.mark.parametrize(
    "point",
    [
        Point("Client.log_in", "after"),
        Point("Client.order", "after", 2),
        Point("Incoming.publish", "after", 1),
        Point("Client.record", "after", 1),
        Point("Client.record", "after", 2),
        Point("APScoresDownloadOperator.execute", "after"),
    ],
    ids=str,
)
def test_a_killed_task_continues_with_what_is_missing(world: World, hire: Callable[[], Worker], point: Point):
    arguments = {"di_code": ALL, "destination": str(world.destination)}
    assert hire().run(Try("download", arguments, at={point: KILL})).state == "killed"
    world.assert_nothing_is_lost()

    outcome = hire().run(Try("download", arguments, try_number=2))

    assert campuses_of(outcome.value) == [SALTMARSH, QUILLFEATHER]
    files = [Path(each["uri"].removeprefix("file://")) for each in outcome.value]
    assert {report for file in files for report in reports_in(file)} == world.sandbox.audit().all_reports
    assert sorted(world.sandbox.audit().recorded) == sorted({each["download_id"] for each in outcome.value})
    world.assert_all_is_well()


def test_the_error_for_a_person_names_each_campus_and_what_to_do():
    refused = {"di_code": "0901", "error": "CampusRefused", "message": "No.", "transient": False}

    text = failure_of({"download": [refused], "record": []})

    assert "Failed campuses: 1." in text
    assert "clear the task download, together with the tasks after it" in text
    assert "0901: CampusRefused: No." in text

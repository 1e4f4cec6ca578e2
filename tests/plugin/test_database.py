"""The report of the page from asset events and the state store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores.plugin import database
from airflow_provider_apscores.plugin.database import read_report
from airflow_provider_apscores.report import Campus, HandOff, Landed, Status, render
from airflow_provider_apscores.scores.score_counts import OTHER
from tests.plugin.events import LARGE, SECRET, Writer
from tests.plugin.events import database as new_database

NOW = datetime(2026, 7, 9, 6, 12, tzinfo=UTC)
STATUS = "apscores://all/status"
PUBLISHED = {"66": LARGE, "07": dict.fromkeys("12345"), "20": dict.fromkeys("12345"), OTHER: LARGE}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with new_database(tmp_path / "airflow.db") as session:
        yield Writer(session)


def hours(count: float) -> datetime:
    return NOW - timedelta(hours=count)


def campus(writer: Writer, di_code: str = "0901") -> Campus:
    return next(each for each in read_report(writer.session, NOW).campuses if each.di_code == di_code)


def test_the_history_comes_from_events(writer: Writer):
    writer.day("0901", hours(48), 7)
    writer.day("0901", hours(24), 35, PUBLISHED)

    read = campus(writer)

    assert [(each.at, each.records) for each in read.deliveries] == [(hours(48), 7), (hours(24), 35)]
    assert read.last is not None
    assert read.last.recorded_at == hours(24) + timedelta(seconds=40)
    assert (read.status, read.pending_since) == (Status.RECORDED, None)
    assert (read.problems, read.quarantined, read.statuses) == (0, 0, {"reported": 60})
    assert (read.scores, read.scores_at) == (PUBLISHED, hours(24) + timedelta(seconds=20))
    assert not read.has_status


def test_scores_are_those_of_the_last_delivery_that_published_any(writer: Writer):
    writer.day("0901", hours(48), 99, PUBLISHED)
    writer.day("0901", hours(24), 1)

    assert campus(writer).scores == PUBLISHED


def test_a_delivery_is_pending_until_a_later_record(writer: Writer):
    writer.landed("0901", hours(72))
    assert campus(writer).pending_since == hours(72)
    second = writer.landed("0901", hours(48))
    assert campus(writer).pending_since == hours(72)

    writer.recorded(second, hours(47))

    assert campus(writer).pending_since is None
    writer.landed("0901", hours(24))
    assert campus(writer).pending_since == hours(24)


def test_a_record_task_of_an_old_run_that_is_repeated_changes_nothing(writer: Writer):
    first = writer.landed("0901", hours(48))
    writer.recorded(first, hours(47))
    writer.recorded(writer.landed("0901", hours(24)), hours(23))
    before = campus(writer)

    writer.event("apscores://0901/recorded", hours(1), first | {"recorded_at": hours(47).isoformat()})

    assert (campus(writer), before.status) == (before, Status.RECORDED)


def test_a_full_file_is_never_pending(writer: Writer):
    writer.landed("0901", hours(24), download_type="full")

    assert campus(writer).pending_since is None
    assert campus(writer).status is Status.LANDED


def test_an_event_that_was_emitted_again_counts_once(writer: Writer):
    for _ in range(2):
        writer.landed("0901", hours(24), 35)

    assert [each.records for each in campus(writer).deliveries] == [35]


def test_events_are_bounded_by_time(writer: Writer):
    writer.landed("0901", NOW - database.HISTORY - timedelta(hours=1), 1)
    writer.landed("0901", hours(1), 2)

    assert [each.records for each in campus(writer).deliveries] == [2]


def test_events_are_bounded_by_number_and_the_page_says_since_when(writer: Writer, mocker: MockerFixture):
    mocker.patch.object(database, "MOST_EVENTS", 3)
    for age in range(5, 0, -1):
        writer.landed("0901", hours(age), age)

    report = read_report(writer.session, NOW)

    assert [each.records for each in report.campuses[0].deliveries] == [3, 2, 1]
    assert report.since == hours(3)


def test_a_page_makes_few_queries_for_many_campuses(writer: Writer, mocker: MockerFixture):
    for number in range(12):
        writer.day(f"{1000 + number}", hours(number), 10)
    queries = mocker.spy(writer.session, "execute")

    assert len(read_report(writer.session, NOW).campuses) == 12
    assert queries.call_count <= 6


def test_the_status_comes_from_the_state_store(writer: Writer):
    writer.landed("0901", hours(24), 35)
    writer.store(
        STATUS,
        "0901",
        {
            "landed_at": hours(24).isoformat(),
            "records": 35,
            "recorded_at": None,
            "pending_since": hours(24).isoformat(),
            "problems": 4,
            "quarantined": 1,
            "statuses": {"reported": 99},
            "score_counts": PUBLISHED,
            "scores_at": hours(48).isoformat(),
            "hand_offs": {"banner": {"at": hours(2).isoformat(), "records": 35}},
            "loads": {"at": hours(3).isoformat(), "rows": 412},
            "errors": {
                "Download": {"class": "LoginRefused", "at": hours(1).isoformat()},
                "Load": {"class": "LoadRefused", "at": hours(9).isoformat()},
            },
            "checked_at": hours(24).isoformat(),
            "updated_at": NOW.isoformat(),
        },
    )
    poll = {"next_poll_at": (NOW + timedelta(hours=1)).isoformat(), "checked_at": hours(5).isoformat()}
    writer.store("apscores://0901/new", "poll", poll)
    writer.store("apscores://0901/new?account=second", "poll", {"next_poll_at": hours(-3).isoformat()})
    writer.store("apscores://0901/new", "apscores.notified_at", 12.5)

    assert campus(writer) == Campus(
        "0901",
        (Landed(hours(24), 35),),
        pending_since=hours(24),
        problems=4,
        quarantined=1,
        statuses={"reported": 99},
        scores=PUBLISHED,
        scores_at=hours(48),
        hand_offs=(HandOff("banner", hours(2), 35),),
        loaded_at=hours(3),
        loaded_rows=412,
        error="LoginRefused",
        error_at=hours(1),
        checked_at=hours(5),
        next_poll_at=NOW + timedelta(hours=1),
        has_status=True,
    )


def test_the_latest_of_several_errors_is_shown_until_it_is_removed(writer: Writer):
    writer.day("0901", hours(1))
    writer.store("apscores://0901/new", "poll", {"last_error": {"class": "Older", "at": hours(3).isoformat()}})
    assert campus(writer).error == "Older"
    writer.store(STATUS, "0901", {"errors": {"HandOff": {"class": "HandOffFailed", "at": hours(2).isoformat()}}})

    assert (campus(writer).error, campus(writer).error_at) == ("HandOffFailed", hours(2))


def test_the_error_of_a_watcher_is_an_error_of_the_campus(writer: Writer):
    writer.store(
        "apscores://0901/new", "poll", {"last_error": {"class": "ServiceUnavailable", "at": hours(2).isoformat()}}
    )

    assert (campus(writer).status, campus(writer).error) == (Status.FAILED, "ServiceUnavailable")


def test_a_status_outlives_the_events_that_airflow_cleans(writer: Writer):
    status = {"landed_at": hours(9000).isoformat(), "records": 35, "recorded_at": hours(8999).isoformat()}
    writer.store(STATUS, "0901", status)

    assert campus(writer).last == Landed(hours(9000), 35, recorded_at=hours(8999))


@pytest.mark.parametrize(
    "value", ["text", [1], {"landed_at": 5, "records": "many", "hand_offs": [], "loads": 3, "statuses": {"a": "b"}}]
)
def test_what_is_not_understood_is_left_out(writer: Writer, value: Any):
    writer.landed("0901", hours(1), 35)
    writer.event("apscores://0901/files", hours(1), {})
    writer.event("apscores://0901/tables", hours(1), {"score_counts": "no JSON", "problems": True})
    writer.store(STATUS, "0901", value)
    writer.store(STATUS, "not a campus", {"records": 1})

    assert [each.records for each in campus(writer).deliveries] == [35]
    assert [each.di_code for each in read_report(writer.session, NOW).campuses] == ["0901"]
    assert render(read_report(writer.session, NOW))


def test_the_page_has_no_path_and_nothing_that_is_not_meant_for_it(writer: Writer):
    writer.day("0901", hours(1), 35, PUBLISHED)
    writer.store(STATUS, "0901", {"landed_at": hours(1).isoformat(), "student": "Wickerez", "uri": SECRET})

    html = render(read_report(writer.session, NOW))

    assert "35 student records" in html
    assert "Wickerez" not in html
    assert "/srv" not in html
    assert "parquet" not in html


def test_the_state_of_another_product_is_not_read(writer: Writer):
    writer.event("s3://bucket/0901/files", hours(1), {"landed_at": hours(1).isoformat(), "records": 5})
    writer.store("s3://all/status", "0901", {"records": 5})

    assert read_report(writer.session, NOW).campuses == ()

"""The ledger in Python. The command is tested in tests/cli/test_ledger.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores.delivery import APScoresLedger
from airflow_provider_apscores.errors import ConfigurationError, ManifestNotUnderstood, WrongCampusInFile
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.storage import LocalFolder

RECORDED = "2026-11-23T18:16:00Z"


def test_an_empty_destination_has_no_deliveries(place: Path):
    ledger = APScoresLedger(place)

    assert (list(ledger.deliveries()), ledger.pending(), ledger.orphans(), ledger.quarantined()) == ([], [], [], [])


def test_deliveries_come_campus_by_campus_in_the_order_of_landing(place: Path, land):
    second = land(b"".join(encode_record({"ap_id": "FK1", "college_code": "004867"}) for _ in "1"), di_code="4867")
    first = land()
    third = land(run_id="day-2", download_id="2")

    ledger = APScoresLedger(place)

    assert [each.manifest_uri for each in ledger.deliveries()] == [each.manifest_uri for each in (first, third, second)]
    assert list(ledger.deliveries("4867")) == [second]
    assert ledger.manifest_uris("4867") == [second.manifest_uri]
    assert list(ledger.deliveries("0000")) == []


def test_only_new_deliveries_without_a_record_are_pending(place: Path, land):
    land().mark_recorded(RECORDED)
    waits = land(run_id="day-2", download_id="2")
    land(run_id="day-2", download_id="3", download_type="full")

    assert APScoresLedger(place).pending() == [waits]


def test_a_delivery_is_not_pending_once_a_later_one_is_recorded(place: Path, land):
    land()
    land(run_id="day-2", download_id="2").mark_recorded(RECORDED)

    assert APScoresLedger(place).pending() == []


def test_a_delivery_whose_record_began_stays_pending(place: Path, land):
    perhaps = land().mark_record_began(RECORDED)
    land(run_id="day-2", download_id="2").mark_record_began(RECORDED).mark_recorded(RECORDED)

    assert APScoresLedger(place).pending() == [perhaps]


def test_an_unreadable_manifest_is_an_error(place: Path, land):
    Path(land().manifest_uri.removeprefix("file://")).write_text("{}")

    with pytest.raises(ManifestNotUnderstood):
        list(APScoresLedger(place).deliveries())


def test_leftovers_are_found(place: Path, land):
    killed = land()
    Path(killed.manifest_uri.removeprefix("file://")).unlink()
    with pytest.raises(WrongCampusInFile):
        land(encode_record({"ap_id": "FK1", "college_code": "004867"}) + b"\n", run_id="day-2")

    ledger = APScoresLedger(place)

    assert ledger.orphans() == [killed.uri]
    (aside,) = ledger.quarantined()
    assert "/quarantine/4866/day-2-" in aside
    assert ledger.quarantined("4867") == []


def test_unfinished_files_of_interrupted_tries_are_listed(place: Path, land, landing):
    land()
    for run_id in ("day-1", "day-2"):
        landing(run_id=run_id).begin().write(b"cut")
    mark = place / "4866" / ".digests" / ".0a.part-6b0c7507-1c1e3a4b40f0"
    mark.touch()

    ledger = APScoresLedger(place)

    of_mark, *of_files = ledger.unfinished("4866")
    assert of_mark == f"file://{mark}"
    assert ["/.incoming.part-" in each for each in of_files] == [True, True]
    assert (ledger.unfinished(), ledger.unfinished("4867")) == ([of_mark, *of_files], [])


# The command


def test_a_folder_that_is_no_destination_is_an_error(place: Path):
    (place / "exam_scores").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match=r"holds other files or folders \(1\), but no folder of a campus"):
        APScoresLedger(place).check()
    (place / "4866").mkdir()
    APScoresLedger(place).check()


def test_the_latest_pending_deliveries_are_found_without_reading_the_others(place: Path, land, mocker: MockerFixture):
    long_ago = land().mark_record_began(RECORDED)
    for day in range(30):
        land(run_id=f"day-{day + 2}", download_id=str(day + 2)).mark_record_began(RECORDED).mark_recorded(RECORDED)
    perhaps = land(run_id="day-40", download_id="40").mark_record_began(RECORDED)
    land(run_id="day-41", download_id="41").mark_recorded(RECORDED)
    for number, delivery in enumerate(APScoresLedger(place).deliveries()):
        os.utime(delivery.uri.removeprefix("file://"), (number, number))
    read = mocker.spy(LocalFolder, "read")

    recent = APScoresLedger(place).recently_pending("4866")

    assert recent == [perhaps]
    assert read.call_count == 20
    assert APScoresLedger(place).pending() == [long_ago, perhaps]

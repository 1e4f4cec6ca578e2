"""``apscores report``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.delivery import Delivery
from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.sandbox import Campus
from tests.provider.world import SALTMARSH, World, worlds
from tests.report.test_report import Page


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A campus with enough students that the scores of all exams together are published."""
    with worlds(tmp_path / "files", campuses=[Campus(SALTMARSH, "Saltmarsh University", 60)]) as world:
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.connection)
        yield world


def parsed(world: World, landed: dict) -> Path:
    """Parse a delivery into the folder of tables."""
    tables = world.destination.parent / "tables"
    assert main(["parse", landed["uri"].removeprefix("file://"), "--to", str(tables)]) == 0
    return tables


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    capsys.readouterr()
    main(["report", *map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_page_shows_the_deliveries_of_a_ledger(place: Path, land, tmp_path: Path, capsys):
    delivery = land().mark_recorded(datetime.now(UTC).isoformat())
    page = tmp_path / "report.html"

    assert main(["report", str(place), "--html", str(page)]) == 0

    assert capsys.readouterr().out == f"Wrote {page}.\n"
    shown = Page(page.read_text()).text
    assert "Campus 4866 ✓ Recorded" in shown
    assert f"{delivery.manifest.records} student record" in shown
    assert "Next poll" not in shown
    assert str(tmp_path) not in page.read_text()


def test_the_page_shows_tables_and_no_small_count(large: World, tmp_path: Path, capsys):
    landed = large.download(record=False)
    large.record(landed)
    tables = parsed(large, landed)
    page = tmp_path / "report.html"

    assert main(["report", str(large.destination), "--tables", str(tables), "--html", str(page)]) == 0

    shown = Page(page.read_text()).text
    assert "60 student records" in shown
    assert "Problems none" in shown
    assert "All exams together" in shown or "All other exams" in shown
    (campus,) = report(capsys, large.destination, "--tables", tables)["campuses"]
    numbers = [count for cells in campus["scores"].values() for count in cells.values() if count is not None]
    assert numbers
    assert min(numbers) >= 10


def test_compacted_tables_show_the_same(large: World, capsys):
    landed = large.download()
    tables = parsed(large, landed)
    large.sandbox.add_reports(SALTMARSH, 1)
    parsed(large, large.download(run="day-2"))
    before = report(capsys, large.destination, "--tables", tables)["campuses"]

    assert main(["compact", str(tables), "--older-than", "0"]) == 0

    assert before[0]["scores"]
    assert before[0]["statuses"]
    assert report(capsys, large.destination, "--tables", tables)["campuses"] == before


def test_a_delivery_that_was_not_parsed_has_no_problems_yet(large: World, capsys):
    tables = parsed(large, large.download())
    large.sandbox.add_reports(SALTMARSH, 1)
    large.download(run="day-2")
    assert main(["compact", str(tables), "--older-than", "0"]) == 0

    (campus,) = report(capsys, large.destination, "--tables", tables)["campuses"]

    assert (campus["problems"], campus["statuses"]) == (None, {})


def test_a_wrong_folder_of_tables_is_an_error(place: Path, land, tmp_path: Path, capsys):
    land()
    for wrong in (tmp_path / "missing", place):
        assert main(["report", str(place), "--tables", str(wrong), "--json"]) == 2
        assert str(wrong) in capsys.readouterr().err


def test_a_delivery_is_pending_as_in_the_ledger(place: Path, land, capsys):
    """
    A task was perhaps killed between the record of the first delivery and its note.
    """
    now = datetime.now(UTC).isoformat()
    first = land().mark_record_began(now)
    land(run_id="day-2").mark_recorded(now)
    assert main(["ledger", str(place), "--json"]) == 1
    pending = json.loads(capsys.readouterr().out)["pending"]

    (campus,) = report(capsys, place)["campuses"]

    assert pending == [first.manifest_uri]
    assert datetime.fromisoformat(campus["pending_since"]) == datetime.fromisoformat(first.manifest.landed_at)


def test_scores_of_a_delivery_that_repeats_an_unrecorded_one_are_not_shown(large: World, capsys):
    first = large.download(record=False)
    tables = parsed(large, first)
    before = report(capsys, large.destination, "--tables", tables)["campuses"][0]
    large.sandbox.add_reports(SALTMARSH, 1)
    parsed(large, large.download(run="day-2", record=False))

    after = report(capsys, large.destination, "--tables", tables)["campuses"][0]

    assert before["scores"]
    assert (after["scores"], after["scores_at"]) == (before["scores"], before["scores_at"])
    assert [each["records"] for each in after["deliveries"]] == [60, 61]


def test_a_late_record_is_a_finding(place: Path, land, tmp_path: Path):
    delivery = land()
    earlier = datetime.now(UTC) - timedelta(days=2)
    Delivery(delivery.folder, replace(delivery.manifest, landed_at=earlier.isoformat())).store()

    assert main(["report", str(place), "--html", str(tmp_path / "report.html")]) == 1


def test_a_file_in_quarantine_is_a_finding(place: Path, land, capsys):
    with pytest.raises(ScoreFileMalformed):
        land(b"no score file")

    assert [(each["di_code"], each["set_aside"]) for each in report(capsys, place)["campuses"]] == [("4866", 1)]
    assert main(["report", str(place), "--json"]) == 1


def test_one_campus_can_be_chosen(place: Path, land, capsys):
    land()

    assert report(capsys, place, "--di-code", "0001")["campuses"] == []


def test_a_page_or_json_is_required(place: Path, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(place)])

    assert "--html" in capsys.readouterr().err

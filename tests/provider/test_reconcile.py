"""Reconciling: a full order against what was landed."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pendulum
import pyarrow.parquet as parquet
import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores import errors
from airflow_provider_apscores.operators.reconcile import APScoresReconcileOperator
from airflow_provider_apscores.sandbox import Campus
from tests.provider.world import EMBERWICK, QUILLFEATHER, SALTMARSH, World, fails_permanently, task_instance, worlds


def reconcile(world: World, di_code: Any = SALTMARSH, **arguments: Any) -> dict[str, Any]:
    arguments = {"source": str(world.destination), "output": str(world.destination.parent / "found")} | arguments
    task = APScoresReconcileOperator(task_id="reconcile", di_code=di_code, **arguments)
    return task.execute({"ti": task_instance("reconcile")})


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    return parquet.read_table(found["uri"].removeprefix("file://")).to_pylist()


@pytest.mark.parametrize("landed_as", ["TXT", "CSV"])
@pytest.mark.parametrize("file_format", ["TXT", "CSV"])
def test_nothing_is_missing_when_everything_was_landed(world: World, file_format: str, landed_as: str):
    world.download(file_format=landed_as)
    world.sandbox.add_reports(SALTMARSH, 4)
    world.download(run="day-2", file_format=landed_as)

    found = reconcile(world, file_format=file_format)

    assert {name: found[name] for name in ("missing", "changed", "extra", "missing_key", "deliveries")} == {
        "missing": 0,
        "changed": 0,
        "extra": 0,
        "missing_key": 0,
        "deliveries": 2,
    }
    assert found["expected"] == found["landed"] > 16
    assert rows(found) == []


def test_it_records_nothing_and_leaves_no_delivery(world: World):
    world.download(record=False)
    before = world.everything()

    reconcile(world, output=None)

    world.assert_nothing_was_recorded()
    assert world.everything() == before


def test_what_was_never_landed_is_missing(world: World):
    world.download()
    new = world.sandbox.add_reports(SALTMARSH, 3)

    found = reconcile(world, on_missing="report")

    assert found["missing"] + found["changed"] == len(rows(found)) > 0
    students = {record["ap_id"].strip() for record in list(world.sandbox.records(SALTMARSH))[-len(new) :]}
    assert {row["ap_id"] for row in rows(found)} <= students
    assert found["extra"] == 0


def test_missing_scores_fail_the_task_after_the_table_is_written(world: World):
    with fails_permanently(errors.ReportsMissing, match=r"12|missing below .*They are listed in file://"):
        reconcile(world)

    (table,) = (world.destination.parent / "found").rglob("*.parquet")
    assert parquet.read_table(table).num_rows > 12
    assert stat.S_IMODE(table.stat().st_mode) == 0o600


def test_a_source_without_a_delivery_is_named_as_the_cause(world: World):
    with fails_permanently(errors.ReportsMissing, match="No delivery of the year was found"):
        reconcile(world, source=str(world.destination.parent / "elsewhere"))


def test_a_deleted_delivery_is_noticed(world: World):
    landed = world.download()
    Path(landed["uri"].removeprefix("file://")).unlink()

    found = reconcile(world, on_missing="report")

    assert found["damaged"] == [landed["uri"]]
    assert found["missing"] == found["expected"] > 0


def test_a_damaged_delivery_does_not_count(world: World):
    landed = world.download()
    path = Path(landed["uri"].removeprefix("file://"))
    path.write_bytes(path.read_bytes().replace(b"FK", b"KF"))

    found = reconcile(world, on_missing="report")

    assert found["damaged"] == [landed["uri"]]
    assert (found["missing"], found["extra"]) == (found["expected"], 0)


def test_a_score_that_changed_since_is_shown_with_both_values(world: World):
    """
    The stream holds later reports of students seen before, with delayed scores that have come in.
    """
    world.sandbox.add_reports(SALTMARSH, 150)
    world.download()
    world.sandbox.add_reports(SALTMARSH, 150)

    found = reconcile(world, on_missing="report")

    changed = [row for row in rows(found) if row["finding"] == "changed"]
    assert len(changed) == found["changed"] > 0
    for row in changed:
        assert (row["score"], row["status"]) != (row["score_landed"], row["status_landed"])
    world.download(run="day-2")
    assert reconcile(world)["changed"] == 0


def test_nothing_to_order_and_nothing_landed_is_in_order(world: World):
    found = reconcile(world, EMBERWICK)

    assert (found["expected"], found["landed"], found["missing"], found["uri"] is not None) == (0, 0, 0, True)


def test_what_college_board_no_longer_has_is_extra(world: World):
    world.download()

    with worlds(world.destination, campuses=(Campus(SALTMARSH, "Saltmarsh University"),)) as empty:
        connection = json.loads(empty.sandbox.airflow_connection)
        world.sandbox, kept = empty.sandbox, world.sandbox
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))
            found = reconcile(world)
        world.sandbox = kept

    assert found["expected"] == 0
    assert found["extra"] == found["landed"] > 0


def test_reports_of_the_year_before_are_not_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with worlds(tmp_path / "ap", campuses=(Campus(SALTMARSH, "Saltmarsh University", 5, earlier=7),)) as world:
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.sandbox.airflow_connection)
        assert world.download()["records"] == 12

        found = reconcile(world)
        before = reconcile(world, reporting_year_start=date(2020, 7, 1), on_missing="report")

    assert (found["missing"], found["changed"], found["extra"]) == (0, 0, 0)
    assert found["landed"] > found["expected"]
    assert before["extra"] > 0


def test_other_campuses_do_not_count(world: World):
    world.download(QUILLFEATHER)

    assert reconcile(world, on_missing="report")["landed"] == 0


def test_deliveries_before_the_reporting_year_do_not_count(world: World):
    world.download()

    found = reconcile(world, reporting_year_start="2999-07-01", on_missing="report")

    assert (found["deliveries"], found["landed"]) == (0, 0)


def test_a_full_order_with_another_campus_is_a_privacy_incident(world: World):
    world.sandbox.fail("download", f"stray-record={QUILLFEATHER}")

    with fails_permanently(errors.WrongCampusInFile, match="campus 9120"):
        reconcile(world)
    assert not [path for path in world.destination.parent.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reporting_year_start": "July"}, "a day such as 2026-07-01"),
        ({"di_code": "1"}, "four digits"),
        ({"source": ""}, "source is empty"),
        ({"output": "tables"}, "output is 'tables'"),
    ],
)
def test_invalid_arguments(world: World, arguments: dict[str, Any], said: str):
    with fails_permanently(errors.ConfigurationError, match=said):
        reconcile(world, **arguments)
    assert world.sandbox.counts["login"] == 0


def test_an_unknown_outcome_of_missing_scores_is_refused():
    with pytest.raises(ValueError, match="one of fail, report"):
        APScoresReconcileOperator(task_id="t", di_code=SALTMARSH, source="/s", on_missing="ignore")


@pytest.mark.parametrize(
    ("now", "given", "begins"),
    [
        ("2026-06-30T23:59:59Z", None, "2025-07-01"),
        ("2026-07-01T00:00:00Z", "", "2026-07-01"),
        ("2027-01-01T00:00:00Z", "None", "2026-07-01"),
        ("2027-01-01T00:00:00Z", "2026-06-15", "2026-06-15"),
        ("2027-01-01T00:00:00Z", "2026-06-15T00:00:00+00:00", "2026-06-15"),
        ("2027-01-01T00:00:00Z", date(2026, 6, 15), "2026-06-15"),
    ],
)
def test_the_reporting_year_begins_on_1_july_unless_a_day_is_given(
    world: World, mocker: MockerFixture, now: str, given: Any, begins: str
):
    mocker.patch("pendulum.now", return_value=pendulum.parse(now))

    assert reconcile(world, EMBERWICK, reporting_year_start=given)["reporting_year_start"] == begins


def test_a_file_larger_than_the_limit_is_refused(world: World):
    with fails_permanently(errors.FileTooLarge, match="max_bytes"):
        reconcile(world, max_bytes=2000)

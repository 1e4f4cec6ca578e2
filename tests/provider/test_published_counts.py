"""Score counts of a delivery are published if no earlier ones were made of the same reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_apscores import assets
from airflow_provider_apscores.assets import score_tables
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.sandbox import Campus
from tests.provider.contexts import States, context
from tests.provider.world import SALTMARSH, World, task_instance, worlds

pytestmark = pytest.mark.airflow


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A campus with enough students that the scores of all exams together are published."""
    with worlds(tmp_path / "ap", campuses=[Campus(SALTMARSH, "Saltmarsh University", 60)]) as world:
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.connection)
        yield world


def tables_event(world: World, source: Any) -> dict[str, Any]:
    """Parse a score file and return what its event says."""
    asset = score_tables(SALTMARSH)
    event = SimpleNamespace(extra={})
    output = str(world.destination.parent / "tables")
    task = APScoresParseOperator(task_id="parse", source=source, output=output, outlets=[asset])
    task.execute({"ti": task_instance("parse"), "outlet_events": {asset: event}})
    assert all(isinstance(value, str | int) for value in event.extra.values())
    return event.extra


def counts(world: World, source: Any) -> dict[str, Any]:
    return json.loads(tables_event(world, source)["score_counts"])


def test_an_event_has_the_score_counts_and_no_small_one(large: World):
    event = tables_event(large, large.download(record=False))

    published = json.loads(event["score_counts"])
    numbers = [number for cells in published.values() for number in cells.values() if number is not None]
    assert numbers
    assert min(numbers) >= 10
    assert sum(json.loads(event["statuses"]).values()) == event["exam_scores_rows"]


def test_parsing_again_publishes_the_same_counts(large: World):
    landed = large.download(record=False)

    assert counts(large, landed) == counts(large, landed) != {}


def test_counts_of_the_same_reports_and_one_more_are_not_published(large: World):
    """
    The first download was not recorded, so the second one has its reports again, and a new one.
    """
    first = large.download(record=False)
    assert counts(large, first)
    large.sandbox.add_reports(SALTMARSH, 1)
    second = large.download(run="day-2", record=False)
    assert second["records"] == first["records"] + 1

    assert counts(large, second) == {}
    assert counts(large, second) == {}  # a retry
    assert counts(large, first) == {}
    assert counts(large, second) == {}


def test_a_record_of_a_withheld_delivery_lets_the_next_one_be_published(large: World):
    """
    It passes the reports of the first delivery too, which is never recorded itself.
    """
    assert counts(large, large.download(record=False))
    large.sandbox.add_reports(SALTMARSH, 1)
    second = large.download(run="day-2", record=False)
    assert counts(large, second) == {}
    large.record(second)
    large.sandbox.add_reports(SALTMARSH, 60)

    assert counts(large, large.download(run="day-3", record=False))


def test_counts_after_a_record_are_published(large: World):
    first = large.download(record=False)
    assert counts(large, first)
    large.record(first)
    large.sandbox.add_reports(SALTMARSH, 60)

    assert counts(large, large.download(run="day-2", record=False))


def test_counts_are_published_if_the_earlier_manifest_is_gone(large: World):
    first = large.download(record=False)
    assert counts(large, first)
    shutil.rmtree(Path(first["manifest_uri"].removeprefix("file://")).parent)

    assert counts(large, large.download(run="day-2", record=False))


def test_counts_of_a_full_file_and_of_a_file_without_a_manifest_are_not_published(large: World):
    assert counts(large, large.download(download_type="full", record=False)) == {}
    assert counts(large, large.download(run="day-2", record=False)["uri"]) == {}


def test_the_status_keeps_the_last_published_counts_and_their_time(large: World):
    status = assets.status()
    states = States(status)

    def parse(landed: dict[str, Any]) -> dict[str, Any]:
        output = str(large.destination.parent / "tables")
        task = APScoresParseOperator(task_id="parse", source=landed, output=output, inlets=[status])
        task.execute(context("parse", asset_state_store=states))
        return states[status][SALTMARSH]

    first = parse(large.download(record=False))
    assert first["scores_at"] == large.manifests()[0]["landed_at"]
    large.sandbox.add_reports(SALTMARSH, 1)
    second = parse(large.download(run="day-2", record=False))

    assert second["statuses"] != first["statuses"]
    assert {name: second[name] for name in ("score_counts", "scores_at")} == {
        name: first[name] for name in ("score_counts", "scores_at")
    }

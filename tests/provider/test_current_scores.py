"""Days of downloads, parsed in any order, give the scores that the sandbox's students have now."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.sandbox import Campus
from airflow_provider_apscores.scores import current_state
from tests.provider.world import QUILLFEATHER, SALTMARSH, task_instance, worlds
from tests.sandbox.truth import current_scores, people

#: The first file also has reports of the spring, before the reporting year.
CAMPUSES = (Campus(SALTMARSH, "Saltmarsh University", earlier=60), Campus(QUILLFEATHER, "Quillfeather College"))
DAYS = (date(2026, 7, 6), date(2026, 7, 7), date(2026, 7, 21), date(2027, 7, 5))


def downloads(folder: Path, monkeypatch: pytest.MonkeyPatch, issued: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Download and record four files of each campus a day; at the end, *issued* has the values of all reports."""
    for day in DAYS:
        with worlds(folder / "ap", campuses=CAMPUSES, state=folder / "state.json", today=day) as world:
            monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.connection)
            for file in range(4):
                for di_code in world.sandbox.di_codes:
                    world.sandbox.add_reports(di_code, 20)
                    landed = world.download(di_code, run=f"{day}-{file}")
                    assert landed is not None
                    world.record(landed)
                    yield landed
            issued[:] = [report for di_code in world.sandbox.di_codes for report in world.sandbox.records(di_code)]


def test_days_of_downloads_give_the_current_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
):
    mocker.patch("airflow_provider_apscores.webservice.client.time.sleep")
    issued: list[dict[str, str]] = []
    files = list(downloads(tmp_path, monkeypatch, issued))
    random.Random(16).shuffle(files)
    for landed in files:
        parse = APScoresParseOperator(task_id="parse", source=landed, output=str(tmp_path / "tables"))
        assert parse.execute({"ti": task_instance("parse")})["rows"]["problems"] == 0

    known = people(issued)
    state = current_state(tmp_path / "tables", crosswalk={ap_id: "/".join(who) for ap_id, who in known.items()})

    found = {
        (known[row["ap_id"]], f"{row['admin_year'] % 100:02d}", row["exam_code"]): (
            str(row["score"] or ""),
            row["irregularity_1"] or "",
            row["withdrawn"],
        )
        for row in state.exam_scores.to_pylist()
    }
    expected = current_scores(issued)
    assert found == expected
    assert len(found) == state.exam_scores.num_rows
    assert len({who for who, _, _ in expected}) < len(known), "no AP ID changed"
    assert {"94"} < {score.irregularity for score in expected.values()}
    assert sum(score.withdrawn for score in expected.values()) > 3

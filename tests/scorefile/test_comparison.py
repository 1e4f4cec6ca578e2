"""Comparing the exam scores of score files by their key."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_apscores.scorefile import compare_exam_scores, encode_record, read_score_file


def report(day: str, score: str, ap_id: str = "FK000001", **more: str) -> bytes:
    exam = {"admin_year_01": "25", "exam_code_01": "07", "exam_grade_01": score}
    values = {"ap_id": ap_id, "college_code": "000901", "report_date": day}
    return encode_record(values | exam | more) + b"\n"


def files(*contents: bytes) -> list[Any]:
    return [read_score_file(content, today=date(2026, 11, 1)) for content in contents]


LATE, EARLY = report("100126", "4"), report("090126", "3")


@pytest.mark.parametrize("landed", [(LATE, EARLY), (EARLY, LATE), (EARLY + LATE,), (LATE + EARLY,), (LATE, LATE)])
def test_the_latest_report_counts_in_whatever_order_files_are_read(landed: tuple[bytes, ...]):
    found = compare_exam_scores(files(LATE), files(*landed))

    assert (found.expected, found.landed, found.missing, found.changed, found.extra) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("expected", "landed", "finding", "scores"),
    [
        (LATE, EARLY, "changed", (4, 3)),
        (LATE, None, "missing", (4, None)),
        (None, LATE, "extra", (None, 4)),
        (report("100126", ""), LATE, "changed", (None, 4)),
        (report("100126", "4", irregularity_1_01="20"), LATE, "changed", (4, 4)),
    ],
)
def test_each_finding_is_counted_and_shown(expected, landed, finding: str, scores: tuple):
    found = compare_exam_scores(files(*filter(None, [expected])), files(*filter(None, [landed])))

    (row,) = found.rows.to_pylist()
    assert getattr(found, finding) == found.missing + found.changed + found.extra == 1
    assert row["finding"] == finding
    assert (row["ap_id"], row["admin_year"], row["exam_code"]) == ("FK000001", 2025, "07")
    assert (row["score"], row["score_landed"]) == scores


@pytest.mark.parametrize(("since", "extra"), [(date(2026, 10, 1), 1), (date(2026, 10, 2), 0), (None, 1)])
def test_what_is_older_than_the_expected_is_not_extra(since: date | None, extra: int):
    assert compare_exam_scores([], files(LATE), extra_since=since).extra == extra


def test_a_null_is_no_key():
    """
    Two students without an AP ID are not one student.
    """
    found = compare_exam_scores(files(report("100126", "4", ap_id="") + LATE), files(report("100126", "5", ap_id="")))

    assert (found.expected, found.missing_key, found.missing, found.changed) == (1, 1, 1, 0)


def test_nothing_against_nothing():
    found = compare_exam_scores([], [])

    assert (found.expected, found.rows.num_rows) == (0, 0)
    assert found.parquet()[:4] == b"PAR1"

"""When an exam counts as withdrawn, and when its absence proves nothing: one small case for each rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.scores import current_state, load_tables
from tests.scores.databases import connected, query, write_parquet
from tests.scores.histories import SLOTS, record, tables

ALL = [("25", "93", "4", ""), ("26", "07", "5", "")]
NEW = ALL[1:]
DAY_1, DAY_2 = "070126", "070226"
FULL = [*NEW, *(("15", f"{code:02}", "1", "") for code in range(11, 10 + SLOTS))]
INCOMPLETE = [*NEW, ("", "66", "3", "")]

#: Reports as (landing, [(AP ID, exams, report date), ...]), and what counts as withdrawn: the exam 93, or nothing.
CASES = {
    "the latest report lacks the exam": ([[("A", ALL, DAY_1)], [("A", NEW, DAY_2)]], True),
    "the exam is in the latest report": ([[("A", ALL, DAY_1)], [("A", ALL, DAY_2)]], False),
    "the latest report is of another campus": ([[("A", ALL, DAY_1)], [("A", NEW, DAY_2, "000417")]], False),
    "all exam slots are used": ([[("A", ALL, DAY_1)], [("A", FULL, DAY_2)]], False),
    "an exam is incomplete": ([[("A", ALL, DAY_1)], [("A", INCOMPLETE, DAY_2)]], False),
    "the latest report has no date": ([[("A", ALL, DAY_1)], [("A", NEW, "")]], False),
    "two partial records of one day": ([[("A", ALL, DAY_1)], [("A", NEW, DAY_2), ("A", ALL[:1], DAY_2)]], False),
    "two partial records in two files": ([[("A", ALL, DAY_1)], [("A", NEW, DAY_2)], [("A", ALL[:1], DAY_2)]], False),
    "one of two records of the day is full": (
        [[("A", ALL, DAY_1)], [("A", NEW, DAY_2), ("A", [*FULL[1:], ("15", "50", "1", "")], DAY_2)]],
        False,
    ),
    "the student has a new AP ID": ([[("A", ALL, DAY_1)], [("B", NEW, DAY_2)]], False),
    "the student has a new AP ID, in the crosswalk": ([[("A", ALL, DAY_1)], [("B", NEW, DAY_2)]], False),
    "an old file is loaded last": ([[("A", NEW, DAY_2)], [("A", ALL, DAY_1)]], True),
    "the exam is canceled and stays": (
        [[("A", ALL, DAY_1)], [("A", [*NEW, ("25", "93", "", "94")], DAY_2)]],
        False,
    ),
}


def files(reports):
    for hour, report in enumerate(reports):
        content = b"".join(
            encode_record(record(f"AP00000{ap_id}", *(college or ["004866"]), exams, day)) + b"\n"
            for ap_id, exams, day, *college in report
        )
        yield tables(content, datetime(2026, 7, 2, hour, tzinfo=UTC))


@pytest.mark.parametrize("name", CASES)
def test_only_a_whole_latest_report_withdraws_an_exam(name, tmp_path):
    reports, is_withdrawn = CASES[name]
    people = {"AP00000A": "P1", "AP00000B": "P1"} if "crosswalk" in name else {}
    found = list(files(reports))

    state = current_state(found, crosswalk=people).exam_scores.to_pylist()
    with connected("duckdb", tmp_path) as connection:
        for number, each in enumerate(found):
            load_tables(connection, write_parquet(tmp_path / str(number), each), dialect="duckdb", create=True)
        for ap_id, person in people.items():
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO ap_crosswalk VALUES ('{ap_id}', '{person}')")
        views = query(connection, "SELECT * FROM ap_current_exam_scores")

    for rows in (state, views):
        (row,) = (row for row in rows if (row["admin_year"], row["exam_code"]) == (2025, "93"))
        assert row["withdrawn"] is is_withdrawn
        others = [row for row in rows if row["exam_code"] != "93"]
        assert not any(row["withdrawn"] for row in others)
        assert others

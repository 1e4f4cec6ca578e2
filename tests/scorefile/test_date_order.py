"""Report dates with the day first: the order is decided once for a file."""

from datetime import date

import pytest
from pyarrow import parquet

from airflow_provider_apscores.scorefile import read_score_file, write_tables
from airflow_provider_apscores.scorefile.reading.source import Source
from tests.scorefile.students import csv_file, student, txt
from tests.scorefile.three_ways import TODAY


def records(*pairs):
    """Records with these update and report dates."""
    without = {"released_date": "", "admin_year_02": "", "exam_code_02": "", "exam_grade_02": ""}
    return [
        student(
            number, student_update_date=update, report_date=report, admin_year_01="15", award_year_1="15", **without
        )
        for number, (update, report) in enumerate(pairs, 1)
    ]


def trimmed(records):
    return b"\n".join(map(bytes.rstrip, txt(records).splitlines()))


@pytest.mark.parametrize("make", [txt, csv_file, trimmed])
@pytest.mark.parametrize(
    ("pairs", "dates"),
    [
        ([("070320", "220720")], [date(2020, 7, 22)]),
        ([("070321", "050821")], [date(2021, 8, 5)]),
        ([("070320", "220720"), ("070320", "050820")], [date(2020, 7, 22), date(2020, 8, 5)]),
        ([("070320", "050820"), ("070320", "070720")], [date(2020, 8, 5), date(2020, 7, 7)]),
        ([("010123", "311222"), ("123122", "050123")], [date(2022, 12, 31), date(2023, 1, 5)]),
        ([("070320", "220720"), ("070320", "")], [date(2020, 7, 22), None]),
        ([("", "220720"), ("", "050820")], [date(2020, 7, 22), date(2020, 8, 5)]),
        ([("", "310720"), ("", "290220")], [date(2020, 7, 31), date(2020, 2, 29)]),
    ],
)
def test_a_file_may_have_its_report_dates_with_the_day_first(make, pairs, dates):
    file = read_score_file(make(records(*pairs)), today=TODAY)

    assert file.students["report_date"].to_pylist() == dates
    assert set(file.problems["kind"].to_pylist()) <= {"no_report_date"}
    assert file.rejected == []


@pytest.mark.parametrize("make", [txt, csv_file])
@pytest.mark.parametrize(
    ("pairs", "dates"),
    [
        ([("070225", "070725")], [date(2025, 7, 7)]),
        ([("070225", "071025")], [date(2025, 7, 10)]),
        ([("070225", "072225"), ("070925", "070825")], [date(2025, 7, 22), date(2025, 7, 8)]),
        ([("050125", "070825"), ("050125", "999999")], [date(2025, 7, 8), None]),
    ],
)
def test_dates_with_the_month_first_stay(make, pairs, dates):
    file = read_score_file(make(records(*pairs)), today=TODAY)

    assert file.students["report_date"].to_pylist() == dates
    assert "date_order" not in file.problems["kind"].to_pylist()


@pytest.mark.parametrize("make", [txt, csv_file])
@pytest.mark.parametrize(
    ("pairs", "dates", "record"),
    [
        ([("070320", "072220"), ("070320", "220720")], [date(2020, 7, 22), None], 2),
        ([("070320", "220720"), ("070320", "072220")], [None, date(2020, 7, 22)], 1),
        ([("070321", "050821"), ("070321", "080521")], [date(2021, 5, 8), date(2021, 8, 5)], 1),
        ([("070321", "050821"), ("120121", "050821")], [date(2021, 5, 8), date(2021, 5, 8)], 1),
        ([("070320", "220720"), ("070320", "999920")], [None, None], 1),
    ],
)
def test_dates_that_contradict_each_other_are_read_as_documented(make, pairs, dates, record):
    file = read_score_file(make(records(*pairs)), today=TODAY)

    assert file.students["report_date"].to_pylist() == dates
    order = [row for row in file.problems.to_pylist() if row["kind"] == "date_order"]
    assert [(row["record_number"], row["field"], row["severity"]) for row in order] == [
        (record, "report_date", "warning")
    ]
    assert file.students.num_rows == len(pairs)


def test_the_last_record_decides_as_well():
    many = [("070321", "070721")] * 30_000
    file = read_score_file(txt(records(*many, ("070321", "220721"))), today=TODAY)

    assert file.students["report_date"].to_pylist()[-1] == date(2021, 7, 22)


def test_a_record_that_is_set_aside_says_nothing():
    made = [*records(("070225", "070825")) * 2, student(3, report_date="250707", admin_year_01="2X")]
    file = read_score_file(txt(made), today=TODAY)

    assert file.students["report_date"].to_pylist() == [date(2025, 7, 8)] * 2
    assert file.problems["kind"].to_pylist() == ["misaligned"]


def test_a_rejected_line_stays_as_it_is_in_the_file():
    made = records(("070320", "220720"), ("070320", "050820"))
    made[1]["birth_date"] = "139920"
    data = txt(made)
    file = read_score_file(data, today=TODAY)

    assert file.rejected == [(2, data.splitlines()[1])]


def test_dates_with_years_of_four_digits_say_nothing_about_the_others():
    file = read_score_file(csv_file(records(("070320", "220720"), ("070320", "2020-07-05"))), today=TODAY)

    assert file.students["report_date"].to_pylist() == [date(2020, 7, 22), date(2020, 7, 5)]


class Tally:
    """Counts rows, and how often the file was begun."""

    def __init__(self):
        self.begun = self.rows = 0

    def clear(self):
        self.begun += 1
        self.rows = 0

    def add(self, rows):
        self.rows += rows.num_rows


@pytest.mark.parametrize("make", [txt, csv_file, trimmed])
@pytest.mark.parametrize("on_problem", ["quarantine", "fail"])
def test_tables_are_written_again_when_the_last_date_has_the_day_first(tmp_path, make, on_problem):
    data = make(records(*[("070321", "070721")] * 13_000, ("070321", "220721")))
    tally = Tally()

    written = write_tables(data, tmp_path, formats=["parquet", "jsonl"], on_problem=on_problem, tally=tally)

    folder = tmp_path / "students"
    assert len(list(folder.iterdir())) == 2  # nothing is left of the first attempt
    dates = parquet.read_table(next(folder.glob("*.parquet")))["report_date"].to_pylist()
    assert (dates[0], dates[-1]) == (date(2021, 7, 7), date(2021, 7, 22))
    assert written.rows["students"] == written.records == len(dates) == 13_001
    assert written.rows["exam_scores"] == tally.rows
    assert tally.begun == (2 if on_problem == "quarantine" else 1)


@pytest.mark.parametrize("make", [txt, csv_file])
def test_a_file_without_a_deciding_date_is_read_once(tmp_path, mocker, make):
    data = make(records(("070225", "070725"), ("070225", "070825")))
    pieces = mocker.spy(Source, "pieces")

    write_tables(data, tmp_path)

    assert pieces.call_count == 2  # the beginning, to find the format, and the whole

"""Files that look like something else at first sight: what came of looking twice."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date

import pytest

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile import (
    csv_header,
    encode_csv_record,
    encode_record,
    read_score_file,
    write_tables,
)
from tests.scorefile.students import csv_file, student

STUDENT = {
    "ap_id": "A0000001",
    "last_name": "RIVERA",
    "first_name": "ALEX",
    "birth_date": "051407",
    "state": "MA",
    "college_code": "004866",
    "admin_year_01": "26",
    "exam_code_01": "07",
    "exam_grade_01": "5",
    "report_date": "070926",
    "race_ethnicity_response": "NNNNYNNNNY ",
}
TODAY = date(2026, 11, 23)


def in_csv(student: dict[str, str] = STUDENT, *, front: tuple[tuple[str, str], ...] = ()) -> bytes:
    header = next(csv.reader([csv_header()]))
    row = next(csv.reader([encode_csv_record(student)]))
    text = io.StringIO()
    csv.writer(text).writerows([[name for name, _ in front] + header, [value for _, value in front] + row])
    return text.getvalue().encode()


class Pipe(io.RawIOBase):
    """A stream that can't go back."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer) -> int:
        return self._data.readinto(buffer)


@pytest.mark.parametrize("ap_id", ["{A000001", "[A000001", "<A000001", "<?XML001", "BZH00001", "PAR10001", "%PDF-001"])
@pytest.mark.parametrize("shape", [bytes, bytes.rstrip])
def test_a_first_record_may_begin_as_other_files_do(ap_id: str, shape):
    answers = {"race_ethnicity_response": "NNNNYNNNNYN"}
    first = encode_record(STUDENT | answers | {"ap_id": ap_id})
    second = encode_record(STUDENT | answers | {"ap_id": "", "last_name": "PAR1"})
    for lines in ([first, second], [second, first]):
        file = read_score_file(b"\n".join([*map(shape, lines), b""]), today=TODAY)
        assert file.students["record_number"].to_pylist() == [1, 2]
        assert ap_id in file.students["ap_id"].to_pylist()


@pytest.mark.parametrize("length", [500, 910, 950, 2000])
@pytest.mark.parametrize("begins", ['{"error": "', "<html><p>", "[1, 2, "])
def test_a_long_line_of_something_else_is_no_record(begins: str, length: int):
    with pytest.raises(ScoreFileMalformed, match="This is no AP score file: it is"):
        read_score_file(begins.ljust(length, "x").encode() + b"\n")


def test_gzip_comes_through_a_pipe():
    packed = gzip.compress(encode_record(STUDENT) + b"\n")

    assert read_score_file(Pipe(packed), today=TODAY).students.num_rows == 1


def test_a_first_record_that_was_cut_to_the_older_length_does_not_make_the_file_older():
    """
    It ends among the answers, so answers may be missing: the record is set aside.
    """
    whole = encode_record(STUDENT)
    first = whole.rstrip()
    assert len(first) == 910

    file = read_score_file(b"\n".join([first, whole, b""]), today=TODAY)

    assert file.layout == "950"
    assert file.students["race_ethnicity_response"].to_pylist() == ["NNNNYNNNNY"]
    assert [(row["record_number"], row["kind"]) for row in file.problems.to_pylist()] == [(1, "wrong_length")]
    assert [number for number, _ in file.rejected] == [1]


def test_a_record_that_lost_as_much_as_the_layouts_differ_is_not_taken_for_an_older_one():
    whole = encode_record(STUDENT)
    lost = whole[:100] + whole[140:]

    file = read_score_file(b"\n".join([whole, lost, whole, b""]), today=TODAY)

    assert file.exam_scores["record_number"].to_pylist() == [1, 3]
    assert [number for number, _ in file.rejected] == [2]


@pytest.mark.parametrize(
    ("heading", "value", "field", "kept"),
    [
        ("State", "NY", "state", "MA"),
        ("Report Date", "2025-08-15", "report_date", date(2026, 7, 9)),
        ("DI Code", "1", "di_code", "4866"),
    ],
)
def test_a_vendors_column_in_front_does_not_replace_the_official_one(heading, value, field, kept):
    file = read_score_file(in_csv(front=((heading, value),)), today=TODAY)

    assert file.students[field].to_pylist() == [kept]
    assert heading in file.unread_columns


@pytest.mark.parametrize("written", ["5/4/07", "5-4-07"])
def test_a_date_of_six_characters_may_be_separated(written: str):
    file = read_score_file(in_csv(STUDENT | {"birth_date": written}), today=TODAY)

    assert file.students["birth_date"].to_pylist() == [date(2007, 5, 4)]
    assert file.problems.num_rows == 0


def test_letters_where_a_college_code_should_be_are_in_no_table_written(tmp_path):
    """A record that lost characters may have a part of a name there, and codes go into names, counts and XComs."""
    lines = [encode_record(STUDENT | {"college_code": code}) for code in ("004866", "QUILLA", "4866  ", "      ")]
    written = write_tables(b"\n".join(lines), tmp_path, today=TODAY)

    assert (written.di_codes, written.problems, written.rejected_lines) == (("4866",), {"bad_code": 2}, 2)
    tables = list(tmp_path.rglob("*.parquet"))
    assert len(tables) == 5
    assert all(b"QUILLA" not in table.read_bytes() for table in tables)
    file = read_score_file(b"\n".join(lines), today=TODAY)
    assert file.students["college_code"].to_pylist() == ["004866", None, None, None]
    assert file.exam_scores["di_code"].to_pylist() == ["4866", None, None, None]
    assert file.problems.select(["record_number", "field", "start", "end"]).to_pylist() == [
        {"record_number": number, "field": "college_code", "start": 376, "end": 381} for number in (2, 3)
    ]


@pytest.mark.parametrize("code", ["4866.5", "0048661", "ABC"])
def test_what_is_no_college_code_is_a_problem_and_no_campus(code: str):
    file = read_score_file(in_csv(STUDENT | {"college_code": code}), today=TODAY)

    assert file.students["di_code"].to_pylist() == [None]
    assert file.problems["kind"].to_pylist() == ["bad_code"]
    assert code not in str(file.problems.to_pylist())


@pytest.mark.parametrize("first", ["letters beyond ASCII", "trimmed"])
def test_the_first_record_tells_the_layout_of_those_that_tell_nothing(first: str):
    """
    A record without a campus and without dates gives no evidence of its alignment.
    """
    old = {name: value for name, value in student(1, report_date="070715").items() if "race" not in name}
    head = encode_record(old, "910")
    head = head.replace(b"RIVERA", "MUÑOZ ".encode()) if first.startswith("letters") else head.rstrip()
    nameless = encode_record({"ap_id": "AP000002", "last_name": "CHEN"}, "910")
    file = read_score_file(head + b"\n" + nameless + b"\n" + encode_record(old, "910") + b"\n")
    assert (file.layout, file.students.num_rows) == ("910", 3)
    assert "wrong_length" not in file.problems["kind"].to_pylist()


def test_records_that_begin_with_blanks_may_end_with_cr_alone():
    record = encode_record({"college_code": "004866", "report_date": "070715"}, "910")
    assert read_score_file(record + b"\r" + record).students.num_rows == 2


def test_a_header_may_end_with_cr_alone_before_rows_with_crlf():
    header, *rows = csv_file([student(1), student(2)]).splitlines()
    data = header + b"\r" + b"".join(row + b"\r\n" for row in rows)
    assert read_score_file(data).students.num_rows == 2

"""Reading a file three ways: whole, in small pieces, with something behind it."""

from datetime import date

from airflow_provider_apscores.scorefile import LAYOUT_950, read_score_file
from airflow_provider_apscores.scorefile.columns.batch import Assembler
from airflow_provider_apscores.scorefile.reader import FilePass
from airflow_provider_apscores.scorefile.reading.detect import detect_format
from tests.scorefile.students import student, txt

TODAY = date(2026, 3, 4)
TABLES = ("students", "exam_scores", "awards")

ONE = student(1)
TWO = student(2, last_name="O'NEIL", exam_code_30="93", admin_year_30="19", exam_grade_30="4")
THREE = {name: value for name, value in student(3, last_name="CHEN").items() if "race" not in name}
ALL = [ONE, TWO, THREE]
LINES = txt(ALL).splitlines()


class Drip:
    """A source in small pieces."""

    def __init__(self, data, piece):
        self._data, self._piece = data, piece

    def pieces(self, wanted=None):
        for start in range(0, len(self._data), self._piece):
            yield self._data[start : start + self._piece]


def rows_of(batches, table):
    rows = [row for batch in batches for row in batch.table(table).to_pylist()]
    return [{name: value for name, value in row.items() if name != "file_sha256"} for row in rows]


def read(data, piece=None):
    """Tables by name, and the rejected lines."""
    if piece is None:
        file = read_score_file(data, today=TODAY)
        batches = list(file.batches())
        assert file.records == len({*numbers(batches, "students"), *(number for number, _ in file.rejected)})
    else:
        reading = FilePass(detect_format(data[: 1 << 16], complete=len(data) <= 1 << 16), Assembler("0" * 64, TODAY))
        batches = list(reading.batches(Drip(data, piece)))
    found = {name: rows_of(batches, name) for name in (*TABLES, "problems")}
    return found | {"rejected": [line for batch in batches for line in batch.rejected]}


def numbers(batches, table):
    return [number for batch in batches for number in batch.table(table).column("record_number").to_pylist()]


def without_last_record(found):
    last = found["students"][-1]["record_number"]
    return {
        name: [row for row in rows if (row[0] if name == "rejected" else row["record_number"]) != last]
        for name, rows in found.items()
    }


def check_three_ways(data, tail, check):
    check(read(data))
    for piece in (1000, 1900, 7):
        check(read(data, piece))
    check(without_last_record(read((data if data.endswith(b"\n") else data + b"\n") + tail)))


def check_equal(found, expected):
    assert found == expected


def put(record, name, value):
    """*record* (bytes) with other bytes in a field."""
    start = LAYOUT_950.fields[name].start - 1
    return record[:start] + value + record[start + len(value) :]

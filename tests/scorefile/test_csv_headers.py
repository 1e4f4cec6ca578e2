"""Headers of CSV files: repeated, with a stray quote, with a line end in a name."""

import csv
import io

import pytest

from airflow_provider_apscores.scorefile import csv_header, read_score_file
from tests.scorefile.students import csv_file
from tests.scorefile.three_ways import ALL


def last_names(data):
    return read_score_file(data).students["last_name"].to_pylist()


NAMES = last_names(csv_file(ALL))


def test_joined_files_keep_each_its_own_header():
    """
    Under the first header, records of a file with another order of columns would be other students.
    """
    rows = list(csv.reader(io.StringIO(csv_file(ALL).decode())))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*rows, *(row[::-1] for row in rows), rows[0], rows[1]])
    assert last_names(out.getvalue().encode()) == [*NAMES, *NAMES, NAMES[0]]


@pytest.mark.parametrize("at", [4, 30, -1])
def test_a_stray_quote_in_the_header_does_not_make_records_a_part_of_it(at):
    names = csv_header().replace('"', "").split(",")
    names[at] = names[at][:1] + '"' + names[at][1:]
    _, *lines = csv_file(ALL).decode().splitlines(keepends=True)
    assert last_names("".join([",".join(names) + "\n", *lines]).encode()) == NAMES


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_a_name_in_the_header_may_have_a_line_end(line_end):
    data = csv_file(ALL).replace(b'"Last Name"', b'"Last' + line_end + b'Name"', 1)
    assert last_names(data) == NAMES

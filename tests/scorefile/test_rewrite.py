"""Score files written back as they stood, odd ones as well."""

import csv
import io

import pytest

from airflow_provider_apscores.scorefile import csv_header, read_score_file, write_score_file
from tests.scorefile.students import csv_file, student, txt
from tests.scorefile.three_ways import ALL


def written_back(data):
    file = io.BytesIO()
    count = write_score_file(read_score_file(data), file)
    return file.getvalue(), count


def test_joined_files_keep_each_its_own_header():
    """
    Under the first header, records of a file with another order of columns would be other students.
    """
    rows = list(csv.reader(io.StringIO(csv_file(ALL).decode())))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*rows, *(row[::-1] for row in rows), rows[0], rows[1]])
    data = out.getvalue().encode()
    assert written_back(data) == (data, 7)


@pytest.mark.parametrize("at", [4, 30, -1])
def test_a_stray_quote_in_the_header_does_not_make_records_a_part_of_it(at):
    names = csv_header().replace('"', "").split(",")
    names[at] = names[at][:1] + '"' + names[at][1:]
    _, *lines = csv_file(ALL).decode().splitlines(keepends=True)
    data = "".join([",".join(names) + "\n", *lines]).encode()
    assert written_back(data) == (data, 3)


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_a_name_in_the_header_may_have_a_line_end(line_end):
    data = csv_file(ALL).replace(b'"Last Name"', b'"Last' + line_end + b'Name"', 1)
    assert read_score_file(data).students["last_name"].to_pylist()[0] == "RIVERA"
    assert written_back(data) == (data, 3)


@pytest.mark.parametrize("make", [txt, csv_file])
@pytest.mark.parametrize("behind", [b" ", b"\t", b"\n\n  "])
def test_blanks_behind_the_last_line_end_are_no_record_without_one(make, behind):
    data = make([student(1), student(2)])
    assert written_back(data + behind) == (data, 2)

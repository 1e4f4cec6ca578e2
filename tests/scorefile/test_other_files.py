"""Files that people have beside College Board's own: with titles, with apostrophes, of other reports, encrypted."""

import io

import pytest

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed
from airflow_provider_apscores.scorefile import Inspection, Inspector, read_score_file
from tests.scorefile.students import csv_file, student, txt
from tests.scorefile.three_ways import read

SOME = [student(number) for number in range(1, 4)]
TITLES = {
    "a title": "AP Score Reports\n",
    "a title and a blank line": "AP Score Reports\n\n",
    "a title with empty cells": "AP Score Reports" + "," * 243 + "\n",
    "a title with a comma": "AP Score Reports, Fall 2025, Invented College\n",
    "quoted titles": '"AP Score Reports"\n"Made on","July 9"\n\n',
    "a blank line and a title": "\nAP Score Reports\n",
    "letters": "École inventée\n",
    "a byte order mark": "\ufeffAP Score Reports\n",
}


@pytest.mark.parametrize("piece", [None, 7, 1000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_titles_above_the_header_are_left_out(title, line_end, piece):
    expected = read(csv_file(SOME))

    assert read(title.replace("\n", line_end).encode() + csv_file(SOME, line_end=line_end), piece) == expected


def test_the_download_accepts_titles():
    data = b"AP Score Reports\n" + csv_file(SOME)
    inspector = Inspector("CSV", "4866")
    inspector.feed(data)

    assert inspector.finish() == Inspection(3, "csv", len(data))


def test_a_separator_line_may_stand_above_a_title():
    assert read(b"sep=;\nAP Score Reports\n" + csv_file(SOME, ";")) == read(csv_file(SOME))


def test_a_students_row_above_the_header_is_no_title():
    header, first, *rest = csv_file(SOME).splitlines(keepends=True)

    with pytest.raises(ScoreFileMalformed, match="its first line is no CSV header"):
        read_score_file(first + header + b"".join(rest))


def test_a_short_line_above_txt_records_is_no_title():
    found = read(b"SHORT\n" + txt(SOME))

    assert found["rejected"] == [(1, b"SHORT")]
    assert len(found["students"]) == 3


MARKED = {
    "ap_id": "'AP000001",
    "zip_code": "'2139",
    "gender": "'F",
    "birth_date": "'051407",
    "college_code": "'004866",
    "exam_code_01": "'66",
    "exam_code_02": "'7",
    "exam_grade_01": "'5",
    "admin_year_01": "'25",
    "irregularity_1_01": "'",
    "report_date": "'7/7/25",
    "released_date": "'70125",
    "race_ethnicity_response": "'NNNNYNNNNYN",
    "high_school_code": "'123",
    "state": "'MA",
    "grade_level": "'7",
    "award_type_1": "'1",
}


@pytest.mark.parametrize("name", MARKED)
def test_an_apostrophe_before_a_value_is_taken_away(name):
    plain = student(1, **{"zip_code": "02139"} if name == "zip_code" else {})

    assert read(csv_file([plain | {name: MARKED[name]}, SOME[1]])) == read(csv_file([plain, SOME[1]]))


def test_apostrophes_before_all_codes_of_a_row():
    plain = student(1, zip_code="02139")

    assert read(csv_file([plain | MARKED, SOME[1]])) == read(csv_file([plain, SOME[1]]))


def test_names_may_begin_with_an_apostrophe():
    names = {"last_name": "'T HOOFT", "street_1": "'S WEG 4", "high_school_name": "'=SUM(1)"}
    found = read(csv_file([student(1, **names)]))["students"][0]

    assert {name: found[name] for name in names} == names | {"high_school_name": "=SUM(1)"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("Student ID,Last Name,First Name,SAT Total Score,EBRW\n1,RIVERA,ALEX,1400,700\n", "an export of SAT scores"),
        ("cohort_year,name_last,LATEST_SAT_TOTAL\n2026,RIVERA,1400\n", "an export of SAT scores"),
        ("Last Name,First Name,Date of Birth,PSAT 10 Total\nRIVERA,ALEX,051407,1100\n", "an export of PSAT scores"),
        ("LATEST_PSATNM_TOTAL,NAME\n1100,RIVERA\n", "an export of PSAT scores"),
        ("PSAT/NMSQT Scores\n\nName,Total\nRIVERA,1100\n", "an export of PSAT scores"),
        ("AP Score Roster\nAP ID,Last Name,First Name,Exam,Score\nA1,RIVERA,ALEX,Biology,5\n", "a score roster"),
        ("AP ID,Last Name,First Name,Exam,Score\nA1,RIVERA,ALEX,Biology,5\n", "a score roster"),
    ],
)
def test_exports_of_other_reports_are_named(data, says):
    for inspect in (lambda: read_score_file(data.encode()).students, lambda: inspected(data.encode())):
        with pytest.raises(ScoreFileMalformed, match=f"{says}.*Order the AP score reports as TXT or CSV") as raised:
            inspect()
        assert "RIVERA" not in str(raised.value)


def inspected(data):
    inspector = Inspector("CSV")
    inspector.feed(data)
    return inspector.finish()


ENCRYPTED = {
    "text": b"-----BEGIN PGP MESSAGE-----\n\nhQEMA",
    "public key, one byte of length": bytes([0x84, 94, 3]) + bytes(range(200)),
    "public key, two bytes of length": bytes([0x85, 1, 12, 3]) + bytes(range(200)),
    "public key of version 6": bytes([0xC1, 0x40, 6]) + bytes(range(200)),
    "public key, new length": bytes([0xC1, 0xC0, 0x4C, 3]) + bytes(range(200)),
    "password": bytes([0x8C, 13, 4, 9, 3, 8]) + bytes(range(200)),
    "password, new": bytes([0xC3, 13, 4, 9, 3, 8]) + bytes(range(200)),
    "with a line end in its length": bytes([0x84, 10, 3]) + bytes(range(200)),
    "OpenSSL": b"Salted__" + bytes(range(200)),
}


@pytest.mark.parametrize("data", ENCRYPTED.values(), ids=ENCRYPTED)
def test_encrypted_files_are_named(data):
    with pytest.raises(ScoreFileMalformed, match=r"it is encrypted.*Order the AP score reports"):
        read_score_file(data)


def test_a_buffer_at_its_end_is_named(tmp_path):
    buffer = io.BytesIO()
    buffer.write(txt(SOME))
    with open(tmp_path / "scores.txt", "w+b") as file:
        file.write(txt(SOME))
        for each in (buffer, file):
            with pytest.raises(ConfigurationError, match=r"at its end.*seek\(0\)"):
                read_score_file(each)
            each.seek(0)
            assert read_score_file(each).students.num_rows == 3
    with pytest.raises(ScoreFileMalformed, match="empty"):
        read_score_file(io.BytesIO())

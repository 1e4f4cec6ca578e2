"""Finding a student among many, and the report for print."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.scores import find_students, student_histories, student_report
from airflow_provider_apscores.scores.student_report import NOTICE, STATUS_WORDS, exam_names
from tests.scores.histories import record


def write(folder, name, *records, at=1_000_000):
    """Write a score file that landed at a moment."""
    path = folder / name
    path.write_bytes(b"".join(encode_record(each) + b"\n" for each in records))
    os.utime(path, (at, at))
    return path


def student(ap_id, last_name, first_name, exams=(), report_date="070126", college="004866", **fields):
    names = {"last_name": last_name, "first_name": first_name, "college_name": "SALTMARSH UNIVERSITY"}
    return record(ap_id, college, exams, report_date, **fields) | names


class Page(HTMLParser):
    """The texts of a page's cells, one list a table row, and its other texts."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.texts, self._in_cell, self.tags = [], [], False, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data
        else:
            self.texts.append(data)


@pytest.fixture
def school(tmp_path):
    return write(
        tmp_path, "scores.txt",
        student("A1", "OBRIEN-GARCIA", "MARIA JOSE", [("26", "66", "4", ""), ("26", "07", "5", "")]),
        student("A2", "GARCIA", "ANNA", [("26", "66", "3", "")]),
        student("A3", "FEATHERSTONEHAU", "BARTHOLOMEWA", [("26", "66", "3", "")]),
        student("A4", "SMITH", "GARCIA"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "ap_ids"),
    [
        ("garcia", ["A2", "A1", "A4"]),
        ("García, María", ["A1"]),
        ("maria garcia", ["A1"]),
        ("o'brien", ["A1"]),
        ("gar an", ["A2"]),
        ("Featherstonehaugh", ["A3"]),
        ("bartholomewarina featherstonehaugh", ["A3"]),
        ("arcia", []),
        ("garcia smith jones", []),
    ],
)
def test_a_student_is_found_by_the_beginnings_of_names(school, name, ap_ids):
    assert [each.ap_id for each in find_students([school], name)] == ap_ids


def test_the_latest_record_of_each_campus_is_shown(tmp_path):
    old = write(tmp_path, "old.txt", student("A1", "GARCIA", "MARIA", [("26", "66", "4", "")], "070126"))
    new = write(
        tmp_path, "new.txt",
        student("A1", "GARCIA-LOPEZ", "MARIA", [("26", "66", "4", ""), ("25", "07", "5", "")], "071526"),
        student("A1", "GARCIA", "MARIA", [], "070526", college="000417"),
    )  # fmt: skip

    found = find_students([new, old], "garcia")

    assert [(each.name, each.di_code, str(each.report_date), each.exams) for each in found] == [
        ("GARCIA, MARIA", "0417", "2026-07-05", 0),
        ("GARCIA-LOPEZ, MARIA", "4866", "2026-07-15", 2),
    ]


def test_a_name_without_letters_and_a_place_without_files_are_refused(school, tmp_path):
    with pytest.raises(ConfigurationError, match="at least one letter"):
        find_students([school], "'-")
    with pytest.raises(ConfigurationError, match="neither a score file nor a folder"):
        find_students([tmp_path / "nowhere"], "garcia")


def test_what_is_found_shows_nothing_in_a_log(school):
    (found,) = find_students([school], "anna")
    (history,) = student_histories([school], ["A2"])

    assert repr(found) == "FoundStudent()"
    assert repr(history) == "StudentHistory()"


def test_a_page_has_the_history_in_words(tmp_path):
    first = write(
        tmp_path, "first.txt",
        student("A1", "O'NEILL", "<MARIA>", [("26", "66", "", "02"), ("19", "93", "4", ""), ("26", "82", "3", "")],
                awards=[("01", "26")]),
    )  # fmt: skip
    second = write(
        tmp_path, "second.txt",
        student("A1", "O'NEILL", "<MARIA>", [("26", "66", "5", ""), ("19", "93", "4", "")], "071526"),
        at=2_000_000,
    )  # fmt: skip

    page = Page(student_report([second, first], ["A1"]))

    assert page.texts.count(NOTICE) == 1
    assert "O'NEILL, <MARIA>" in page.texts
    world = "World History (since 2020: World History: Modern)"
    assert page.rows == [
        ["Year", "Exam", "Score", "Status, and what earlier reports said", "Last report"],
        ["2026", "Calculus AB", "5",
         "reported2026-07-01: delayed; a score may follow (score to follow)", "2026-07-15"],
        ["2026", "Physics C: Electricity and Magnetism", "3",
         "no longer in the latest report; before that reported", "2026-07-01"],
        ["2019", world, "4", "reported", "2026-07-15"],
        ["Year", "Award"],
        ["2026", "AP Scholar"],
    ]  # fmt: skip


def test_every_change_of_a_score_is_named_the_latest_first(tmp_path):
    said = [("", "02"), ("3", ""), ("3", ""), ("4", ""), ("", "94")]
    files = [
        write(tmp_path, f"{day}.txt", student("A1", "GARCIA", "ANNA", [("26", "66", *each)], f"07{day:02}26"))
        for day, each in enumerate(said, 1)
    ]

    page = Page(student_report(files, ["A1"]))

    assert page.rows[1][3] == (
        "canceled (at the student's request)2026-07-04: score 4, reported2026-07-03: score 3, reported"
        "2026-07-01: delayed; a score may follow (score to follow)"
    )


def test_each_student_has_a_page_in_the_order_asked_for(school):
    html = student_report([school], ["A2", "A1", "A2"])

    assert Page(html).tags.count("article") == 2
    assert html.index("GARCIA, ANNA") < html.index("OBRIEN-GARCIA, MARIA")
    assert "SMITH" not in html
    assert re.search(r"article \{[^}]*break-after: page", html)
    assert "@page" in html


def test_a_crosswalk_brings_the_scores_of_an_earlier_ap_id(tmp_path):
    school = write(
        tmp_path, "scores.txt",
        student("A1", "GARCIA", "MARIA", [("25", "66", "4", "")]),
        student("B1", "GARCIA", "MARIA", [("26", "68", "5", "")]),
    )  # fmt: skip

    page = Page(student_report([school], ["B1"], crosswalk={"A1": "P", "B1": "P"}))

    assert [row[1] for row in page.rows if row[0].isdigit()] == ["Calculus BC", "Calculus AB"]
    assert "A1, B1" in page.texts


def test_reports_without_a_campus_or_a_year_are_on_the_page(tmp_path):
    reports = write(
        tmp_path, "scores.txt",
        student("A1", "GARCIA", "ANNA", [("26", "66", "4", ""), ("", "07", "5", "")]),
        student("A1", "GARCIA", "ANNA", [("25", "20", "3", "")], college=""),
        student("B1", "SMITH", "JANE", [("25", "20", "3", "")], college=""),
    )  # fmt: skip

    page = Page(student_report([reports], ["A1", "B1"]))

    assert "Exam scores sent to SALTMARSH UNIVERSITY (no code)" in page.texts
    assert [row[:3] for row in page.rows if row[0] != "Year"] == [
        ["2026", "Calculus AB", "4"], ["", "United States History", "5"],
        ["2025", "Biology", "3"],
        ["2025", "Biology", "3"],
    ]  # fmt: skip


def test_an_unknown_ap_id_is_an_error_that_does_not_show_it(school):
    with pytest.raises(ConfigurationError, match=r"^No score file has AP ID number 2 of those"):
        student_report([school], ["A1", "SECRET"])


def test_renamed_exams_have_both_names():
    assert exam_names("93", 2019, "World History") == "World History (since 2020: World History: Modern)"
    assert exam_names("93", 2020, "World History: Modern") == "World History: Modern (up to 2019: World History)"
    assert exam_names("66", 2020, "Calculus AB") == "Calculus AB"
    assert exam_names("01", 2020, None) == "Exam 01"


def test_every_status_has_words():
    from airflow_provider_apscores.scorefile import STATUSES

    assert set(STATUS_WORDS) == set(STATUSES)

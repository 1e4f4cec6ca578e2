"""What changes from report to report, in downloaded files that are read by position."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.sandbox.reports import ReportStream
from tests.sandbox.conftest import Client
from tests.sandbox.truth import CurrentScore, current_scores

LAYOUT = Path(__file__).parents[1] / "scorefile" / "data" / "layout_txt_950.csv"
COLUMNS = {
    row["field"]: slice(int(row["start"]) - 1, int(row["end"])) for row in csv.DictReader(LAYOUT.open(encoding="ascii"))
}
#: Parent exams and their subscores: Calculus BC, Music Theory.
SUBSCORES = {"68": {"69"}, "75": {"76", "77"}}
#: Codes of delayed scores that the sandbox uses.
DELAYED = {"03", "05", "12", "80", "88", "96"}

DAYS = (date(2026, 7, 8), date(2026, 7, 9), date(2026, 7, 20), date(2026, 8, 3))


class Exam(NamedTuple):
    year: str
    code: str
    score: str
    irregularity: str


class Report(NamedTuple):
    """One record of a file, by position."""

    file: int
    ap_id: str
    person: tuple[str, ...]
    day: str
    exams: dict[tuple[str, str], Exam]


def read(file: int, content: bytes) -> Iterator[Report]:
    for line in content.decode("ascii").splitlines():
        value = {name: line[columns].strip() for name, columns in COLUMNS.items()}
        slots = ("admin_year", "exam_code", "exam_grade", "irregularity_1")
        exams = [Exam(*(value[f"{name}_{slot:02d}"] for name in slots)) for slot in range(1, 31)]
        yield Report(
            file,
            value["ap_id"],
            (value["last_name"], value["first_name"], value["birth_date"], value["high_school_code"]),
            value["report_date"],
            {(exam.year, exam.code): exam for exam in exams if exam.code},
        )


def download_days(folder: Path) -> Iterator[bytes]:
    """The new files of some days, four on each; the first day also has the reports of the spring before."""
    campuses = [Campus("0901", "Saltmarsh University", earlier=200)]
    for day in DAYS:
        with Sandbox(campuses=campuses, state=folder / "state.json", today=day) as sandbox:
            client = Client(sandbox.base_url)
            client.log_in()
            for _ in range(4):
                sandbox.add_reports("0901", 40)
                download_id, file = client.fetch("0901")
                client.record(download_id)
                yield file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return list(download_days(tmp_path_factory.mktemp("sandbox")))


@pytest.fixture(scope="module")
def students(files: list[bytes]) -> dict[tuple[str, ...], list[Report]]:
    """The reports of each student with more than one, in order."""
    reports = defaultdict(list)
    for number, content in enumerate(files):
        for report in read(number, content):
            reports[report.person].append(report)
    return {person: kept for person, kept in reports.items() if len(kept) > 1}


@pytest.fixture(scope="module")
def pairs(students) -> list[tuple[Report, Report]]:
    """Each report with the student's next one."""
    return [pair for reports in students.values() for pair in pairwise(reports)]


def test_the_same_days_give_the_same_files(files: list[bytes], tmp_path: Path):
    assert list(download_days(tmp_path)) == files


def test_a_delayed_score_arrives(pairs):
    arrived = [
        (exam, after.exams[key]) for before, after in pairs for key, exam in before.exams.items()
        if exam.irregularity in DELAYED
    ]  # fmt: skip
    assert len(arrived) > 10
    assert {before.score for before, _ in arrived} == {""}
    assert not {after.irregularity for _, after in arrived} & DELAYED


def test_a_score_is_canceled(pairs):
    """
    Its row stays, with code 94 and without a score.
    """
    canceled = [
        after.exams[key] for before, after in pairs for key, exam in before.exams.items()
        if exam.score and key in after.exams and not after.exams[key].score
    ]  # fmt: skip
    assert len(canceled) > 3
    assert {exam.irregularity for exam in canceled} == {"94"}


def test_an_exam_leaves_the_reports_with_its_subscores(students):
    gone = 0
    for first, *others in students.values():
        for report in others:
            missing = first.exams.keys() - report.exams.keys()
            gone += bool(missing)
            assert report.exams
            for year, code in missing:
                assert not {part for part in SUBSCORES.get(code, ()) if (year, part) in report.exams}
    assert gone > 3


def test_the_only_exam_is_never_removed():
    """
    In spring some students have one exam: those of this year are not scored yet.
    """
    stream = ReportStream(5, "0901", "Saltmarsh University", 2026)
    reports = [stream.report(number, date(2026, 4, 20)) for number in range(1, 1000)]
    assert [report for report in reports if "exam_code_02" not in report and "exam_code_03" not in report]
    assert [report for report in reports if "exam_code_01" not in report] == []


def test_a_removed_exam_stays_away(students):
    for reports in students.values():
        for before, after, later in zip(reports, reports[1:], reports[2:], strict=False):
            assert not (before.exams.keys() - after.exams.keys()) & later.exams.keys()


def test_nothing_else_changes_in_a_score(pairs):
    for before, after in pairs:
        for key, exam in before.exams.items():
            if exam.irregularity not in DELAYED and key in after.exams:
                assert after.exams[key] == exam or after.exams[key].irregularity == "94"


def test_an_ap_id_changes_between_reporting_years_only(students):
    changed = 0
    for reports in students.values():
        before = {report.ap_id for report in reports if report.day < "070126"}
        after = {report.ap_id for report in reports if report.day >= "070126"}
        assert len(before) <= 1
        assert len(after) <= 1
        changed += bool(before and after and before != after)
    assert changed > 3


def test_no_two_students_have_one_ap_id(files):
    owners = defaultdict(set)
    for content in files:
        for report in read(0, content):
            owners[report.ap_id].add(report.person)
    assert {len(people) for people in owners.values()} == {1}


def test_a_student_has_reports_in_two_files_of_one_day(pairs):
    same_day = [pair for pair in pairs if pair[0].day == pair[1].day and pair[0].file != pair[1].file]
    assert len(same_day) > 3
    assert [pair for pair in same_day if pair[0].exams != pair[1].exams]


def test_the_default_campuses_show_each_change_of_a_score(make_client):
    """
    The demo and a first trial show what real files have.
    """
    delayed = canceled = removed = 0
    with Sandbox() as sandbox:
        client = make_client(sandbox)
        for di_code in ("0901", "9120", "9245"):
            first: dict[tuple[str, ...], Report] = {}
            for after in read(0, client.fetch(di_code)[1]):
                for key, exam in first.setdefault(after.person, after).exams.items():
                    removed += key not in after.exams
                    if key in after.exams and after.exams[key] != exam:
                        delayed += exam.score == ""
                        canceled += exam.score != ""
    assert delayed
    assert canceled
    assert removed


def test_there_were_no_subscores_in_2020(make_client):
    """
    This seed has both parent exams in 2020.
    """
    parts = {part for codes in SUBSCORES.values() for part in codes}
    seen = defaultdict(set)
    with Sandbox(seed=14, campuses=[Campus("0901", "Saltmarsh University", 300)]) as sandbox:
        for report in read(0, make_client(sandbox).fetch("0901")[1]):
            for year, code in report.exams:
                seen[year].add(code)
    assert seen["20"] >= SUBSCORES.keys()
    assert not seen.pop("20") & parts
    assert set().union(*seen.values()) >= parts


def report(day: str, *exams: tuple[str, str]) -> dict[str, str]:
    values = dict.fromkeys(("college_code", "last_name", "first_name", "birth_date", "high_school_code"), "X")
    values |= {"ap_id": day, "report_date": day}
    for slot, (code, score) in enumerate(exams, 1):
        values |= {f"admin_year_{slot:02d}": "26", f"exam_code_{slot:02d}": code, f"exam_grade_{slot:02d}": score}
    return values


def test_the_truth_for_tests_is_true():
    """
    The latest report counts, and what no report of the latest day has is gone.
    """
    days = [report("070126", ("07", "1"), ("66", "")), report("070226", ("66", "4")), report("070226", ("80", "5"))]
    states = [{key[2]: score for key, score in current_scores(days[:end]).items()} for end in (1, 2, 3)]
    assert states[0] == {"07": CurrentScore("1", "", False), "66": CurrentScore("", "", False)}
    assert states[1] == {"07": CurrentScore("1", "", True), "66": CurrentScore("4", "", False)}
    assert states[2] == states[1] | {"80": CurrentScore("5", "", False)}

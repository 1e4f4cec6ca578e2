"""The invented students: reproducible, plausible, never real."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from datetime import date

import pytest

from airflow_provider_apscores.sandbox.archive import reports_in, write_file
from airflow_provider_apscores.sandbox.reports import ReportStream, reporting_year
from airflow_provider_apscores.scorefile import AWARDS, EXAMS, IRREGULARITIES, exam_for
from tests.scorefile.raw_records import decode_record

DAY = date(2026, 7, 20)


def stream(seed: int = 5, di_code: str = "0901", name: str = "Saltmarsh University") -> ReportStream:
    return ReportStream(seed, di_code, name, 2026)


@pytest.fixture(scope="module")
def reports() -> list[dict[str, str]]:
    made = stream()
    return [made.report(number, DAY) for number in range(1, 2001)]


def exams(report: dict[str, str]) -> list[dict[str, str]]:
    """The filled exam slots of a report."""
    names = ("admin_year", "exam_code", "exam_grade", "irregularity_1", "irregularity_2")
    slots = ({name: report.get(f"{name}_{slot:02d}", "") for name in names} for slot in range(1, 31))
    return [slot for slot in slots if slot["exam_code"]]


def year(text: str) -> int:
    return 2000 + int(text)


def test_the_same_seed_gives_the_same_bytes_everywhere():
    """
    Pinned: the result must not change with the machine, the version of Python or of this package.
    """
    made, file = stream(), io.BytesIO()
    write_file(file, "TXT", (made.report(number, DAY) for number in range(1, 201)))
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    assert digest == "1376b27e03640079de5924bdea3ab22088a226ad6052d5415b4553b26af20949"


def test_a_report_does_not_depend_on_earlier_calls():
    forwards, backwards = stream(), stream()
    first = [forwards.report(number, DAY) for number in range(1, 101)]
    second = [backwards.report(number, DAY) for number in range(100, 0, -1)]
    assert first == second[::-1]


def test_another_seed_or_campus_has_other_students():
    def names(seed: int, code: str) -> frozenset[str]:
        return frozenset(stream(seed, code).report(number, DAY)["last_name"] for number in range(1, 60))

    assert len({names(5, "0901"), names(6, "0901"), names(5, "9120")}) == 3
    ap_ids = [{stream(5, code).report(n, DAY)["ap_id"] for n in range(1, 200)} for code in ("0901", "9120")]
    assert not ap_ids[0] & ap_ids[1]


def test_every_value_survives_a_round_trip(reports):
    file = io.BytesIO()
    write_file(file, "TXT", reports)
    lines = file.getvalue().splitlines()
    for line, report in zip(lines, reports, strict=True):
        assert decode_record(line) == {name: value for name, value in report.items() if value}
    assert [int(report[5:]) for report in reports_in(file.getvalue())] == list(range(1, 2001))


def test_every_exam_was_offered_in_its_year(reports):
    for report in reports:
        for exam in exams(report):
            assert exam_for(exam["exam_code"], year(exam["admin_year"])) is not None, exam


def test_every_case_for_a_reader_occurs(reports):
    seen = [exam for report in reports for exam in exams(report)]
    titles = {exam_for(exam["exam_code"], year(exam["admin_year"])).title for exam in seen}
    assert {"World History", "World History: Modern", "Drawing", "Studio Art: Drawing", "Precalculus"} <= titles
    assert {exam["exam_code"] for exam in seen} >= {"07", "10", "69", "76", "77"}
    effects = {code.code: code.effect for code in IRREGULARITIES}
    found = {effects[exam[name]] for exam in seen for name in ("irregularity_1", "irregularity_2") if exam[name]}
    assert found == {"delayed", "projected", "noted", "canceled", "withheld", "unavailable"}
    assert any(exam["irregularity_2"] for exam in seen)
    assert any(len({report[f"award_year_{n}"] for n in (1, 2)}) == 1 for report in reports if "award_type_2" in report)
    assert {report["gender"] for report in reports} == set("FMUA")
    assert any("'" in report["last_name"] for report in reports)
    assert any("-" in report["last_name"] for report in reports)
    assert any(report["zip_code"].startswith("0") for report in reports if "zip_code" in report)
    assert any("country_code" in report for report in reports)
    assert {len(report.get("race_ethnicity_response", "")) for report in reports} == {0, 11}


def test_a_score_fits_its_irregularity(reports):
    effects = {code.code: code.effect for code in IRREGULARITIES}
    for report in reports:
        for exam in exams(report):
            found = {effects[exam[name]] for name in ("irregularity_1", "irregularity_2") if exam[name]}
            if found & {"delayed", "canceled", "withheld", "unavailable"}:
                assert exam["exam_grade"] == ""
            else:
                assert exam["exam_grade"] in set("12345")


def test_subscores_are_with_their_exam(reports):
    parents = {exam.code: exam.subscore_of for exam in EXAMS if exam.subscore_of}
    for report in reports:
        sat = {(exam["admin_year"], exam["exam_code"]) for exam in exams(report)}
        for admin_year, code in sat:
            if code in parents:
                assert (admin_year, parents[code]) in sat


def test_exams_are_most_recent_first_with_some_gaps(reports):
    gaps = 0
    for report in reports:
        years = [exam["admin_year"] for exam in exams(report)]
        assert years == sorted(years, reverse=True)
        filled = [slot for slot in range(1, 31) if report.get(f"exam_code_{slot:02d}")]
        gaps += filled != list(range(1, len(filled) + 1))
    assert 0 < gaps < 200


def test_awards_are_known_and_most_recent_first(reports):
    known = set(AWARDS)
    for report in reports:
        years = [report[f"award_year_{slot}"] for slot in range(1, 7) if f"award_year_{slot}" in report]
        assert years == sorted(years, reverse=True)
        assert {report[f"award_type_{slot}"] for slot in range(1, len(years) + 1)} <= known


def test_a_later_report_contains_the_entire_history(reports):
    """
    Reported scores stay, delayed scores arrive, and only a cancellation removes a score, in some reports with its row.
    """
    editions = defaultdict(list)
    for report in reports:
        editions[report["ap_id"]].append(report)
    later = [kept for kept in editions.values() if len(kept) > 1]
    arrived = canceled = removed = 0
    for first, *others in later:
        before = {(exam["admin_year"], exam["exam_code"]): exam for exam in exams(first)}
        for report in others:
            after = {(exam["admin_year"], exam["exam_code"]): exam for exam in exams(report)}
            removed += not before.keys() <= after.keys()
            for key, exam in before.items():
                if key not in after:
                    continue
                arrived += exam["exam_grade"] == "" and after[key]["exam_grade"] != ""
                canceled += exam["exam_grade"] != "" and after[key]["exam_grade"] == ""
            names = ("last_name", "first_name", "birth_date", "high_school_code")
            assert [report[name] for name in names] == [first[name] for name in names]
    assert len(later) > 100
    assert arrived > 50
    assert 0 < canceled < arrived
    assert 0 < removed < arrived


def test_subscores_are_canceled_with_their_exam(reports):
    families = ({"68", "69"}, {"75", "76", "77"})
    first: dict[str, dict[str, str]] = {}
    found = 0
    for report in reports:
        scores = {exam["exam_code"]: exam["exam_grade"] for exam in exams(report)}
        before = first.setdefault(report["ap_id"], scores)
        canceled = {code for code, score in scores.items() if before[code] and not score}
        for family in families:
            found += bool(canceled & family)
            assert not canceled & family or canceled >= family & {code for code, score in before.items() if score}
    assert found


def test_a_report_contains_no_later_exams():
    spring = date(2026, 4, 20)
    made = stream()
    for number in range(1, 300):
        early, late = exams(made.report(number, spring)), exams(made.report(number, DAY))
        assert early
        assert {exam["admin_year"] for exam in early} <= {f"{n:02d}" for n in range(26)}
        assert len(early) <= len(late)


def test_the_college_is_the_same_in_every_record(reports):
    blocks = {tuple(value for name, value in report.items() if name.startswith("college_")) for report in reports}
    assert len(blocks) == 1
    assert reports[0]["college_code"] == "000901"
    assert reports[0]["college_name"] == "Saltmarsh University"


def test_dates_are_consistent(reports):
    for report in reports:
        assert report["report_date"] == "072026"
        assert report["released_date"] == "071926"
        assert len(report["student_update_date"]) == len(report["birth_date"]) == 6


def test_students_are_recognizably_invented(reports):
    assert {report["ap_id"][:2] for report in reports} == {"FK"}
    assert {len(report["ap_id"]) for report in reports} == {8}
    assert len({report["last_name"] for report in reports}) > 300


def test_an_ap_id_identifies_a_student(reports):
    people = defaultdict(set)
    for report in reports:
        people[report["ap_id"]].add((report["last_name"], report["first_name"], report["birth_date"]))
    assert Counter(map(len, people.values())).keys() == {1}


def test_the_reporting_year_begins_in_july():
    assert reporting_year(date(2026, 6, 30)) == date(2025, 7, 1)
    assert reporting_year(date(2026, 7, 1)) == date(2026, 7, 1)


def test_reports_in_refuses_other_files():
    for content in (b"", b"<html></html>", b"x" * 949, b"x" * 950 + b"\n" + b"x" * 100):
        with pytest.raises(ValueError, match="not a complete score file"):
            reports_in(content)

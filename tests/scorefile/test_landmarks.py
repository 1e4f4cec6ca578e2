"""Records whose characters may stand in other columns: a score that is none must never be read."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_apscores.scorefile import LAYOUT_950, LAYOUTS, encode_record
from airflow_provider_apscores.scorefile.reading.irregular_lines import read_odd_line
from airflow_provider_apscores.scorefile.reading.landmarks import have_moved, moved_rows
from airflow_provider_apscores.scorefile.reading.txt import Lines
from tests.scorefile.strategies import raw_records
from tests.scorefile.students import student, txt
from tests.scorefile.three_ways import ALL, LINES, ONE, TABLES, TWO, check_three_ways, put, read


def test_what_a_cut_record_still_holds_is_read():
    sound = read(txt(ALL))
    cut_in_second_exam = read(b"\n".join([LINES[0], LINES[1][:552], LINES[2]]))
    of_two = [row for row in cut_in_second_exam["exam_scores"] if row["record_number"] == 2]
    assert [(row["position"], row["score"]) for row in of_two] == [(1, 5)]
    # Without its irregularities nobody knows whether a score was canceled.
    for end, kept in ((554, [(1, 5)]), (557, [(1, 5)]), (558, [(1, 5), (2, 3)])):
        cut_behind_second_score = read(b"\n".join([LINES[0], LINES[1][:end], LINES[2]]))
        of_two = [row for row in cut_behind_second_score["exam_scores"] if row["record_number"] == 2]
        assert [(row["position"], row["score"]) for row in of_two] == kept
    assert cut_in_second_exam["students"][1]["birth_date"] == sound["students"][1]["birth_date"]
    assert cut_in_second_exam["students"][1]["report_date"] is None


UNTRUSTED = {
    "a character lost": LINES[1][:100] + LINES[1][101:],
    "a blank lost among the exams": LINES[1][:600] + LINES[1][601:],
    "a blank gained": LINES[1][:300] + b" " + LINES[1][300:],
    "a digit gained": LINES[1][:540] + b"1" + LINES[1][540:],
    "cut before the college code": LINES[1][:370],
    "two records joined out of step": LINES[1][5:] + LINES[1],
    "no record": b"The following students could not be matched:",
}


@pytest.mark.parametrize("defect", UNTRUSTED)
def test_no_score_is_read_from_a_column_that_may_be_wrong(defect):
    line = UNTRUSTED[defect]
    sound = read(txt(ALL))

    def check(found):
        for table in TABLES:
            assert found[table] == [row for row in sound[table] if row["record_number"] != 2]
        assert [(row["kind"], row["record_number"]) for row in found["problems"]] == [("wrong_length", 2)]
        assert found["problems"][0]["detail"] == f"{len(line)} characters, not 950"
        assert found["rejected"] == [(2, line)]

    check_three_ways(b"\n".join([LINES[0], line, LINES[2]]) + b"\n", LINES[0], check)


@pytest.mark.parametrize("padding", [b"", b"   "])
def test_a_last_record_that_is_cut_is_not_taken_for_trimmed(padding):
    found = read((padding + b"\n").join([LINES[0], LINES[1], LINES[2][:890]]))
    assert [(row["record_number"], row["kind"]) for row in found["problems"]] == [(3, "wrong_length")]
    assert [number for number, _ in found["rejected"]] == [3]
    assert len(found["students"]) == 3


NO_ANSWERS = {"race_ethnicity_response": "", "race_ethnicity_derived": ""}
NO_ANSWERS_LINE = encode_record(student(2, **NO_ANSWERS))

MOVED = {
    "a character lost in a name, a blank added at the end": LINES[1][:10] + LINES[1][11:] + b" ",
    "an exam's score lost": LINES[1][:542] + LINES[1][543:] + b" ",
    "a date's width lost among the exams": LINES[1][:600] + LINES[1][606:] + b" " * 6,
    "a character gained in an address, the last one cut": LINES[1][:50] + b"A" + LINES[1][50:-1],
    "two exams gained": LINES[1][:538] + b"2566".ljust(11) * 2 + LINES[1][538:-22],
    "no answers to tell by": NO_ANSWERS_LINE[:540] + NO_ANSWERS_LINE[541:] + b" ",
    "a date's width lost, no answers": NO_ANSWERS_LINE[:300] + NO_ANSWERS_LINE[306:] + b" " * 6,
    "a date's width gained, no answers": NO_ANSWERS_LINE[:450] + b"XXXXXX" + NO_ANSWERS_LINE[450:-6],
    "two dates' width lost, no answers": NO_ANSWERS_LINE[:450] + NO_ANSWERS_LINE[462:] + b" " * 12,
    "a date mixed out of two, no answers": NO_ANSWERS_LINE[:450] + b"XXXX" + NO_ANSWERS_LINE[450:-4],
    "exams moved, and what is behind them moved back": LINES[1][:440] + b"XX" + LINES[1][440:600] + LINES[1][602:],
    "one exam moved, its dates too": (
        line := encode_record(
            {"ap_id": "AP000009", "college_code": "004866"}
            | {"admin_year_01": "26", "exam_code_01": "58", "exam_grade_01": "3", "report_date": "070926"}
        )
    )[:300]
    + line[306:]
    + b" " * 6,
    "moved back among the exams": LINES[1][:530] + b"XX" + LINES[1][530:560] + LINES[1][562:],
}


@pytest.mark.parametrize("odd_neighbour", [False, True])
@pytest.mark.parametrize("defect", MOVED)
def test_a_record_of_the_right_length_may_have_moved_all_the_same(defect, odd_neighbour):
    line = MOVED[defect]
    assert len(line) == 950
    first = LINES[0].rstrip() if odd_neighbour else LINES[0]

    def check(found):
        assert [row["record_number"] for row in found["students"]] == [1, 3]
        assert {row["record_number"] for row in found["exam_scores"]} == {1, 3}
        assert [(row["kind"], row["record_number"], row["field"]) for row in found["problems"]] == [("moved", 2, None)]
        assert found["rejected"] == [(2, line)]

    check_three_ways(b"\n".join([first, line, LINES[2]]) + b"\n", LINES[0], check)


@pytest.mark.parametrize(
    "odd",
    [
        {"report_date": "250707", "released_date": "250701", "student_update_date": "250702"},
        {"report_date": "139999"},
        {"report_date": "", "released_date": ""},
        {"report_date": "", "released_date": "", "student_update_date": "", **NO_ANSWERS},
        {"race_ethnicity_response": "NNNNYNN", "race_ethnicity_derived": ""},
        {"service_type": "01", "service_code": "0203", "ordering_institution_key": "05060708"},
        {"service_type": "01", "service_code": "0203", "released_date": "", **NO_ANSWERS},
        {"exam_grade_01": "", "irregularity_1_01": "", "exam_code_02": "ZZ"},
        {"exam_grade_01": "9"},
        {"admin_year_01": "", "exam_code_02": ""},
        {"college_code": ""},
    ],
)
@pytest.mark.parametrize("name", ["O'NEIL", "MUÑOZ"])
def test_an_odd_record_has_not_moved(odd, name):
    second = txt([TWO | odd | {"last_name": "RIVERA"}]).decode().replace("RIVERA", f"{name:6}").encode()
    found = read(txt([ONE]) + second)
    assert [row["record_number"] for row in found["students"]] == [1, 2]
    assert "moved" not in {row["kind"] for row in found["problems"]}
    first = {"": None, "9": None}.get(odd.get("exam_grade_01"), 5)
    assert [row["score"] for row in found["exam_scores"]] == [5, 3, first, 3, 4]


@pytest.mark.parametrize("behind", [{}, {"race_ethnicity_response": "", "race_ethnicity_derived": "0"}, NO_ANSWERS])
@pytest.mark.parametrize("mistake", ["birth_date", "released_date", "exam_grade_01", "exam_code_02"])
def test_a_mistake_in_a_trimmed_record_costs_no_more_than_in_a_whole_one(mistake, behind):
    width = LAYOUT_950.fields[mistake].width
    line = put(encode_record(student(2, **behind)), mistake, b"9X"[:width] if width < 6 else b"139925")
    found, trimmed = (read(b"\n".join([LINES[0], each, LINES[2]]) + b"\n") for each in (line, line.rstrip()))
    assert {table: trimmed[table] for table in TABLES} == {table: found[table] for table in TABLES}


EDITS = st.sampled_from(["", " ", "1", "N", "123456"]), st.integers(0, 12)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw_records(), st.integers(0, 949), *EDITS)
def test_many_records_are_judged_as_each_of_them_is(record, at, gained, lost):
    line = encode_record(record | {"last_name": "RIVERA"})
    changed = (line[:at] + gained.encode() + line[at + lost :])[:950].ljust(950)
    judged = moved_rows(
        lambda field: np.frombuffer(changed[field.span], np.uint8)[None], lambda _: changed.decode(), LAYOUT_950
    )
    assert judged == [0] * have_moved(changed.decode(), LAYOUT_950)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw_records(), st.integers(0, 949), *EDITS)
def test_a_line_that_seems_trimmed_is_read_as_if_it_were_looked_at(record, at, gained, lost):
    line = encode_record(record | {"last_name": "RIVERA"})
    edited = (line[:at] + gained.encode() + line[at + lost :]).rstrip()
    for changed in (line.rstrip(), line + b"   ", line.rstrip() + b"  ", edited, edited + b" " * 80):
        lines = Lines(changed + b"\n", LAYOUT_950)
        if lines.trimmed[0]:
            looked_at = read_odd_line(changed, LAYOUT_950, 1)
            assert (looked_at.layout, looked_at.problems) == (LAYOUT_950, [])
            assert lines.records(np.array([0])).tobytes() == looked_at.row


DERIVED = encode_record(student(2, race_ethnicity_response=""))

DOUBTFUL = {
    "no college code": put(LINES[1], "college_code", b"      "),
    "a letter in the college code": put(LINES[1], "college_code", b"00486X"),
    "a letter in a date": put(NO_ANSWERS_LINE, "released_date", b"07O125"),
    "a report date that is none": put(LINES[1], "report_date", b"139915"),
    "something beside a derived code": put(DERIVED, "filler_4", b"X"),
    "something else than a derived code": put(DERIVED, "race_ethnicity_derived", b"X9"),
    "the length of an older layout": put(LINES[1], "filler_4", b" ")[:910],
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_other_trimmed_lines_are_looked_at(what):
    assert not Lines(DOUBTFUL[what].rstrip() + b"\n", LAYOUT_950).trimmed.any()


def test_service_fields_of_digits_are_no_dates_that_moved():
    """
    Their digits may look like dates, and older records have no answers to tell by.
    """
    services = [
        ("01", "0203", ""),
        ("12", "3456", ""),
        ("", "0101", "12122012"),
        ("99", "9999", "99999999"),
        ("AP", "12", ""),
    ]
    for dates in ({}, {"released_date": ""}, {"released_date": "", "student_update_date": ""}):
        for each in services:
            service = dict(zip(("service_type", "service_code", "ordering_institution_key"), each, strict=True))
            line = encode_record(student(2, **NO_ANSWERS, **service, **dates))
            found = read(LINES[0] + b"\n" + line + b"\n")
            assert (len(found["students"]), found["problems"]) == (2, [])


ONE_DATE = {"released_date": "", "student_update_date": ""} | NO_ANSWERS
BEFORE_DATES = LAYOUT_950.fields["released_date"].start - 5


@pytest.mark.parametrize("shape", [bytes, bytes.rstrip, lambda line: line + b"  "])
@pytest.mark.parametrize(
    ("service", "dates"),
    [
        ("010526", NO_ANSWERS),
        *((service, dates) for service in ("123456", "070624", "070727") for dates in (NO_ANSWERS, ONE_DATE)),
    ],
)
def test_a_service_that_reads_like_a_date_is_none_of_the_reports_time(service, dates, shape):
    """
    A campus may have such a service in every record.
    """
    fields = {"service_type": service[:2], "service_code": service[2:], "ordering_institution_key": "KEY"}
    line = encode_record(student(2, **fields, **dates))
    found = read(LINES[0] + b"\n" + shape(line) + b"\n")
    assert (len(found["students"]), found["problems"]) == (2, [])


@pytest.mark.parametrize("shape", [bytes, bytes.rstrip, lambda line: line + b"  "])
def test_a_service_that_may_be_a_report_date_behind_the_only_date_is_set_aside(shape):
    """
    The record may as well have gained six characters: then the only date is the one of the student's update.
    """
    line = encode_record(student(2, service_type="01", service_code="0526", **ONE_DATE))
    found = read(LINES[0] + b"\n" + shape(line) + b"\n")
    assert [row["record_number"] for row in found["students"]] == [1]
    assert [number for number, _ in found["rejected"]] == [2]


@pytest.mark.parametrize("dates", [{}, ONE_DATE, {"released_date": "", **NO_ANSWERS}])
@pytest.mark.parametrize("width", [1, 6, 12])
@pytest.mark.parametrize("cut", [True, False])
def test_no_report_date_is_read_from_where_another_date_stands(cut, width, dates):
    """
    Behind the exams, which stand in their places, blanks came in.
    """
    line = encode_record(student(2, **NO_ANSWERS | dates))
    gained = line[:BEFORE_DATES] + b" " * width + line[BEFORE_DATES:]
    found = read(LINES[0] + b"\n" + (gained[:950] if cut else gained) + b"\n")
    assert [row["record_number"] for row in found["students"]] == [1]
    assert [number for number, _ in found["rejected"]] == [2]


ONE_TO_THREE_DATES = [
    dict(zip(("released_date", "student_update_date", "report_date"), dates, strict=True))
    for dates in itertools.product(("", "070125"), ("", "070225"), ("", "070725"))
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("exams", [0, 1, 2])
@pytest.mark.parametrize("behind", [{}, {"race_ethnicity_response": ""}, NO_ANSWERS], ids=len)
@pytest.mark.parametrize("dates", ONE_TO_THREE_DATES, ids=lambda dates: "-".join(dates.values()))
def test_whoever_makes_a_file_may_leave_dates_blank(layout, exams, behind, dates):
    """
    Every record stands in its place, and none is set aside; without the report's date there is a warning.
    """
    blank = {
        f"{name}_{slot:02}": "" for name in ("admin_year", "exam_code", "exam_grade") for slot in range(exams + 1, 3)
    }
    values = student(1, **blank, **behind, **dates)
    line = encode_record({name: value for name, value in values.items() if name in LAYOUTS[layout].fields}, layout)
    found = read(line + b"\n")
    assert (len(found["students"]), len(found["exam_scores"])) == (1, exams)
    warned = [("no_report_date", "report_date")] if not dates["report_date"] and any(dates.values()) else []
    assert [(row["kind"], row["field"]) for row in found["problems"]] == warned


@pytest.mark.parametrize("shape", [bytes, bytes.rstrip, lambda line: line + b"  "])
@pytest.mark.parametrize("key", ["95112270", "03164113", "12122012"])
@pytest.mark.parametrize("odd", [{}, {"admin_year_02": "", "irregularity_1_02": "03"}])
def test_a_key_of_digits_behind_the_only_date_is_no_date_that_moved(odd, key, shape):
    only = {"released_date": "", "student_update_date": ""} | NO_ANSWERS
    line = encode_record(student(2, ordering_institution_key=key, **only, **odd))
    found = read(LINES[0] + b"\n" + shape(line) + b"\n")
    assert len(found["students"]) == 2
    assert {row["kind"] for row in found["problems"]} <= {"incomplete_exam"}


@pytest.mark.parametrize("behind", [{}, {"race_ethnicity_response": "", "race_ethnicity_derived": "0"}, NO_ANSWERS])
@pytest.mark.parametrize("ends", [(b"\n", b"\n"), (b" \n", b" " * 100 + b"\n"), (b"\r\n", b"\n")])
def test_trimmed_lines_need_no_look_of_their_own(behind, ends):
    lines = b"".join(encode_record(student(number, **behind)).rstrip() + ends[number % 2] for number in range(1, 9))
    assert Lines(lines, LAYOUT_950).trimmed.all()
    # The last one may be cut.
    assert Lines(lines[:-1], LAYOUT_950).trimmed.tolist() == [True] * 7 + [False]
    assert read(lines)["students"] == read(txt([student(number, **behind) for number in range(1, 9)]))["students"]


NO_EXAMS = {f"{name}_{slot}": "" for name in ("admin_year", "exam_code", "exam_grade") for slot in ("01", "02")}


@pytest.mark.parametrize(
    ("zip_code", "exams"),
    [
        ("84918", b"2168582      2831597  "),
        ("     ", b"  31144      34312    "),
        ("56337", b"26804     12143      819XX1     42283      2"),
    ],
    ids=["a year missing", "both years missing", "a code that is none"],
)
def test_an_odd_exam_beside_digits_has_not_moved(zip_code, exams):
    """
    Among the digits around it one may see an exam, but of no year of which the report could tell.
    """
    line = encode_record(student(2, **NO_EXAMS, college_zip_code=zip_code))
    found = read(LINES[0] + b"\n" + line[:538] + exams + line[538 + len(exams) :] + b"\n")
    assert len([row for row in found["exam_scores"] if row["record_number"] == 2]) == len(exams) // 11
    assert "moved" not in {row["kind"] for row in found["problems"]}


def test_a_report_date_left_out_is_no_evidence_beside_answers():
    exam = {"exam_code_01": "31", "exam_grade_01": "1", "irregularity_1_01": "44"}
    found = read(LINES[0] + b"\n" + encode_record(student(2, **NO_EXAMS | exam, report_date="")) + b"\n")
    assert [row["kind"] for row in found["problems"]] == ["no_report_date", "incomplete_exam"]


def test_a_report_date_left_out_is_believed_of_a_trimmed_line_only():
    line = encode_record(student(2, **NO_ANSWERS, report_date="", service_type="AP"))
    trimmed, padded = (read(LINES[0] + b"\n" + each + b"\n") for each in (line.rstrip(), line + b"  "))
    assert [row["kind"] for row in trimmed["problems"]] == ["no_report_date"]
    assert ([row["kind"] for row in padded["problems"]], len(padded["students"])) == (["wrong_length"], 1)

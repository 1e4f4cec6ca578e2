"""Whether records stand in their columns: one impossible field is a problem of it, two set the record aside."""

import itertools

import pytest

from airflow_provider_apscores.scorefile import LAYOUTS, encode_record
from tests.scorefile.students import student, txt
from tests.scorefile.three_ways import ONE, TWO, read

NO_ANSWERS = {"race_ethnicity_response": "", "race_ethnicity_derived": ""}
DATES = ("released_date", "student_update_date", "report_date")


@pytest.mark.parametrize(
    "odd",
    [
        {"report_date": "250707", "released_date": "250701", "student_update_date": "250702"},
        {"report_date": "139999"},
        {"report_date": "", "released_date": ""},
        {"report_date": "", "college_code": ""},
        dict.fromkeys(DATES, "") | NO_ANSWERS,
        {"race_ethnicity_response": "NNNNYNN", "race_ethnicity_derived": ""},
        {"service_type": "01", "service_code": "0526", "ordering_institution_key": "12122012", **NO_ANSWERS},
        {"exam_grade_01": "", "irregularity_1_01": "", "exam_code_02": "ZZ"},
        {"exam_grade_01": "9"},
        {"admin_year_01": "", "exam_code_02": ""},
        {"college_code": "ABC"},
    ],
)
def test_one_impossible_field_and_blanks_do_not_set_a_record_aside(odd):
    found = read(txt([ONE, TWO | odd]))
    assert [row["record_number"] for row in found["students"]] == [1, 2]
    assert not {row["kind"] for row in found["problems"]} & {"misaligned", "wrong_length"}


@pytest.mark.parametrize("shape", [bytes, bytes.rstrip, lambda line: line + b"  "], ids=["whole", "trimmed", "padded"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("behind", [{}, NO_ANSWERS], ids=["answers", "no answers"])
@pytest.mark.parametrize("blank", list(itertools.product([0, 1], repeat=3)))
def test_dates_may_be_blank(layout, behind, blank, shape):
    if shape is bytes.rstrip and blank[2]:
        return  # The line would end before the report date does.
    dates = {name: "" for name, is_blank in zip(DATES, blank, strict=True) if is_blank}
    values = {name: value for name, value in student(1, **behind, **dates).items() if name in LAYOUTS[layout].fields}
    found = read(shape(encode_record(values, layout)) + b"\n")
    assert (len(found["students"]), len(found["exam_scores"]), found["rejected"]) == (1, 2, [])

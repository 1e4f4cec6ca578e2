"""Invented records for property tests."""

from hypothesis import strategies as st

from airflow_provider_apscores.scorefile import (
    AWARDS,
    EXAMS,
    IRREGULARITIES,
    LAYOUT_950,
)
from tests.scorefile.slow_reading import latest

_INNER = st.characters(min_codepoint=32, max_codepoint=126)
#: A value that begins with an apostrophe loses it in CSV.
_EDGE = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'")


def text(width):
    """Printable ASCII without blanks at its ends, or nothing."""
    if width == 1:
        return st.one_of(st.just(""), _EDGE)
    longer = st.builds(lambda a, b, c: a + b + c, _EDGE, st.text(_INNER, max_size=width - 2), _EDGE)
    return st.one_of(st.just(""), _EDGE, longer)


def digits(width):
    return st.text("0123456789", min_size=width, max_size=width)


#: Days that exist in every year, so that no century can make them impossible.
_ANY_DATE = st.builds(lambda m, d, y: f"{m:02}{d:02}{y:02}", st.integers(1, 12), st.integers(1, 28), st.integers(0, 99))
#: Such as no coming year makes a hundred years younger.
_REPORT_DATE = _ANY_DATE.filter(lambda day: not 26 <= int(day[4:]) <= 60)
_YEAR = st.one_of(st.just(""), digits(2))
_IRREGULARITY = st.one_of(st.just(""), st.sampled_from([each.code for each in IRREGULARITIES]), digits(2))

_EXAM = st.fixed_dictionaries(
    {
        "admin_year": _YEAR,
        "exam_code": st.one_of(st.sampled_from([exam.code for exam in EXAMS]), digits(2)),
        "exam_grade": st.sampled_from(["", "1", "2", "3", "4", "5"]),
        "irregularity_1": _IRREGULARITY,
        "irregularity_2": _IRREGULARITY,
        "suppression_flag": text(1),
        "class_section": text(1),
    }
)

_AWARD = st.fixed_dictionaries({"award_type": st.one_of(st.sampled_from(list(AWARDS)), digits(2)), "award_year": _YEAR})

_SPECIAL = {
    "ap_id": st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=8, max_size=8),
    "zip_code": st.one_of(st.just(""), digits(5), digits(9)),
    "birth_date": st.one_of(st.just(""), _ANY_DATE),
    "released_date": st.one_of(st.just(""), _ANY_DATE),
    # Such as no report date makes sense of with the day first only.
    "student_update_date": st.sampled_from(["", "010100"]),
    "report_date": st.one_of(st.just(""), _REPORT_DATE),
    "previous_ai_year_1": _YEAR,
    "previous_ai_year_2": _YEAR,
    "previous_ai_code_1": st.one_of(st.just(""), digits(6)),
    "previous_ai_code_2": st.one_of(st.just(""), digits(6)),
    "high_school_code": st.one_of(st.just(""), digits(6)),
    "high_school_zip_code": st.one_of(st.just(""), digits(5)),
    "college_code": digits(4).map(lambda code: "00" + code),
    "college_zip_code": st.one_of(st.just(""), digits(5)),
    "race_ethnicity_response": st.one_of(st.just(""), st.text("YN", min_size=11, max_size=11)),
    "race_ethnicity_derived": st.sampled_from(["", "0", "1", "2", "3", "4", "8", "9", "12", "04", "77"]),
}

_PLAIN = {
    name: _SPECIAL.get(name, text(field.width))
    for name, field in LAYOUT_950.fields.items()
    if name not in LAYOUT_950.slot_names and not name.startswith("filler")
}


@st.composite
def raw_records(draw):
    """Raw fields of one record: every field possible, exams and awards anywhere among their slots.

    No exam is older than AP Exams are, whatever the date of the report.
    """
    record = draw(st.fixed_dictionaries(_PLAIN))
    for slot, exam in draw(st.dictionaries(st.integers(1, 30), _EXAM, max_size=6)).items():
        record.update((f"{name}_{slot:02}", value) for name, value in exam.items())
    for slot, award in draw(st.dictionaries(st.integers(1, 6), _AWARD, max_size=3)).items():
        record.update((f"{name}_{slot}", value) for name, value in award.items())
    if not record["report_date"]:  # never blank in real files; other dates would seem to have moved
        record.update(released_date="", student_update_date="")
    limit = 1 + latest(record["report_date"][4:] or "26", 2026)
    for name, value in list(record.items()):
        if name.startswith(("admin_year_", "award_year_")) and not (value and latest(value, limit) >= 1955):
            record[name] = ""
            # Digits without a year before them may look like an exam that has moved.
            record.pop(f"irregularity_1_{name[-2:]}", None)
    return {name: value for name, value in record.items() if value}

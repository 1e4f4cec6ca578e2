"""The layouts of AP Higher Education score files, as data.

**Where next year's layout goes:** declare a :class:`~.fields.Layout` here with the month of its first reports, reuse
the parts that did not change, and put it first in :data:`LAYOUTS`. The reader, the writer and the inspector tell a
layout by a record's length and find fields by name; no other file of this package counts columns or names a
layout. New CSV columns go to :data:`CSV_COLUMNS`, other spellings to :data:`CSV_ALIASES`; those of slots are counted by
:data:`EXAMS_GROUP` and :data:`AWARDS_GROUP`, which must be the current layout's.

Sources: the TXT layouts are College Board's for higher education as two independent public loaders have them,
unchanged from July 2016 to 2026; lines of the live service confirm the boundaries of the exams. The CSV names are
those of the school-and-district datafile (2023 edition) of the same program, which carries the same information.
"""

from __future__ import annotations

import re
from functools import cache

from airflow_provider_apscores.scorefile.spec.fields import Field, Group, Kind, Layout

AWARDS_GROUP = Group(
    "award",
    6,
    (
        Field("award_type", 189, 2, Kind.CODE),
        Field("award_year", 191, 2, Kind.YEAR),
    ),
)

EXAMS_GROUP = Group(
    "exam",
    30,
    (
        Field("admin_year", 539, 2, Kind.YEAR),
        Field("exam_code", 541, 2, Kind.CODE),
        Field("exam_grade", 543, 1, Kind.SCORE),
        Field("irregularity_1", 544, 2, Kind.CODE),
        Field("irregularity_2", 546, 2, Kind.CODE),
        Field("suppression_flag", 548, 1),
        Field("class_section", 549, 1),
    ),
)

#: Columns 1 to 900: the same before and after July 2016.
_COMMON: tuple[Field | Group, ...] = (
    Field("ap_id", 1, 8),
    Field("last_name", 9, 15),
    Field("first_name", 24, 12),
    Field("middle_initial", 36, 1),
    Field("street_1", 37, 30),
    Field("street_2", 67, 30),
    Field("street_3", 97, 30),
    Field("state", 127, 2),
    Field("zip_code", 129, 9),
    Field("country_code", 138, 3),
    Field("gender", 141, 1, Kind.CODE),
    Field("birth_date", 142, 6, Kind.DATE),
    Field("filler_1", 148, 9, Kind.FILLER),  # the Social Security number until 2018
    Field("grade_level", 157, 1, Kind.CODE),
    Field("expected_college_entrance", 158, 3),
    Field("filler_2", 161, 1, Kind.FILLER),  # the ethnic group until 2015
    Field("student_search", 162, 1),
    Field("best_language", 163, 1, Kind.CODE),
    Field("sophomore_standing", 164, 1),
    Field("filler_3", 165, 8, Kind.FILLER),
    Field("previous_ai_year_1", 173, 2, Kind.YEAR),
    Field("previous_ai_code_1", 175, 6),
    Field("previous_ai_year_2", 181, 2, Kind.YEAR),
    Field("previous_ai_code_2", 183, 6),
    AWARDS_GROUP,
    Field("high_school_code", 213, 6),
    Field("high_school_contact", 219, 30),
    Field("high_school_name", 249, 30),
    Field("high_school_street_1", 279, 30),
    Field("high_school_street_2", 309, 30),
    Field("high_school_street_3", 339, 30),
    Field("high_school_state", 369, 2),
    Field("high_school_zip_code", 371, 5),
    Field("college_code", 376, 6),  # 00####: the DI code, padded with zeros on the left
    Field("college_contact", 382, 30),
    Field("college_name", 412, 30),
    Field("college_street_1", 442, 30),
    Field("college_street_2", 472, 30),
    Field("college_street_3", 502, 30),
    Field("college_state", 532, 2),
    Field("college_zip_code", 534, 5),
    EXAMS_GROUP,
    Field("released_date", 869, 6, Kind.DATE),
    Field("student_update_date", 875, 6, Kind.DATE),
    Field("report_date", 881, 6, Kind.DATE),
    Field("service_type", 887, 2),
    Field("service_code", 889, 4),
    Field("ordering_institution_key", 893, 8),
)

LAYOUT_910 = Layout("910", 910, (*_COMMON, Field("filler_4", 901, 10, Kind.FILLER)))
"""Until July 2016."""

LAYOUT_950 = Layout(
    "950",
    950,
    (
        *_COMMON,
        Field("race_ethnicity_response", 901, 11, Kind.FLAGS),
        Field("filler_4", 912, 22, Kind.FILLER),
        Field("race_ethnicity_derived", 934, 2, Kind.CODE),
        Field("filler_5", 936, 15, Kind.FILLER),
    ),
    since=(2016, 7),
)
"""Since July 2016."""

#: Every layout by its name, the current one first.
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (LAYOUT_950, LAYOUT_910)}

#: What CSV rows are laid out in, and what records are written in unless another one is named.
CURRENT_LAYOUT = next(iter(LAYOUTS.values()))


def layout_of(year: int, month: int) -> Layout:
    """The layout of the reports of a month. Of *year*, two digits, the nearest is meant."""
    return next(each for each in LAYOUTS.values() if each.in_use(year=year, month=month))


def _address(
    heading: str, prefix: str, *, code: str, code_field: str, contact: str = "", name: str = "Institution Name"
) -> tuple[tuple[str, str], ...]:
    """The columns of an institution; province, postal code and country stand only in the CSV file."""
    return (
        (code, code_field),
        *(((contact, f"{prefix}_contact"),) if contact else ()),
        (f"{heading} {name}", f"{prefix}_name"),
        *((f"{heading} Street Address {line}", f"{prefix}_street_{line}") for line in (1, 2, 3)),
        (f"{heading} State", f"{prefix}_state"),
        (f"{heading} Zip Code", f"{prefix}_zip_code"),
        (f"{heading} Province", ""),
        (f"{heading} International Postal Code", ""),
        (f"{heading} Country Code", ""),
    )


#: The CSV file's columns in order: header name, and the field it holds ("" where our tables have no place for it).
#: The 244 columns of the published header come first, then what the TXT record has and the header lacks.
CSV_COLUMNS: tuple[tuple[str, str], ...] = (
    ("AP Number / AP ID", "ap_id"),
    ("Last Name", "last_name"),
    ("First Name", "first_name"),
    ("Middle Initial", "middle_initial"),
    ("Student Street Address 1", "street_1"),
    ("Student Street Address 2", "street_2"),
    ("Student Street Address 3", "street_3"),
    ("Student State", "state"),
    ("Student Zip Code", "zip_code"),
    ("Student Province", "province"),
    ("Student International Postal Code", "postal_code"),
    ("Student Country Code", "country_code"),
    ("Gender", "gender"),
    ("Date of Birth", "birth_date"),
    ("Filler", ""),
    ("School ID", ""),
    ("Grade Level", "grade_level"),
    ("Filler", ""),
    ("Ethnic Group 2015 and Prior", ""),
    ("Filler", ""),
    ("Best Language", "best_language"),
    ("Previous AI Year 1", "previous_ai_year_1"),
    ("Previous AI Code 1", "previous_ai_code_1"),
    ("Previous AI Year 2", "previous_ai_year_2"),
    ("Previous AI Code 2", "previous_ai_code_2"),
    *(
        (f"{heading} {slot}", f"{name}_{slot}")
        for slot in range(1, AWARDS_GROUP.count + 1)
        for heading, name in (("Award Type", "award_type"), ("Award Year", "award_year"))
    ),
    *_address("AI", "high_school", code="AI Code", code_field="high_school_code"),
    *_address("DI", "college", code="College Code", code_field="college_code", contact="Contact Name"),
    *(
        (f"{heading} {slot:02}", f"{name}_{slot:02}")
        for slot in range(1, EXAMS_GROUP.count + 1)
        for heading, name in (
            ("Admin Year", "admin_year"),
            ("Exam Code", "exam_code"),
            ("Exam Grade", "exam_grade"),
            ("Irregularity Code #1", "irregularity_1"),
            ("Irregularity Code #2", "irregularity_2"),
            ("Class Section Code", "class_section"),
        )
    ),
    ("Date Grades Released to College", "released_date"),
    ("Date of Last Student Update", "student_update_date"),
    ("Date of this report", "report_date"),
    ("Student Identifier", "student_identifier"),
    ("Race Ethnicity Student Response 2016 and Forward", "race_ethnicity_response"),
    ("Derived Aggregate Race Ethnicity 2016 and Forward", "race_ethnicity_derived"),
    ("Expected College Entrance", "expected_college_entrance"),
    ("Student Search Indicator", "student_search"),
    ("Sophomore Standing", "sophomore_standing"),
    ("AI Contact Name", "high_school_contact"),
    *((f"Suppression Flag {slot:02}", f"suppression_flag_{slot:02}") for slot in range(1, EXAMS_GROUP.count + 1)),
    ("Service Type", "service_type"),
    ("Service Code", "service_code"),
    ("Ordering Institution Key", "ordering_institution_key"),
)

#: Other spellings by field; in a slot, the number follows. Names before 2019 and those of public loaders.
CSV_ALIASES: dict[str, tuple[str, ...]] = {
    "ap_id": ("AP Number", "AP ID", "AP Number/ID", "APID", "AP Student ID"),
    "middle_initial": ("MI", "Middle Init"),
    "street_1": ("Street Address 1", "Address 1"),
    "street_2": ("Street Address 2", "Address 2"),
    "street_3": ("Street Address 3", "Address 3"),
    "zip_code": ("Zip", "Student Zip"),
    "postal_code": ("International Postal Code",),
    "gender": ("Sex",),
    "birth_date": ("Birth Date", "DOB", "Birthdate"),
    "grade_level": ("Education Level",),
    "student_search": ("Student Search",),
    "high_school_code": ("High School Code", "School Code"),
    "high_school_name": ("High School Name", "AI Name"),
    "high_school_contact": ("High School Contact Name",),
    "college_code": ("DI Code", "DI College Code", "College DI Code"),
    "college_contact": ("DI Contact Name", "College Contact Name"),
    "college_name": ("DI Name",),
    "released_date": ("Date Scores Released to College", "Scores Released Date", "Grades Released Date"),
    "student_update_date": ("Date of Last Update",),
    "report_date": ("Date of Report",),
    "race_ethnicity_response": ("Race Ethnicity Student Response",),
    "race_ethnicity_derived": ("Derived Aggregate Race Ethnicity",),
    "admin_year": ("Exam Year", "AP Exam Year", "Administration Year", "Exam Admin Year"),
    "exam_code": ("AP Exam Code",),
    "exam_grade": ("Exam Score", "AP Exam Grade", "AP Exam Score", "Grade", "Score"),
    "irregularity_1": ("Irregularity Code 1", "Irregularity Code Number 1"),
    "irregularity_2": ("Irregularity Code 2", "Irregularity Code Number 2"),
    "suppression_flag": ("Exam Suppression Flag",),
    "class_section": ("Class Section", "Section Code"),
}

#: Columns that are known and left alone, beside those without a field in :data:`CSV_COLUMNS`.
CSV_IGNORED = ("Filler", "Social Security Number", "SSN")


def csv_key(header: str) -> str:
    """A header name as it is compared: case, blanks, punctuation and leading zeros of numbers do not matter."""
    parts = re.findall("[a-z]+|[0-9]+", header.lower())
    return "".join(part if part.isalpha() else f" {part.lstrip('0') or '0'} " for part in parts).strip()


@cache
def csv_fields() -> dict[str, str]:
    """Every header name that is understood, as :func:`csv_key` gives it, and its field; "" for known but unread."""
    known = {csv_key(header): "" for header in CSV_IGNORED}
    known.update((csv_key(header), name) for header, name in CSV_COLUMNS)
    known.update((csv_key(name), name) for _, name in CSV_COLUMNS if name)
    # Without blanks, "#1 01" and "#1 1" have only one number.
    for glued in (r"\1", lambda slot: slot[1].lstrip("0")):
        known.update((csv_key(re.sub(" ([0-9]+)$", glued, header)), name) for header, name in CSV_COLUMNS if name)
    known.update((csv_key(name.replace("_", "")), name) for _, name in CSV_COLUMNS if name)
    groups = {each.name: group for group in (AWARDS_GROUP, EXAMS_GROUP) for each in group.fields}
    for name, spellings in CSV_ALIASES.items():
        for spelling in spellings:
            if group := groups.get(name):
                for slot in range(1, group.count + 1):
                    known[csv_key(f"{spelling} {slot}")] = group.field_name(name, slot)
            else:
                known[csv_key(spelling)] = name
    return known

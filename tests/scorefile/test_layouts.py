"""The layouts against College Board's own tables, and what a wrong declaration does."""

import csv
from pathlib import Path

import pytest

from airflow_provider_apscores.scorefile import CSV_COLUMNS, LAYOUT_910, LAYOUT_950, LAYOUTS
from airflow_provider_apscores.scorefile.fields import Field, Group, Layout
from airflow_provider_apscores.scorefile.layouts import csv_fields, csv_key

DATA = Path(__file__).parent / "data"


def published_fields():
    with open(DATA / "layout_txt_950.csv", newline="") as file:
        return [
            (row["field"], int(row["start"]), int(row["end"]), row["kind"].replace(" x 11", ""))
            for row in csv.DictReader(file)
        ]


def test_the_current_layout_is_the_published_one_field_by_field():
    ours = [(name, field.start, field.end, field.kind.value) for name, field in LAYOUT_950.fields.items()]
    assert ours == published_fields()


def test_the_older_layout_has_the_same_fields_up_to_column_900():
    ours = [(name, field.start, field.end, field.kind.value) for name, field in LAYOUT_910.fields.items()]
    assert ours == [field for field in published_fields() if field[2] <= 900] + [("filler_4", 901, 910, "filler")]


def test_layouts_are_known_by_name_the_current_one_first():
    assert list(LAYOUTS.items()) == [("950", LAYOUT_950), ("910", LAYOUT_910)]


@pytest.mark.parametrize(
    ("parts", "length", "complaint"),
    [
        ((Field("a", 1, 2), Field("b", 4, 1)), 4, "b starts at column 4 where 3 is next"),
        ((Field("a", 1, 2), Field("b", 2, 1)), 2, "b starts at column 2 where 3 is next"),
        ((Field("a", 1, 2), Field("b", 3, 1)), 4, "end at column 3, not 4"),
        ((Field("a", 1, 2), Field("a", 3, 1)), 3, "used twice"),
        ((Group("g", 2, (Field("a", 1, 1),)), Field("b", 2, 1)), 2, "b starts at column 2 where 3 is next"),
    ],
)
def test_a_slip_of_the_pen_fails_at_declaration(parts, length, complaint):
    with pytest.raises(ValueError, match=complaint):
        Layout("test", length, parts)


@pytest.mark.parametrize(("start", "width"), [(0, 1), (1, 0)])
def test_columns_count_from_one(start, width):
    with pytest.raises(ValueError, match="count from 1"):
        Field("a", start, width)


def test_a_group_with_a_gap_fails_at_declaration():
    with pytest.raises(ValueError, match="Group g"):
        Group("g", 2, (Field("a", 1, 1), Field("b", 3, 1)))


def test_the_csv_columns_begin_with_the_published_header():
    published = (DATA / "csv_header_244.txt").read_text().splitlines()
    assert [header for header, _ in CSV_COLUMNS][:244] == published


def test_every_field_of_the_txt_record_has_a_csv_column():
    in_csv = {name for _, name in CSV_COLUMNS}
    assert {name for name in LAYOUT_950.fields if not name.startswith("filler")} <= in_csv
    assert in_csv - LAYOUT_950.fields.keys() == {"", "province", "postal_code", "student_identifier"}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("AP Number / AP ID", "ap_id"),
        ("AP Number", "ap_id"),
        ("ap_id", "ap_id"),
        ("Sex", "gender"),
        ("Education Level", "grade_level"),
        ("Student Search Indicator", "student_search"),
        ("Irregularity Code #2 07", "irregularity_2_07"),
        ("irregularity_2_07", "irregularity_2_07"),
        ("EXAM GRADE 7", "exam_grade_07"),
        ("AI Zip Code", "high_school_zip_code"),
        ("Zip Code", "zip_code"),
        ("Social Security Number", ""),
        ("Filler", ""),
    ],
)
def test_header_names_and_their_older_spellings(header, field):
    assert csv_fields()[csv_key(header)] == field


def test_no_spelling_stands_for_two_fields():
    for header, name in CSV_COLUMNS:
        assert csv_fields()[csv_key(header)] == name
        if name:
            assert csv_fields()[csv_key(name)] == name

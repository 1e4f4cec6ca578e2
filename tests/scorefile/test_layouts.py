"""The layouts against College Board's own tables, and what a wrong declaration does."""

import csv
import dataclasses
import itertools
import sys
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest

from airflow_provider_apscores.scorefile import (
    CSV_COLUMNS,
    LAYOUT_910,
    LAYOUT_950,
    LAYOUTS,
    Inspector,
    csv_header,
    encode_csv_record,
    encode_record,
    read_score_file,
)
from airflow_provider_apscores.scorefile.spec.fields import Field, Group, Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import EXAMS_GROUP, csv_fields, csv_key
from tests.scorefile.raw_records import raw_records
from tests.scorefile.students import of_report, student, txt

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


def full_record(fields):
    """Every field has a value."""
    of_kind = {Kind.DATE: "070726", Kind.YEAR: "26", Kind.FLAGS: "YNYNYNYNYNY"}
    values = {
        name: of_kind.get(field.kind, "11" if field.kind is Kind.CODE and field.width == 2 else "1")
        for name, field in fields.items()
        if field.kind is not Kind.FILLER
    }
    return {**values, "college_code": "004866"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_field_of_a_record_is_in_a_table(layout):
    record = full_record(LAYOUTS[layout].fields)

    file = read_score_file(encode_record(record, layout))

    assert raw_records(file) == [record]


def test_every_column_of_a_row_is_in_a_table():
    row = {**dict.fromkeys((name for _, name in CSV_COLUMNS if name), "1"), **full_record(LAYOUT_950.fields)}

    file = read_score_file(f"{csv_header()}\n{encode_csv_record(row)}\n".encode())

    (found,) = raw_records(file)
    assert found.keys() == row.keys()


def test_layouts_are_known_by_name_the_current_one_first():
    assert list(LAYOUTS.items()) == [("950", LAYOUT_950), ("910", LAYOUT_910)]


@pytest.fixture
def declare(monkeypatch):
    """Puts a layout where layouts.py says: first of all, and nowhere else."""

    known = dict(LAYOUTS)

    def first_of_all(layout):
        LAYOUTS.clear()
        LAYOUTS.update({layout.name: layout, **known})
        for name, module in list(sys.modules.items()):
            if name.startswith("airflow_provider_apscores.") and hasattr(module, "CURRENT_LAYOUT"):
                monkeypatch.setattr(module, "CURRENT_LAYOUT", layout)

    yield first_of_all
    LAYOUTS.clear()
    LAYOUTS.update(known)


@pytest.fixture
def next_layout(declare):
    declare(Layout("1000", 1000, (*LAYOUT_950.parts, Field("filler_6", 951, 50, Kind.FILLER)), since=(2027, 7)))


@pytest.fixture
def next_layout_with_more_exams(declare):
    """Everything behind the exams moves, and the record ends in something that is no filler."""
    exams = dataclasses.replace(EXAMS_GROUP, count=32)
    by = exams.span.stop - EXAMS_GROUP.span.stop
    before = [part for part in LAYOUT_950.parts if part.start < exams.start]
    *behind, filler = [
        dataclasses.replace(part, start=part.start + by) for part in LAYOUT_950.parts if part.start > exams.start
    ]
    end = (dataclasses.replace(filler, width=13), Field("preferred_name", 971, 10))
    declare(Layout("980", 980, (*before, exams, *behind, *end), since=(2027, 7)))


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_new_layout_is_read_once_it_is_declared(next_layout, trimmed):
    values = {"ap_id": "AP000001", "last_name": "RIVERA", "college_code": "004866", "birth_date": "051409"}
    exam = {"admin_year_01": "27", "exam_code_01": "07", "exam_grade_01": "4"}
    lines = [
        encode_record({**values, **exam, "report_date": report_date}, layout)
        for layout, report_date in (("1000", "070127"), ("1000", "070927"), ("950", "063027"))
    ]
    data = b"".join((line.rstrip() if trimmed else line) + b"\n" for line in lines)
    inspector = Inspector("TXT", "4866")
    inspector.feed(data)

    file = read_score_file(data)

    assert (inspector.finish().layout, file.layout) == ("1000", "1000")
    assert (file.records, file.exam_scores.column("score").to_pylist()) == (3, [4, 4, 4])
    assert file.problems.num_rows == 0


def test_a_new_record_that_lost_as_much_as_the_layouts_differ_gives_no_wrong_score(next_layout_with_more_exams):
    new = encode_record(student(2, report_date="070727"), "980")
    for at in (0, 100, 380, 530, 545, 600, 900):
        file = read_score_file(
            txt([student(1, report_date="070727")], "980") + new[:at] + new[at + 30 :] + b"\n",
            today=date(2027, 11, 24),
        )
        found = file.exam_scores.filter(pc.equal(file.exam_scores["record_number"], 2)).to_pylist()
        assert {(row["exam_code"], row["score"]) for row in found} <= {("66", 5), ("07", 3)}


@pytest.fixture
def next_layout_with_more_answers(declare):
    *parts, _ = LAYOUT_950.parts
    parts += [
        Field("opted_out", 936, 1, Kind.FLAGS),
        Field("new_answers", 937, 12, Kind.FLAGS),
        Field("preferred_name", 949, 20),
        Field("filler_5", 969, 12, Kind.FILLER),
    ]
    declare(Layout("980", 980, tuple(parts), since=(2027, 7)))


@pytest.mark.parametrize("shape", [bytes, bytes.rstrip, lambda line: line + b"  ", "letters"])
@pytest.mark.parametrize(
    "behind",
    [
        {},
        {"preferred_name": "NORA"},
        {"opted_out": "Y", "preferred_name": "NY"},
        {"new_answers": "YNYNYNYNYNYN"},
        {"service_type": "01", "ordering_institution_key": "N1234567"},
    ],
)
def test_a_new_layout_may_have_answers_and_names_at_its_end(next_layout_with_more_answers, behind, shape):
    no_answers = {"race_ethnicity_response": "", "race_ethnicity_derived": ""}
    values = student(2, report_date="070727", **no_answers, **behind)
    line = encode_record(values, "980")
    line = line.replace(b"RIVERA", "MUÑOZ ".encode()) if shape == "letters" else shape(line)

    file = read_score_file(txt([student(1, report_date="070727")], "980") + line + b"\n", today=date(2027, 11, 24))

    assert file.problems.num_rows == 0
    assert file.exam_scores["score"].to_pylist() == [5, 3, 5, 3]


@pytest.mark.parametrize("order", list(itertools.permutations(["980", "950", "910"])))
def test_a_new_layout_may_move_what_older_ones_have(next_layout_with_more_exams, order):
    of_layout = {
        "980": student(0, exam_code_32="66", admin_year_32="27", exam_grade_32="4", report_date="070727"),
        "950": student(0, report_date="070726"),
        "910": of_report(student(0), "070715"),
    }
    lines = []
    for name in order:
        values = of_layout[name]
        lines.append(encode_record({key: values[key] for key in values if key in LAYOUTS[name].fields}, name))
    file = read_score_file(b"\n".join(lines), today=date(2027, 11, 24))

    assert file.problems.num_rows == 0
    assert file.students["report_date"].to_pylist() == [
        {"980": date(2027, 7, 7), "950": date(2026, 7, 7), "910": date(2015, 7, 7)}[name] for name in order
    ]
    scores = list(zip(*(file.exam_scores[name].to_pylist() for name in ("record_number", "position")), strict=True))
    assert sorted(scores) == sorted(
        [(at, position) for at in (1, 2, 3) for position in (1, 2)] + [(order.index("980") + 1, 32)]
    )


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

"""CSV score files: headers, spreadsheets, defects."""

import csv
import io
import itertools
import re
from datetime import date

import pytest

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile import csv_header, encode_csv_record, read_score_file
from airflow_provider_apscores.scorefile.reading import lines
from airflow_provider_apscores.scorefile.reading.header import understand_header
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS
from tests.scorefile.students import csv_file, student, txt
from tests.scorefile.three_ways import ALL, ONE, THREE, TWO, check_equal, read, without_last_record


def remade(data=None, header=None, **writing):
    """A CSV file written anew: cells and names changed, other quotes, other separators."""
    rows = list(csv.reader(io.StringIO((data or csv_file(ALL)).decode())))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", **writing)
    writer.writerow(header or rows[0])
    writer.writerows(rows[1:])
    return out.getvalue().encode()


def mapped(change):
    """A CSV file with every row (the header too) changed."""
    rows = list(csv.reader(io.StringIO(csv_file(ALL).decode())))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([change(at, row) for at, row in enumerate(rows)])
    return out.getvalue().encode()


NAMES = [name for name, _ in csv.reader(io.StringIO())] or next(csv.reader([csv_header()]))


def column(name):
    return NAMES.index(name)


def with_cell(name, change):
    return mapped(lambda at, row: [change(cell) if at and i == column(name) else cell for i, cell in enumerate(row)])


def with_named_gaps(row, gap):
    coded = re.compile("(Award|Previous|Admin|Exam|Irregularity|Class|AI Zip|Date|Race|Derived)")
    return [cell or (gap if coded.match(name) else "") for name, cell in zip(NAMES, row, strict=True)]


OLD_NAMES = {
    "AP Number / AP ID": "AP Number",
    "Gender": "Sex",
    "Grade Level": "Education Level",
    "Irregularity Code #1 01": "Irregularity Code 1 1",
    "Exam Grade 02": "EXAM SCORE 2",
}

CSV_VARIANTS = {
    "plain": csv_file(ALL),
    "CRLF": csv_file(ALL, line_end="\r\n"),
    "no last newline": csv_file(ALL)[:-1],
    "BOM": b"\xef\xbb\xbf" + csv_file(ALL),
    "semicolons": csv_file(ALL, delimiter=";"),
    "tabs": csv_file(ALL, delimiter="\t"),
    "sep= line": b"sep=;\r\n" + csv_file(ALL, delimiter=";", line_end="\r\n"),
    "unquoted": remade(),
    "line ends in names": csv_file(ALL).replace(b"Last Name", b"Last\nName", 1).replace(b"Exam Code", b"Exam\nCode", 1),
    "reversed": mapped(lambda at, row: row[::-1]),
    "old names": remade(header=[OLD_NAMES.get(name, name) for name in NAMES]),
    "vendor columns": mapped(lambda at, row: ["Vendor Row" if not at else "x", *row, "Extra" if not at else "y, z"]),
    "blank rows": csv_file(ALL).replace(b'"\n', b'"\n\n', 2) + b"," * 285 + b"\n",
    "end-of-file mark": csv_file(ALL) + b"\x1a",
    "trailing separators": b"".join(line + b"," * bool(at) + b"\n" for at, line in enumerate(remade().splitlines())),
    "lost zeros": mapped(lambda at, row: [cell.lstrip("0") if cell.isdigit() else cell for cell in row]),
    "fractions": mapped(lambda at, row: [f"{int(cell)}.0" if cell.isdigit() else cell for cell in row]),
    "longer fractions": mapped(lambda at, row: [f"{int(cell)}.00" if cell.isdigit() else cell for cell in row]),
    "formulas": mapped(lambda at, row: [f'="{cell}"' if cell.isdigit() else cell for cell in row]),
    "scores of two digits": with_cell("Exam Grade 01", lambda cell: cell and "0" + cell),
    **{
        f"gaps named {gap}": mapped(lambda at, row, gap=gap: with_named_gaps(row, gap))
        for gap in ("NA", "NULL", "NaN", "nan", "None", "null", "\\N")
    },
    "spelled out years": with_cell("Admin Year 01", lambda cell: "20" + cell),
    "spelled out dates": with_cell("Date of Birth", lambda cell: "5/14/2007"),
    "iso dates": with_cell("Date of this report", lambda cell: "2025-07-07"),
    "eight digits": with_cell("Date of Birth", lambda cell: cell[:4] + "20" + cell[4:]),
    "blanks before quotes": csv_file(ALL).replace(b'","', b'", "'),
    "blanks around quotes": csv_file(ALL).replace(b'","', b'" ,  "'),
    "old Mac": csv_file(ALL, line_end="\r"),
    "old Mac, unquoted, BOM": b"\xef\xbb\xbf" + remade().replace(b"\n", b"\r"),
    "carriage returns doubled": csv_file(ALL, line_end="\r\r\n"),
    "quoted sep= line": b'"SEP=;"\r\n' + csv_file(ALL, delimiter=";", line_end="\r\n"),
    "vendor columns dropped where empty": mapped(lambda at, row: row if at else [*row, "Vendor A", "Vendor B"]),
    "rows of blanks": csv_file(ALL) + b",".join([b'" "'] * 281) + b"\n",
    "dates with times": with_cell("Date of Birth", lambda cell: "5/14/2007 12:00:00 AM"),
    "names without blanks": remade(header=[name.replace(" ", "") for name in NAMES]),
    "slots without blanks": remade(header=[re.sub(" ([0-9]+)$", r"\1", name) for name in NAMES]),
    "slots without blanks and zeros": remade(header=[re.sub(" 0?([0-9]+)$", r"\1", name) for name in NAMES]),
    "names that R made": remade(
        header=[re.sub("[^a-z0-9]+", "_", name.lower().replace("#", "number_")) for name in NAMES]
    ),
    "year first": with_cell("Date of Birth", lambda cell: "20070514"),
    "blanks around": remade(header=[f" {name} " for name in NAMES]).replace(b"RIVERA", b" RIVERA  "),
}


@pytest.mark.parametrize("variant", CSV_VARIANTS)
def test_csv_in_every_dress_says_the_same(variant):
    expected = read(txt(ALL))
    data = CSV_VARIANTS[variant]
    check_equal(read(data), expected)
    for piece in (1000, 7000):
        check_equal(read(data, piece), expected)
    tail = data.rstrip(b"\x1a, \r\n").splitlines()[-1]
    if variant not in ("blank rows", "rows of blanks") and "Mac" not in variant:
        check_equal(without_last_record(read(data.rstrip(b"\x1a\r\n") + b"\n" + tail)), expected)


@pytest.mark.parametrize("cell", ["SMITH, ", ", ", 'O"HARA", "JR', "SMITH,"])
def test_blanks_before_quotes_say_the_same_whatever_a_cell_holds(cell):
    data = csv_file([*ALL, student(4, last_name=cell)])

    found, expected = (read_score_file(each) for each in (data.replace(b'","', b'", "'), data))

    assert found.students["last_name"].equals(expected.students["last_name"])
    assert found.exam_scores.drop_columns("file_sha256").equals(expected.exam_scores.drop_columns("file_sha256"))


@pytest.mark.parametrize(
    "change",
    [
        lambda name: name.replace(" ", ""),
        lambda name: re.sub(" ([0-9]+)$", r"\1", name),
        lambda name: re.sub(" 0?([0-9]+)$", r"\1", name),
        lambda name: dict(CSV_COLUMNS).get(name, name).replace("_", "") or name,
    ],
    ids=["without blanks", "without the last blank", "without the last blank and zeros", "our own without lines"],
)
def test_names_that_are_glued_together_name_the_same_columns(change):
    names = [heading for heading, _ in CSV_COLUMNS]
    assert understand_header([*map(change, names)]).columns == understand_header(names).columns


def test_irregularity_codes_under_unknown_names_are_refused():
    """
    The canceled scores would look valid.
    """
    data = remade(header=[re.sub("Irregularity Code #", "Irregularities ", name) for name in NAMES])
    with pytest.raises(ScoreFileMalformed, match=r"'Irregularities 1 01', which is not understood.*Code #1 01"):
        read(data)
    some = remade(header=[*NAMES[:-1], "Irregularity remarks"])
    assert read(some)["exam_scores"] == read(remade())["exam_scores"]


def test_people_and_places_may_be_called_na():
    record = student(1, last_name="NA", first_name="NULL", street_1="1.0", country_code="NA")
    check_equal(read(csv_file([record])), read(txt([record])))


@pytest.mark.parametrize("change", [lambda row: [*row, ""], lambda row: [*row, "", " "]], ids=["one", "two"])
def test_empty_cells_too_many_do_no_harm_where_optional_dates_are_blank(change):
    records = [student(1, student_update_date=""), student(2, released_date="", award_type_1="", award_year_1="")]
    expected = read(csv_file(records))
    rows = list(csv.reader(io.StringIO(csv_file(records).decode())))
    out = io.StringIO()
    csv.writer(out).writerows([rows[0], *map(change, rows[1:])])
    check_equal(read(out.getvalue().encode()), expected)


NO_EXAMS = {name: "" for name in ONE if name.startswith(("admin_year", "exam_", "irregularity", "race_"))}


@pytest.mark.parametrize("dates", [("070126", "070226", "070926"), ("", "", "070926"), ("", "070226", "070926")])
def test_empty_cells_too_many_do_no_harm_where_there_are_no_exams(dates):
    dates = dict(zip(("released_date", "student_update_date", "report_date"), dates, strict=True))
    record = student(1, **NO_EXAMS, **dates)
    expected = read(csv_file([record]))
    assert len(expected["students"]) == 1
    header, row = csv_file([record]).splitlines()
    check_equal(read(header + b"\n" + row + b',""\n'), expected)
    longer = read(header + b',"Vendor"\n' + row + b"\n")
    assert longer["students"] == expected["students"]


@pytest.mark.parametrize("name", ["released_date", "student_update_date", None])
def test_a_row_of_another_length_without_a_report_date_is_set_aside(name):
    """
    Another date of the row may be the one of the report.
    """
    dates = {"released_date": "", "student_update_date": "", "report_date": ""} | ({name: "070126"} if name else {})
    header, row = csv_file([student(1, **NO_EXAMS, **dates)]).splitlines()
    found = read(header + b"\n" + row + b',""\n')
    assert ([each["kind"] for each in found["problems"]], found["students"]) == (["wrong_length"], [])


@pytest.mark.parametrize("moved", [1, -1])
@pytest.mark.parametrize("dates", [*itertools.product(("", "070126"), ("", "070226"), ("070926",)), ("", "", "")])
def test_no_date_of_a_student_without_exams_is_read_from_where_another_stands(dates, moved):
    """
    Behind the campus a cell was lost, or an empty one came in.
    """
    dates = dict(zip(("released_date", "student_update_date", "report_date"), dates, strict=True))
    header, row = csv.reader(io.StringIO(csv_file([student(1, **NO_EXAMS, **dates)]).decode()))
    at = column("DI Street Address 1")
    row = [*row[:at], *[""] * moved, *row[at:]] if moved > 0 else [*row[:at], *row[at - moved :]]
    out = io.StringIO()
    csv.writer(out).writerows([header, row])
    found = [(each["scores_released_date"], each["report_date"]) for each in read(out.getvalue().encode())["students"]]
    assert found == []


@pytest.mark.parametrize("at", ["Student Street Address 1", "DI Institution Name", "DI Zip Code", "Exam Grade 02"])
@pytest.mark.parametrize("record", [ONE, ONE | {"student_update_date": ""}], ids=["dates", "no update date"])
def test_a_cell_too_many_in_the_middle_is_told_from_one_at_the_end(record, at):
    """
    An unquoted comma in an address moves all cells behind it; the row's last cells are empty in both cases.
    """
    header, row = csv.reader(io.StringIO(csv_file([record]).decode()))
    for moved in ([*row[: column(at)], "X", *row[column(at) :]], [*row[: column(at)], "", *row[column(at) :]]):
        out = io.StringIO()
        csv.writer(out).writerows([header, moved])
        found = read(out.getvalue().encode())
        assert (found["students"], [problem["kind"] for problem in found["problems"]]) == ([], ["wrong_length"])


@pytest.mark.parametrize("at", ["Student Street Address 1", "AI Code", "DI Zip Code", "Exam Code 01"])
def test_a_row_in_which_cells_moved_is_set_aside_though_its_length_is_right(at):
    """
    It has one cell too many in its middle, and one empty cell less at its end.
    """
    header, row = csv.reader(io.StringIO(csv_file([ONE]).decode()))
    out = io.StringIO()
    csv.writer(out).writerows([header, [*row[: column(at)], "X", *row[column(at) : -1]], row])
    found = read(out.getvalue().encode())
    assert [(each["record_number"], each["kind"]) for each in found["problems"]] == [(1, "misaligned")]
    assert [each["record_number"] for each in found["students"]] == [2]
    assert [number for number, _ in found["rejected"]] == [1]


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize(
    "change",
    [lambda row: row, lambda row: row[::-1], lambda row: row[:244], lambda row: [*row, ""]],
    ids=["same", "other order", "fewer columns", "more columns"],
)
def test_joined_files_are_read_each_by_its_own_header(change, quoting):
    """
    A header in the middle is no student, and what stands behind it stands under its names.
    """
    once = read(csv_file(ALL))
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting)
    rows = list(csv.reader(io.StringIO(csv_file(ALL).decode())))
    writer.writerows([*rows, *map(change, rows), rows[0]])
    data = out.getvalue().encode()
    for found in (read(data), read(data, 3000)):
        students = [{**row, "record_number": (row["record_number"] - 1) % 3 + 1} for row in found["students"]]
        assert [row["record_number"] for row in found["students"]] == [1, 2, 3, 4, 5, 6]
        assert students == once["students"] * 2
        assert len(found["exam_scores"]) == 2 * len(once["exam_scores"])
        assert found["rejected"] == []
        told = [
            (row["record_number"], row["severity"]) for row in found["problems"] if row["kind"] == "repeated_header"
        ]
        assert told == [(3, "warning"), (6, "warning")]


@pytest.mark.parametrize("written", ["9.7.2026", "13/7/2026", "7/9.2026", "2026-13-01", "9-JUL-26", "JULY 9"])
def test_a_date_in_no_known_order_is_a_problem_and_no_guess(written):
    found = read(csv_file([student(report_date=written)]))
    assert found["students"][0]["report_date"] is None
    assert [(row["kind"], row["field"]) for row in found["problems"]] == [("bad_date", "report_date")]


def test_columns_that_nobody_knows_are_named():
    file = read_score_file(CSV_VARIANTS["vendor columns"])
    assert file.unread_columns == ("Vendor Row", "Extra")
    assert file.problems.num_rows == 0


def test_optional_columns_may_be_missing():
    dropped = {"Gender", "Grade Level", "Date of this report", "Class Section Code 01", "Award Type 6", "Award Year 6"}
    keep = [at for at, name in enumerate(NAMES) if name not in dropped and not name.endswith((" 29", " 28"))]
    found = read(mapped(lambda at, row: [row[i] for i in keep]))
    assert [row["gender"] for row in found["students"]] == [None] * 3
    assert [row["report_date"] for row in found["students"]] == [None] * 3
    assert len(found["exam_scores"]) == 7
    assert found["problems"] == []


@pytest.mark.parametrize("name", ["AP Number / AP ID", "College Code", "Exam Code 01", "Exam Grade 07"])
def test_a_missing_essential_column_is_named(name):
    data = mapped(lambda at, row: [cell for i, cell in enumerate(row) if i != column(name)])
    with pytest.raises(ScoreFileMalformed, match=f'no column "{name}"'):
        list(read_score_file(data).batches())


def test_csv_only_columns():
    record = student(province="QC", postal_code="H2X 1Y4", student_identifier="S-17")
    row = read(csv_file([record]))["students"][0]
    assert (row["province"], row["postal_code"], row["student_identifier"]) == ("QC", "H2X 1Y4", "S-17")


def test_values_wider_than_their_columns_are_whole_in_csv():
    long = "WOLFESCHLEGELSTEINHAUSENBERGERDORFF"
    assert read(csv_file([student(last_name=long)]))["students"][0]["last_name"] == long


def test_a_value_with_a_line_end_in_it():
    found = read(csv_file([ONE, student(2, street_1='1 "MAIN"\nST'), THREE]))
    assert [row["street_1"] for row in found["students"]] == ["1 INVENTED WAY", '1 "MAIN"\nST', "1 INVENTED WAY"]
    assert found["problems"] == found["rejected"] == []


def test_a_line_end_in_the_last_value_is_no_end_of_a_record():
    lines = csv_file([student(n, ordering_institution_key="A\nB") for n in range(1, 4)]).splitlines(keepends=True)
    data = b"".join(lines)
    for end in range(2, len(lines)):
        first = len(b"".join(lines[:end]))
        found = read(data, first)
        assert [row["ordering_institution_key"] for row in found["students"]] == ["A\nB"] * 3
        assert found["rejected"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_csv_letters_beyond_ascii(encoding):
    data = csv_file([ONE, student(2, last_name="NUÑEZ")]).decode().encode(encoding)
    assert [row["last_name"] for row in read(data)["students"]] == ["RIVERA", "NUÑEZ"]


def csv_line(record):
    return encode_csv_record(record).encode()


CSV_DEFECTS = {
    "impossible date": (csv_line(TWO | {"birth_date": "2/30/2007"}), True, "bad_date", "birth_date"),
    "score 9": (csv_line(TWO | {"exam_grade_01": "9"}), True, "bad_score", "exam_grade_01"),
    "score in words": (csv_line(TWO | {"exam_grade_01": "five"}), True, "bad_score", "exam_grade_01"),
    "no year": (csv_line(TWO | {"admin_year_01": "next"}), True, "bad_year", "admin_year_01"),
    "year of another age": (csv_line(TWO | {"admin_year_01": "1066"}), True, "bad_year", "admin_year_01"),
    "year far ahead": (csv_line(TWO | {"admin_year_01": "2999"}), True, "bad_year", "admin_year_01"),
    "code too long": (csv_line(TWO | {"exam_code_01": "066"}), True, "bad_code", "exam_code_01"),
    "control character": (csv_line(TWO | {"last_name": "A\x01B"}), True, "control_characters", "last_name"),
    "no text": (csv_line(TWO).replace(b"O'NEIL", b"O\x81NEIL"), True, "undecodable", "last_name"),
    "cells missing": (csv_line(TWO).rsplit(b",", 200)[0], False, "wrong_length", None),
    "a cell lost": (csv_line(TWO).replace(b'"ALEX",', b"", 1), False, "wrong_length", None),
    "a cell gained": (csv_line(TWO) + b',"x"', False, "wrong_length", None),
    "an open quote": (csv_line(TWO).replace(b'"ALEX"', b'"ALEX', 1), False, "wrong_length", None),
    "no record": (b"The following students could not be matched", False, "wrong_length", None),
}


@pytest.mark.parametrize("defect", CSV_DEFECTS)
def test_csv_defects(defect):
    line, typed, kind, field = CSV_DEFECTS[defect]
    rest = csv_line(THREE)
    data = b"\n".join([csv_header().encode(), csv_line(ONE), line, rest, *[rest] * 20]) + b"\n"
    for found in (read(data), read(data, 3000)):
        numbers_of_students = [row["record_number"] for row in found["students"]]
        assert numbers_of_students == [number for number in range(1, 24) if typed or number != 2]
        problems = [(row["record_number"], row["kind"], row["field"], row["start"]) for row in found["problems"]]
        assert problems == [(2, kind, field, None)]
        assert found["rejected"] == [(2, line)]


DAMAGED_BY_SPREADSHEETS = {
    "ap_id": ("1.23E+71", "bad_code"),
    "zip_code": ("2.14E+08", "bad_code"),
    "high_school_code": ("1E+05", "bad_code"),
    "student_identifier": ("4.5E+12", "bad_code"),
    "college_code": ("4.87E+03", "bad_code"),
    "birth_date": ("40185", "bad_date"),
    "report_date": ("45843.0", "bad_date"),
    "released_date": ("45843.5", "bad_date"),
    "student_update_date": ("########", "bad_date"),
    "admin_year_01": ("2.03E+03", "bad_year"),
    "exam_code_01": ("6.6E+01", "bad_code"),
    "award_type_1": ("1E+00", "bad_code"),
}


@pytest.mark.parametrize(
    "names", [*([name] for name in DAMAGED_BY_SPREADSHEETS), list(DAMAGED_BY_SPREADSHEETS)], ids=str
)
def test_a_value_that_a_spreadsheet_destroyed_is_null_and_a_problem(names):
    """
    The rest of the record is read, however many cells were damaged: no cell has moved.
    """
    damaged = student(2, **{name: DAMAGED_BY_SPREADSHEETS[name][0] for name in names})
    found = read(csv_file([ONE, damaged, damaged]))
    problems = [(row["record_number"], row["field"], row["kind"]) for row in found["problems"]]
    expected = [(number, name, DAMAGED_BY_SPREADSHEETS[name][1]) for number in (2, 3) for name in names]
    assert sorted(problems) == sorted(expected)
    row = found["students"][1]
    exam = found["exam_scores"][2]
    for name in names:
        column = {"released_date": "scores_released_date"}.get(name, name)
        assert (row | exam | found["awards"][1]).get(column.removesuffix("_01").removesuffix("_1")) is None
    assert exam["score"] == 5
    assert [number for number, _ in found["rejected"]] == [2, 3]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("51407", date(2007, 5, 14)), ("70708", date(2008, 7, 7)), ("30307", date(2007, 3, 3)), ("41207", None)],
)
def test_five_digits_are_a_date_without_its_zero_unless_they_may_be_a_spreadsheets_number(written, meant):
    """
    In a spreadsheet's calendar 41207 is 2012-10-26, and the others are no dates of a student.
    """
    found = read(csv_file([student(birth_date=written, report_date="070726")]))
    assert [row["birth_date"] for row in found["students"]] == [meant]
    assert [row["kind"] for row in found["problems"]] == ([] if meant else ["bad_date"])


@pytest.mark.parametrize(
    "change",
    [lambda row: row, lambda row: row[::-1], lambda row: row[:244]],
    ids=["same", "other order", "fewer columns"],
)
def test_headers_in_the_middle_do_not_cut_a_batch(change):
    """
    A batch of two records costs nearly as much as one of thousands.
    """
    header, *rows = csv.reader(io.StringIO(csv_file([student(number) for number in range(1, 41)]).decode()))
    out = io.StringIO()
    writer = csv.writer(out)
    for at in range(0, 40, 4):
        writer.writerows([header, *rows[at : at + 2], *map(change, [header, *rows[at + 2 : at + 4]])])
    file = read_score_file(out.getvalue().encode())
    batches = [batch.students["ap_id"].to_pylist() for batch in file.batches() if batch.students.num_rows]
    assert batches == [[f"AP{number:06}" for number in range(1, 41)]]


OPEN_QUOTES = {
    "in every row": lambda row: row.replace('"ALEX"', '"ALEX'),
    "in unquoted rows": lambda row: '"' + row.replace('"', ""),
    "two in a row": lambda row: row.replace('"ALEX"', '"ALEX').replace('"Q"', '"Q'),
    "within a cell": lambda row: 'A"B,"' + row.replace('"', ""),
    "cells missing": lambda row: "A,B",
    "empty lines": lambda row: "",
}


@pytest.mark.parametrize("odd", OPEN_QUOTES)
def test_reading_ends_after_many_lines_in_a_row_without_a_record(odd, mocker):
    mocker.patch.object(lines, "MOST_BAD_LINES", 20)
    header, row = csv_file([ONE]).decode().splitlines()
    bad = [OPEN_QUOTES[odd](row)] * 19
    few = "\n".join([header, row, *bad, row, *bad, row, ""]).encode()
    assert [each["ap_id"] for each in read(few)["students"]] == ["AP000001"] * 3
    for many in (few + ("\n".join(bad * 3) + "\n").encode(), "\n".join([header, *bad * 3, row]).encode()):
        for piece in (None, 1000):
            with pytest.raises(ScoreFileMalformed, match="More than 20 lines in a row"):
                read(many, piece)


def test_any_number_of_blank_rows_is_accepted(mocker):
    mocker.patch.object(lines, "MOST_BAD_LINES", 20)
    header, row = csv_file([ONE]).decode().splitlines()
    blank = "," * header.count(",")
    found = read("\n".join([header, *[blank] * 100, row, *[blank] * 100]).encode())
    assert ([row["record_number"] for row in found["students"]], found["problems"]) == ([1], [])


def test_a_quote_may_be_a_letter_of_an_unquoted_cell():
    data = csv_file([ONE, THREE]).decode().replace('"', "").replace("1 INVENTED WAY", '5" PIPE ROAD', 1)
    found = read(data.encode())
    assert [row["street_1"] for row in found["students"]] == ['5" PIPE ROAD', "1 INVENTED WAY"]
    assert found["problems"] == []


@pytest.mark.parametrize(
    "gone",
    [
        ["Irregularity Code #1 01", "Irregularity Code #2 01"],
        ["Irregularity Code #2 17"],
        ["Exam Grade 30"],
        ["Award Year 2"],
        [name for name in NAMES if name.startswith("Irregularity")],
    ],
    ids=lambda gone: gone[0] if len(gone) < 3 else "all irregularities",
)
def test_a_slot_of_which_columns_are_missing_is_refused_and_they_are_named(gone):
    """
    Without its irregularities a canceled score would be a reported one.
    """
    data = mapped(lambda at, row: [cell for name, cell in zip(NAMES, row, strict=True) if name not in gone])
    with pytest.raises(ScoreFileMalformed) as error:
        read(data)
    assert all(f'"{name}"' in str(error.value) for name in gone[:2])
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("in_front", [True, False])
def test_two_columns_for_one_field_are_merged_row_by_row(in_front):
    """
    Files of two years, joined by the names of their columns.
    """
    second = ["AP Number", "", "AP000002", "AP000003", "AP000009"]
    records = [student(1), student(2, ap_id=""), student(3), student(4)]
    rows = list(csv.reader(io.StringIO(csv_file(records).decode())))
    out = io.StringIO()
    csv.writer(out).writerows(
        [cell, *row] if in_front else [*row, cell] for cell, row in zip(second, rows, strict=True)
    )
    found = read(out.getvalue().encode())
    assert [row["ap_id"] for row in found["students"]] == ["AP000001", "AP000002", "AP000003", "AP000004"]
    assert [(row["record_number"], row["kind"], row["field"]) for row in found["problems"]] == [
        (4, "two_values", "ap_id")
    ]


@pytest.mark.parametrize("name", ["Last Name", "Exam Grade 01", "Student Identifier", "Date of Birth"])
def test_a_column_that_comes_twice_with_different_values_is_refused(name):
    at = column(name)
    once = with_cell(name, lambda cell: cell or "A")
    rows = list(csv.reader(io.StringIO(once.decode())))

    def twice(changed):
        out = io.StringIO()
        csv.writer(out).writerows([*row, cell] for row, cell in zip(rows, changed, strict=True))
        return out.getvalue().encode()

    same = [row[at] for row in rows]
    check_equal(read(twice(same)), read(once))
    check_equal(read(twice([name, "", *same[2:]])), read(once))
    with pytest.raises(ScoreFileMalformed, match="twice, and record 2 has different values"):
        read(twice([*same[:2], "010203" if "Date" in name else "4", *same[3:]]))


@pytest.mark.parametrize("odd", ['"AL"EX",', '"ALEX"X,', '"AL\rEX",', "AL\rEX,", 'A"LEX,', '"ALEX'])
def test_what_a_row_gives_does_not_depend_on_its_neighbours(odd):
    """
    Other rows with a quote or a return out of place take in what follows, where they do.
    """
    header, row = csv_file([ONE]).decode().splitlines()
    changed = row.replace('"ALEX",', odd, 1)
    found = []
    for neighbours in ([row], [row.replace('"RIVERA"', '"RIV"ERA,"', 1)], [row.replace('"Q"', "A\rB")]):
        of_row = read("\n".join([header, *neighbours, changed, *neighbours, ""]).encode())
        found.append(
            (
                [each["first_name"] for each in of_row["students"] if each["record_number"] == 2],
                [(each["kind"], each["field"]) for each in of_row["problems"] if each["record_number"] == 2],
            )
        )
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("others", [[], [THREE]])
def test_misplaced_cells_count_where_other_rows_are_blank(others):
    record = student(1, released_date="RIVERA", student_update_date="ALEX")
    others = [each | {"released_date": "", "student_update_date": ""} for each in others]
    found = read(csv_file([record, *others]))
    assert [(row["record_number"], row["kind"]) for row in found["problems"]] == [(1, "misaligned")]


@pytest.mark.parametrize("mark", ["\x1e", "\x1f", "\x01"])
def test_a_control_character_separates_no_cells(mark):
    odd = csv_line(TWO).replace(b"O'NEIL", f'O{mark}""NEIL'.encode())
    found = read(b"\n".join([csv_header().encode(), csv_line(ONE), odd, csv_line(THREE)]))
    assert [row["last_name"] for row in found["students"]] == ["RIVERA", None, "CHEN"]
    assert [(row["kind"], row["field"]) for row in found["problems"]] == [("control_characters", "last_name")]
    assert found["rejected"] == [(2, odd)]


def test_a_line_of_one_quote_is_blank():
    found = read(b"\n".join([csv_header().encode(), csv_line(ONE), b'"', csv_line(THREE)]))
    assert [row["last_name"] for row in found["students"]] == ["RIVERA", "CHEN"]
    assert found["problems"] == []


def test_a_student_may_live_in_exam_street():
    found = read(csv_file([student(1, street_1="1 EXAM CODE 01", street_2='"A"'), ONE]))
    assert [row["street_1"] for row in found["students"]] == ["1 EXAM CODE 01", "1 INVENTED WAY"]
    assert found["problems"] == []

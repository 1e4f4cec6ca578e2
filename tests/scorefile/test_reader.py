"""Every kind of file three ways: whole, in small pieces, with something behind it."""

import csv
import gzip
import io
import itertools
import re
from datetime import date

import pytest

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.scorefile import (
    csv_header,
    encode_csv_record,
    encode_record,
    read_score_file,
)
from airflow_provider_apscores.scorefile.reading.detect import understand_header
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS
from tests.scorefile.students import csv_file, of_report, student, txt
from tests.scorefile.three_ways import (
    ALL,
    LINES,
    ONE,
    TABLES,
    THREE,
    TODAY,
    TWO,
    check_equal,
    check_three_ways,
    put,
    read,
    without_last_record,
)

TXT_VARIANTS = {
    "plain": txt(ALL),
    "CRLF": txt(ALL, line_end=b"\r\n"),
    "mixed line ends": LINES[0] + b"\r\n" + LINES[1] + b"\n" + LINES[2] + b"\r\n",
    "no last newline": txt(ALL)[:-1],
    "CRLF, no last newline": txt(ALL, line_end=b"\r\n")[:-2],
    "BOM": b"\xef\xbb\xbf" + txt(ALL),
    "blank lines": b"\n" + LINES[0] + b"\n\r\n   \n" + LINES[1] + b"\n" + b" " * 950 + b"\n" + LINES[2] + b"\n\n",
    "end-of-file mark": txt(ALL) + b"\x1a",
    "end-of-file marks of their own line": txt(ALL) + b"\x1a\x1a\r\n",
    "end-of-file marks glued on": txt(ALL)[:-1] + b"\x1a\x1a",
    "blanks cut, end-of-file mark glued on": LINES[0] + b"\n" + LINES[1] + b"\n" + LINES[2].rstrip() + b"\x1a",
    "returns doubled": txt(ALL, line_end=b"\r\r\n"),
    "tabs behind": b"".join(line + b"\t\n" for line in LINES),
    "tabs for blanks": b"".join(line.rstrip() + b"\t \t\n" for line in LINES),
    "NULs behind": b"".join(line + b"\0\0\n" for line in LINES),
    "a BOM before each record": b"".join(b"\xef\xbb\xbf" + line + b"\n" for line in LINES),
    "page breaks": LINES[0] + b"\n\x0c\n" + LINES[1] + b"\n" + LINES[2] + b"\n",
    "page breaks before records": b"\n\x0c".join(LINES) + b"\n",
    "files joined with their end-of-file marks": b"\r\n\x1a\xef\xbb\xbf".join(LINES) + b"\r\n\x1a",
    "blanks cut by an editor": b"".join(line.rstrip() + b"\n" for line in LINES),
    "blanks cut, CRLF, no last newline": b"\r\n".join(line.rstrip() for line in LINES),
    "blanks added": b"".join(line + b"   \n" for line in LINES),
}


@pytest.mark.parametrize("variant", TXT_VARIANTS)
def test_txt_in_every_dress_says_the_same(variant):
    expected = read(txt(ALL))
    assert expected["problems"] == expected["rejected"] == []
    check_three_ways(TXT_VARIANTS[variant], LINES[0] + b"\n", lambda found: check_equal(found, expected))


@pytest.mark.parametrize("layout", ["950", "910"])
def test_txt_lines_of_old_macs_end_with_a_carriage_return(layout):
    records = [{name: value for name, value in each.items() if "race" not in name} for each in ALL * 700]
    data = txt(records, layout, line_end=b"\r")
    assert len(data) > LONGEST_LINE  # which a line that never ended would exceed
    for each in (data, data[:-1], b"\xef\xbb\xbf" + data, b"\r\r" + data, data + b"\n", data[:-1] + b"\r\n"):
        file = read_score_file(each, today=TODAY)
        assert (file.records, file.line_end, file.problems.num_rows) == (len(records), b"\r", 0)
        assert read(each) == read(data)
    assert read(data) == read(txt(records))


@pytest.mark.parametrize(
    ("first", "students", "rejected"),
    [(LINES[0][1:], 2, 1), (LINES[0] + b"X", 2, 1), (b"hello", 2, 1), (b"\x1a", 2, 0), (b" " * 950, 2, 0)],
)
def test_old_macs_files_may_begin_with_something_odd(first, students, rejected):
    file = read_score_file(b"\r".join([first, *LINES[1:]]) + b"\r", today=TODAY)
    assert (file.students.num_rows, len(file.rejected), file.line_end) == (students, rejected, b"\r")


@pytest.mark.parametrize("column", [12, 890, 919])
@pytest.mark.parametrize("behind", [b"", b"\n", b"\n" + LINES[1] + b"\n"])
def test_a_carriage_return_in_a_record_is_no_line_end(column, behind):
    damaged = LINES[0][:column] + b"\r" + LINES[0][column + 1 :]
    file = read_score_file(damaged + behind, today=TODAY)
    assert (file.students.num_rows, file.line_end) == (2 if LINES[1] in behind else 1, b"\n")
    assert file.problems["kind"].to_pylist() == ["control_characters"]
    assert file.rejected == [(1, damaged)]


def test_the_older_layout_says_the_same_but_for_race_and_ethnicity():
    records = [{name: value for name, value in each.items() if "race" not in name} for each in ALL]
    data = txt(records, "910")
    check_three_ways(data, data[:911], lambda found: check_equal(found, read(txt(records))))
    assert read_score_file(data).layout == "910"


@pytest.mark.parametrize(
    ("reported", "layout"), [("063016", "910"), ("070116", "950"), ("120199", "910"), ("070726", "950")]
)
def test_where_both_layouts_were_trimmed_to_the_same_the_report_date_tells(reported, layout):
    records = [of_report(THREE, reported) | {"ap_id": name} for name in ("A", "B")]
    trimmed = b"".join(line.rstrip() + b"\n" for line in txt(records, "910").splitlines())
    file = read_score_file(trimmed, today=TODAY)
    assert (file.layout, file.students.num_rows, file.problems.num_rows) == (layout, 2, 0)


def test_trimmed_records_of_both_ages_in_one_file():
    old = of_report(THREE, "070715")
    lines = [encode_record(each).rstrip() for each in (old, ONE, old, old, TWO)]
    lines += [encode_record(old, "910"), encode_record(TWO)]
    found = read(b"\n".join(lines) + b"\n")
    assert found["problems"] == []
    assert [bool(row["race_ethnicity_response"]) for row in found["students"]] == [0, 1, 0, 0, 1, 0, 1]


def test_both_layouts_in_one_file():
    lines = [encode_record(THREE, "910"), *LINES[:2], encode_record(THREE, "910")]
    expected = read(txt([THREE, ONE, TWO, THREE]))
    check_three_ways(b"\n".join(lines), LINES[0], lambda found: check_equal(found, expected))


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda text: text.encode(), "NUÑEZ"),
        (lambda text: text.encode("cp1252"), "NUÑEZ"),
        (lambda text: text.encode("cp1252"), "O’NEIL"),
        (lambda text: text.encode("latin-1"), "ÅSTRÖM"),
        # Positions count bytes: the blanks behind the name were cut to the letters' bytes.
        (lambda text: text.replace("NUÑEZ ", "NUÑEZ").encode(), "NUÑEZ"),
        # Both at once: letters beyond ASCII and blanks cut at the end.
        (lambda text: text.rstrip().encode(), "NUÑEZ"),
    ],
)
def test_letters_beyond_ascii_keep_the_columns(encode, name):
    line = encode_record(student(2, last_name=name)).decode()
    data = LINES[0] + b"\n" + encode(line) + b"\n"

    def check(found):
        assert [row["last_name"] for row in found["students"]] == ["RIVERA", name]
        assert [row["score"] for row in found["exam_scores"]] == [5, 3, 5, 3]
        assert found["problems"] == found["rejected"] == []

    check_three_ways(data, LINES[2], check)


def test_letters_of_two_fields_that_happen_to_be_one_in_utf_8():
    record = student(2, last_name="ABCDEFGHIJKLMNÑ", first_name="ŒUVRE")
    line = encode_record(record).decode().encode("cp1252")
    assert line.decode()  # as UTF-8, one character less
    for odd in (line, line + b"\0", line + b" ", b"\x0c" + line, line.rstrip()):
        found = read(LINES[0] + b"\n" + odd + b"\n" + LINES[2] + b"\n")
        assert found["problems"] == []
        of_two = found["students"][1]
        assert (of_two["last_name"], of_two["first_name"]) == (record["last_name"], record["first_name"])
        assert [row["score"] for row in found["exam_scores"]] == [5, 3] * 3


# What is done to the second of three records; students that remain, problems as (kind, field, start, end).
DEFECTS = {
    "impossible date": (put(LINES[1], "birth_date", b"023007"), [("bad_date", "birth_date", 142, 147)]),
    "no date": (put(LINES[1], "report_date", b"JULY 7"), [("bad_date", "report_date", 881, 886)]),
    "score 9": (put(LINES[1], "exam_grade_02", b"9"), [("bad_score", "exam_grade_02", 554, 554)]),
    "score 0": (put(LINES[1], "exam_grade_30", b"0"), [("bad_score", "exam_grade_30", 862, 862)]),
    "no year": (put(LINES[1], "admin_year_01", b"2X"), [("bad_year", "admin_year_01", 539, 540)]),
    "no award year": (put(LINES[1], "award_year_1", b"2 "), [("bad_year", "award_year_1", 191, 192)]),
    "tab in a name": (put(LINES[1], "last_name", b"A\tB"), [("control_characters", "last_name", 9, 23)]),
    "NUL in a score": (put(LINES[1], "exam_grade_01", b"\0"), [("control_characters", "exam_grade_01", 543, 543)]),
    "DEL in a date": (put(LINES[1], "birth_date", b"\x7f"), [("control_characters", "birth_date", 142, 147)]),
    "no text": (put(LINES[1], "street_1", b"\x81"), [("undecodable", "street_1", 37, 66)]),
    "letter in a code": (put(LINES[1], "exam_code_01", b"\xc5"), [("undecodable", "exam_code_01", 541, 542)]),
    "two at once": (
        put(put(LINES[1], "last_name", b"A\tB"), "birth_date", b"999999"),
        [("control_characters", "last_name", 9, 23), ("bad_date", "birth_date", 142, 147)],
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_costs_its_field_and_nothing_else(defect):
    line, problems = DEFECTS[defect]
    data = b"\n".join([LINES[0], line, LINES[2]]) + b"\n"
    sound = read(txt(ALL))

    def check(found):
        assert [row["record_number"] for row in found["students"]] == [1, 2, 3]
        assert [(row["kind"], row["field"], row["start"], row["end"]) for row in found["problems"]] == problems
        assert {(row["record_number"], row["severity"]) for row in found["problems"]} == {(2, "error")}
        assert found["rejected"] == [(2, line)]
        for table in TABLES:
            others = [row for row in found[table] if row["record_number"] != 2]
            assert others == [row for row in sound[table] if row["record_number"] != 2]
        fields = {row["field"] for row in found["problems"]}
        ours, theirs = found["students"][1], sound["students"][1]
        different = {name for name in theirs if ours[name] != theirs[name]}
        if not fields & {"report_date", None}:
            assert different <= fields

    check_three_ways(data, LINES[0], check)


# What is done to the second of three records, which is then set aside whole; the kind of the problem.
SET_ASIDE = {
    "cut in an exam": (LINES[1][:552], "wrong_length"),
    "cut before the report date ends": (LINES[1][:885], "wrong_length"),
    "cut in the answers": (LINES[1][:905], "wrong_length"),
    "cut to the older length": (LINES[1][:910], "wrong_length"),
    "something behind": (LINES[1] + b"XYZ", "wrong_length"),
    "a character lost": (LINES[1][:100] + LINES[1][101:], "wrong_length"),
    "a blank lost among the exams": (LINES[1][:600] + LINES[1][601:], "wrong_length"),
    "a blank gained": (LINES[1][:300] + b" " + LINES[1][300:], "wrong_length"),
    "a digit gained": (LINES[1][:540] + b"1" + LINES[1][540:], "wrong_length"),
    "two records joined out of step": (LINES[1][5:] + LINES[1], "wrong_length"),
    "no record": (b"The following students could not be matched:", "wrong_length"),
    "a character lost, filled up": (LINES[1][:100] + LINES[1][101:] + b" ", "misaligned"),
    "a score lost, filled up": (LINES[1][:542] + LINES[1][543:] + b" ", "misaligned"),
    "a character gained, cut": (LINES[1][:50] + b"A" + LINES[1][50:-1], "misaligned"),
    "two exams gained, cut": (LINES[1][:538] + b"2566".ljust(11) * 2 + LINES[1][538:-22], "misaligned"),
    "two impossible fields": (put(put(LINES[1], "exam_grade_02", b"9"), "birth_date", b"999999"), "misaligned"),
    "dates in two orders and a letter": (
        put(put(LINES[1], "report_date", b"250707"), "admin_year_01", b"2X"),
        "misaligned",
    ),
}


@pytest.mark.parametrize("defect", SET_ASIDE)
def test_a_record_is_read_whole_or_set_aside_whole(defect):
    line, kind = SET_ASIDE[defect]
    sound = read(txt(ALL))

    def check(found):
        for table in TABLES:
            assert found[table] == [row for row in sound[table] if row["record_number"] != 2]
        assert [(row["kind"], row["field"], row["record_number"]) for row in found["problems"]] == [(kind, None, 2)]
        if kind == "wrong_length":
            assert found["problems"][0]["detail"] == f"{len(line)} characters, not 950"
        assert found["rejected"] == [(2, line)]

    check_three_ways(b"\n".join([LINES[0], line, LINES[2]]) + b"\n", LINES[0], check)


def test_warnings_reject_nothing():
    record = student(race_ethnicity_response="NNXNYNNNNYN", exam_code_03="66", exam_grade_03="4")
    found = read(txt([record]))
    kinds = [(row["kind"], row["field"], row["severity"]) for row in found["problems"]]
    assert kinds == [
        ("bad_flag", "race_ethnicity_response", "warning"),
        ("incomplete_exam", "exam_code_03", "warning"),
    ]
    assert found["rejected"] == []
    assert found["students"][0]["race_ethnicity_response"] == "NNXNYNNNNYN"
    assert (found["students"][0]["race_puerto_rican"], found["students"][0]["race_asian"]) == (None, False)
    assert found["exam_scores"][2]["score"] == 4


def test_unknown_codes_are_kept_counted_and_told_once():
    record = student(
        exam_code_01="99", admin_year_02="10", exam_code_02="65", irregularity_1_02="33", award_type_1="77",
        race_ethnicity_derived="55",
    )  # fmt: skip
    file = read_score_file(txt([ONE, record, record]))
    assert file.unknown_codes == {
        ("exam_code", "99"): 2,
        ("exam_code", "65"): 2,
        ("irregularity_1", "33"): 2,
        ("award_type", "77"): 2,
        ("race_ethnicity_derived", "55"): 2,
    }
    problems = file.problems.to_pylist()
    assert {(row["kind"], row["severity"], row["record_number"]) for row in problems} == {
        ("unknown_code", "warning", 2)
    }
    assert "exam code 65, known for other years only: 2 rows in the file" in [row["detail"] for row in problems]
    of_two = [row for row in file.exam_scores.to_pylist() if row["record_number"] == 2]
    assert [(row["exam_code"], row["exam_title"], row["score"]) for row in of_two] == [("99", None, 5), ("65", None, 3)]
    assert of_two[1]["status"] == "reported"
    assert file.rejected == []


@pytest.mark.parametrize(
    ("codes", "score", "status", "note"),
    [
        (("", ""), "5", "reported", None),
        (("", ""), "", "unknown", None),
        (("20", ""), "4", "reported", "undertimed 5 minutes or less"),
        (("20", ""), "", "unknown", "undertimed 5 minutes or less"),
        (("02", ""), "", "delayed", "score to follow"),
        (("02", "05"), "", "delayed", "score to follow"),
        (("07", "02"), "", "pending", "student has options to answer; score to follow"),
        (("01", "07"), "", "unavailable", "no score; student has options to answer"),
        (("98", "01"), "", "withheld", "from this college at the student's request; no score"),
        (("98", "94"), "", "canceled", "from this college at the student's request; at the student's request"),
        (("37", "20"), "3", "projected", "portion lost; undertimed 5 minutes or less"),
        (("19", ""), "", "canceled", "canceled"),
        (("", "44"), "3", "projected", "from multiple-choice section"),
        (("33", ""), "3", "reported", None),
    ],
)
def test_the_stronger_irregularity_decides_the_status(codes, score, status, note):
    record = student(irregularity_1_01=codes[0], irregularity_2_01=codes[1], exam_grade_01=score)
    row = read(txt([record]))["exam_scores"][0]
    assert (row["status"], row["irregularity_notes"]) == (status, note)
    assert (row["irregularity_1"], row["irregularity_2"]) == tuple(code or None for code in codes)
    assert row["score"] == (int(score) if score else None)


@pytest.mark.parametrize(
    ("report", "birth", "year", "expected_birth", "expected_year"),
    [
        ("070725", "051407", "25", date(2007, 5, 14), 2025),
        ("070725", "051407", "26", date(2007, 5, 14), 2026),
        ("070725", "051407", "55", date(2007, 5, 14), 1955),
        ("070725", "070720", "99", date(2020, 7, 7), 1999),
        ("070725", "070820", "99", date(1920, 7, 8), 1999),
        ("070799", "051481", "98", date(1981, 5, 14), 1998),
        ("070799", "022900", "00", None, 2000),
        ("030105", "022900", "05", date(2000, 2, 29), 2005),
        ("", "051407", "27", date(2007, 5, 14), 2027),
        ("", "051407", "60", date(2007, 5, 14), 1960),
    ],
)
def test_two_digits_are_counted_from_the_reports_own_date(report, birth, year, expected_birth, expected_year):
    found = read(txt([student(report_date=report, birth_date=birth, admin_year_01=year)]))
    assert found["students"][0]["birth_date"] == expected_birth
    assert found["exam_scores"][0]["admin_year"] == expected_year


@pytest.mark.parametrize("make", [txt, csv_file])
def test_what_would_be_older_than_ap_exams_shows_that_a_date_is_wrong(make):
    """
    An exam of 2027 in a report of 2025 is none of 1927, nor is an award of 2030.
    """
    found = read(make([student(1, admin_year_01="27", award_year_1="30"), student(2, admin_year_01="54")]))
    assert [row["admin_year"] for row in found["exam_scores"]] == [None, 2024, None, 2024]
    assert [row["score"] for row in found["exam_scores"]] == [5, 3, 5, 3]
    assert [row["award_year"] for row in found["awards"]] == [None, 2025]
    assert [(row["record_number"], row["kind"], row["field"]) for row in found["problems"]] == [
        (1, "bad_year", "admin_year_01"),
        (1, "bad_year", "award_year_1"),
        (2, "bad_year", "admin_year_01"),
    ]
    assert [number for number, _ in found["rejected"]] == [1, 2]


def test_gaps_among_exams_are_no_end():
    record = {name: value for name, value in ONE.items() if not name.endswith("_01")}
    record |= {"admin_year_17": "24", "exam_code_17": "69", "exam_grade_17": "4", "class_section_29": "B"}
    rows = read(txt([record]))["exam_scores"]
    assert [(row["position"], row["subscore_of"], row["class_section"]) for row in rows] == [
        (2, None, None),
        (17, "68", None),
        (29, None, "B"),
    ]


def test_students_without_an_id_stay_apart():
    record = {name: value for name, value in ONE.items() if name != "ap_id"}
    found = read(txt([record, record]))
    assert [(row["record_number"], row["ap_id"]) for row in found["students"]] == [(1, None), (2, None)]
    assert len(found["exam_scores"]) == 4


# -- CSV ---------------------------------------------------------------------------------------------------------------


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
        for gap in ("NA", "NULL", "NaN", "nan", "None", "null", "N/A", "#N/A", "NaT", "<NA>", "\\N")
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
    "dates with dots": with_cell("Date of Birth", lambda cell: "14.5.2007"),
    "dates with dots, short": with_cell("Date of Birth", lambda cell: "14.05.07"),
    "dates with times": with_cell("Date of Birth", lambda cell: "5/14/2007 12:00:00 AM"),
    "dates with time zones": with_cell("Date of this report", lambda cell: "2025-07-07T00:00:00+00:00"),
    "dates of universal time": with_cell("Date of this report", lambda cell: "2025-07-07 00:00:00.000 UTC"),
    "named months": with_cell("Date of Birth", lambda cell: "14-May-07"),
    "named months, years in full": with_cell("Date of Birth", lambda cell: "14MAY2007"),
    "named months, first": with_cell("Date of Birth", lambda cell: "May 14, 2007"),
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
    Nobody would see that scores were canceled.
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


@pytest.mark.parametrize(
    "dates", [("070126", "070226", "070926"), ("", "", "070926"), ("", "070226", "070926"), ("", "", "")]
)
def test_empty_cells_too_many_do_no_harm_where_there_are_no_exams(dates):
    dates = dict(zip(("released_date", "student_update_date", "report_date"), dates, strict=True))
    record = student(1, **NO_EXAMS, **dates)
    expected = read(csv_file([record]))
    assert len(expected["students"]) == 1
    header, row = csv_file([record]).splitlines()
    check_equal(read(header + b"\n" + row + b',""\n'), expected)
    longer = read(header + b',"Vendor"\n' + row + b"\n")
    assert longer["students"] == (expected["students"] if dates["report_date"] else [])


@pytest.mark.parametrize("name", ["released_date", "student_update_date"])
def test_a_date_that_may_be_the_reports_is_not_read_from_a_row_of_another_length(name):
    dates = {"released_date": "", "student_update_date": "", "report_date": ""} | {name: "070126"}
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
    assert found == [] if any(dates.values()) or moved < 0 else [(None, None)]


@pytest.mark.parametrize("at", ["Student Street Address 1", "DI Institution Name", "DI Zip Code", "Exam Grade 02"])
@pytest.mark.parametrize("record", [ONE, ONE | {"student_update_date": ""}], ids=["dates", "no update date"])
def test_a_cell_too_many_in_the_middle_is_told_from_one_at_the_end(record, at):
    """
    An address with a comma that nobody quoted moves all behind it; the row's last cells are empty in both cases.
    """
    header, row = csv.reader(io.StringIO(csv_file([record]).decode()))
    for moved in ([*row[: column(at)], "X", *row[column(at) :]], [*row[: column(at)], "", *row[column(at) :]]):
        out = io.StringIO()
        csv.writer(out).writerows([header, moved])
        found = read(out.getvalue().encode())
        assert (found["students"], [problem["kind"] for problem in found["problems"]]) == ([], ["wrong_length"])


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


@pytest.mark.parametrize("written", ["9.7.2026", "09.07.26"])
def test_dots_put_the_day_first(written):
    row = read(csv_file([student(report_date=written)]))["students"][0]
    assert row["report_date"] == date(2026, 7, 9)


@pytest.mark.parametrize("written", ["7.13.2026", "13/7/2026", "7/9.2026", "2026-13-01", "46212"])
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


@pytest.mark.parametrize("piece", [None, 1000, 700_000, 3_000_000])
@pytest.mark.parametrize("long", [b"x" * 1_100_000, b"x" * 2_000_000])
def test_a_line_of_more_than_a_megabyte_is_refused_wherever_it_stands(long, piece):
    for behind in (b"", b"\n", b"\n" + LINES[1] + b"\n"):
        with pytest.raises(ScoreFileMalformed, match="Record 2 has no end within 1,048,576 characters"):
            read(LINES[0] + b"\n" + long + behind, piece)
    assert read(LINES[0] + b"\n" + b"x" * 1_000_000 + b"\n", piece)["problems"][0]["kind"] == "wrong_length"


@pytest.mark.parametrize("long", [b"x" * 1_100_000, b'"' + b"x" * 1_100_000])
def test_a_line_of_more_than_a_megabyte_is_refused_in_csv_too(long):
    header, row = csv_file([ONE]).splitlines()
    for behind in (b"", b"\n", b"\n" + row + b"\n"):
        with pytest.raises(ScoreFileMalformed, match="Record 2 has no end"):
            read(b"\n".join([header, row, long]) + behind)


def test_what_is_no_score_file(tmp_path):
    with pytest.raises(ScoreFileMalformed, match="empty"):
        read_score_file(b"")
    with pytest.raises(ScoreFileMalformed, match="PDF"):
        read_score_file(b"%PDF-1.4 ...")
    with pytest.raises(ScoreFileMalformed, match="twice"):
        read_score_file(gzip.compress(gzip.compress(txt(ALL))))
    with pytest.raises(StorageUnavailable):
        read_score_file(tmp_path / "nowhere.txt")
    with pytest.raises(ConfigurationError, match="binary mode"):
        read_score_file(io.StringIO("text"))
    with pytest.raises(ConfigurationError, match="on_problem"):
        read_score_file(txt(ALL), on_problem="ignore")


def test_a_day_that_is_no_date_is_refused():
    with pytest.raises(ConfigurationError, match="today is a date"):
        read_score_file(txt(ALL), today="2026-07-09")


def test_on_problem_fail_stops_at_the_first_error():
    with pytest.raises(ScoreFileMalformed, match=r"record 2: bad_date in birth_date \(columns 142 to 147\)"):
        read_score_file(txt([ONE, student(2, birth_date="999999")]), on_problem="fail")
    assert read_score_file(txt([student(exam_code_01="99")]), on_problem="fail").records == 1


def test_a_header_alone_gives_empty_tables():
    file = read_score_file(csv_header().encode() + b"\n")
    assert (file.records, file.students.num_rows, file.layout) == (0, 0, "csv")

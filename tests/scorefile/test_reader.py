"""Every kind of file three ways: whole, in small pieces, with something behind it."""

import gzip
import io
from datetime import date

import pytest

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.scorefile import (
    csv_header,
    encode_record,
    read_score_file,
)
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE
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
        (("16", "07"), "", "unavailable", "makeup requested, not taken; student has options to answer"),
        (("98", "16"), "", "withheld", "from this college at the student's request; makeup requested, not taken"),
        (("06", ""), "", "delayed", "score to follow (2025 layout; the 2023 one says no score)"),
        (("11", ""), "", "unavailable", "not available (a public pipeline, 2025)"),
        (("78", ""), "4", "projected", "from 75 % of the exam (2019 layout)"),
        (("79", "20"), "4", "projected", "from 80 % of the exam (2019 and 2020 layouts); undertimed 5 minutes or less"),
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

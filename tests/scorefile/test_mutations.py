"""Files that were damaged at random: no crash, and every line accounted for.

Each mutant is read in full. ``APSCORES_MUTANTS=10000`` makes it the long run.
"""

import os
import random

import pytest

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile import encode_record, read_score_file
from airflow_provider_apscores.scorefile.reading.lines import is_blank
from tests.scorefile.students import csv_file, student, txt

MUTANTS = int(os.environ.get("APSCORES_MUTANTS", "600"))

RECORDS = [
    student(1),
    student(2, last_name="NUÑEZ", admin_year_03="24", exam_code_03="93", irregularity_1_03="02"),
    student(3, admin_year_30="19", exam_code_30="93", exam_grade_30="2"),
    student(4, street_1='1, "MAIN" STREET'),
]
FILES = {
    "TXT": txt(RECORDS),
    "TXT, CRLF": txt(RECORDS, line_end=b"\r\n"),
    "TXT, CR": txt(RECORDS, line_end=b"\r"),
    "TXT, CP1252": txt(RECORDS).decode().encode("cp1252"),
    "CSV": csv_file(RECORDS),
    "CSV, semicolons": csv_file(RECORDS, delimiter=";", line_end="\r\n"),
}


def flip_bits(data, rng):
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data, rng):
    start = rng.randrange(len(data))
    del data[start : start + rng.choice([1, 2, 11, 300, 951])]


def insert(data, rng):
    at = rng.randrange(len(data))
    some = [b" ", b"\n", b"\r", b"\x00", b'"', b",", b"\xff", b"\xef\xbb\xbf", b"\x1a", bytes(rng.randbytes(20))]
    data[at:at] = rng.choice(some) * rng.choice([1, 1, 1, 40])


def swap(data, rng):
    width = rng.choice([1, 2, 11, 100])
    one, two = (rng.randrange(len(data)) for _ in range(2))
    data[one : one + width], data[two : two + width] = data[two : two + width], data[one : one + width]


def repeat(data, rng):
    start = rng.randrange(len(data))
    piece = data[start : start + rng.choice([1, 20, 951, 2000])]
    data[start:start] = piece


def end_early(data, rng):
    del data[rng.randrange(len(data)) :]


#: A line this long may hold two records.
SHORTEST_JOINED = 1800


MUTATIONS = [flip_bits, cut, insert, swap, repeat, end_early]


def account(data):
    """The lines of a mutant, by what the reader made of them."""
    file = read_score_file(bytes(data))
    seen, told, rejected, lines = [], set(), [], 0
    for batch in file.typed_batches():
        seen += batch.students.column("record_number").to_pylist()
        for row in batch.problems.select(["record_number", "severity", "kind"]).to_pylist():
            told.add((row["record_number"], row["severity"]))
        rejected += batch.rejected
        lines += batch.students.num_rows
    return file, seen, told, rejected


@pytest.mark.parametrize("name", FILES)
def test_every_line_of_a_damaged_file_is_accounted_for(name):
    rng = random.Random(name)
    read = 0
    for _ in range(MUTANTS // len(FILES)):
        data = bytearray(FILES[name])
        for _ in range(rng.choice([1, 1, 2, 3])):
            if data:
                rng.choice(MUTATIONS)(data, rng)
        try:
            file, students, told, rejected = account(data)
        except ScoreFileMalformed:
            continue
        read += 1
        numbers = [number for number, _ in rejected]
        # No record twice, none out of order, none left out, and a rejected line for every error.
        assert students == sorted(set(students))
        assert numbers == sorted(set(numbers))
        assert {*students, *numbers} == set(range(1, file.records + 1))
        assert {number for number, severity in told if severity == "error"} == set(numbers)
        if name.startswith("TXT"):
            one_end = data.replace(b"\r", b"\n") if file.line_end == b"\r" else data
            lines = [line.removesuffix(b"\r") for line in bytes(one_end).split(b"\n") if not is_blank(line)]
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            if max(map(len, lines)) < SHORTEST_JOINED:  # a lost line end joins two records in one line
                assert file.records == len(lines)
                assert all(lines[number - 1] == line for number, line in rejected)
    assert read > MUTANTS // len(FILES) / 4


NO_ANSWERS = {"race_ethnicity_response": "", "race_ethnicity_derived": ""}

EXAMS = {"admin_year_03": "24", "exam_code_03": "93", "irregularity_1_03": "02"}

KINDS = {
    "answers": encode_record(student(2, **EXAMS)),
    "no answers": encode_record(student(2, **EXAMS, **NO_ANSWERS)),
    "a derived code": encode_record(student(2, **EXAMS, race_ethnicity_response="")),
    "only one date": encode_record(student(2, **EXAMS, **NO_ANSWERS, released_date="", student_update_date="")),
    "910": encode_record({key: value for key, value in student(2, **EXAMS).items() if "race" not in key}, "910"),
}


@pytest.mark.parametrize("filled_up", [False, True], ids=["as it is", "brought to its length again"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_lost_or_gained_characters_gives_no_wrong_score(kind, filled_up):
    """
    Shifted columns would be the worst damage: scores that look like scores and are none.
    """
    rng = random.Random(7)
    line = KINDS[kind]

    def scores(data):
        rows = read_score_file(data).exam_scores.to_pylist()
        names = ("position", "exam_code", "admin_year", "score", "irregularity_1")
        return {tuple(row[name] for name in names) for row in rows if row["record_number"] == 2 and row["score"]}

    good = scores(line + b"\n" + line)
    assert len(good) == 2
    wrong = 0
    for _ in range(MUTANTS // 4):
        at, width = rng.randrange(880), rng.randint(1, 3)
        gained = rng.choice([b"", b" ", b"A"]) * width
        edited = line[:at] + gained + line[at if gained else at + width :]
        if filled_up:
            edited = edited[: len(line)].ljust(len(line))
        # A year that a damaged report date makes impossible is null.
        wrong += not scores(line + b"\n" + edited + b"\n") <= good | {(*each[:2], None, *each[3:]) for each in good}
    # docs/reference/score-files.md says how often.
    assert wrong <= (MUTANTS // 4 // 100 if filled_up else 0)

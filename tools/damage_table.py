"""How often damaged records give a wrong score, and whether sound ones are set aside: the table in score-files.md.

    python tools/damage_table.py --edits 4000 --sound 40000

Each edit takes a record of an invented student, loses or gains some characters at a random place, and reads the file
through the whole pipeline. A score is wrong when the sound record has no such score for that exam and year.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

from airflow_provider_apscores.scorefile import EXAMS, IRREGULARITIES, LAYOUTS, encode_record, read_score_file

DATES = ("released_date", "student_update_date", "report_date")
ANSWERS = {"race_ethnicity_response": "NNNNYNNNNYN", "race_ethnicity_derived": "9"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: What a record has behind its exams, by the name of the case.
CASES = {
    "answers, three dates": (ANSWERS, DATES),
    "no answers, three dates": ({}, DATES),
    "no answers, the report date": ({}, ("report_date",)),
    "no answers, one other date": ({}, ("released_date",)),
}


def any_date(rng: random.Random, year: int = 25) -> str:
    return f"{rng.randint(1, 12):02}{rng.randint(1, 28):02}{year:02}"


def exams(rng: random.Random, count: int, *, sparse: bool = False) -> dict[str, str]:
    """Exams in the first slots or, sparse, in any, with or without a year, a score and irregularities."""
    values = {}
    slots = rng.sample(range(1, 31), count) if sparse else range(1, count + 1)
    for slot in slots:
        values[f"exam_code_{slot:02}"] = rng.choice(EXAMS).code
        if not sparse or rng.random() < 0.8:
            values[f"admin_year_{slot:02}"] = str(rng.randint(20, 25))
        if rng.random() < 0.8:
            values[f"exam_grade_{slot:02}"] = str(rng.randint(1, 5))
        if sparse or rng.random() < 0.1:
            values[f"irregularity_1_{slot:02}"] = rng.choice(["", *(each.code for each in IRREGULARITIES)])
    return values


def student(rng: random.Random, behind: dict[str, str], dates: tuple[str, ...]) -> dict[str, str]:
    return {
        "ap_id": "".join(rng.choices(LETTERS, k=8)),
        "last_name": "".join(rng.choices(LETTERS, k=rng.randint(2, 15))),
        "zip_code": f"{rng.randrange(10**9):09}",
        "birth_date": any_date(rng, 7),
        "high_school_code": f"{rng.randrange(10**6):06}",
        "college_code": f"00{rng.randrange(10**4):04}",
        "college_zip_code": f"{rng.randrange(10**5):05}",
        **exams(rng, rng.randint(1, 8)),
        **dict.fromkeys(dates, any_date(rng)),
        **behind,
    }


def sound_records(rng: random.Random, count: int) -> Iterator[bytes]:
    """Dense and sparse records of both layouts; of sparse ones, any field may be blank."""
    for number in range(count):
        layout = rng.choice(list(LAYOUTS.values()))
        record = student(rng, ANSWERS, DATES) | {"service_code": rng.choice(["", "01", "0203"])}
        if number % 2:
            in_slots = ("admin_year", "exam_", "irregularity")
            record = {
                name: value
                for name, value in record.items()
                if name == "ap_id" or (rng.random() < 0.5 and not name.startswith(in_slots))
            }
            record |= exams(rng, rng.randint(0, 6), sparse=True)
        line = encode_record({name: value for name, value in record.items() if name in layout.fields}, layout.name)
        yield rng.choice([line, line.rstrip().ljust(layout.fields["report_date"].end), line + b"  "])


def damaged(rng: random.Random, line: bytes, most: int, *, filled_up: bool) -> bytes:
    at, width = rng.randrange(880), rng.randint(1, most)
    gained = rng.choice([b"", b" ", b"A"]) * width
    edited = line[:at] + gained + line[at if gained else at + width :]
    return edited[: len(line)].ljust(len(line)) if filled_up else edited


def wrong_scores(case: str, edits: int, most: int, *, filled_up: bool) -> tuple[int, int]:
    """How many of the damaged records give a wrong score, and how many are set aside."""
    rng = random.Random(f"{case}{most}{filled_up}")
    lines = [encode_record(student(rng, *CASES[case])) for _ in range(edits)]
    sound = scores(b"\n".join(lines))
    file = b"\n".join([lines[0], *(damaged(rng, line, most, filled_up=filled_up) for line in lines)])
    found = scores(file)
    wrong = 0
    for number in range(1, edits + 1):
        known = {(code, score) for code, _, score in sound.get(number, ())}
        exact = sound.get(number, set())
        # A damaged report date may make a year impossible: then the year is null and the exam still the same.
        for code, year, score in found.get(number + 1, ()):
            if (code, year, score) not in exact and not (year is None and (code, score) in known):
                wrong += 1
                break
    return wrong, edits + 1 - read_score_file(file).students.num_rows


def scores(file: bytes) -> dict[int, set[tuple[str, int | None, int]]]:
    """The scores of each record, by record number."""
    found: dict[int, set[tuple[str, int | None, int]]] = {}
    for row in read_score_file(file).exam_scores.to_pylist():
        if row["score"] is not None and row["exam_code"] is not None:
            found.setdefault(row["record_number"], set()).add((row["exam_code"], row["admin_year"], row["score"]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=4000, help="damaged records of each case")
    parser.add_argument("--sound", type=int, default=40000, help="sound records")
    asked = parser.parse_args()
    print("wrong scores per 1,000 damaged records\n")
    print("| record | characters lost or gained | as it is | brought to its length again |\n|---|---|---:|---:|")
    for most in (3, 12):
        for case in CASES:
            rates = [
                1000 * wrong_scores(case, asked.edits, most, filled_up=up)[0] / asked.edits for up in (False, True)
            ]
            print(f"| {case} | 1 to {most} | {rates[0]:.1f} | {rates[1]:.1f} |")
    rng = random.Random(1)
    file = read_score_file(b"\n".join(sound_records(rng, asked.sound)) + b"\n")
    errors = file.problems["severity"].to_pylist().count("error")
    print(f"\n{file.records:,} sound records: {file.records - file.students.num_rows} set aside, {errors} errors")


if __name__ == "__main__":
    main()

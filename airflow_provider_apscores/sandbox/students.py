"""Invented students with their schools, exams and scores, determined by a seed.

The same seed gives the same people on every machine. AP IDs begin with ``FK`` (fake). So the records can be shown to
anyone, and a test can search logs for them without false alarms.
"""

# Nothing here is secret: every draw must be reproducible.
# ruff: noqa: S311

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from airflow_provider_apscores.sandbox.student_data import (
    DERIVED_RACE_CODES,
    EXAMS,
    FIRST_NAMES,
    NAME_BEGINNINGS,
    NAME_ENDINGS,
    NOTED_CODES,
    PROJECTED_CODES,
    STREET_TYPES,
    STREETS,
    SUBSCORES,
    TOWNS,
)


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam of a student with its final score.

    Attributes:
        year: Administration, four digits.
        code: Two digits.
        score: 1 to 5, or empty.
        notes: Up to two irregularity codes.
    """

    year: int
    code: str
    score: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Student:
    """An invented student with the entire exam history.

    Attributes:
        values: The values that are the same in every report, by field name.
        exams: Most recent first.
        gap: A blank exam slot between filled ones, counted from 0, or None.
    """

    values: dict[str, str]
    exams: tuple[Exam, ...]
    gap: int | None


def college(seed: int, di_code: str, name: str) -> dict[str, str]:
    """Return the fields of an invented college, the same in all of its records."""
    random = Random(f"{seed}/college/{di_code}")
    town, state, zip_code = random.choice(TOWNS)
    return {
        "college_code": di_code.zfill(6),
        "college_contact": "Office of the Registrar",
        "college_name": name[:30],
        "college_street_1": f"{random.randint(1, 99)} {random.choice(STREETS)} {random.choice(STREET_TYPES)}",
        "college_street_3": town,
        "college_state": state,
        "college_zip_code": zip_code,
    }


def student(seed: int, number: int, founded: int) -> Student:
    """Invent student *number*; *founded* is the year of the newest exams."""
    random = Random(f"{seed}/student/{number}")
    # Some exams are years old; their titles were different then.
    newest = random.randint(2012, 2021) if random.random() < 0.08 else founded
    graduates = newest + random.choices((0, 1, 2), (6, 3, 1))[0]
    values = _person(random, number, graduates)
    values |= _school(random)
    values |= _race(random)
    exams = _history(random, newest)
    return Student(
        values=values,
        exams=exams,
        gap=1 if len(exams) > 2 and random.random() < 0.04 else None,
    )


def _person(random: Random, number: int, graduates: int) -> dict[str, str]:
    last = random.choice(NAME_BEGINNINGS) + random.choice(NAME_ENDINGS)
    form = random.random()
    if form < 0.06:
        last = f"O'{last}"
    elif form < 0.12:
        last = f"{random.choice(NAME_BEGINNINGS)[:6]}-{last}"
    elif form < 0.14:
        last = f"de la {last}"
    born = date(graduates - 18, 1, 1) + timedelta(days=random.randrange(-120, 240))
    values = {
        "ap_id": ap_id(number),
        "last_name": last[:15],
        "first_name": random.choice(FIRST_NAMES)[:12],
        "middle_initial": random.choice("ABCDEFGHIJKLMNOPRSTW     ").strip(),
        "street_1": f"{random.randint(1, 9999)} {random.choice(STREETS)} {random.choice(STREET_TYPES)}",
        "gender": random.choices("FMUA", (52, 43, 3, 2))[0],
        "birth_date": f"{born:%m%d%y}",
        "grade_level": random.choices("67", (3, 7))[0],
        "best_language": random.choices(("1", "3", "4", "0", ""), (70, 14, 4, 2, 10))[0],
    }
    if random.random() < 0.15:
        values["street_2"] = f"Apt {random.randint(1, 60)}{random.choice('ABC')}"
    if random.random() < 0.04:
        values["street_3"] = "Farawayport"
        values["country_code"] = random.choice(("124", "156", "410", "826"))
    else:
        values["street_3"], values["state"], zip_code = random.choice(TOWNS)
        values["zip_code"] = zip_code + (f"{random.randrange(10_000):04d}" if random.random() < 0.5 else "")
    if random.random() < 0.1:
        values["previous_ai_year_1"] = f"{(graduates - 2) % 100:02d}"
        values["previous_ai_code_1"] = f"{random.randrange(100, 99_999):06d}"
    return values


def ap_id(number: int) -> str:
    """Return an AP ID that no student has: ``FK`` and *number* in base 36."""
    digits = ""
    while number:
        number, place = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place] + digits
    return f"FK{digits:0>6}"


def _school(random: Random) -> dict[str, str]:
    which = random.randrange(24)
    town, state, zip_code = TOWNS[which % len(TOWNS)]
    return {
        "high_school_code": f"{990 + which * 7:06d}",
        "high_school_contact": "AP Coordinator",
        "high_school_name": f"{NAME_BEGINNINGS[which]}{NAME_ENDINGS[which % len(NAME_ENDINGS)]} High School"[:30],
        "high_school_street_1": f"{which + 1} Schoolhouse Road",
        "high_school_street_3": town,
        "high_school_state": state,
        "high_school_zip_code": zip_code,
    }


def _race(random: Random) -> dict[str, str]:
    if random.random() < 0.1:
        return {"race_ethnicity_derived": "00"}
    answers = ["N"] * 11
    if random.random() < 0.25:
        answers[random.randrange(4)] = "Y"
    else:
        answers[4] = "Y"
    for place in random.sample(range(5, 11), random.choices((1, 2), (9, 1))[0]):
        answers[place] = "Y"
    races = [place for place in range(5, 11) if answers[place] == "Y"]
    derived = DERIVED_RACE_CODES[races[0]] if len(races) == 1 else "12"
    if "Y" in answers[:4]:
        derived = "04"
    return {"race_ethnicity_response": "".join(answers), "race_ethnicity_derived": derived}


def _history(random: Random, newest: int) -> tuple[Exam, ...]:
    """Return the exams of up to four years, most recent first; the two newest years always have one."""
    able = random.gauss(3.1, 0.8)
    taken: set[str] = set()
    history: list[Exam] = []
    years = (newest, newest - 1, *random.choices(((), (newest - 2,), (newest - 2, newest - 3)), (5, 4, 2))[0])
    for year in years:
        given = [exam for exam in EXAMS if exam[1] <= year <= (exam[2] or year) and exam[0] not in taken]
        how_many = random.choice((1, 1, 2, 2, 3, 4))
        codes = set(random.choices([exam[0] for exam in given], [exam[3] for exam in given], k=how_many))
        for code in sorted(codes):
            history.append(_take_exam(random, year, code, able))
            # In 2020 the exams were at home and shorter, without subscores.
            for part in SUBSCORES.get(code, ()) if year != 2020 else ():
                history.append(_take_exam(random, year, part, able))
        taken |= codes
    return tuple(history)


def _take_exam(random: Random, year: int, code: str, able: float) -> Exam:
    score = str(min(5, max(1, round(random.gauss(able, 0.9)))))
    event = random.random()
    if event < 0.015:
        return Exam(year, code, score, (random.choice(PROJECTED_CODES),))
    if event < 0.03:
        return Exam(year, code, score, (random.choice(NOTED_CODES),))
    if event < 0.035:
        return Exam(year, code, score, (random.choice(NOTED_CODES), random.choice(PROJECTED_CODES)))
    if event < 0.042:
        return Exam(year, code, "", (random.choice(("94", "92", "98", "16")),))
    return Exam(year, code, score)

"""A second reading of score files, as slow and plain as can be: slices by the published layout, one value at a time.

It shares no line with the reader under test, and understands only whole TXT records.
"""

import csv
from datetime import date
from pathlib import Path

DATA = Path(__file__).parent / "data"


def published(name):
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


LAYOUT = {row["field"]: (int(row["start"]) - 1, int(row["end"])) for row in published("layout_txt_950.csv")}
EXAMS = published("exams.csv")
EFFECTS = {row["irregularity_code"]: row["effect"] for row in published("irregularities.csv")}
DETAILS = {row["irregularity_code"]: row["detail"] for row in published("irregularities.csv")}
AWARDS = {row["award_type"]: row["title"] for row in published("awards.csv")}
DERIVED = {row["code"]: row["value"] for row in published("race_ethnicity_derived.csv")}
RACES = [row["value"] for row in published("race_ethnicity_response.csv")]
STRONGEST_FIRST = ["canceled", "withheld", "unavailable", "pending", "delayed", "projected"]


def latest(two_digits, limit):
    year = limit
    while year % 100 != int(two_digits):
        year -= 1
    return year


def a_date(text, not_after):
    """The latest date not after *not_after* that the six digits can be, or None."""
    if not text.isdigit():
        return None
    for century in range(not_after.year // 100, 15, -1):
        try:
            found = date(century * 100 + int(text[4:]), int(text[:2]), int(text[2:4]))
        except ValueError:
            continue
        if found <= not_after:
            return found
    return None


def five_years_before(day):
    try:
        return day.replace(year=day.year - 5)
    except ValueError:
        return date(day.year - 5, 2, 28)


def title(code, year):
    for exam in EXAMS:
        if exam["exam_code"] != code:
            continue
        if year is None:
            return exam["title"] if sum(e["exam_code"] == code for e in EXAMS) == 1 else None
        if int(exam["first_admin_year"] or 0) <= year <= int(exam["last_admin_year"] or 9999):
            return exam["title"]
    return None


def status(codes, score):
    effects = [EFFECTS.get(code) for code in codes]
    for effect in STRONGEST_FIRST:
        if effect in effects:
            return effect
    return "unknown" if score is None else "reported"


def slow_reading(lines, today, sha256):
    """Students, exam scores and awards of *lines* (text without line ends) as lists of dicts."""
    students, exams, awards = [], [], []
    for number, line in enumerate(lines, 1):
        raw = {name: line[start:end].strip() or None for name, (start, end) in LAYOUT.items()}
        origin = {"record_number": number, "file_sha256": sha256}
        report = a_date(raw["report_date"] or "", date(today.year + 1, 12, 31))
        counted_from = report or today
        end_of_next_year = date(counted_from.year + 1, 12, 31)
        di_code = raw["college_code"] and raw["college_code"][-4:]
        whose = {"ap_id": raw["ap_id"], "college_code": raw["college_code"], "di_code": di_code}

        def year(text, limit=end_of_next_year.year):
            return latest(text, limit) if text and len(text) == 2 and text.isdigit() else None

        def exam_year(text):
            found = year(text)
            return found if found and found >= 1955 else None

        student = {
            name: value
            for name, value in raw.items()
            if not name.startswith(("filler", "exam_", "admin_", "irreg", "suppr", "class_", "award"))
        }
        student.update(province=None, postal_code=None, student_identifier=None, di_code=di_code)
        student["scores_released_date"] = a_date(student.pop("released_date") or "", end_of_next_year)
        student["student_update_date"] = a_date(raw["student_update_date"] or "", end_of_next_year)
        student["report_date"] = report
        student["birth_date"] = a_date(raw["birth_date"] or "", five_years_before(counted_from))
        for each in ("previous_ai_year_1", "previous_ai_year_2"):
            student[each] = year(raw[each])
        letters = line[900:911]
        student["race_ethnicity_response"] = letters.rstrip() or None
        for race, letter in zip(RACES, letters, strict=True):
            student[f"race_{race}"] = {"Y": True, "N": False}.get(letter)
        student["race_ethnicity_derived_title"] = DERIVED.get((raw["race_ethnicity_derived"] or "x").lstrip("0") or "0")
        students.append(student | origin)

        for slot in range(1, 31):
            names = ["admin_year", "exam_code", "exam_grade", "irregularity_1", "irregularity_2"]
            names += ["suppression_flag", "class_section"]
            values = {name: raw[f"{name}_{slot:02}"] for name in names}
            if not any(values.values()):
                continue
            grade = values.pop("exam_grade")
            score = int(grade) if grade in list("12345") else None
            codes = [values["irregularity_1"], values["irregularity_2"]]
            admin_year = exam_year(values["admin_year"])
            said = [DETAILS[code] or EFFECTS[code] for code in codes if code in DETAILS]
            parents = [e["subscore_of"] for e in EXAMS if e["exam_code"] == values["exam_code"]]
            known = title(values["exam_code"], admin_year)
            row = {
                "position": slot,
                "admin_year": admin_year,
                "exam_title": known,
                "subscore_of": (parents[0] or None) if known else None,
                "score": score,
                "status": status(codes, score),
                "irregularity_notes": "; ".join(dict.fromkeys(said)) or None,
                "report_date": report,
            }
            exams.append(whose | values | row | origin)

        for slot in range(1, 7):
            kind, award_year = raw[f"award_type_{slot}"], raw[f"award_year_{slot}"]
            if kind or award_year:
                row = {"position": slot, "award_type": kind, "award_title": AWARDS.get(kind)}
                awards.append(whose | row | {"award_year": exam_year(award_year)} | origin)
    return students, exams, awards

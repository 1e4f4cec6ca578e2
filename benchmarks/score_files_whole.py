"""What every way has to make: the whole tables, with every column of this package's tables and the same values.

That is types, centuries counted from the report's own date, statuses, notes, titles, answers, record numbers, and the
digest. What generated files do not need is left out: problems, unknown codes, damaged lines.
"""

import hashlib
from datetime import date
from pathlib import Path

from airflow_provider_apscores.scorefile import (
    CSV_COLUMNS,
    EXAMS,
    IRREGULARITIES,
    LAYOUT_950,
    RACE_ETHNICITY_DERIVED,
    TABLES,
)
from airflow_provider_apscores.scorefile.spec.tables import STATUSES

FIELDS = LAYOUT_950.fields
EXAM_SLOTS, AWARD_SLOTS = LAYOUT_950.group("exam"), LAYOUT_950.group("award")
COLUMNS = {name: [column.name for column in table.columns] for name, table in TABLES.items()}
TEXTS = {column.name: column.field for column in TABLES["students"].columns if column.field}
OF_STUDENT = ["ap_id", "college_code", "di_code", "report_date", "record_number", "file_sha256"]

NEXT_YEAR = date.today().year + 1
NO_RANK = len(STATUSES)
RANKS = {each.code: STATUSES.index(each.effect) for each in IRREGULARITIES if each.effect in STATUSES}
NOTES = {each.code: each.detail or each.effect for each in IRREGULARITIES}
DERIVED = {spelled: title for code, title in RACE_ETHNICITY_DERIVED.items() for spelled in (code, code.zfill(2))}


def title(code, year):
    for exam in EXAMS:
        if exam.code == code and (exam.first_year or 0) <= year <= (exam.last_year or 9999):
            return exam.title
    return None


TITLES = [
    (code, year, title(code, year), next(each.subscore_of for each in EXAMS if each.code == code))
    for code in sorted({each.code for each in EXAMS})
    for year in range(NEXT_YEAR - 100, NEXT_YEAR + 2)
    if title(code, year)
]


def digest_of(source):
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def csv_names():
    """The columns of a generated CSV file by the fields they hold."""
    return [name or f"unused_{at}" for at, (_, name) in enumerate(CSV_COLUMNS)]


def folder(output, table):
    place = Path(output) / table
    place.mkdir(parents=True, exist_ok=True)
    return place

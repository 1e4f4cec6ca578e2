"""CSV rows with more or fewer cells than the header: which of them can be believed.

A cell may have been lost or gained *anywhere*, so that a score would be read from a wrong column. Such a row is
believed only when what it has stands under the right names.
"""

from __future__ import annotations

import re

from airflow_provider_apscores.scorefile.reading.csv_values import as_meant, is_date
from airflow_provider_apscores.scorefile.reading.detect import Header
from airflow_provider_apscores.scorefile.spec.fields import Kind
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT

#: What cells of a kind look like. None of it is a proof; but of the dates, exams and answers behind a cell too many or
#: too few, one looks wrong.
_LOOKS = {
    Kind.YEAR: re.compile(r"[0-9]{1,2}|[0-9]{4}"),
    Kind.SCORE: re.compile(r"0*[1-5]"),
    Kind.FLAGS: re.compile(r"[YN ]{9,11}"),
}

#: A campus has six digits, of which a spreadsheet drops the two zeros in front.
_COLLEGE_CODE = re.compile(r"[0-9]{6}|[0-9]{1,4}")

#: A row may end before the columns behind these.
_NOT_MISSING = ("college_code", "birth_date", "released_date", "student_update_date", "report_date")


def stands_under(cells: list[str], header: Header) -> bool:
    """Whether the cells of a row stand under their names; cells that are missing at the end are taken for empty."""
    if len(cells) == header.width:
        return True
    if any(cell.strip() for cell in cells[header.width :]):
        return False
    columns = header.columns
    exams = {name: at for name, at in columns.items() if name.startswith(("admin_year", "exam_code", "exam_grade"))}
    if max(*exams.values(), *(columns[name] for name in _NOT_MISSING if name in columns)) >= len(cells):
        return False
    values = {name: as_meant(name, cells[at].strip(" ")) for name, at in columns.items() if at < len(cells)}
    if not _COLLEGE_CODE.fullmatch(values["college_code"]):
        return False
    telling = any(values.get(name) for name in ("race_ethnicity_response", *exams))
    if not telling and not _dates_stand_under(cells, header, values):
        return False
    return all(_looks_right(name, value, cells[columns[name]]) for name, value in values.items() if value)


def _dates_stand_under(cells: list[str], header: Header, values: dict[str, str]) -> bool:
    """Whether the dates of a student without exams and answers do, from which nothing else behind the campus tells.

    A report date that moved to the left is another date, and one that moved to the right stands where none belongs.
    Where there is no date, none can be wrong: only cells too few may hide one.
    """
    dates = [name for name in _NOT_MISSING if LAYOUT.fields[name].kind is Kind.DATE and name != "birth_date"]
    at = header.columns.get("report_date")
    if at is None or any(map(is_date, cells[at + 1 : at + 2])):
        return False
    return bool(values.get("report_date")) or (len(cells) > header.width and not any(map(values.get, dates)))


def _looks_right(name: str, value: str, cell: str) -> bool:
    field = LAYOUT.fields.get(name)
    if field is None:
        return True
    if field.kind is Kind.CODE:
        return len(value) <= field.width
    if field.kind is Kind.DATE:
        return is_date(value)
    looks = _LOOKS.get(field.kind)
    return looks is None or bool(looks.fullmatch(cell if field.kind is Kind.FLAGS else value))

"""CSV rows with more or fewer cells than the header: which of them can be believed.

A cell may have been lost or gained *anywhere*, so that a score would be read from a wrong column. Such a row is
believed only when what it has stands under the right names.
"""

from __future__ import annotations

import re

from airflow_provider_apscores.scorefile.csvshape import as_meant
from airflow_provider_apscores.scorefile.fields import Kind
from airflow_provider_apscores.scorefile.layouts import CURRENT_LAYOUT
from airflow_provider_apscores.scorefile.recognise import Header

#: What cells of a kind look like. None of it is a proof; but of the dates, exams and answers behind a cell too many or
#: too few, one looks wrong.
_LOOKS = {
    Kind.DATE: re.compile(r"[0-9]{5,8}|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ].*)?"),
    Kind.YEAR: re.compile(r"[0-9]{1,2}|[0-9]{4}"),
    Kind.SCORE: re.compile(r"[1-5]"),
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
    # Something must stand behind the campus, or nothing tells that columns were not moved there.
    telling = [name for name in ("race_ethnicity_response", *exams) if values.get(name)]
    if not telling and not all(values.get(name) for name in ("released_date", "report_date")):
        return False
    return all(_looks_right(name, value, cells[columns[name]]) for name, value in values.items() if value)


def _looks_right(name: str, value: str, cell: str) -> bool:
    field = CURRENT_LAYOUT.fields.get(name)
    if field is None:
        return True
    if field.kind is Kind.CODE:
        return len(value) <= field.width
    looks = _LOOKS.get(field.kind)
    return looks is None or bool(looks.fullmatch(cell if field.kind is Kind.FLAGS else value))

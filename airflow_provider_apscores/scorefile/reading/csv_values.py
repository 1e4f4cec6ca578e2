"""What a CSV cell means when it does not stand as College Board writes it.

Spreadsheets strip leading zeros and write dates in their own form, pandas turns whole numbers in columns with gaps
into fractions, and databases write a word where there is nothing. A cell that can only have meant one value gets that
value back: ``7`` and ``7.0`` are exam code ``07``, ``2139`` is the ZIP code ``02139``, a score ``NA`` is none. A cell
that lost its value, such as an AP ID in scientific notation, becomes null and a problem.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from airflow_provider_apscores.scorefile.columns.dates import FIRST_EXAMS
from airflow_provider_apscores.scorefile.spec.fields import Kind
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT

#: The lengths that codes of digits can have. Spreadsheets strip the zeros that make up what is missing.
LOST_ZEROS: dict[str, tuple[int, ...]] = {
    "ap_id": (8,),
    "zip_code": (5, 9),
    "high_school_code": (6,),
    "high_school_zip_code": (5,),
    "college_code": (6,),
    "college_zip_code": (5,),
    "previous_ai_code_1": (6,),
    "previous_ai_code_2": (6,),
}

#: Fields whose numbers a spreadsheet may write in scientific notation.
IDENTIFIERS = (*LOST_ZEROS, "student_identifier", "ordering_institution_key")

#: What pandas, R and databases write where there is nothing, in any case of letters.
GAPS = ("na", "nan", "none", "null", "\\n")

#: ``7.0`` of pandas and ``="07"``, which keeps spreadsheets from changing a value.
_WRAPPED = re.compile(r'([0-9]+)\.0+|="([^"]*)"')

#: The mark that keeps a spreadsheet from changing a value, as in ``'07``. Names may begin with it, unless there follows
#: what ``escape_formulas`` puts it before.
_FORMULA = tuple("=+-@\t\r")
_NAMES = re.compile("province|.*(?:name|contact|street_[0-9])")

#: What a spreadsheet leaves of a date or a long number: a number in its own notation, or ``###`` in a narrow column.
_DAMAGED = re.compile(r"#+|[-+]?[0-9]+(?:[.,][0-9]*)?(?:E[-+]?[0-9]+)?", re.IGNORECASE | re.ASCII)
_SCIENTIFIC = re.compile(r"#+|[-+]?[0-9]+(?:[.,][0-9]*)?E\+[0-9]+", re.IGNORECASE | re.ASCII)

_TIME = r"(?:[T ][0-9:.]+(?: ?[AP]M)?)?"

_DATES = tuple(
    re.compile(each + _TIME, re.IGNORECASE | re.ASCII)
    for each in (
        r"(?P<y>[0-9]{4})(?P<by>[-/])(?P<m>[0-9]{1,2})(?P=by)(?P<d>[0-9]{1,2})",
        r"(?P<m>[0-9]{1,2})(?P<by>[-/])(?P<d>[0-9]{1,2})(?P=by)(?P<y>[0-9]{4}|[0-9]{2})",
        r"(?P<y>(?:19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",  # No month is 19 or 20.
        r"(?P<m>[0-9]{1,2})(?P<d>[0-9]{2})(?P<y>[0-9]{4})",
    )
)

_SCORES = frozenset("12345")

#: Day 0 of a spreadsheet's calendar.
_SERIAL_EPOCH = date(1899, 12, 30)

#: Years before today in which a birth date may lie.
_LONGEST_LIFE = 40

#: A control character that no text has, or the mark of bytes that are no text. Text may have line ends and tabs.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\ufffd")


class Meaning(NamedTuple):
    """What a cell means.

    Attributes:
        value: Text for the field, perhaps longer than the field; "" where there is nothing, None where the cell can't
            be read.
        problem: A key of :data:`~.problems.KINDS` where *value* is None.
        day: The date, where the cell has a four-digit year.
        misplaced: Whether the cell belongs into another column. One that a spreadsheet damaged does not.
    """

    value: str | None
    problem: str | None = None
    day: date | None = None
    misplaced: bool = False


def is_coded(name: str) -> bool:
    """Whether a field holds a number, a code, a date or answers. A name or an address may well be "NA"."""
    field = LAYOUT.fields.get(name)
    return field is not None and (name in LOST_ZEROS or name in LAYOUT.slot_names or field.kind is not Kind.TEXT)


def is_free_text(name: str) -> bool:
    """Whether a field's text may be longer than the field, and is kept as it stands."""
    field = LAYOUT.fields.get(name)
    return field is None or (field.kind in (Kind.TEXT, Kind.CODE) and name not in LAYOUT.slot_names)


def understand(name: str, cell: str) -> Meaning:
    """What a cell of the field *name* means."""
    text = cell.strip()
    if text.startswith("'") and (text[1:2] in _FORMULA or not _NAMES.fullmatch(name)):
        cell, text = text[1:], text[1:].strip()
    if is_coded(name):
        if wrapped := _WRAPPED.fullmatch(text):
            text = (wrapped[1] or wrapped[2] or "").strip()
        if text.lower() in GAPS:
            text = ""
    if not text:
        return Meaning("")
    if is_free_text(name):
        return _text(name, text)
    field = LAYOUT.fields[name]
    if field.kind is Kind.DATE:
        return _date(text)
    if field.kind is Kind.YEAR:
        return _year(text)
    if field.kind is Kind.SCORE:
        score = text.lstrip("0") if text.isascii() and text.isdigit() else text
        return Meaning(score) if score in _SCORES else Meaning(None, "bad_score", misplaced=True)
    if field.kind is Kind.FLAGS:
        text = cell.rstrip()  # Answers count by their place, so that blanks before them are part of the value.
    elif field.kind is Kind.CODE and text.isascii() and text.isdigit():
        text = text.zfill(field.width)
    if len(text) <= field.width and text.isascii() and text.isprintable():
        return Meaning(text)
    return Meaning(None, _unreadable(text) or "bad_code", misplaced=not _DAMAGED.fullmatch(text))


def _text(name: str, text: str) -> Meaning:
    if name in IDENTIFIERS and _SCIENTIFIC.fullmatch(text):
        return Meaning(None, "bad_code")
    if name in LOST_ZEROS and text.isascii() and text.isdigit():
        text = text.zfill(next((length for length in LOST_ZEROS[name] if len(text) <= length), 0))
    problem = _unreadable(text) if _NO_TEXT.search(text) else None
    return Meaning(None, problem) if problem else Meaning(text)


def _unreadable(text: str) -> str | None:
    """Why a text can't be read: it has letters that are none."""
    if "\ufffd" in text:
        return "undecodable"
    return None if text.isprintable() else "control_characters"


def _year(text: str) -> Meaning:
    # Two digits give such a year back.
    if text.isascii() and text.isdigit() and (len(text) <= 2 or FIRST_EXAMS <= int(text) <= date.today().year + 1):
        return Meaning(text[-2:].zfill(2))
    return Meaning(None, "bad_year", misplaced=not _DAMAGED.fullmatch(text))


def is_date(cell: str) -> bool:
    """Whether a cell holds a date in a form that is understood."""
    value = understand("report_date", cell).value
    return value is not None and value.isdigit()


@lru_cache(1 << 12)
def _date(text: str) -> Meaning:
    """What a date means."""
    if re.fullmatch(r"[0-9]{5,6}", text, re.ASCII):
        if len(text) == 5 and _may_be_serial(int(text)):
            return Meaning(None, "bad_date")
        return Meaning(text.zfill(6))
    parts = next((found for each in _DATES if (found := each.fullmatch(text))), None)
    if parts is None:
        return Meaning(None, "bad_date", misplaced=not _DAMAGED.fullmatch(text))
    year, month, day = parts["y"], int(parts["m"]), int(parts["d"])
    digits = f"{month:02}{day:02}{year[-2:]}"
    if len(year) == 2:
        return Meaning(digits)
    try:
        return Meaning(digits, None, date(int(year), month, day))
    except ValueError:
        # A day before its month is a bad date, but a date.
        return Meaning(None, "bad_date", misplaced=day > 12)


def _may_be_serial(number: int) -> bool:
    """Whether a spreadsheet's number of a day may be a date of a score file."""
    today = date.today()
    day = _SERIAL_EPOCH + timedelta(days=number)
    return today.year - _LONGEST_LIFE <= day.year <= today.year + 1

"""What the names in a CSV header mean: which column holds which field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.spec.layouts import (
    AWARDS_GROUP,
    CSV_ALIASES,
    CSV_COLUMNS,
    CURRENT_LAYOUT,
    EXAMS_GROUP,
    csv_fields,
    csv_key,
)

#: Without these nothing sensible can be said about a record.
_ESSENTIAL = ("ap_id", "last_name", "birth_date", "college_code")

#: Columns of a slot that say nothing about its score.
_OPTIONAL = ("suppression_flag", "class_section")

#: What an error advises for a file that is something else.
INSTEAD = "Order the AP score reports as TXT or CSV from the web service, or download them in the portal."

#: What stands in the titles and headers of other reports, and what they are.
_OTHER_REPORTS = (
    (re.compile(r"(?<![a-z])psat|nmsqt", re.IGNORECASE), "PSAT scores"),
    (re.compile(r"(?<![a-z])sat(?![a-z])|ebrw|evidence.based reading", re.IGNORECASE), "SAT scores"),
    (re.compile(r"roster", re.IGNORECASE), "a score roster"),
)

#: How many missing columns an error names.
_NAMED = 8


@cache
def _own_keys() -> frozenset[str]:
    """College Board's own headings, as :func:`~.layouts.csv_key` gives them."""
    return frozenset(csv_key(heading) for heading, _ in CSV_COLUMNS)


@dataclass(frozen=True, slots=True)
class Header:
    """A CSV header, understood.

    Attributes:
        width: Columns.
        columns: Which column holds a field, counted from 0.
        unread: Names of columns that were not understood, or whose field another column already gives.
        second: Which other columns give a field as well: column, field, and whether it has the name of the first.
    """

    width: int
    columns: dict[str, int]
    unread: tuple[str, ...]
    second: dict[int, tuple[str, bool]]


def understand_header(names: list[str]) -> Header:
    """Find the fields in a CSV header.

    Raises:
        ScoreFileMalformed: Columns are missing without which scores could be lost or not assigned; names them.
    """
    known = csv_fields()
    columns: dict[str, int] = {}
    second: dict[int, tuple[str, bool]] = {}
    unread = []
    # College Board's own headings first: a vendor's column before them may have the name that they once had.
    keys = [csv_key(name) for name in names]
    for at in sorted(range(len(keys)), key=lambda at: keys[at] not in _own_keys()):
        field = known.get(keys[at]) if keys[at] else ""
        if field is None or (field and field in columns):
            unread.append(names[at])
            if field and _is_heading(keys[at], field):
                second[at] = field, keys[at] == keys[columns[field]]
        elif field:
            columns[field] = at
    missing = {field for field in _ESSENTIAL if field not in columns}
    # A part of a slot would give exams without a score, scores without an exam, or canceled scores as reported ones.
    for group in (EXAMS_GROUP, AWARDS_GROUP):
        for slot in range(1, group.count + 1):
            in_slot = {each.name: group.field_name(each.name, slot) for each in group.fields}
            if (group is EXAMS_GROUP and slot == 1) or any(field in columns for field in in_slot.values()):
                missing.update(
                    field for name, field in in_slot.items() if field not in columns and name not in _OPTIONAL
                )
    if not any(field.startswith("irregularity") for field in columns):
        for name in unread:
            if csv_key(name).startswith("irregularit"):
                raise ScoreFileMalformed(
                    f"The CSV header calls a column {name[:40]!r}, which is not understood. Without irregularity codes "
                    f"a canceled score looks like any other; name it as College Board does, "
                    f'"{_heading(EXAMS_GROUP.field_name("irregularity_1", 1))}".'
                )
    if missing:
        headings = [f'"{heading}"' for heading, field in CSV_COLUMNS if field in missing]
        named = ", ".join(headings[:_NAMED]) + (f" and {more} more" if (more := len(headings) - _NAMED) > 0 else "")
        other = other_report(" ".join(names))
        if not other and {"college_code", "exam_code_01"} <= missing:
            other = f" It seems to be another report, such as a score roster of a school. {INSTEAD}"
        if other:
            raise ScoreFileMalformed(f"The CSV header has no column {named}.{other}")
        raise ScoreFileMalformed(
            f"The CSV header has no column {named}. Without it scores would be lost, or not belong to a student; "
            "get the file again with all its columns, named as College Board names them."
        )
    return Header(len(names), columns, tuple(unread), second)


def other_report(text: str) -> str:
    """A sentence for the error about a file that seems to be another report of College Board, else "".

    Args:
        text: The beginning of the file, or its header.
    """
    for pattern, what in _OTHER_REPORTS:
        if pattern.search(text):
            return f" It seems to be an export of {what}. {INSTEAD}"
    return ""


def _is_heading(key: str, field: str) -> bool:
    """Whether College Board or a public loader names a column so; a vendor may use our own name of the field."""
    spellings = map(csv_key, CSV_ALIASES.get(field, ()))
    return key in _own_keys() or field in CURRENT_LAYOUT.slot_names or key in spellings


def _heading(field: str) -> str:
    """College Board's name of a CSV column."""
    return next(heading for heading, name in CSV_COLUMNS if name == field)


def tells_names(cells: list[str]) -> bool:
    """Whether most of what stands in *cells* are names of columns."""
    known = csv_fields()
    filled = [cell for cell in cells if cell.strip()]
    return 2 * sum(csv_key(cell) in known for cell in filled) > len(filled)

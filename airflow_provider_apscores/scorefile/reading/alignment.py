"""Whether records stand where their layout says: checked once per block, before anything is typed.

One lost or gained character moves everything behind it, and a score may then be read from a column of something else.
The reader never guesses what a damaged record meant: it reads a record whole or sets it aside whole. A record is
*misaligned* when two or more of these fields hold something that cannot stand there: the college code, the birth date,
the dates behind the exams, the answers, each exam slot in use. One such field is an ordinary problem of that field.

For a new layout: the fields named here, dates of six digits, answers (``Kind.FLAGS``) and the exam group must keep
their meaning.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import word
from airflow_provider_apscores.scorefile.columns.block import MISPLACED, UNREADABLE, Block
from airflow_provider_apscores.scorefile.columns.lookups import NO_NUMBER, pairs, two_digits
from airflow_provider_apscores.scorefile.spec.layouts import LAYOUTS
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: A record with as many impossible fields is misaligned.
_TOO_MANY = 2

_DATES = ("birth_date", "released_date", "student_update_date", "report_date")


def aligned(block: Block) -> Block:
    """A block without its misaligned records: each becomes a lost line and a problem.

    The problem is ``misaligned``, or ``wrong_length`` if the line of a TXT record has the length of no layout.
    """
    import numpy as np

    bad = np.flatnonzero(impossible_fields(block) >= _TOO_MANY).tolist()
    if bad:
        block = block.without({row: _problem(block, row) for row in bad})
    block.forget_misplaced()
    return block


def _problem(block: Block, row: int) -> Problem:
    number, length = int(block.numbers[row]), len(block.raw_line(row))
    if block.texts or any(length == layout.length for layout in LAYOUTS.values()):
        return Problem(number, "misaligned")
    return Problem(number, "wrong_length", detail=f"{length} characters, not {block.layout.length}")


def impossible_fields(block: Block) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many fields of each record hold something that cannot stand there, shape (records,).

    In TXT, what is unlikely counts as well, once for a record: a blank college code or report date, as what moved away
    leaves it; a line that is neither whole nor trimmed. So do dates with the day first beside others with the month
    first.
    """
    import numpy as np

    exams = block.slots("exam")
    bad = ~_years().take(exams.pairs("admin_year")) | ~_scores().take(exams.letters("exam_grade"))
    for name in ("exam_code", "irregularity_1", "irregularity_2"):
        bad |= ~_codes().take(exams.pairs(name))
    count = np.bincount(exams.rows[bad], minlength=len(block))
    for answers in block.layout.answers:
        if not block.is_blank(answers.name):
            count += _no_answers(block.column(answers.name))
    count += _no_campus(block)
    day_first, month_first = np.zeros(len(block), bool), np.zeros(len(block), bool)
    for name in _DATES:
        if not block.is_blank(name):
            bad, first, second = _dates(block.column(name))
            count += bad
            day_first |= ~bad & (first > 12)
            month_first |= ~bad & (second > 12)
    if not block.texts:
        count += day_first & month_first
        unlikely = _is_blank(block.column("college_code")) | _is_blank(block.column("report_date"))
        count += unlikely if block.doubtful is None else unlikely | block.doubtful
    return count


def _is_blank(columns: Bytes) -> Flags:
    blank: Flags = (columns == 32).all(axis=1)
    return blank


def _no_campus(block: Block) -> Flags:
    """Which records have a college code that is neither blank nor six digits."""
    import numpy as np
    import pyarrow.compute as pc

    if (texts := block.texts.get("college_code")) is not None:
        # A spreadsheet may have made a number in scientific notation of it.
        number = pc.match_substring_regex(pc.fill_null(texts, word("")), "^[0-9.,eE+-]*$")
        no_number: Flags = np.logical_not(number.to_numpy(zero_copy_only=False))
        return no_number
    code = block.column("college_code")
    bad: Flags = np.any((code < ord("0")) | (code > ord("9")), axis=1)
    if bad.any():
        bad &= ~_is_blank(code)
        bad &= (code != UNREADABLE).all(axis=1)
    return bad


def _dates(columns: Bytes) -> tuple[Flags, Any, Any]:
    """Which of six characters are neither blank nor a date, month or day first; and their first two numbers."""
    import numpy as np

    one, two, year = (two_digits().take(pairs(np.ascontiguousarray(columns[:, at : at + 2]))) for at in (0, 2, 4))
    low, high = np.minimum(one, two), np.maximum(one, two)
    bad: Flags = (low < 1) | (low > 12) | (high > 31) | (year < 0)
    if bad.any():
        bad &= ~_is_blank(columns) & (columns != UNREADABLE).all(axis=1)
    return bad, one, two


def _no_answers(columns: Bytes) -> Flags:
    """Which answers hold something else than Y, N and blanks."""
    bad: Flags = ((columns != ord("Y")) & (columns != ord("N")) & (columns != 32)).any(axis=1)
    bad &= (columns != UNREADABLE).all(axis=1)
    return bad


@cache
def _years() -> Flags:
    """Whether two characters can be a year: two digits, or blank."""
    possible: Flags = (two_digits() != NO_NUMBER) | _unreadable()
    return possible


@cache
def _codes() -> Flags:
    """Whether two characters can be a code: both are filled, or none."""
    import numpy as np

    first, second = np.arange(65536) & 0xFF, np.arange(65536) >> 8
    possible: Flags = (((first == 32) == (second == 32)) & (first != MISPLACED)) | _unreadable()
    return possible


@cache
def _scores() -> Flags:
    """Whether a character can be a score: 1 to 5, or blank."""
    import numpy as np

    return np.isin(np.arange(256), [*b"12345 ", UNREADABLE])


@cache
def _unreadable() -> Flags:
    import numpy as np

    unreadable: Flags = (np.arange(65536) & 0xFF == UNREADABLE) | (np.arange(65536) >> 8 == UNREADABLE)
    return unreadable

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

from airflow_provider_apscores.scorefile.columns.arrays import string_scalar
from airflow_provider_apscores.scorefile.columns.block import MISPLACED, UNREADABLE, Block
from airflow_provider_apscores.scorefile.columns.lookups import NO_NUMBER, two_digits
from airflow_provider_apscores.scorefile.spec.layouts import LAYOUTS
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: A record with as many impossible fields is misaligned.
TOO_MANY = 2

_DATES = ("birth_date", "released_date", "student_update_date", "report_date")


def aligned(block: Block) -> Block:
    """A block without its misaligned records: each becomes a lost line and a problem.

    The problem is ``misaligned``, or ``wrong_length`` if the line of a TXT record has the length of no layout.
    """
    import numpy as np

    bad = np.flatnonzero(impossible_fields(block) >= TOO_MANY).tolist()
    if bad:
        block = block.without({row: _problem(block, row) for row in bad})
    block.forget_misplaced()
    return block


def _problem(block: Block, row: int) -> Problem:
    number, length = int(block.numbers[row]), len(block.raw_line(row))
    if block.is_csv or any(length == layout.length for layout in LAYOUTS.values()):
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
            first, second, bad = _date_parts(block.column(name))
            count += bad
            day_first |= first > second
            month_first |= second > first
    if not block.is_csv:
        count += day_first & month_first
        unlikely = _is_blank(block, "college_code") | _is_blank(block, "report_date")
        count += unlikely if block.doubtful is None else unlikely | block.doubtful
    return count


def _is_blank(block: Block, name: str) -> Flags:
    """Which records have a blank in a whole field."""
    import numpy as np

    lowest, _ = block.extremes()
    if (lowest[block.layout.fields[name].span] != 32).any():  # a column without any blank
        return np.zeros(len(block), bool)
    blank: Flags = (block.column(name) == 32).all(axis=1)
    return blank


def _no_campus(block: Block) -> Flags:
    """Which records have a college code that is neither blank nor six digits."""
    import numpy as np
    import pyarrow.compute as pc

    if (texts := block.texts.get("college_code")) is not None:
        # A spreadsheet may have made a number in scientific notation of it.
        number = pc.match_substring_regex(pc.fill_null(texts, string_scalar("")), "^[0-9.,eE+-]*$")
        no_number: Flags = np.logical_not(number.to_numpy(zero_copy_only=False))
        return no_number
    code = block.column("college_code")
    no_digits = (code < ord("0")) | (code > ord("9"))
    return _filled(code, no_digits) if no_digits.any() else np.zeros(len(block), bool)


def _no_answers(columns: Bytes) -> Flags:
    """Which answers hold something else than Y, N and blanks."""
    import numpy as np

    others = (columns != ord("Y")) & (columns != ord("N")) & (columns != 32)
    return _filled(columns, others) if others.any() else np.zeros(len(columns), bool)


def _filled(columns: Bytes, bad: Flags) -> Flags:
    """Which rows have a *bad* character, are not blank, and can be read."""
    found: Flags = bad.any(axis=1) & (columns != 32).any(axis=1) & (columns != UNREADABLE).all(axis=1)
    return found


def _date_parts(columns: Bytes) -> tuple[Any, Any, Flags]:
    """What the first two numbers of six characters can be (see :func:`_days`), and whether these are no date, in either
    order, and not blank.
    """
    both = columns.view("<u2")
    first, second = _days().take(both[:, 0]), _days().take(both[:, 1])
    bad: Flags = (first * second == 0) | (first * second == 4) | (two_digits().take(both[:, 2]) < 0)
    if bad.any():
        first[bad] = second[bad] = 0
        bad = _filled(columns, bad[:, None])
    return first, second, bad


@cache
def _days() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What two characters can be in a date: 1 a month or a day, 2 only a day, 0 neither."""
    import numpy as np

    number = two_digits()
    return ((number >= 1) & (number <= 31)).astype(np.uint8) + ((number >= 13) & (number <= 31))


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

"""Whether what a TXT line holds stands where a layout says: the landmarks of a record.

One character lost or gained moves everything behind it, and then an exam's year may be read as its code, or its score
from a column of something else. So a line of another length is believed only where its landmarks say so: the college
code, the dates behind the exams, what stands behind the dates (a run of Y and N, a code), and the exams themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.dates import Dates, read_dates
from airflow_provider_apscores.scorefile.fields import Field, Kind, Layout
from airflow_provider_apscores.scorefile.layouts import layout_of

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: Until here every record has something. Blanks beyond may be missing.
LAST_CERTAIN_FIELD = "report_date"

#: Behind the exams, in this order.
_DATES = ("released_date", "student_update_date", LAST_CERTAIN_FIELD)

#: Where it does not matter in which century a date is.
_ANY_YEAR = 2000

_DIGITS = b"0123456789"

#: What a run of answers consists of, and how long it must be to tell where it stands: a letter or two may be anything.
_ANSWERS = "YN"
_LEAST_ANSWERS = 4


def is_whole(text: str, layout: Layout) -> bool:
    """Whether a record of a layout's length is one of that layout, and not one of another that was cut to it.

    It has a college code or its dates where these are, and blanks where the layout ends in a filler. Its exams may be
    as odd as they like.
    """
    last = list(layout.fields.values())[-1]
    blank_end = last.kind is not Kind.FILLER or not text[last.span].strip(" ")
    return blank_end and (_has_college_code(text, layout) or _dates(text, layout) > 0)


def moved_rows(bytes_of: Callable[[Field], Bytes], text_of: Callable[[int], str], layout: Layout) -> list[int]:
    """Which of many records of a layout's length :func:`have_moved`.

    Args:
        bytes_of: Gives a field of all records, shape (records, width).
        text_of: Gives a whole record.
        layout: Whose length they have.
    """
    import numpy as np

    strange = ~read_dates(bytes_of(layout.fields[LAST_CERTAIN_FIELD]), _ANY_YEAR).valid
    for answers, behind in _answers_and_behind(layout):
        letters = bytes_of(answers)
        whole = _all_of(letters, _ANSWERS.encode())
        if not whole.all():
            strange |= ~whole & ((letters != 32).any(axis=1) | (bytes_of(behind) != 32).any(axis=1))
    return [row for row in np.flatnonzero(strange).tolist() if have_moved(text_of(row), layout)]


def have_moved(text: str, layout: Layout) -> bool:
    """Whether it is plain that what a record of a layout's length holds stands in other columns.

    As many characters were lost as gained, as when a line that lost some is filled up to its length again.
    """
    if not _seems_strange(text, layout):
        return False
    end_in_place = _end_in_place(text, layout)
    if end_in_place is not None:
        return not end_in_place
    return _more_dates_nearby(text, layout, sum(map(_is_date, _dates_here(text, layout))) + 1)


def _seems_strange(text: str, layout: Layout) -> bool:
    """Whether a record deserves a second look, as :func:`moved_rows` finds of many."""
    if not _is_date(text[layout.fields[LAST_CERTAIN_FIELD].span]):
        return True
    return any(
        text[answers.span].strip(_ANSWERS) and (text[answers.span].strip(" ") or text[behind.span].strip(" "))
        for answers, behind in _answers_and_behind(layout)
    )


def trimmed_rows(records: Bytes, ends: Numbers, layout: Layout) -> Flags:
    """Which records are surely whole whose lines had another length; others deserve a look of their own.

    Args:
        records: Printable ASCII, brought to the length of the layout: shape (records, length).
        ends: How long they are without blanks behind, shape (records,); believed where one :func:`may_end_at`.
        layout: Whose they may be.
    """
    code = records[:, layout.fields["college_code"].span]
    released, updated, report = (read_dates(records[:, layout.fields[name].span], _ANY_YEAR) for name in _DATES)
    behind = _behind_dates(layout)
    found: Flags = (ends == layout.fields[LAST_CERTAIN_FIELD].end) & report.valid & ~released.bad & ~updated.bad
    for span in behind[Kind.FLAGS]:
        found |= _all_of(records[:, span], _ANSWERS.encode())
    for span in behind[Kind.CODE]:
        coded = _all_of(records[:, span.start : span.start + 1], _DIGITS) & _all_of(records[:, span], _DIGITS + b" ")
        for blank in (*behind[Kind.FLAGS], *behind[Kind.FILLER]):
            coded &= _all_of(records[:, blank], b" ")
        found |= coded
    found &= _all_of(code, _DIGITS) & ~report.bad & _belong_to(layout, report)
    return found


@cache
def may_end_at(end: int, layout: Layout) -> bool:
    """Whether a record of which only blanks at its end are missing may have *end* characters."""
    if not layout.fields[LAST_CERTAIN_FIELD].end <= end <= layout.length:
        return False
    last = next(each for each in layout.fields.values() if end <= each.end)
    return last.kind is not Kind.FLAGS or end == last.end


def in_place(text: str, layout: Layout) -> bool:
    """Whether the landmarks of a record of any length stand in their places.

    What stands behind the dates decides, if there is something. Else the dates do: they have moved when there are more
    of them a little to the left or right of their columns. A date that is none, or an exam that looks like none, may be
    somebody's mistake, or the trace of lost characters: then as many dates elsewhere are enough to say so.
    """
    if not _has_college_code(text, layout):
        return False
    end_in_place = _end_in_place(text, layout)
    if end_in_place is not None:
        return end_in_place
    here = _dates_here(text, layout)
    report, width = here[-1], layout.fields[LAST_CERTAIN_FIELD].width
    sound = _dates(text, layout) >= 0 and all(map(_is_exam, _exams(text, layout)))
    if len(report) < width:
        return sound and _digits_or_blank(text[layout.fields["birth_date"].span])
    if not sound and not (report.strip(" ") and all(map(_digits_or_blank, here))):
        return False
    if len(text.rstrip(" ")) == layout.fields[LAST_CERTAIN_FIELD].end and _is_date(report):
        return True  # the line ends with the last date, as it should
    return not _more_dates_nearby(text, layout, sum(map(_is_date, here)) + sound)


def _has_college_code(text: str, layout: Layout) -> bool:
    field = layout.fields["college_code"]
    code = text[field.span]
    return len(code) == field.width and code.isascii() and code.isdigit()


def _all_of(columns: Bytes, letters: bytes) -> Flags:
    """Which rows have nothing but some letters."""
    import numpy as np

    known = np.zeros(256, bool)
    known[list(letters)] = True
    only: Flags = np.all(known[columns], axis=1)
    return only


def _belong_to(layout: Layout, report: Dates) -> Flags:
    """Which records have a report date of when *layout* was the newest, or none."""
    import numpy as np

    months = np.where(report.valid, report.year % 100 * 100 + report.month, 0)
    of_layout = [
        month for month in np.unique(months).tolist() if not month or layout_of(month // 100, month % 100) is layout
    ]
    return np.isin(months, of_layout)


@cache
def _answers_and_behind(layout: Layout) -> tuple[tuple[Field, Field], ...]:
    """The fields that hold a run of Y and N, each with the field behind it."""
    pairs = pairwise(layout.fields.values())
    return tuple((one, next_one) for one, next_one in pairs if _tells_where(one) and one.kind is Kind.FLAGS)


@cache
def _behind_dates(layout: Layout) -> dict[Kind, list[slice]]:
    """Where answers, codes and fillers stand that are behind the dates."""
    found: dict[Kind, list[slice]] = {Kind.FLAGS: [], Kind.CODE: [], Kind.FILLER: []}
    for each in layout.fields.values():
        if each.start > layout.fields[LAST_CERTAIN_FIELD].end and each.kind in found and _tells_where(each):
            found[each.kind].append(each.span)
    return found


def _tells_where(field: Field) -> bool:
    """Whether a field may be a landmark: not a single answer, which may be anybody's initial."""
    return field.kind is not Kind.FLAGS or field.width >= _LEAST_ANSWERS


def _end_in_place(text: str, layout: Layout) -> bool | None:
    """Whether answers and codes behind the dates stand in their columns; None where there are none to tell by."""
    behind = _behind_dates(layout)
    answers = [(re.compile(f"[{_ANSWERS}]{{{span.stop - span.start}}}"), span) for span in behind[Kind.FLAGS]]
    if any(letters.fullmatch(text, span.start, span.stop) for letters, span in answers):
        return True
    if any(letters.search(text, layout.fields[LAST_CERTAIN_FIELD].end) for letters, _ in answers):
        return False
    clean = not any(text[span].strip(" ") for span in behind[Kind.FILLER])
    coded = any(re.fullmatch("[0-9]+ *", text[span]) for span in behind[Kind.CODE])
    return True if clean and coded else None


def _more_dates_nearby(text: str, layout: Layout, least: int) -> bool:
    """Whether there are *least* dates a little to the left or right of their places, an exam's width at most."""
    first, last = layout.fields[_DATES[0]], layout.fields[_DATES[-1]]
    furthest = layout.group("exam").stride
    # Most records don't even have the digits.
    if sum(map(str.isdigit, text[first.start - 1 - furthest : last.end + furthest])) < least * last.width:
        return False
    # A date's width to the left, there are always as many dates behind a blank one.
    return any(_dates(text, layout, by) >= least + (by == -last.width) for by in range(-furthest, furthest + 1) if by)


def _dates_here(text: str, layout: Layout) -> list[str]:
    return [text[layout.fields[name].span] for name in _DATES]


def _dates(text: str, layout: Layout, by: int = 0) -> int:
    """How many dates there are *by* columns to the right of their places; -1 when something there is no date."""
    fields = (layout.fields[name] for name in _DATES)
    filled = [each for field in fields if (each := text[field.start - 1 + by : field.end + by]).strip(" ")]
    return len(filled) if all(map(_is_date, filled)) else -1


def _is_date(text: str) -> bool:
    if not (len(text) == 6 and text.isascii() and text.isdigit()):
        return False
    try:
        date(_ANY_YEAR + int(text[4:]), int(text[:2]), int(text[2:4]))
    except ValueError:
        return False
    return True


def _digits_or_blank(text: str) -> bool:
    return not text.strip(" ") or (text.isascii() and text.isdigit())


def _exams(text: str, layout: Layout) -> Iterator[dict[str, str]]:
    """The exams that are not blank, as text by field name, without one that is cut before it says enough."""
    group = layout.group("exam")
    enough = next(each.end for each in group.fields if each.name == "irregularity_1") - group.start + 1
    for start in range(group.start - 1, group.span.stop, group.stride):
        slot = text[start : start + group.stride]
        if len(slot) >= enough and slot.strip(" "):
            moved = (slice(each.start - group.start, each.end - group.start + 1) for each in group.fields)
            yield {each.name: slot[where] for each, where in zip(group.fields, moved, strict=True)}


def _is_exam(slot: dict[str, str]) -> bool:
    """Whether a slot holds a year, a code, and a score or an irregularity, as wide as they are."""
    numbers = slot["admin_year"] + slot["exam_code"]
    irregularities = slot["irregularity_1"], slot["irregularity_2"]
    scored = slot["exam_grade"] in "12345" or (slot["exam_grade"] == " " and irregularities[0].strip(" "))
    return bool(scored and numbers.strip(" ") and all(map(_digits_or_blank, (numbers, *irregularities))))

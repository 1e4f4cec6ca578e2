"""Whether what a TXT line holds stands where a layout says: the landmarks of a record.

One character lost or gained moves everything behind it, and then an exam's year may be read as its code, or its score
from a column of something else. So a line of another length is believed only where its landmarks say so: the college
code, the dates behind the exams, what stands behind the dates (a run of Y and N, a code), and the exams themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.dates import read_dates
from airflow_provider_apscores.scorefile.fields import Field, Kind, Layout

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

#: Until here every record has something. Blanks beyond may be missing.
LAST_CERTAIN_FIELD = "report_date"

#: Behind the exams, in this order.
_DATES = ("released_date", "student_update_date", LAST_CERTAIN_FIELD)


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

    # In which century the date is does not matter here.
    strange = ~read_dates(bytes_of(layout.fields[LAST_CERTAIN_FIELD]), 2000).valid
    for answers, behind in _answers_and_behind(layout):
        letters = bytes_of(answers)
        whole = ((letters == ord("Y")) | (letters == ord("N"))).all(axis=1)
        if not whole.all():
            strange |= ~whole & ((letters != 32).any(axis=1) | (bytes_of(behind) != 32).any(axis=1))
    return [row for row in np.flatnonzero(strange).tolist() if have_moved(text_of(row), layout)]


def have_moved(text: str, layout: Layout) -> bool:
    """Whether it is plain that what a record of a layout's length holds stands in other columns.

    As many characters were lost as gained, as when a line that lost some is filled up to its length again.
    """
    end_in_place = _end_in_place(text, layout)
    if end_in_place is not None:
        return not end_in_place
    return _more_dates_nearby(text, layout, sum(map(_is_date, _dates_here(text, layout))) + 1)


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


def _answers_and_behind(layout: Layout) -> Iterator[tuple[Field, Field]]:
    """The fields that hold a run of Y and N, each with the field behind it."""
    return ((one, next_one) for one, next_one in pairwise(layout.fields.values()) if one.kind is Kind.FLAGS)


def _end_in_place(text: str, layout: Layout) -> bool | None:
    """Whether answers and codes behind the dates stand in their columns; None where there are none to tell by."""
    dates_end = layout.fields[LAST_CERTAIN_FIELD].end
    behind = {each: text[each.span] for each in layout.fields.values() if each.start > dates_end}
    for field, value in behind.items():
        if field.kind is Kind.FLAGS:
            letters = re.compile(f"[YN]{{{field.width}}}")
            if letters.fullmatch(value):
                return True
            if letters.search(text, dates_end):
                return False
    clean = not any(value.strip(" ") for field, value in behind.items() if field.kind is Kind.FILLER)
    coded = any(re.fullmatch("[0-9]+ *", value) for field, value in behind.items() if field.kind is Kind.CODE)
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
        date(2000, int(text[:2]), int(text[2:4]))  # a leap year: which one it was is not known here
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

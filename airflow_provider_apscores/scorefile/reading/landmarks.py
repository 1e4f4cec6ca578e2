"""Whether what a TXT line holds stands where a layout says: the landmarks of a record.

One character lost or gained moves everything behind it, and then an exam's year may be read as its code, or its score
from a column of something else. So a line of another length is believed only where its landmarks say so: the college
code, the dates behind the exams, what stands behind the dates (a run of Y and N, a code), and the exams themselves.
A line of the right length is believed unless they say that something moved: it may have lost as much as it gained.

For a new layout: the fields named here, dates of six digits, and answers (``Kind.FLAGS``) must still mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.dates import Dates, read_dates
from airflow_provider_apscores.scorefile.spec.codes import EXAMS
from airflow_provider_apscores.scorefile.spec.fields import Field, Group, Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import LAYOUTS, layout_of

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: Until here every record should have something. Blanks beyond may be missing.
LAST_CERTAIN_FIELD = "report_date"

#: Behind the exams, in this order.
_DATES = ("released_date", "student_update_date", LAST_CERTAIN_FIELD)

#: Where it does not matter in which century a date is.
_ANY_YEAR = 2000

#: How many years before a report an exam can have been taken, where it must not be there by chance.
_OLDEST_EXAM = 25

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
    """Which of many records of a layout's length :func:`have_moved`, or are records of another that were filled up.

    Args:
        bytes_of: Gives a field of all records, shape (records, width).
        text_of: Gives a whole record.
        layout: Whose length they have.
    """
    import numpy as np

    report = layout.fields[LAST_CERTAIN_FIELD]
    strange = ~read_dates(bytes_of(report), _ANY_YEAR).valid
    answered = np.zeros(len(strange), bool)
    for answers, next_field in _answers_and_behind(layout):
        letters = bytes_of(answers)
        whole = _all_of(letters, _ANSWERS.encode())
        answered |= whole
        if not whole.all():
            strange |= ~whole & ((letters != 32).any(axis=1) | (bytes_of(next_field) != 32).any(axis=1))
    unanswered = np.flatnonzero(~answered & ~strange)
    if len(unanswered) and (places := _later_places(layout)):
        # Mostly there are no digits behind the report date.
        behind = bytes_of(replace(report, start=report.end + 1, width=len(places)))[unanswered]
        unanswered = unanswered[((behind >= ord("0")) & (behind <= ord("9"))).any(axis=1)]
        for later in places if len(unanswered) else ():
            strange[unanswered] |= read_dates(bytes_of(later)[unanswered], _ANY_YEAR).valid
    texts = ((row, text_of(row)) for row in np.flatnonzero(strange).tolist())
    return [row for row, text in texts if have_moved(text, layout) or _is_padded(text, layout)]


def have_moved(text: str, layout: Layout) -> bool:
    """Whether it is plain that what a record of a layout's length holds stands in other columns.

    As many characters were lost as gained, as when a line that lost some is filled up to its length again.
    """
    if not _seems_strange(text, layout):
        return False
    end_in_place = _end_in_place(text, layout)
    if end_in_place is not None:
        return not end_in_place
    return _dates_have_moved(text, layout)


def exams_elsewhere(text: str, layout: Layout) -> bool:
    """Whether exams stand between the slots that they belong to.

    Where exams look like none, as when what moved was moved back behind them, this is told by others nearby that look
    right.
    """
    group = layout.group("exam")
    begin, stride = group.start - 1, group.stride
    if _exams_in_place(text, layout) is not False:
        return False
    slots = _exam_slots(text, layout)
    in_place = [at for at, slot in slots.items() if _exam_pattern(group, scored=True).match(slot)]
    strange = sorted(slots.keys() - in_place)
    first, last = strange[0], strange[-1]
    start, end = max(begin + (first - 1) * stride, 0), begin + (last + 2) * stride
    found = [
        each.start() + start - begin
        for each in _known_exam(group).finditer(text[start:end])
        if _may_be_of_report(each["year"], text, layout)
    ]
    moved = max(sum(at % stride == by for at in found) for by in range(1, stride))
    kept = sum(not first <= slot <= last for slot in in_place)
    if kept + moved <= len(in_place):
        return False
    # A single one may be there by chance, out of an exam without a score and the ZIP code before it.
    if moved > 1 or not _has_college_code(text, layout):
        return True
    if _end_in_place(text, layout) and not _dates_here(text, layout)[-1].strip(" "):
        return False  # whoever made the file left the report date out
    return _dates_have_moved(text, layout)


def _may_be_of_report(year: str, text: str, layout: Layout) -> bool:
    """Whether a report may tell of exams of a year, as far as the report's own date is known."""
    report = text[layout.fields[LAST_CERTAIN_FIELD].span]
    return not _is_date(report) or (int(report[4:]) + 1 - int(year)) % 100 <= _OLDEST_EXAM


def _seems_strange(text: str, layout: Layout) -> bool:
    """Whether a record deserves a second look, as :func:`moved_rows` finds of many."""
    report = layout.fields[LAST_CERTAIN_FIELD]
    if not _is_date(text[report.span]):
        return True
    answered = False
    for answers, behind in _answers_and_behind(layout):
        if not text[answers.span].strip(_ANSWERS):
            answered = True
        elif text[answers.span].strip(" ") or text[behind.span].strip(" "):
            return True
    return not answered and _is_date_behind(text, layout)


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
    here, last = _dates_here(text, layout), layout.fields[LAST_CERTAIN_FIELD]
    report, width = here[-1], last.width
    exams_in_place = _exams_in_place(text, layout)
    sound = _dates(text, layout) >= 0 and exams_in_place is not False
    if sound and exams_in_place and _is_date(report) and not _is_later_report(text, layout, width):
        return True
    if text.endswith(" ") and not report.strip(" ") and any(map(_is_date, here)):
        return False  # the last one is hardly ever blank
    if len(report) < width:
        return sound and _digits_or_blank(text[layout.fields["birth_date"].span])
    if not sound and not (report.strip(" ") and all(map(_digits_or_blank, here))):
        return False
    if len(text.rstrip(" ")) == last.end and _is_date(report):
        return True  # the line ends with the last date, as it should
    least = sum(map(_is_date, here)) + sound
    for by, dates in _dates_nearby(text, layout, least):
        # A date's width to the left, there are always as many dates behind a blank one. Wherever they stand, the last
        # one is not blank.
        if dates < least + (by == -width) or not text[last.start - 1 + by : last.end + by].strip(" "):
            continue
        if by < 0 or by % width or not _is_date(report) or _is_later_report(text, layout, by):
            return False
    return True


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


def _dates_have_moved(text: str, layout: Layout) -> bool:
    """Whether more dates stand nearby than in their places."""
    dates = _dates_here(text, layout)
    here, width = sum(map(_is_date, dates)), len(dates[-1])
    moved = [by for by, there in _dates_nearby(text, layout, here + 1) if there > here]
    if any(by % width for by in moved):
        return True
    exams_in_place = _exams_in_place(text, layout)
    if not dates[-1].strip(" "):  # it is hardly ever blank, where files come from College Board
        doubtful = exams_in_place is False or not _has_college_code(text, layout)
        return doubtful if here else bool(moved)
    # By the width of a date, digits behind them may look like more of them.
    return any(_is_later_report(text, layout, by) if by > 0 else exams_in_place is False for by in moved)


def _is_later_report(text: str, layout: Layout, by: int) -> bool:
    """Whether the date *by* columns behind the report date's place may be that date, and what stands there another.

    Reports are written last, but not long after a student's scores were released. Other digits that look like a date
    are seldom within a year.
    """
    report = layout.fields[LAST_CERTAIN_FIELD]
    here, there = text[report.span], text[report.start - 1 + by : report.end + by]
    if not (_is_date(here) and _is_date(there)):
        return False
    years = (int(there[4:]) - int(here[4:])) % 100
    return years == 1 or (years == 0 and there[:4] >= here[:4])


def _dates_nearby(text: str, layout: Layout, least: int) -> Iterator[tuple[int, int]]:
    """How many dates there are a little to the left or right of their places, where there may be at *least* so many."""
    first, last = layout.fields[_DATES[0]], layout.fields[_DATES[-1]]
    furthest = _furthest(layout)
    # Most records don't even have the digits.
    if sum(map(str.isdigit, text[first.start - 1 - furthest : last.end + furthest])) >= least * last.width:
        yield from ((by, _dates(text, layout, by)) for by in range(-furthest, furthest + 1) if by)


def _furthest(layout: Layout) -> int:
    """How far dates are looked for: as wide as an exam is, or two of them."""
    return max(layout.group("exam").stride, 2 * layout.fields[LAST_CERTAIN_FIELD].width)


def _is_date_behind(text: str, layout: Layout) -> bool:
    return any(_is_date(text[each.span]) for each in _later_places(layout))


@cache
def _later_places(layout: Layout) -> list[Field]:
    """Where the report date would be if something had come in before it."""
    report = layout.fields[LAST_CERTAIN_FIELD]
    room = min(_furthest(layout), layout.length - report.end)
    return [replace(report, start=report.start + by) for by in range(1, room + 1)]


def _is_padded(text: str, layout: Layout) -> bool:
    """Whether a record of *layout*'s length is one of a layout with its dates elsewhere, that was filled up to it."""
    date = LAST_CERTAIN_FIELD
    others = [each for each in LAYOUTS.values() if each.fields[date].span != layout.fields[date].span]
    return any(not text[each.length :].strip(" ") and in_place(text, each) for each in others)


@cache
def _known_exam(group: Group) -> re.Pattern[str]:
    """Finds wherever an exam with a code of the tables may begin."""
    codes = "|".join(sorted({exam.code for exam in EXAMS}))
    return re.compile(f"(?={_exam_pattern(group, f'(?:{codes})', scored=True).pattern})")


@cache
def _exam_pattern(group: Group, code: str = "[0-9]{2}", *, scored: bool = False) -> re.Pattern[str]:
    """What an exam looks like: a year, a code, a score, and irregularities, as wide as they are.

    Args:
        group: The slots.
        code: Which codes.
        scored: It must have a score or an irregularity.
    """
    start = {each.name: each.start - group.start for each in group.fields}
    looks = {
        "admin_year": "(?P<year>[0-9]{2})",
        "exam_code": code,
        "exam_grade": "[1-5 ]",
        "irregularity_1": "(?:[0-9]{2}|  )",
        "irregularity_2": "(?:[0-9]{2}|  )",
    }
    columns = "".join(looks.get(each.name, f".{{{each.width}}}") for each in group.fields)
    nothing = f".{{{start['exam_grade']}}} .{{{start['irregularity_1'] - start['exam_grade'] - 1}}}  "
    return re.compile(f"(?!{nothing}){columns}" if scored else columns)


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


def _exams_in_place(text: str, layout: Layout) -> bool | None:
    """Whether all exams look right where they are; None where there are none."""
    slots = _exam_slots(text, layout)
    return all(map(_exam_pattern(layout.group("exam")).match, slots.values())) if slots else None


def _exam_slots(text: str, layout: Layout) -> dict[int, str]:
    """The exam slots that are filled, counted from 0, without one that is cut before it says enough."""
    group = layout.group("exam")
    enough = next(each.end for each in group.fields if each.name == "irregularity_1") - group.start + 1
    slots = (text[start : start + group.stride] for start in range(group.start - 1, group.span.stop, group.stride))
    return {at: slot.ljust(group.stride) for at, slot in enumerate(slots) if len(slot) >= enough and slot.strip(" ")}

"""One TXT line that is not plain: another length, letters beyond ASCII, control characters.

Positions count characters when the line decodes (UTF-8) to a layout's length, and bytes when only the bytes do; then
the bytes of a field are UTF-8 if they can be, else Windows-1252, which holds Latin-1's letters.

A line of another length may have lost or gained characters *anywhere*, so that a score would be read from a wrong
column. It is believed only as far as its landmarks stand in their places: see landmarks.py. An editor that cuts
trailing blanks is harmless and no problem at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from airflow_provider_apscores.scorefile.columns.block import UNREADABLE
from airflow_provider_apscores.scorefile.reading.landmarks import (
    LAST_CERTAIN_FIELD,
    have_moved,
    in_place,
    is_whole,
    may_end_at,
)
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import LAYOUTS, layout_of
from airflow_provider_apscores.scorefile.spec.problems import Problem

#: What a line may consist of and still be blank: page breaks, and the end-of-file mark of DOS.
_NOTHING = b" \t\r\n\x00\x0c\x1a"

#: What may stand before a record that was the first of another file, or of a page.
_BOM = b"\xef\xbb\xbf"
_BEFORE = b"\r\x00\x0c\x1a"


@dataclass(slots=True)
class OddLine:
    """A line brought into shape, or given up.

    Attributes:
        layout: Where the fields are.
        row: ``layout.length`` bytes for the matrix of a block; None when nothing in the line can be believed.
        patches: Field name to text (None where it can't be read): what *row* can't hold.
        problems: What is wrong.
    """

    layout: Layout
    row: bytes | None = None
    patches: dict[str, str | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing."""
    return not line.strip(_NOTHING)


def read_odd_line(line: bytes, layout: Layout, number: int, *, cut: bool = False) -> OddLine:
    """Bring a line into the shape of a layout as far as it can be believed.

    Args:
        line: The line without its line end; not blank.
        layout: The layout that the file has so far.
        number: The record number for problems.
        cut: The line is the file's last, has no line end, and its fellows were whole: a short one was cut off,
            not trimmed.
    """
    bare = _bare(line)
    readings = _readings(bare)
    exact = [
        (text, decode, each)
        for text, decode in [*readings, *_readings(line)]
        for each in LAYOUTS.values()
        if len(text) == each.length and not have_moved(text, each)
    ]
    # By chance a line may fit in several ways. The surest comes first.
    for text, decode, each in exact:
        if is_whole(text, each):
            return _typed(OddLine(each), text, decode, number)
    aligned = [
        (text, decode, each)
        for text, decode in readings
        for each in _aligned_layouts(text, layout)
        if len(text) != each.length or not have_moved(text, each)
    ]
    for text, decode, each in aligned:
        if not cut and (trimmed := _trimmed_layout(text, each)):
            return _typed(OddLine(trimmed), text[: trimmed.length].ljust(trimmed.length), decode, number)
    for text, decode, each in exact:
        if each is layout:
            return _typed(OddLine(each), text, decode, number)
    for text, decode, each in aligned:
        odd = OddLine(each, problems=[_wrong_length(text, each, number)])
        text = _whole_part(text, each)
        return _typed(odd, text[: each.length].ljust(each.length), decode, number)
    text, _ = next(iter(_readings(line)))
    if len(text) == layout.length:
        return OddLine(layout, problems=[Problem(number, "moved")])
    return OddLine(layout, problems=[_wrong_length(text, layout, number)])


def _bare(line: bytes) -> bytes:
    """A line without what does not count before and behind a record, such as a tab or the end-of-file mark of DOS."""
    line = line.lstrip(_BEFORE).removeprefix(_BOM)
    behind = line[len(line.rstrip(_NOTHING)) :]
    return line[: len(line) - len(behind.lstrip(b" "))]


def _readings(line: bytes) -> list[tuple[str, Callable[[str], str]]]:
    """The ways to count positions, the likelier first: text with one character a position, and a field's decoder."""
    as_bytes = line.decode("latin-1"), _from_bytes
    try:
        return [(line.decode(), str), as_bytes]
    except UnicodeDecodeError:
        return [as_bytes]


def _from_bytes(piece: str) -> str:
    """A field of which each character stands for one byte."""
    try:
        return piece.encode("latin-1").decode()
    except UnicodeDecodeError:
        return piece.encode("latin-1").decode("cp1252")


def _wrong_length(text: str, layout: Layout, number: int) -> Problem:
    return Problem(number, "wrong_length", detail=f"{len(text)} characters, not {layout.length}")


def _aligned_layouts(text: str, layout: Layout) -> list[Layout]:
    """The layouts whose landmarks stand in their places, the likeliest first.

    Where layouts have their report dates in different places, a date in its place tells them apart: else an older
    record's dates might be read as a newer one's exams.
    """
    date = LAST_CERTAIN_FIELD
    others = [each for each in LAYOUTS.values() if each.fields[date].span != layout.fields[date].span]
    dated = [each for each in (layout, *others) if text[each.fields[date].span].strip(" ")]
    return [each for each in dict.fromkeys([*dated, layout]) if in_place(text, each)]


def _trimmed_layout(text: str, layout: Layout) -> Layout | None:
    """The layout of a line that has too few or too many blanks at its end and is whole otherwise; else None.

    What was cut may be all in which layouts differ. Then the report date tells: the newest layout that was in use.
    """
    fitting = [layout]
    date = text[layout.fields[LAST_CERTAIN_FIELD].span]
    if date.isascii() and date.isdigit() and len(date) == 6:
        newest_first = list(LAYOUTS.values())
        fitting = newest_first[newest_first.index(layout_of(int(date[4:]), int(date[:2]))) :: -1]
    fitting = [each for each in fitting if each is layout or is_whole(text, each)]
    end = len(text.rstrip(" "))
    return next((each for each in fitting if may_end_at(end, each)), None)


def _whole_part(text: str, layout: Layout) -> str:
    """*text* without the field or exam that its end cuts.

    An exam is kept when both irregularities are still there: without them a canceled score would look like any other.
    """
    if len(text) >= layout.length:
        return text
    end = len(text)
    exams = layout.group("exam")
    if exams.span.start < end < exams.span.stop:
        into = (end - exams.span.start) % exams.stride
        enough = next(each.end for each in exams.fields if each.name == "irregularity_2") - exams.span.start
        return text if into >= enough else text[: end - into]
    last = next(each for each in layout.fields.values() if each.start <= end <= each.end)
    return text if last.end == end else text[: last.start - 1]


def _typed(odd: OddLine, text: str, decode: Callable[[str], str], number: int) -> OddLine:
    """Fill in the row: what is plain as it is, fields with other characters apart."""
    row = bytearray(text.encode("ascii", errors="replace"))
    for each in _fields_with_other_characters(text, odd.layout):
        piece = text[each.span]
        value, kind = _understood(
            piece, decode, free_text=each.kind is Kind.TEXT and each.name not in odd.layout.slot_names
        )
        if kind:
            odd.problems.append(Problem(number, kind, each.name, each.start, each.end))
        odd.patches[each.name] = value or None
        row[each.span] = bytes([UNREADABLE]) * each.width
    odd.row = bytes(row)
    return odd


def _fields_with_other_characters(text: str, layout: Layout) -> list[Field]:
    field_at = _field_at(layout)
    found = (field_at[other.start()] for other in re.finditer("[^ -~]", text))
    return list({each.name: each for each in found}.values())


@cache
def _field_at(layout: Layout) -> list[Field]:
    """The field that each column is a part of."""
    return [each for each in layout.fields.values() for _ in range(each.width)]


def _understood(piece: str, decode: Callable[[str], str], *, free_text: bool) -> tuple[str | None, str | None]:
    """A field's text, or why there is none. Free text may be in any letters; a code, a date or a score may not."""
    try:
        value = decode(piece)
    except UnicodeDecodeError:
        return None, "undecodable"
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in value):
        return None, "control_characters"
    if "\ufffd" in value or not free_text:
        return None, "undecodable"
    return value.strip(), None

"""Single lines of a TXT file to records.

Blanks at the end of a line may have been cut or added: it ends behind the report date at the earliest, and has nothing
but blanks behind its layout's length. Positions count characters when a line decodes (UTF-8) to a record, and bytes
when only the bytes do; then the bytes of a field are UTF-8 if they can be, else Windows-1252, which holds Latin-1's
letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from airflow_provider_apscores.scorefile.columns.block import UNREADABLE
from airflow_provider_apscores.scorefile.reading.lines import NOTHING
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT, LAYOUTS, layout_of
from airflow_provider_apscores.scorefile.spec.problems import Problem

#: A record ends here at the earliest: only blanks behind it may be missing.
_LAST_FIELD = "report_date"

#: What may stand before a record that was the first of another file, or of a page.
_BOM = b"\xef\xbb\xbf"
_BEFORE = b"\r\x00\x0c\x1a"

_PRINTABLE = bytes(range(32, 127))


def text_end(layout: Layout) -> int:
    """Where text of records of a layout ends: an older layout's closing filler is blank."""
    last = next(reversed(layout.fields.values()))
    return last.start - 1 if last.kind is Kind.FILLER and layout is not CURRENT_LAYOUT else layout.length


def _fitting_layout(text: str, layout: Layout) -> Layout | None:
    """The layout of a line; None if it is too short or too long for a record.

    It is the one of the line's length. In any other line only blanks at the end may be missing or too many: then it is
    the *layout* of the records before, or the current one where that has no column for the text. A line that ends among
    a longer layout's answers may have lost some of them, and fits none.
    """
    length, end = len(text), len(text.rstrip(" "))
    exact = None
    for each in LAYOUTS.values():
        if length == each.length:
            exact = each
        elif length < each.length:
            for answers in each.answers:
                if answers.start <= end < answers.end and not text[answers.start - 1 : end].strip("YN"):
                    return None
    if exact is not None:
        return exact
    found = layout if end <= text_end(layout) else CURRENT_LAYOUT
    return found if length >= found.fields[_LAST_FIELD].end and end <= found.length else None


def first_layout(line: bytes) -> Layout:
    """The layout that a file has as far as its first line tells: by its length, else by its report date."""
    text, _ = _readings(_bare(line))[0]
    found = _fitting_layout(text, CURRENT_LAYOUT)
    if found and len(text) == found.length:
        return found
    date = text[CURRENT_LAYOUT.fields[_LAST_FIELD].span]
    known = re.fullmatch("[0-9]{6}", date, re.ASCII) and len(text.rstrip(" ")) <= CURRENT_LAYOUT.length
    return layout_of(int(date[4:]), int(date[:2])) if known else CURRENT_LAYOUT


class Line(NamedTuple):
    """A line that is not blank.

    Attributes:
        layout: Where the fields are.
        row: ``layout.length`` bytes for the matrix of a block; None when the line is no record.
        patches: Field name and text (None where it can't be read): what *row* can't hold.
        problems: What is wrong.
    """

    layout: Layout
    row: bytes | None
    patches: Sequence[tuple[str, str | None]] = ()
    problems: Sequence[Problem] = ()


def read_line(line: bytes, layout: Layout, number: int, *, cut: bool = False) -> Line:
    """Read a line.

    Args:
        line: The line without its line end; not blank.
        layout: The layout of the records before it.
        number: The record number for problems.
        cut: A short line was cut off, not trimmed.
    """
    if not cut and not line.translate(None, _PRINTABLE):  # nearly all lines
        found = _fitting_layout(line.decode("ascii"), layout)
        if found:
            return Line(found, line[: found.length].ljust(found.length))
    fitting = []
    for text, decode in dict.fromkeys([*_readings(_bare(line)), *_readings(line)]):
        found = _fitting_layout(text, layout)
        if found and not (cut and len(text) < found.length):
            fitting.append((all(_digits_or_blank(text, found)), len(text) == found.length, text, decode, found))
    if not fitting:
        text, _ = _readings(line)[0]
        detail = f"{len(text)} characters, not {layout.length}"
        return Line(layout, None, problems=[Problem(number, "wrong_length", detail=detail)])
    # By chance a line may fit in two ways. Its campus and its date tell then, else the exact length, else the first.
    *_, text, decode, found = max(fitting, key=lambda each: each[:2])
    return _encoded(text[: found.length].ljust(found.length), found, decode, number)


def looks_like_a_record(line: bytes, *, of_a_campus: bool = False) -> bool:
    """Whether a line has the length of a student record, and digits or blanks where its campus or its date should be.

    Args:
        line: The line without its line end; not blank.
        of_a_campus: The campus must be there.
    """
    read = read_line(line, CURRENT_LAYOUT, 1)
    if read.row is None:
        return False
    text = read.row.decode("ascii")
    campus = text[read.layout.fields["college_code"].span]
    return campus.isdigit() if of_a_campus else any(_digits_or_blank(text, read.layout))


def _bare(line: bytes) -> bytes:
    """A line without what does not count before and behind a record, such as a tab or the end-of-file mark of DOS."""
    line = line.lstrip(_BEFORE).removeprefix(_BOM)
    behind = line[len(line.rstrip(NOTHING)) :]
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


def _digits_or_blank(text: str, layout: Layout) -> list[bool]:
    """Whether the campus, and whether the report date, are digits or blank, as where a record stands in its columns."""
    found = [text[layout.fields[name].span] for name in ("college_code", _LAST_FIELD)]
    return [not each.strip(" ") or (each.isascii() and each.isdigit()) for each in found]


def _encoded(text: str, layout: Layout, decode: Callable[[str], str], number: int) -> Line:
    """A record as a row: what is plain as it is, fields with other characters apart."""
    row = bytearray(text.encode("ascii", errors="replace"))
    patches, problems = [], []
    for each in _fields_with_other_characters(text, layout):
        free_text = each.kind is Kind.TEXT and each.name not in layout.slot_names
        value, kind = _understood(text[each.span], decode, free_text=free_text)
        if kind:
            problems.append(Problem(number, kind, each.name, each.start, each.end))
        patches.append((each.name, value or None))
        row[each.span] = bytes([UNREADABLE]) * each.width
    return Line(layout, bytes(row), patches, problems)


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

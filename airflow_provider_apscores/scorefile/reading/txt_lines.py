"""The lines of a piece of a TXT file: laid out together where they are regular, read one by one where they are not.

Regular lines are printable ASCII and as long as a record. Blanks at their end may have been cut or added: a line
ends behind the report date at the earliest, and has nothing but blanks behind its layout's length. In any other line,
positions count characters when it decodes (UTF-8) to a record, and bytes when only the bytes do; then the bytes of a
field are UTF-8 if they can be, else Windows-1252, which holds Latin-1's letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.block import UNREADABLE
from airflow_provider_apscores.scorefile.reading.lines import NOTHING
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT, LAYOUTS, layout_of
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: A record ends here at the earliest: only blanks behind it may be missing.
_LAST_FIELD = "report_date"

#: What may stand before a record that was the first of another file, or of a page.
_BOM = b"\xef\xbb\xbf"
_BEFORE = b"\r\x00\x0c\x1a"

_BLANK_8 = 0x2020202020202020


class TxtLines:
    """The lines of a piece.

    Args:
        data: Lines, of which the last one may lack its line end.

    Attributes:
        lengths: How long each is without its line end, shape (lines,).
        ended: Whether the last one has its line end, or the end-of-file mark of DOS.
    """

    def __init__(self, data: bytes) -> None:
        import numpy as np

        self._data = data
        self._flat = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(self._flat == 10)
        terminated = np.ones(len(ends), np.int64)
        if self._flat[-1] != 10:
            ends = np.append(ends, len(data))
            terminated = np.append(terminated, 0)
        self.ended = data.endswith((b"\n", b"\x1a"))
        self._starts: Numbers = np.concatenate(([0], ends[:-1] + 1))
        returns = (ends > self._starts) & (self._flat[ends - 1] == 13)
        self.lengths: Numbers = ends - self._starts - returns
        strange = np.flatnonzero((self._flat < 32) | (self._flat > 126))
        printable = np.bincount(np.searchsorted(ends, strange), minlength=len(ends)) == terminated + returns
        # A line without its end may have been cut. Lines that are far from a record's length are none, and millions of
        # them must not be filled up to it.
        self._widest = max(layout.length for layout in LAYOUTS.values())
        shortest = min(layout.fields[_LAST_FIELD].end for layout in LAYOUTS.values())
        self._candidates: Flags = printable & (self.lengths >= shortest) & (self.lengths <= 2 * self._widest)
        self._candidates &= (terminated > 0) | ~_no_length_of_a_layout(self.lengths)

    def __len__(self) -> int:
        return len(self._starts)

    def raw(self, at: int) -> bytes:
        """A line without its line end."""
        return self._data[self._starts[at] : self._starts[at] + self.lengths[at]]

    def any_short(self, at: Numbers) -> bool:
        """Whether one of some regular lines lacks blanks at its end."""
        lengths = self.lengths[at]
        return bool((_no_length_of_a_layout(lengths) & (lengths < self._widest)).any())

    def doubtful(self, at: Numbers) -> Flags:
        """Which of some lines have the length of no layout, and a blank at their end."""
        lengths = self.lengths[at]
        doubtful: Flags = _no_length_of_a_layout(lengths) & (self._flat[self._starts[at] + lengths - 1] == 32)
        return doubtful

    def laid_out(self, layout: Layout) -> tuple[Numbers, Bytes, Numbers]:
        """The regular lines.

        Args:
            layout: The layout of the records before them.

        Returns:
            Which lines they are; their records, shape (lines, length of the longest layout); and which of the layouts
            each has.
        """
        import numpy as np

        at = np.flatnonzero(self._candidates)
        lengths = self.lengths[at]
        records = self._records(at, lengths)
        ends = self._text_ends(at, lengths, records)
        # Few lengths and ends occur, so that each pair is looked up once.
        pairs, which = np.unique(lengths << 32 | ends, return_inverse=True)
        fitting = [fitting_layout(pair >> 32, pair & 0xFFFFFFFF, layout) for pair in pairs.tolist()]
        known = list(LAYOUTS.values())
        layouts = np.array([known.index(each) if each else -1 for each in fitting], np.int64)[which]
        answered = (records[:, [answers.start - 1 for each in known for answers in each.answers]] != 32).any(axis=1)
        for row in np.flatnonzero((lengths < self._widest) & answered).tolist():
            if _cut_in_answers(records[row].tobytes().decode("ascii"), int(lengths[row])):
                layouts[row] = -1
        regular = (layouts >= 0) & (ends > 0)
        if regular.all():
            return at, records, layouts
        return at[regular], records[regular], layouts[regular]

    def _records(self, at: Numbers, lengths: Numbers) -> Bytes:
        """Some lines filled up with blanks, or cut, to the length of the longest layout."""
        import numpy as np

        if len(at) and (lengths == self._widest).all():
            return self._columns(at, 0, self._widest)
        records = np.full((len(at), self._widest), 32, np.uint8)
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            width = min(length, self._widest)
            records[rows, :width] = self._columns(at[rows], 0, width)
        return records

    def _text_ends(self, at: Numbers, lengths: Numbers, records: Bytes) -> Numbers:
        """How long some lines are without blanks at their end; lines of a layout's length that begin with text count
        as full.
        """
        import numpy as np

        ends = lengths.copy()
        rows = np.flatnonzero(_no_length_of_a_layout(lengths) | blank_rows(records))
        if len(rows):
            found = records[rows, ::-1] != 32
            ends[rows] = np.where(found.any(axis=1), self._widest - found.argmax(axis=1), 0)
        for length in np.unique(lengths[lengths > self._widest]).tolist():
            rows = np.flatnonzero(lengths == length)
            behind = self._columns(at[rows], self._widest, length - self._widest)
            ends[rows[(behind != 32).any(axis=1)]] = length
        return ends

    def _columns(self, at: Numbers, start: int, width: int) -> Bytes:
        """The same columns of some lines."""
        import numpy as np

        columns: Bytes = np.lib.stride_tricks.sliding_window_view(self._flat, width)[self._starts[at] + start]
        return columns


def blank_rows(records: Bytes) -> Flags:
    """Which records hold nothing but blanks."""
    import numpy as np

    # Eight bytes at once tell of nearly all that they are not blank.
    blank: Flags = np.ascontiguousarray(records[:, :8]).view(np.uint64)[:, 0] == _BLANK_8
    for row in np.flatnonzero(blank).tolist():
        blank[row] = (records[row] == 32).all()
    return blank


def _no_length_of_a_layout(lengths: Numbers) -> Flags:
    import numpy as np

    return np.isin(lengths, [layout.length for layout in LAYOUTS.values()], invert=True)


def text_end(layout: Layout) -> int:
    """Where text of records of a layout ends: an older layout's closing filler is blank."""
    last = list(layout.fields.values())[-1]
    return last.start - 1 if last.kind is Kind.FILLER and layout is not CURRENT_LAYOUT else layout.length


def fitting_layout(length: int, end: int, layout: Layout) -> Layout | None:
    """The layout of a line of *length* characters, of which *end* are left without blanks at its end.

    It is the one of that length. In any other line only blanks at the end may be missing or too many: then it is the
    *layout* of the records before, or the current one where that has no column for the text. None if the line is too
    short or too long for a record.
    """
    exact = next((each for each in LAYOUTS.values() if each.length == length), None)
    if exact is not None:
        return exact
    found = layout if end <= text_end(layout) else CURRENT_LAYOUT
    return found if length >= found.fields[_LAST_FIELD].end and end <= found.length else None


def _cut_in_answers(text: str, length: int) -> bool:
    """Whether a line of *length* characters ends among a longer layout's answers: then answers may be missing."""
    end = len(text.rstrip(" "))
    return any(
        length < layout.length and each.start <= end < each.end and not text[each.start - 1 : end].strip("YN")
        for layout in LAYOUTS.values()
        for each in layout.answers
    )


def first_layout(line: bytes) -> Layout:
    """The layout that a file has as far as its first line tells: by its length, else by its report date."""
    text, _ = _readings(_bare(line))[0]
    for each in LAYOUTS.values():
        if len(text) == each.length and not _cut_in_answers(text, len(text)):
            return each
    date = text[CURRENT_LAYOUT.fields[_LAST_FIELD].span]
    known = re.fullmatch("[0-9]{6}", date, re.ASCII) and len(text.rstrip(" ")) <= CURRENT_LAYOUT.length
    return layout_of(int(date[4:]), int(date[:2])) if known else CURRENT_LAYOUT


@dataclass(slots=True)
class IrregularLine:
    """A line that was read by itself.

    Attributes:
        layout: Where the fields are.
        row: ``layout.length`` bytes for the matrix of a block; None when the line is no record.
        patches: Field name to text (None where it can't be read): what *row* can't hold.
        problems: What is wrong.
    """

    layout: Layout
    row: bytes | None = None
    patches: dict[str, str | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_irregular_line(line: bytes, layout: Layout, number: int, *, cut: bool = False) -> IrregularLine:
    """Read a line that is not regular.

    Args:
        line: The line without its line end; not blank.
        layout: The layout of the records before it.
        number: The record number for problems.
        cut: A short line was cut off, not trimmed.
    """
    fitting = []
    for text, decode in dict.fromkeys([*_readings(_bare(line)), *_readings(line)]):
        found = fitting_layout(len(text), len(text.rstrip(" ")), layout)
        if found and not _cut_in_answers(text, len(text)) and not (cut and len(text) < found.length):
            fitting.append((all(_digits_or_blank(text, found)), len(text) == found.length, text, decode, found))
    if not fitting:
        text, _ = _readings(line)[0]
        detail = f"{len(text)} characters, not {layout.length}"
        return IrregularLine(layout, problems=[Problem(number, "wrong_length", detail=detail)])
    # By chance a line may fit in two ways. Its campus and its date tell then, else the exact length, else the first.
    *_, text, decode, found = max(fitting, key=lambda each: each[:2])
    return _typed(IrregularLine(found), text[: found.length].ljust(found.length), decode, number)


def looks_like_a_record(line: bytes, *, of_a_campus: bool = False) -> bool:
    """Whether a line has the length of a student record, and digits or blanks where its campus or its date should be.

    Args:
        line: The line without its line end; not blank.
        of_a_campus: The campus must be there.
    """
    read = read_irregular_line(line, CURRENT_LAYOUT, 1)
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


def _typed(read: IrregularLine, text: str, decode: Callable[[str], str], number: int) -> IrregularLine:
    """Fill in the row: what is plain as it is, fields with other characters apart."""
    row = bytearray(text.encode("ascii", errors="replace"))
    for each in _fields_with_other_characters(text, read.layout):
        piece = text[each.span]
        value, kind = _understood(
            piece, decode, free_text=each.kind is Kind.TEXT and each.name not in read.layout.slot_names
        )
        if kind:
            read.problems.append(Problem(number, kind, each.name, each.start, each.end))
        read.patches[each.name] = value or None
        row[each.span] = bytes([UNREADABLE]) * each.width
    read.row = bytes(row)
    return read


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

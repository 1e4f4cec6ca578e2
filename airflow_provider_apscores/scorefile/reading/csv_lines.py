"""The lines of a piece of a CSV file: as they stand there, as text for a parser, and as records."""

from __future__ import annotations

import csv
import re
from functools import cached_property
from typing import Any, NamedTuple

#: A record with more line ends in its values than this is a quote that was never closed.
MOST_LINES = 16


#: What a record may consist of and still be blank, beside its delimiters.
_NOTHING = b' \t\r\n\x00\x0c\x1a"'


class Records(NamedTuple):
    """Records of some lines.

    Attributes:
        lines: The lines.
        first: The first line of each record, shape (records,).
        last: The last line of each record, shape (records,).
        is_open: Whether a quote in it is never closed, shape (records,).
        is_empty: Whether it is an empty line, shape (records,).
        until: The line after the last record.
    """

    lines: CsvLines
    first: Any
    last: Any
    is_open: Any
    is_empty: Any
    until: int

    def raw(self, record: int) -> bytes:
        """A record as it stands in the file, without its line end."""
        return self.lines.raw(int(self.first[record]), int(self.last[record]))

    def cells(self, record: int) -> list[str] | None:
        """The cells of a record; None when a quote is out of place."""
        return self.lines.cells(int(self.first[record]), int(self.last[record]))

    def is_closed(self, record: int) -> bool:
        """Whether each quote of a record is closed in it, to a parser that lets letters follow a closing quote."""
        lines = self.lines
        text = str(lines.text[lines.text_starts[self.first[record]] : lines.text_ends[self.last[record]]], "utf-8")
        try:
            return len(list(csv.reader([text, "next"], delimiter=lines.delimiter))) == 2
        except csv.Error:
            return False

    def is_blank(self, record: int) -> bool:
        """Whether a record has nothing but blanks, quotes and delimiters."""
        return self.lines.is_blank(int(self.first[record]), int(self.last[record]))


class CsvLines:
    """Lines, each with its line end.

    Args:
        data: The piece, and perhaps something behind it.
        end: How far these lines go.
        delimiter: What stands between cells.
        complete: Whether the file ends there.
    """

    def __init__(self, data: bytes, end: int, delimiter: str, *, complete: bool) -> None:
        self.data = data
        self.end = end
        self.complete = complete
        self.delimiter = delimiter

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def ends(self) -> Any:
        """Where each line ends in the data, shape (lines,)."""
        return _line_ends(self.data, self.end)

    @cached_property
    def starts(self) -> Any:
        """Where each line begins in the data, shape (lines,)."""
        import numpy as np

        return np.concatenate(([0], self.ends[:-1]))

    @cached_property
    def utf8(self) -> bytes | memoryview:
        """The lines as UTF-8, each with LF alone: a view of the data where nothing has to change."""
        text = _as_utf8(self.data, self.end)
        if text is self.data and b"\r" not in text and text[self.end - 1] == 10:
            return memoryview(text)[: self.end]
        text = text[: self.end if text is self.data else None].replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
        return text if text.endswith(b"\n") else text + b"\n"

    @cached_property
    def _utf8_ends(self) -> Any:
        return self.ends if isinstance(self.utf8, memoryview) else _line_ends(self.utf8, len(self.utf8))

    def utf8_from(self, line: int) -> bytes | memoryview:
        """The same from a line on."""
        return self.utf8[int(self._utf8_ends[line - 1]) :] if line else self.utf8

    @cached_property
    def text(self) -> bytes | memoryview:
        """The same without blanks before a quote that opens a cell, which pyarrow takes for a part of the cell."""
        if b' "' not in self.data:
            return self.utf8
        delimiter = re.escape(self.delimiter.encode())
        # Two quotes are an empty cell, or one quote within a cell.
        return re.sub(rb'(?<=[%b\n]) +"(?!"(?! *[%b\n]))' % (delimiter, delimiter), b'"', self.utf8)

    @cached_property
    def text_ends(self) -> Any:
        """Where each line ends in the text, shape (lines,)."""
        return self._utf8_ends if self.text is self.utf8 else _line_ends(self.text, len(self.text))

    @cached_property
    def text_starts(self) -> Any:
        """Where each line begins in the text, shape (lines,)."""
        import numpy as np

        return np.concatenate(([0], self.text_ends[:-1]))

    def raw(self, first: int, last: int) -> bytes:
        """Some lines as they stand in the file, without the last line end."""
        return self.data[self.starts[first] : self.ends[last]].rstrip(b"\r\n")

    def cells(self, first: int, last: int) -> list[str] | None:
        """The cells of a record; see :func:`cells_of`."""
        begin = self._utf8_ends[first - 1] if first else 0
        return cells_of(str(self.utf8[begin : self._utf8_ends[last]], "utf-8"), self.delimiter)

    def is_blank(self, first: int, last: int) -> bool:
        """Whether lines have nothing but blanks, quotes and delimiters."""
        return not self.data[self.starts[first] : self.ends[last]].strip(_NOTHING + self.delimiter.encode())

    def records(self, at: int, until: int) -> Records:
        """The records that begin in the lines from *at* to *until*.

        A value may hold line ends, so that a line with an odd number of quotes goes on until its cells can be read.
        Where the next piece may have the rest of a record, the records end before it.
        """
        import numpy as np

        reach = min(until + MOST_LINES, len(self))
        quotes = np.frombuffer(self.text, np.uint8, self.text_ends[reach - 1]) == ord('"')
        odd = (np.bitwise_xor.reduceat(quotes, self.text_starts[at:reach]).nonzero()[0] + at).tolist()
        begins = np.ones(len(self) - at, bool)
        is_open = np.zeros(len(self) - at, bool)
        taken = at
        for number, line in enumerate(odd):
            if not taken <= line < until:
                continue
            # A quote closes where the next line has an odd number, unless it is a letter of its cell.
            fellows = (other for other in odd[number : number + 2] if other < line + MOST_LINES)
            closing = next((other for other in fellows if self.cells(line, other) is not None), None)
            if closing is not None:
                begins[line + 1 - at : closing + 1 - at] = False
                taken = closing + 1
            elif self.complete or line + MOST_LINES <= len(self):
                is_open[line - at] = True
            else:
                until = line
                break
        until = max(until, taken)
        first = begins[: until - at].nonzero()[0] + at
        last = np.append(first[1:], until) - 1
        is_empty = self.text_ends[last] - self.text_starts[first] == 1
        return Records(self, first, last, is_open[first - at], is_empty, until)


def cells_of(text: str, delimiter: str) -> list[str] | None:
    """The cells of one record; None when a quote is not closed or the text is no record."""
    text = text.rstrip("\r\n")
    blanks = ' "' in text and re.search(rf'(?:\A|\n|{re.escape(delimiter)}) +"', text) is not None
    for each in (text, re.sub(rf'" +(?={re.escape(delimiter)}|\Z)', '"', text)):
        try:
            found = list(csv.reader([each], delimiter=delimiter, strict=True, skipinitialspace=blanks))
        except csv.Error:
            continue
        return found[0] if len(found) == 1 else []
    return None


def _line_ends(data: bytes | memoryview, end: int) -> Any:
    import numpy as np

    ends = np.flatnonzero(np.frombuffer(data, np.uint8, end) == 10) + 1
    return ends if len(ends) and ends[-1] == end else np.append(ends, end)


def _as_utf8(data: bytes, end: int) -> bytes:
    """The data itself where it is UTF-8; else lines that are not are read as Windows-1252."""
    if data.isascii():
        return data
    try:
        str(memoryview(data)[:end], "utf-8")
    except UnicodeDecodeError:
        return b"\n".join(map(_line_as_utf8, data[:end].split(b"\n")))
    return data


def _line_as_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line

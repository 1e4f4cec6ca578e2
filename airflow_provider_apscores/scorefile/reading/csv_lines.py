"""The lines of a piece of a CSV file: as they stand there, as UTF-8, and as records."""

from __future__ import annotations

import csv
import re
from functools import cached_property
from typing import NamedTuple

#: A record with more line ends in its values than this is a quote that was never closed.
MOST_LINES = 16

#: What stands between the cells of a record that was parsed, and behind the last one. No text has these letters.
CELL_END, RECORD_END = "\x1f", "\x1e"

_NO_TEXT = "\x01"


class Record(NamedTuple):
    """A record that was parsed.

    Attributes:
        first: Its first line.
        end: The line after it.
        row: Its cells without their quotes, with CELL_END between them; None where a quote is out of place.
    """

    first: int
    end: int
    row: str | None


class CsvLines:
    """Lines, each with its line end; the last line of a file may lack it.

    Args:
        data: The lines.
        delimiter: What stands between cells.
        complete: Whether the file ends behind them.
    """

    def __init__(self, data: bytes, delimiter: str, *, complete: bool) -> None:
        self.data = data
        self.delimiter = delimiter
        self.complete = complete

    @cached_property
    def utf8(self) -> bytes:
        """The lines as UTF-8, each with LF alone."""
        text = _as_utf8(self.data)
        if b"\r" in text:
            text = text.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
        return text if text.endswith(b"\n") else text + b"\n"

    @cached_property
    def text(self) -> list[str]:
        """The same as text, line by line."""
        text = self.utf8.decode().replace(CELL_END, _NO_TEXT).replace(RECORD_END, _NO_TEXT)
        return text.removesuffix("\n").split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins in the data, and where the last one ends."""
        ends = [each.end() for each in re.finditer(b"\n", self.data)]
        return [0, *ends] if self.data.endswith(b"\n") else [0, *ends, len(self.data)]

    def start(self, line: int) -> int:
        """Where a line begins in the data, or where the last one ends."""
        return self._starts[line]

    def raw(self, first: int, end: int) -> bytes:
        """The lines from *first* to *end* as they stand in the file, without the last line end."""
        return self.data[self.start(first) : self.start(end)].rstrip(b"\r\n")

    def record(self, first: int) -> Record | None:
        """Parse the record that begins with a line; None where the next piece may have the rest of it.

        A value may hold line ends. The line that closes its quote has an odd number of them.
        """
        line = self.text[first]
        quoted = line.startswith('"') and line.endswith('"', 1)
        row = line[1:-1].replace(f'"{self.delimiter}"', CELL_END) if quoted else line.replace(self.delimiter, CELL_END)
        if '"' not in row:  # No cell has one in it, as in most rows.
            return Record(first, first + 1, row)
        end = first + 1
        cells = cells_of(line, self.delimiter)
        if cells is None:
            following = enumerate(self.text[end : first + MOST_LINES], end)
            closing = next((at for at, each in following if each.count('"') % 2), None)
            if closing is not None:
                cells = cells_of("\n".join(self.text[first : closing + 1]), self.delimiter, strict=True)
                end = first + 1 if cells is None else closing + 1
            elif not self.complete and first + MOST_LINES > len(self.text):
                return None
        return Record(first, end, None if cells is None else CELL_END.join(cells))


def cells_of(text: str, delimiter: str, *, strict: bool = False) -> list[str] | None:
    """The cells of one record; None when a quote is not closed or the text is no record.

    Args:
        text: The record.
        delimiter: What stands between cells.
        strict: Whether a closing quote has to be the last letter of its cell.
    """
    blanks = ' "' in text and re.search(rf'(?:\A|\n|{re.escape(delimiter)}) +"', text) is not None
    try:
        # A quote that is still open takes in the second line.
        found = list(csv.reader([text, ""], delimiter=delimiter, strict=strict, skipinitialspace=blanks))
    except csv.Error:
        return None
    return found[0] if len(found) == 2 else None


def _as_utf8(data: bytes) -> bytes:
    """The data itself where it is UTF-8; else lines that are not are read as Windows-1252."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return b"\n".join(map(_line_as_utf8, data.split(b"\n")))
    return data


def _line_as_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line

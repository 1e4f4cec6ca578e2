"""The lines of a piece of a CSV file: as bytes of the file, as UTF-8, which Windows-1252 becomes, and as cells."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: A record with more line ends in its values than this is a quote that was never closed.
MOST_LINES = 16


@dataclass
class Lines:
    """Lines, each with its line end. What nobody asks for is not looked for.

    Attributes:
        data: The piece, and perhaps something behind it.
        end: How far these lines go.
        complete: Whether the file ends there.
    """

    data: bytes
    end: int
    complete: bool

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def ends(self) -> Any:
        """Where each line ends, shape (lines,)."""
        import numpy as np

        ends = np.flatnonzero(np.frombuffer(self.data, np.uint8, self.end) == 10) + 1
        return ends if len(ends) and ends[-1] == self.end else np.append(ends, self.end)

    @cached_property
    def starts(self) -> Any:
        """Where each line begins, shape (lines,)."""
        import numpy as np

        return np.concatenate(([0], self.ends[:-1]))

    @cached_property
    def plain(self) -> bool:
        """Whether all is printable ASCII, line ends and tabs aside."""
        import numpy as np

        flat = np.frombuffer(self.data, np.uint8, self.end)
        control = np.count_nonzero(flat < 32) - sum(np.count_nonzero(flat == ord(each)) for each in "\t\n\r")
        return bool(control == 0 and flat.max() < 127)

    def raw(self, at: int, until: int) -> bytes:
        """Some lines as they are in the file."""
        return self.data[self.starts[at] : self.ends[until - 1]]

    def utf8(self, at: int, until: int | None = None) -> bytes | memoryview:
        """Some lines as UTF-8; all from *at* on without *until*. They are not copied unless something has to change."""
        if isinstance(self._decoded, list):
            return b"".join(self._decoded[at:until])
        return memoryview(self._decoded)[
            self.starts[at] if at else 0 : self.end if until is None else self.ends[until - 1]
        ]

    def text(self, at: int, until: int) -> str:
        """The same as text."""
        return str(self.utf8(at, until), "utf-8")

    @cached_property
    def _decoded(self) -> bytes | list[bytes]:
        """The data when it is UTF-8; else its lines, those that are not UTF-8 read as Windows-1252."""
        if self.data.isascii():
            return self.data
        try:
            str(memoryview(self.data)[: self.end], "utf-8")
        except UnicodeDecodeError:
            spans = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
            return [_line_as_utf8(self.data[start:end]) for start, end in spans]
        return self.data


def cells_of(text: str, delimiter: str) -> list[str] | None:
    """The cells of one record; None when a quote is not closed or the text is no record."""
    text = text.rstrip("\r\n")
    blanks = has_blank_before_quote(text, delimiter)
    for each in (text, re.sub(rf'" +(?={re.escape(delimiter)}|\Z)', '"', text)):
        try:
            found = list(csv.reader([each], delimiter=delimiter, strict=True, skipinitialspace=blanks))
        except csv.Error:
            continue
        return found[0] if len(found) == 1 else []
    return None


def has_blank_before_quote(text: str, delimiter: str) -> bool:
    """Whether a cell may begin with blanks and a quote, which most parsers take for one of its letters."""
    return ' "' in text and re.search(rf'(?:\A|\n|{re.escape(delimiter)}) +"', text) is not None


def _line_as_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line

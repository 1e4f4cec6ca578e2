"""What the two readers hand on: some student records, cut to the columns of one layout.

TXT records stand in the matrix as they are. CSV records are laid out in the same way, so that dates, codes, years
and scores are understood in one place; their free text, which may be wider than its columns, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.fields import Layout
from airflow_provider_apscores.scorefile.problems import Problem

if TYPE_CHECKING:
    import numpy as np

#: Fills a field that can't be read. It is no printable character, so it is never mistaken for a value: the field
#: becomes null, and whoever put it there has reported why.
UNREADABLE = 0x7F


@dataclass(slots=True)
class Block:
    """Student records in the order of the file.

    Attributes:
        layout: Where the fields are in *matrix*.
        matrix: Bytes, shape (records, at least ``layout.length``): printable ASCII and :data:`UNREADABLE`.
        numbers: Record numbers, int64, shape (records,).
        texts: Columns (Arrow strings, trimmed, blank as null) that replace what *matrix* says, by field name.
        patches: Single values that replace what *matrix* says: field name to [(row, text or None)].
        raw_lines: Lines by row where *matrix* does not hold them as they are. A line end is not part of a line.
        lost: Lines that gave no student record: (record number, line).
        problems: What was wrong so far.
        line_of: Gives the line of a row where *matrix* is not made of lines (CSV).
        exact_dates: Dates that came with four-digit years: field name to [(row, date)].
        exact_years: Four-digit years that two digits would not give back: field name to [(row, year)].
    """

    layout: Layout
    matrix: np.ndarray[Any, np.dtype[np.uint8]]
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    texts: dict[str, Any] = field(default_factory=dict)
    patches: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)
    raw_lines: dict[int, bytes] = field(default_factory=dict)
    lost: list[tuple[int, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    line_of: Callable[[int], bytes] | None = None
    exact_dates: dict[str, list[tuple[int, date]]] = field(default_factory=dict)
    exact_years: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def raw_line(self, row: int) -> bytes:
        """The line of *row* as it stood in the file."""
        if row in self.raw_lines:
            return self.raw_lines[row]
        if self.line_of is not None:
            return self.line_of(row)
        return self.matrix[row, : self.layout.length].tobytes()

    def column(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The bytes of a field, shape (records, width): a view."""
        return self.matrix[:, self.layout.fields[name].span]

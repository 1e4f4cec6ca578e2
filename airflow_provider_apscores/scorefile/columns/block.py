"""What the two readers hand on: some student records, cut to the columns of one layout.

TXT records stand in the matrix as they are. CSV records are laid out in the same way, so that dates, codes, years
and scores are understood in one place; their free text, which may be wider than its columns, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.spec.fields import Layout
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

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
        lost: Lines that gave no student record: (record number, line).
        problems: What was wrong so far.
        headers: Lines of a CSV file before these records that repeat its header, perhaps in another order.
        line_of: Gives the line of a row, without its line end, where *matrix* does not hold lines as they are.
        exact_dates: Dates that came with four-digit years: field name to [(row, date)].
        exact_years: Four-digit years that two digits would not give back: field name to [(row, year)].
        known_extremes: What :meth:`extremes` gives, where somebody has looked already.
    """

    layout: Layout
    matrix: Bytes
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    texts: dict[str, Any] = field(default_factory=dict)
    patches: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)
    lost: list[tuple[int, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    line_of: Callable[[int], bytes] | None = None
    exact_dates: dict[str, list[tuple[int, date]]] = field(default_factory=dict)
    exact_years: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    known_extremes: tuple[Bytes, Bytes] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def raw_line(self, row: int) -> bytes:
        """The line of *row* as it stood in the file."""
        if self.line_of is not None:
            return self.line_of(row)
        return self.matrix[row, : self.layout.length].tobytes()

    def without(self, rows: list[int], kind: str) -> Block:
        """The same without some records of a TXT file. They are lost: that is a problem of *kind*, if none is known."""
        import numpy as np

        kept = np.delete(np.arange(len(self)), rows)
        new = {row: at for at, row in enumerate(kept.tolist())}
        lost = {int(self.numbers[row]): self.raw_line(row) for row in rows}
        # What was found in single fields says nothing any more.
        known = [each for each in self.problems if each.field is None or each.record_number not in lost]
        told = {each.record_number for each in known}
        return Block(
            self.layout,
            self.matrix[kept],
            self.numbers[kept],
            patches={
                name: [(new[row], text) for row, text in values if row in new] for name, values in self.patches.items()
            },
            lost=[*self.lost, *lost.items()],
            problems=[*known, *(Problem(number, kind) for number in lost.keys() - told)],
            line_of=lambda row: self.raw_line(int(kept[row])),
        )

    def column(self, name: str) -> Bytes:
        """The bytes of a field, shape (records, width): a copy of their own, one record after the other."""
        span = self.layout.fields[name].span
        return cut(self.matrix, span.start, span.stop - span.start)

    def extremes(self) -> tuple[Bytes, Bytes]:
        """The lowest and the highest byte in each column of *matrix*: one cheap look that spares many others."""
        if self.known_extremes is None:
            self.known_extremes = extremes(self.matrix)
        return self.known_extremes

    def is_blank(self, name: str) -> bool:
        """Whether a field is blank in every record, or no field of the layout."""
        if name not in self.layout.fields:
            return True
        _, highest = self.extremes()
        return bool(highest[self.layout.fields[name].span].max() == 32)

    def is_constant(self, name: str) -> bool:
        """Whether a field has the same bytes in every record."""
        span = self.layout.fields[name].span
        lowest, highest = self.extremes()
        return bool((lowest[span] == highest[span]).all())

    def needs_trimming(self, name: str) -> bool:
        """Whether a value of a field may begin or end with a blank."""
        span = self.layout.fields[name].span
        lowest, _ = self.extremes()
        return bool(lowest[span.start] == 32 or lowest[span.stop - 1] == 32)


def cut(matrix: Bytes, start: int, width: int) -> Bytes:
    """Some columns of a block, shape (records, width), copied together.

    NumPy copies opaque items of *width* bytes several times faster than rows of that many bytes.
    """
    import numpy as np

    records = matrix.view(f"V{matrix.shape[1]}")[:, 0]
    return np.ascontiguousarray(records.getfield(f"V{width}", start)).view(np.uint8).reshape(-1, width)


def extremes(matrix: Bytes) -> tuple[Bytes, Bytes]:
    """The lowest and the highest byte in each column; blanks where there are no rows."""
    import numpy as np

    if not len(matrix):
        blank = np.full(matrix.shape[1], 32, np.uint8)
        return blank, blank
    return matrix.min(axis=0), matrix.max(axis=0)

"""The type that both readers produce: some student records, cut to the columns of one layout.

TXT records stand in the matrix as they are. CSV records are laid out in the same way, so that dates, codes, years
and scores are typed in one place; their free text, which may be wider than its columns, stands beside the matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns import arrays
from airflow_provider_apscores.scorefile.spec.fields import Group, Layout
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Pairs = np.ndarray[Any, np.dtype[np.uint16]]

#: Fills a field that cannot be read: control characters, bytes that are no text, a value that a spreadsheet damaged.
#: It is not printable, so it is never mistaken for a value. The field becomes null; the reader reports the problem.
UNREADABLE = 0x7F

#: Fills a field of a CSV row whose cell cannot stand there, such as a name where a date belongs. Such a field is
#: unreadable, reported like one, and counts as impossible when the row's alignment is checked. It is above all other
#: bytes, so that the extremes of a block show it.
MISPLACED = 0x80


@dataclass(slots=True)
class Block:
    """Student records in the order of the file: the contract between the readers and the columns.

    A reader fills a block as follows.

    * Each record that has all its columns is one row of *matrix*: every field at its columns in *layout*, blanks
      elsewhere. Letters beyond ASCII stand in *patches* (single values) or *texts* (whole columns), and a field that
      cannot be read is filled with :data:`UNREADABLE`, or with :data:`MISPLACED`.
    * Any other record gives a line in *lost* and a problem, and no row.
    * The reader does not check whether records are aligned: ``alignment.aligned`` does, once for each block. After
      that no row is dropped.

    Attributes:
        layout: Where the fields are in *matrix*, and in problems. Records of several layouts are laid out in one.
        matrix: Bytes, shape (records, at least ``layout.length``): printable ASCII, UNREADABLE and MISPLACED.
        numbers: Record numbers, int64, shape (records,).
        texts: Columns (Arrow strings, trimmed, blank as null) that replace what *matrix* says, by field name. Empty for
            TXT, never empty for CSV.
        doubtful: Which TXT rows have a line that is neither whole nor trimmed: it has the length of no layout, and a
            blank at its end. None where there are only whole lines.
        patches: Single values that replace what *matrix* says: field name to [(row, text or None)].
        lost: Lines that gave no row: (record number, line).
        problems: Problems found so far.
        line_of: Gives the line of a row, without its line end, where *matrix* does not hold lines as they are.
        exact_dates: Dates that came with four-digit years: field name to [(row, date)].
        known_extremes: The result of :meth:`extremes`, once it is known.
        known_slots: The results of :meth:`slots` by group, once they are known.
    """

    layout: Layout
    matrix: Bytes
    numbers: Numbers
    texts: dict[str, Any] = field(default_factory=dict)
    doubtful: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    patches: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)
    lost: list[tuple[int, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    line_of: Callable[[int], bytes] | None = None
    exact_dates: dict[str, list[tuple[int, date]]] = field(default_factory=dict)
    known_extremes: tuple[Bytes, Bytes] | None = None
    known_slots: dict[str, Slots] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def is_csv(self) -> bool:
        """Whether the records come from CSV rows: only these have *texts*."""
        return bool(self.texts)

    def raw_line(self, row: int) -> bytes:
        """The line of *row* as it stood in the file."""
        if self.line_of is not None:
            return self.line_of(row)
        return self.matrix[row, : self.layout.length].tobytes()

    def without(self, defects: dict[int, Problem]) -> Block:
        """The same block without some rows, whose lines are lost.

        Args:
            defects: Why each row goes.
        """
        import numpy as np
        import pyarrow as pa

        kept = np.delete(np.arange(len(self)), list(defects))
        new_row = {row: at for at, row in enumerate(kept.tolist())}
        lost = {int(self.numbers[row]): self.raw_line(row) for row in defects}

        def moved(values: dict[str, list[tuple[int, Any]]]) -> dict[str, list[tuple[int, Any]]]:
            return {
                name: [(new_row[row], value) for row, value in pairs if row in new_row]
                for name, pairs in values.items()
            }

        return Block(
            self.layout,
            self.matrix[kept],
            self.numbers[kept],
            texts={name: column.take(arrays.numbers(kept, None, pa.int64())) for name, column in self.texts.items()},
            patches=moved(self.patches),
            lost=sorted([*self.lost, *lost.items()]),
            # What was found in single fields of these records says nothing any more.
            problems=[
                *(each for each in self.problems if each.record_number not in lost or each.field is None),
                *defects.values(),
            ],
            line_of=lambda row: self.raw_line(int(kept[row])),
            exact_dates=moved(self.exact_dates),
        )

    def forget_misplaced(self) -> None:
        """Fill with :data:`UNREADABLE` what was filled with :data:`MISPLACED`: alignment has been checked."""
        _, highest = self.extremes()
        if (highest == MISPLACED).any():
            self.matrix[self.matrix == MISPLACED] = UNREADABLE
            self.known_extremes = None
            self.known_slots.clear()

    def slots(self, group: str) -> Slots:
        """The slots of the layout's group *group* that are not wholly blank."""
        if group not in self.known_slots:
            self.known_slots[group] = Slots(self, self.layout.group(group))
        return self.known_slots[group]

    def column(self, name: str) -> Bytes:
        """The bytes of a field, shape (records, width): a contiguous copy."""
        span = self.layout.fields[name].span
        return cut(self.matrix, span.start, span.stop - span.start)

    def extremes(self) -> tuple[Bytes, Bytes]:
        """The lowest and the highest byte in each column of *matrix*, found once, since they answer most questions."""
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


class Slots:
    """The slots of a group that are not wholly blank, record by record.

    Attributes:
        group: The group.
        rows: The row of the block that each is in.
        slots: Which slot each is, from 0.
    """

    def __init__(self, block: Block, group: Group) -> None:
        import numpy as np

        self.group = group
        _, highest = block.extremes()
        used = np.flatnonzero(highest[group.span] != 32)
        # Behind the last slot that any record uses, all is blank.
        count = int(used[-1]) // group.stride + 1 if len(used) else 1
        slots = cut(block.matrix, group.start - 1, count * group.stride).reshape(-1).view(f"V{group.stride}")
        # Several bytes at once are compared with blanks; the two comparisons overlap in a slot shorter than both.
        size = 8 if group.stride >= 8 else 4
        blank = int.from_bytes(b" " * size, "little")
        filled = np.zeros(len(slots), bool)
        for offset in {0, group.stride - size}:
            filled |= slots.getfield(f"<u{size}", offset) != blank
        at = np.flatnonzero(filled)
        self.rows = at // count
        self.slots = at - self.rows * count
        self._records = slots.take(at)

    def letters(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A field of one character."""
        letters: np.ndarray[Any, np.dtype[np.uint8]] = self._field(name, "u1")
        return letters

    def pairs(self, name: str) -> Pairs:
        """A field of one or two characters, as :func:`~.lookups.pairs` has it."""
        import numpy as np

        wide = self._width(name) == 2
        values: Pairs = self._field(name, "<u2") if wide else self._field(name, "u1") | np.uint16(0x2000)
        return values

    def _width(self, name: str) -> int:
        return next(each.width for each in self.group.fields if each.name == name)

    def _field(self, name: str, kind: str) -> Any:
        import numpy as np

        start = next(each.start for each in self.group.fields if each.name == name) - self.group.start
        return np.ascontiguousarray(self._records.getfield(kind, start))


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

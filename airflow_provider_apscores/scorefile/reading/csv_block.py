"""CSV cells to a block: each value at its columns of the TXT record.

Most cells stand as College Board writes them. All cells of one width are copied together. The others, and free text
that is longer than its field, are understood one by one (csv_values.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.arrays import strings
from airflow_provider_apscores.scorefile.columns.block import MISPLACED, UNREADABLE, Block
from airflow_provider_apscores.scorefile.reading.csv_cells import LONGEST, CellPlaces, Cells, items, judge
from airflow_provider_apscores.scorefile.reading.csv_values import LOST_ZEROS, Meaning, is_free_text, understand
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]

#: The digit.
_ZERO = 48

#: What a TXT record has no columns for.
_CSV_ONLY = tuple(name for _, name in CSV_COLUMNS if name and name not in LAYOUT.fields)


class BlockBuilder:
    """Puts the student records of a block together from their cells.

    Args:
        rows: Records.

    Attributes:
        matrix: The records so far, as :class:`~.block.Block` has them.
    """

    def __init__(self, rows: int) -> None:
        import numpy as np

        self.matrix: Bytes = np.full((rows, LAYOUT.length), 32, np.uint8)
        self._singly: dict[str, list[tuple[int, str]]] = {}
        self._second: dict[tuple[str, bool], list[tuple[int, str]]] = {}

    def add(self, places: CellPlaces, cells: Cells) -> None:
        """Copy the cells that fit to where they belong, and note the others."""
        import numpy as np

        letters, starts, stops, columns, rows, _ = cells
        lengths = stops - starts
        padded = np.concatenate((letters, np.zeros(LONGEST, np.uint8)))
        good, lost_zero, empty = judge(places, cells, padded)
        cell_places = rows.astype(np.int64) * LAYOUT.length + places.start.take(columns)
        records = self.matrix.reshape(-1)
        records[cell_places[lost_zero]] = _ZERO
        cell_places += lost_zero
        sizes = np.where(good, places.size.take(columns), lost_zero)
        for size in np.bincount(sizes).nonzero()[0].tolist():
            if size:
                chosen = (sizes == size).nonzero()[0]
                self._copy(padded, starts.take(chosen), lengths.take(chosen), cell_places.take(chosen), size)
        others = (~(good | lost_zero | empty)).nonzero()[0]
        if len(others):
            text = memoryview(letters)  # type: ignore[arg-type]
            where = (each.take(others).tolist() for each in (columns, rows, starts, stops))
            for column, row, start, stop in zip(*where, strict=True):
                self.add_cell(places, row, column, str(text[start:stop], "utf-8"))

    def _copy(self, letters: Bytes, starts: Any, lengths: Any, places: Any, size: int) -> None:
        """Copy cells to fields of *size* bytes, and fill up with blanks what follows a shorter one."""
        import numpy as np

        # NumPy copies opaque items of this size several times faster than rows of that many bytes.
        kind = f"u{size}" if size <= 2 else f"V{size}"
        copied = items(letters, kind)[starts]
        if lengths.min() < size:
            cells = copied.view(np.uint8).reshape(-1, size)
            # What follows a shorter cell becomes blank: that is zero in between.
            cells ^= 32
            cells &= _leading(size).take(lengths, axis=0)
            cells ^= 32
        items(self.matrix.reshape(-1), kind)[places] = copied

    def add_cell(self, places: CellPlaces, row: int, column: int, cell: str) -> None:
        """Note a cell that has to be understood by itself."""
        if (name := places.names.get(column)) is not None:
            self._singly.setdefault(name, []).append((row, cell))
        elif (second := places.second.get(column)) is not None:
            self._second.setdefault(second, []).append((row, cell))

    def block(self, numbers: Any, rows: Any = None, **rest: Any) -> Block:
        """The block.

        Args:
            numbers: Record numbers.
            rows: The rows that have cells, ascending; None where all have.
            rest: More attributes of the block.
        """
        import numpy as np

        block = Block(LAYOUT, self.matrix if rows is None else self.matrix[rows], numbers, **rest)

        def in_block(cells: list[tuple[int, str]]) -> list[tuple[int, str]]:
            if rows is None:
                return cells
            of_cells = np.searchsorted(rows, [row for row, _ in cells]).tolist()
            return [(row, cell) for row, (_, cell) in zip(of_cells, cells, strict=True)]

        for name, cells in self._singly.items():
            _lay_out(block, name, in_block(cells))
        for name, found in self._misfits(block):
            _lay_out(block, name, found)
        for (name, repeated), cells in self._second.items():
            _merge(block, name, in_block(cells), repeated=repeated)
        for name in _CSV_ONLY:
            block.texts[name] = _column(len(block), block.patches.pop(name, ()))
        block.problems.sort(key=lambda problem: problem.record_number)
        return block

    def _misfits(self, block: Block) -> Iterable[tuple[str, list[tuple[int, str]]]]:
        """Cells that have a fitting length only by chance: dates in other forms, numbers in another notation."""
        import numpy as np

        for name, field in LAYOUT.fields.items():
            odd: Any
            if field.kind is Kind.DATE:
                cells = block.column(name)
                odd = ((cells - np.uint8(_ZERO)) > 9).any(axis=1)
                odd &= (cells[:, 0] != 32) & (cells[:, 0] != UNREADABLE) & (cells[:, 0] != MISPLACED)
            elif name in LOST_ZEROS:
                cells = block.column(name)
                # Signs from "!" to "/", such as the point and the plus.
                odd = ((cells - np.uint8(ord("!"))) < 15).any(axis=1)
            else:
                continue
            if odd.any():
                yield name, [(row, cells[row].tobytes().decode()) for row in odd.nonzero()[0].tolist()]


def _lay_out(block: Block, name: str, cells: list[tuple[int, str]]) -> None:
    """Put cells of a field where they belong, as they are understood: each different text once."""
    import numpy as np

    different: dict[str, int] = {}
    which = [different.setdefault(cell, len(different)) for _, cell in cells]
    meanings = [understand(name, cell) for cell in different]
    field = LAYOUT.fields.get(name)
    if field is not None:
        letters = np.stack([_letters(field, meaning) for meaning in meanings])
        block.matrix[[row for row, _ in cells], field.span] = letters[which]
    free = is_free_text(name)
    patched = [free and not (field and _fits(field, meaning.value)) for meaning in meanings]
    for (row, _), at in zip(cells, which, strict=True):
        meaning = meanings[at]
        if meaning.problem:
            block.problems.append(Problem(int(block.numbers[row]), meaning.problem, name))
        if meaning.day:
            block.exact_dates.setdefault(name, []).append((row, meaning.day))
        if patched[at]:
            block.patches.setdefault(name, []).append((row, meaning.value or None))


def _merge(block: Block, name: str, cells: list[tuple[int, str]], *, repeated: bool) -> None:
    """Put in the cells of a second column for a field where the first one is empty; elsewhere compare them."""
    patches = dict(block.patches.get(name, ()))
    field = LAYOUT.fields.get(name)
    missing = []
    for row, cell in cells:
        value = understand(name, cell).value
        held = patches.get(row) or (block.matrix[row, field.span].tobytes().decode("latin-1").strip() if field else "")
        if not held:
            missing.append((row, cell))
        elif value and value != held and repeated:
            raise ScoreFileMalformed(
                f"The CSV header has a column for {name} twice, and record {block.numbers[row]} has different values "
                "under them. Take out the wrong column."
            )
        elif value and value != held:
            block.problems.append(Problem(int(block.numbers[row]), "two_values", name))
    if missing:
        _lay_out(block, name, missing)


def _fits(field: Field, value: str | None) -> bool:
    return value is not None and len(value) <= field.width and value.isascii() and value.isprintable()


def _letters(field: Field, meaning: Meaning) -> Bytes:
    """A value in a field's width: what a longer one begins with, for it stands in the patches as a whole."""
    import numpy as np

    if meaning.value is None:
        return np.full(field.width, MISPLACED if meaning.misplaced else UNREADABLE, np.uint8)
    value = re.sub("[^ -~]", "?", meaning.value[: field.width])
    return np.frombuffer(value.ljust(field.width).encode(), np.uint8)


@cache
def _leading(size: int) -> Bytes:
    """All bits of the first letters of *size*, as many as the row's number says."""
    import numpy as np

    return np.tri(size + 1, size, -1, np.uint8) * np.uint8(255)


def _column(rows: int, values: Iterable[tuple[int, str | None]]) -> pa.Array:
    import pyarrow as pa

    texts = dict(values)
    return strings([texts.get(row) for row in range(rows)]) if texts else pa.nulls(rows, pa.string())

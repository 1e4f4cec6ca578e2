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
from airflow_provider_apscores.scorefile.reading.csv_cells import Cells
from airflow_provider_apscores.scorefile.reading.csv_values import (
    GAPS,
    LOST_ZEROS,
    Meaning,
    is_coded,
    is_free_text,
    understand,
)
from airflow_provider_apscores.scorefile.reading.header import Header
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: Longer cells fit nowhere.
_LONGEST = 32

_LONGEST_GAP = max(map(len, GAPS))

#: The cell needs no second look, unless one of its letters does.
_FITS = 1
#: It may not begin or end with a blank.
_TIGHT = 2
#: If it is a digit, it is two that lost their zero.
_TWO_DIGITS = 4
#: If it is one of the words in ``GAPS``, it is empty.
_CODED = 8

#: The digit.
_ZERO = 48

#: What a TXT record has no columns for.
_CSV_ONLY = tuple(name for _, name in CSV_COLUMNS if name and name not in LAYOUT.fields)


class CellPlaces:
    """Where the cells under one header go.

    Args:
        header: The header.
        only: The fields that are wanted; None for all.

    Attributes:
        names: The field of each column that is read.
        second: See :class:`~.header.Header`.
        start: Of each column: where its field begins in a record.
        size: How wide its field is; 0 for columns that are not read.
        traits: What is true of a cell of each length in each column (``_FITS`` and so on), shape (columns * lengths,).
    """

    def __init__(self, header: Header, only: frozenset[str] | None) -> None:
        import numpy as np

        self.names = {at: name for name, at in header.columns.items() if only is None or name in only}
        self.second = {at: second for at, second in header.second.items() if only is None or second[0] in only}
        width = header.width
        self.start = np.zeros(width, np.int32)
        self.size = np.zeros(width, np.uint8)
        traits = np.full((width, _LONGEST + 1), _FITS, np.uint8)
        traits[list(self.second)] = 0
        for at, name in self.names.items():
            field = LAYOUT.fields.get(name)
            traits[at] = 0
            if field is None:
                continue
            free = is_free_text(name)
            self.start[at], self.size[at] = field.start - 1, field.width
            if name in LOST_ZEROS:
                traits[at, list(LOST_ZEROS[name])] |= _FITS
            elif free:
                traits[at, : field.width + 1] |= _FITS
            else:
                traits[at, field.width] |= _FITS
            if name in LOST_ZEROS or not (free or field.kind is Kind.FLAGS):
                traits[at] |= _TIGHT
            if field.width == 2 and not free:
                traits[at, 1] |= _TWO_DIGITS
            if is_coded(name):
                traits[at, : _LONGEST_GAP + 1] |= _CODED
        self.traits = traits.reshape(-1)


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
        padded = np.concatenate((letters, np.zeros(_LONGEST, np.uint8)))
        good, lost_zero, empty = _judge(places, cells, padded)
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
        copied = _items(letters, kind)[starts]
        if lengths.min() < size:
            cells = copied.view(np.uint8).reshape(-1, size)
            # What follows a shorter cell becomes blank: that is zero in between.
            cells ^= 32
            cells &= _leading(size).take(lengths, axis=0)
            cells ^= 32
        _items(self.matrix.reshape(-1), kind)[places] = copied

    def add_cell(self, places: CellPlaces, row: int, column: int, cell: str) -> None:
        """Note a cell that has to be understood by itself."""
        if (name := places.names.get(column)) is not None:
            self._singly.setdefault(name, []).append((row, cell))
        elif (second := places.second.get(column)) is not None:
            self._second.setdefault(second, []).append((row, cell))

    def block(self, numbers: Any, **rest: Any) -> Block:
        """The block.

        Args:
            numbers: The record number of each row; what follows in the matrix is left out.
            rest: More attributes of the block.
        """
        import numpy as np

        block = Block(LAYOUT, self.matrix[: len(numbers)], np.asarray(numbers, np.int64), **rest)
        singly = [*self._singly.items(), *self._misfits(block)]
        for name, cells in singly:
            _lay_out(block, name, cells)
        for (name, repeated), cells in self._second.items():
            _merge(block, name, cells, repeated=repeated)
        if singly or self._second:
            block.known_extremes = None
        for name in _CSV_ONLY:
            block.texts[name] = _column(len(block), block.patches.pop(name, ()))
        block.problems.sort(key=lambda problem: problem.record_number)
        return block

    def _misfits(self, block: Block) -> Iterable[tuple[str, list[tuple[int, str]]]]:
        """Cells that have a fitting length only by chance: dates in other forms, numbers in another notation."""
        lowest, highest = block.extremes()
        for name, field in LAYOUT.fields.items():
            is_date = field.kind is Kind.DATE
            if not (is_date or name in LOST_ZEROS) or block.is_blank(name):
                continue
            # Signs from "!" to "/", such as the point and the plus, are below the digits.
            if lowest[field.span].min() >= _ZERO and (highest[field.span].max() <= _ZERO + 9 or not is_date):
                continue
            cells = block.column(name)
            odd: Any = ((cells - _ZERO) > 9 if is_date else (cells - ord("!")) < 15).any(axis=1)
            if is_date:
                odd &= cells[:, 0] != 32
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


def _judge(places: CellPlaces, cells: Cells, padded: Bytes) -> tuple[Flags, Flags, Flags]:
    """Which cells fit as they are, which are one digit of two, and which are a word for nothing.

    Args:
        places: Where the cells go.
        cells: The cells.
        padded: Their letters, with :data:`_LONGEST` bytes more.
    """
    import numpy as np

    letters, starts, stops, columns, _, between = cells
    lengths = stops - starts
    traits = places.traits.take(columns * (_LONGEST + 1) + np.minimum(lengths, _LONGEST))
    first, last = letters.take(starts), letters.take(stops - 1)
    good = (traits & _FITS) != 0
    good &= ((traits & _TIGHT) == 0) | ((first != 32) & (last != 32))
    good &= first != ord("'")
    if np.count_nonzero(letters < 32) != between or letters.max(initial=0) > 126:
        strange = ((letters < 32) | (letters > 126)).nonzero()[0]
        having = np.searchsorted(starts, strange, "right") - 1
        good[having[(having >= 0) & (strange < stops[having])]] = False
    lost_zero = ((traits & _TWO_DIGITS) != 0) & (first >= _ZERO) & (first <= _ZERO + 9)
    gaps = ((traits & _CODED) != 0) & _begins_gap().take(first)
    if gaps.any():
        at = gaps.nonzero()[0]
        gaps[at] = _are_gaps(_items(padded, "<u4")[starts.take(at)], lengths.take(at))
        good &= ~gaps
    return good, lost_zero, gaps


def _items(letters: Bytes, kind: str) -> Any:
    """A view in which an item of *kind* begins at every byte that has enough behind it."""
    import numpy as np

    return np.ndarray(len(letters) - np.dtype(kind).itemsize + 1, kind, letters, strides=(1,))


@cache
def _begins_gap() -> Any:
    """Whether a word for nothing may begin with each of 256 letters."""
    import numpy as np

    begins = np.zeros(256, bool)
    begins[[ord(letter) for gap in GAPS for letter in (gap[0], gap[0].upper())]] = True
    return begins


def _are_gaps(words: Any, lengths: Any) -> Any:
    """Whether words of up to four letters (each the four bytes at its beginning) stand for nothing."""
    import numpy as np

    as_lower = 0x20202020
    masks = np.array([(1 << 8 * length) - 1 for length in range(_LONGEST_GAP + 1)], np.uint32)
    known = [(int.from_bytes(gap.encode(), "little") | as_lower) & int(masks[len(gap)]) for gap in GAPS]
    return np.isin((words | np.uint32(as_lower)) & masks[lengths], np.array(known, np.uint32))

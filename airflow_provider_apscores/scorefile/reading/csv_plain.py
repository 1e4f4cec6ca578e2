"""Plain CSV rows to blocks, with NumPy: the short way for most rows of most files.

Rows are plain when every cell is quoted and none has a quote in it, or when there is no quote at all, and each row has
as many cells as the header. Most cells are empty, so only those that are not are looked for: the edges between letters
and what stands between cells. How far a cell is from the last one tells how many empty ones there are. All cells of
one width are then copied together to their columns of the TXT record. A few that do not fit are laid out one by one;
where more has to be interpreted, this way is not taken, and csvrows.py and csvshape.py read the rows.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import strings
from airflow_provider_apscores.scorefile.columns.block import UNREADABLE, Block
from airflow_provider_apscores.scorefile.reading.csv_values import GAPS, LOST_ZEROS, as_meant, is_coded, lay_out_one
from airflow_provider_apscores.scorefile.reading.detect import Header
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]

#: Bytes that are looked at together: they, and the records made of them, fit into a processor's cache.
_AT_A_TIME = 3 << 18

#: Longer cells fit nowhere.
_LONGEST = 32

_LONGEST_GAP = max(map(len, GAPS))

_QUOTE, _LF, _POINT, _ZERO = 34, 10, 46, 48

_DATES = frozenset(name for name, field in LAYOUT.fields.items() if field.kind is Kind.DATE)

#: What a TXT record has no columns for.
_BESIDE = frozenset(name for _, name in CSV_COLUMNS if name and name not in LAYOUT.fields)


class PlainCutter:
    """Cuts plain rows under one header.

    Args:
        header: The header.
        delimiter: What stands between cells.
    """

    def __init__(self, header: Header, delimiter: str) -> None:
        import numpy as np

        self._delimiter = ord(delimiter)
        self._columns = header.columns
        self._names = {at: name for name, at in header.columns.items()}
        # As csvshape.py goes through them, so that problems come in the same order.
        in_order = sorted(header.columns, key=lambda name: name != "report_date")
        self._order = {header.columns[name]: number for number, name in enumerate(in_order)}
        width = self._width = header.width
        #: Of each column: where its field begins in a record, how wide it is (0 when it is none), which lengths of a
        #: cell need no second look, whether blanks at an edge do, and whether one digit is two that lost their zero.
        self._start = np.zeros(width, np.int32)
        self._size = np.zeros(width, np.uint8)
        self._fits = np.ones((width, _LONGEST + 1), bool)
        self._tight = np.zeros(width, bool)
        self._two_digits = np.zeros(width, bool)
        #: Whether what tools write in gaps is none of its values.
        self._coded = np.zeros(width, bool)
        for name, at in header.columns.items():
            field = LAYOUT.fields.get(name)
            self._fits[at] = False
            if field is None:
                continue
            self._start[at], self._size[at] = field.start - 1, field.width
            if name in LOST_ZEROS:
                self._fits[at, list(LOST_ZEROS[name])] = True
            elif _is_text(field):
                self._fits[at, : field.width + 1] = True
            else:
                self._fits[at, field.width] = True
            self._tight[at] = name in LOST_ZEROS or not (_is_text(field) or field.kind is Kind.FLAGS)
            self._coded[at] = is_coded(name)
            self._two_digits[at] = field.width == 2 and not _is_text(field)

    def block(self, text: bytes | memoryview, first: int) -> tuple[Block, Any] | None:
        """The student records of plain rows, and where each row ends; None where more has to be interpreted.

        It changes nothing, and so can run in any thread.

        Args:
            text: UTF-8 in whole lines, each with its LF; no CR.
            first: The first record's number.
        """
        import numpy as np

        letters = np.frombuffer(text, np.uint8)
        ends = (letters == _LF).nonzero()[0] + 1
        # Every row has its delimiters, and its LF.
        if len(letters) < len(ends) * self._width:
            return None
        matrix = np.full((len(ends), LAYOUT.length), 32, np.uint8)
        odd: list[tuple[int, int, str]] = []
        at = row = 0
        points = False
        while row < len(ends):
            until = int(np.searchsorted(ends, at + _AT_A_TIME, "right"))
            piece = letters[at : ends[until - 1]]
            if until == row or len(piece) < (until - row) * self._width:
                return None
            found = _filled_cells(piece, ends[row:until] - (at + 1), self._delimiter, self._width)
            if found is None or not self._lay_out(matrix, row, piece, *found, odd):
                return None
            points = points or bool((piece == _POINT).any())
            at, row = int(ends[until - 1]), until
        block = Block(LAYOUT, matrix, np.arange(first, first + len(matrix), dtype=np.int64))
        code = block.column("college_code")
        # Blank rows, and headers in the middle, are none of ours; nor are whole numbers that were made fractions.
        if code.min(initial=_ZERO) < _ZERO or code.max(initial=_ZERO) > _ZERO + 9 or not self._add(block, odd):
            return None
        if points and any((block.column(name) == _POINT).any() for name in LOST_ZEROS):
            return None
        return block, ends

    def _lay_out(
        self,
        matrix: Bytes,
        row: int,
        piece: Bytes,
        spans: Numbers,
        columns: Numbers,
        counts: Any,
        odd: list[tuple[int, int, str]],
    ) -> bool:
        """Copy cells to where they belong, from *row* on; those that need a second look go to *odd*."""
        import numpy as np

        control = np.count_nonzero(piece < 32) - len(counts)
        if control != (len(counts) * (self._width - 1) if self._delimiter < 32 else 0):
            return False
        starts, stops = np.ascontiguousarray(spans.T)
        lengths = stops - starts
        first, last = piece.take(starts), piece.take(stops - 1)
        good = self._fits.reshape(-1).take(columns * (_LONGEST + 1) + np.minimum(lengths, _LONGEST))
        good &= ~(self._tight.take(columns) & ((first == 32) | (last == 32)))
        # What tools write in gaps may fit; csvshape.py takes it away.
        gaps = (good & (lengths <= _LONGEST_GAP) & _begins_gap().take(first) & self._coded.take(columns)).nonzero()[0]
        if any(piece[starts[cell] : stops[cell]].tobytes().decode("latin-1").lower() in GAPS for cell in gaps.tolist()):
            return False
        if piece.max() > 126:
            good[np.searchsorted(starts, (piece > 126).nonzero()[0], "right") - 1] = False
        lost_zero = self._two_digits.take(columns) & (lengths == 1) & (first >= _ZERO) & (first <= _ZERO + 9)
        rows = np.repeat(np.arange(row, row + len(counts), dtype=np.int32), counts)
        places = rows.astype(np.int64) * LAYOUT.length + self._start.take(columns)
        records = matrix.reshape(-1)
        records[places[lost_zero]] = _ZERO
        places += lost_zero
        sizes = np.where(good, self._size.take(columns), lost_zero)
        padded = np.concatenate((piece, np.zeros(_LONGEST, np.uint8)))
        for size in np.bincount(sizes).nonzero()[0].tolist():
            if not size:
                continue
            chosen = (sizes == size).nonzero()[0]
            kind = f"u{size}" if size <= 2 else f"V{size}"
            # Views in which an item of this size begins at every byte.
            cells = np.ndarray(len(piece), kind, padded, strides=(1,))[starts.take(chosen)]
            filled = lengths.take(chosen)
            if filled.min() < size:
                cell_letters = cells.view(np.uint8).reshape(-1, size)
                # What follows a shorter cell becomes blank: that is zero in between.
                cell_letters ^= 32
                cell_letters &= _leading(size).take(filled, axis=0)
                cell_letters ^= 32
            np.ndarray(len(records) - size + 1, kind, records, strides=(1,))[places.take(chosen)] = cells
        strange = (~(good | lost_zero)).nonzero()[0]
        if len(strange) > 2 * len(counts):
            return False
        for cell in strange.tolist():
            if (column := int(columns[cell])) in self._names:
                odd.append((int(rows[cell]), column, piece[starts[cell] : stops[cell]].tobytes().decode()))
        return True

    def _add(self, block: Block, odd: list[tuple[int, int, str]]) -> bool:
        """Lay out the cells that need a second look; False where they need more than that."""
        beside: dict[str, dict[int, str]] = {name: {} for name in _BESIDE}
        for name in _DATES & self._columns.keys():
            cells = block.column(name)
            no_digits = ((cells < _ZERO) | (cells > _ZERO + 9)).any(axis=1) & (cells[:, 0] != 32)
            odd += [
                (row, self._columns[name], cells[row].tobytes().decode()) for row in no_digits.nonzero()[0].tolist()
            ]
        for row, at, cell in sorted(odd, key=lambda each: (self._order[each[1]], each[0])):
            name, text = self._names[at], cell.strip()
            field = LAYOUT.fields.get(name)
            if as_meant(name, text) != text:
                return False
            if field is None or _is_text(field):
                if (name in LOST_ZEROS and text.isdigit()) or "\ufffd" in text or not text.isprintable():
                    return False
                if field is None:
                    beside[name][row] = text
                else:
                    block.matrix[row, field.span] = UNREADABLE
                    block.patches.setdefault(name, []).append((row, text or None))
            elif field.kind is Kind.YEAR and len(text) == 4:
                return False
            else:
                lay_out_one(block, field, row, text)
        block.texts.update((name, _texts(len(block), values)) for name, values in beside.items())
        return True


def _is_text(field: Field) -> bool:
    """Whether what is in a field is text for csvshape.py: as it stands, but for blanks around it."""
    return field.kind in (Kind.TEXT, Kind.CODE) and field.name not in LAYOUT.slot_names


@cache
def _begins_gap() -> Bytes:
    """Whether a gap word may begin with each of 256 letters."""
    import numpy as np

    begins = np.zeros(256, bool)
    begins[[ord(letter) for gap in GAPS for letter in (gap[0], gap[0].upper())]] = True
    return begins


@cache
def _leading(size: int) -> Bytes:
    """All bits of the first letters of *size*, as many as the row's number says."""
    import numpy as np

    return np.tri(size + 1, size, -1, np.uint8) * np.uint8(255)


def _texts(rows: int, values: dict[int, str]) -> pa.Array:
    import pyarrow as pa

    return strings([values.get(row) or None for row in range(rows)]) if values else pa.nulls(rows, pa.string())


def _filled_cells(piece: Bytes, ends: Any, delimiter: int, width: int) -> tuple[Numbers, Numbers, Any] | None:
    """The cells that are not empty: where they are, shape (cells, 2), their columns, and how many each row has.

    Quoted cells are proved by counting: each delimiter or line end that has a quote on either side takes these two for
    its own; when no quote is shared and none is left over, all of them stand between cells, and no cell has one in it.
    """
    import numpy as np

    separates = piece == delimiter
    separates[ends] = True
    between = piece == _QUOTE
    quotes = np.count_nonzero(between)
    if quotes:
        inner = between[:-2] & separates[1:-1]
        inner &= between[2:]
        if not (
            quotes == 2 * np.count_nonzero(inner) + 2
            and between[[0, -2]].all()
            and not inner[[0, -2]].any()
            and not (inner[2:] & inner[:-2]).any()
            and inner[ends[:-1] - 1].all()
        ):
            return None
        between[1:-1] |= inner
        between[-1] = True
        step = 3
    else:
        between = separates
        step = 1
    edges = (between[1:] != between[:-1]).nonzero()[0].astype(np.int32)
    edges += 1
    if not between[0]:
        edges = np.concatenate((np.zeros(1, np.int32), edges))
    spans = edges.reshape(-1, 2)
    # In front stands the end of a cell that does not exist.
    stops = np.concatenate(([-(step // 2) - 1], spans[:, 1]), dtype=np.int32)
    # The place of each cell, counted through all rows.
    places = np.cumsum((spans[:, 0] - stops[:-1]) // np.int32(step), dtype=np.int32)
    places -= 1
    # The last cell of each row must have the place that it would have if every row had the header's width.
    cells = np.searchsorted(spans[:, 0], ends)
    behind = (ends - stops[cells]) // step
    rows = np.arange(len(ends), dtype=np.int32)
    if (np.concatenate(([-1], places))[cells] + behind != (rows + 1) * width - 1).any():
        return None
    counts = np.diff(cells, prepend=0)
    return spans, places - np.repeat(rows * np.int32(width), counts), counts

"""The cells of plain CSV rows, found with NumPy: the short way for most rows of most files.

Rows are plain when every cell is quoted and none has a quote in it, or when there is no quote at all, and each row has
as many cells as the header. Most cells are empty, so only those that are not are looked for: the edges between letters
and what stands between cells. How far a cell is from the last one tells how many empty ones there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.reading.csv_block import BlockBuilder
from airflow_provider_apscores.scorefile.reading.csv_cells import CellPlaces, Cells

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]

#: Bytes that are read together: they, and the records made of them, fit into a processor's cache.
_AT_A_TIME = 3 << 18

_QUOTE, _LF, _ZERO = 34, 10, 48


def read_plain(text: bytes | memoryview, places: CellPlaces, delimiter: str, code_column: int) -> BlockBuilder | None:
    """The student records of plain rows; None where rows are not plain.

    Args:
        text: UTF-8 in whole lines, each with its LF; no CR.
        places: Where the cells go.
        delimiter: What stands between cells.
        code_column: The column of the college code. A row without one may be blank or a header, and is not plain.
    """
    import numpy as np

    letters = np.frombuffer(text, np.uint8)
    ends = (letters == _LF).nonzero()[0] + 1
    width = len(places.size)
    # Every row has its delimiters, and its LF.
    if len(letters) < len(ends) * width:
        return None
    builder = BlockBuilder(len(ends))
    between = width if delimiter == "\t" else 1
    at = row = 0
    while row < len(ends):
        until = int(np.searchsorted(ends, at + _AT_A_TIME, "right"))
        piece = letters[at : ends[until - 1]]
        if until == row or len(piece) < (until - row) * width:
            return None
        found = filled_cells(piece, ends[row:until] - (at + 1), ord(delimiter), width)
        if found is None:
            return None
        spans, columns, counts = found
        starts, stops = np.ascontiguousarray(spans.T)
        codes = piece.take(starts[columns == code_column])
        if len(codes) < until - row or codes.min() < _ZERO or codes.max() > _ZERO + 9:
            return None
        rows = np.repeat(np.arange(row, until, dtype=np.int32), counts)
        builder.add(places, Cells(piece, starts, stops, columns, rows, (until - row) * between))
        at, row = int(ends[until - 1]), until
    return builder


def filled_cells(piece: Bytes, ends: Any, delimiter: int, width: int) -> tuple[Numbers, Numbers, Any] | None:
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

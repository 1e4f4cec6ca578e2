"""The cells of CSV rows, found with NumPy.

Most pieces of most files are plain: every cell is quoted and none has a quote in it, or there is no quote at all, and
each row has as many cells as the header. Records that were parsed are plain as well. Most cells are empty, so only
those that are not are looked for: the edges between letters and what stands between cells. How far a cell is from the
last one tells how many empty ones there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_apscores.scorefile.reading.csv_lines import CELL_END, RECORD_END

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]

#: Bytes that are read together: they, and the records made of them, fit into a processor's cache.
_AT_A_TIME = 3 << 18

#: Parsed records that are read together: about as many bytes.
_RECORDS_AT_A_TIME = 1 << 10

_LINE_END, _QUOTE, _ZERO = 10, 34, 48


class Cells(NamedTuple):
    """Cells that are not empty.

    Attributes:
        letters: The bytes in which they stand.
        starts: Where each begins in *letters*, ascending.
        stops: Where each ends.
        columns: The column of each under its header, counted from 0.
        rows: The row of each in the block.
        between: How many control characters in *letters* are no part of a cell.
    """

    letters: Bytes
    starts: Numbers
    stops: Numbers
    columns: Numbers
    rows: Numbers
    between: int


def plain_cells(text: bytes, delimiter: str, width: int, code_column: int) -> Iterator[Cells | None]:
    """The cells of plain rows, part by part; None, and no more, where rows are not plain.

    Args:
        text: UTF-8 in whole lines, each with its LF; no CR.
        delimiter: What stands between cells.
        width: Cells of the header.
        code_column: The column of the college code. A row without one may be blank or a header, and is not plain.
    """
    import numpy as np

    letters = np.frombuffer(text, np.uint8)
    ends = (letters == _LINE_END).nonzero()[0] + 1
    between = width if delimiter == "\t" else 1
    at = row = 0
    while row < len(ends):
        until = int(np.searchsorted(ends, at + _AT_A_TIME, "right"))
        piece = letters[at : ends[until - 1]]
        found = filled_cells(piece, ends[row:until] - (at + 1), ord(delimiter), width) if until > row else None
        if found is None:
            yield None
            return
        spans, columns, _ = found
        codes = piece.take(spans[columns == code_column, 0])
        if len(codes) < until - row or codes.min() < _ZERO or codes.max() > _ZERO + 9:
            yield None
            return
        rows = np.arange(row, until, dtype=np.int32)
        yield _cells(piece, found, rows, (until - row) * between)
        at, row = int(ends[until - 1]), until


def parsed_cells(records: list[tuple[int, str]], width: int) -> Iterator[Cells]:
    """The cells of records that were parsed, part by part.

    Args:
        records: The row of each record in the block, and its cells as :class:`~.csv_lines.Record` has them.
        width: Cells of each.
    """
    import numpy as np

    for first in range(0, len(records), _RECORDS_AT_A_TIME):
        some = records[first : first + _RECORDS_AT_A_TIME]
        letters = np.frombuffer("".join([row + RECORD_END for _, row in some]).encode(), np.uint8)
        ends = (letters == ord(RECORD_END)).nonzero()[0]
        found = filled_cells(letters, ends, ord(CELL_END), width, parsed=True)
        assert found is not None, "Records have as many cells as their header."
        yield _cells(letters, found, np.array([row for row, _ in some], np.int32), len(some) * width)


def _cells(letters: Bytes, found: tuple[Numbers, Numbers, Any], rows: Numbers, between: int) -> Cells:
    import numpy as np

    spans, columns, counts = found
    starts, stops = np.ascontiguousarray(spans.T)
    return Cells(letters, starts, stops, columns, np.repeat(rows, counts), between)


def filled_cells(
    piece: Bytes, ends: Any, delimiter: int, width: int, *, parsed: bool = False
) -> tuple[Numbers, Numbers, Any] | None:
    """The cells that are not empty: where they are, shape (cells, 2), their columns, and how many each row has.

    Quoted cells are proved by counting: each delimiter or line end that has a quote on either side takes these two for
    its own; when no quote is shared and none is left over, all of them stand between cells, and no cell has one in it.
    """
    import numpy as np

    separates = piece == delimiter
    separates[ends] = True
    between = piece == _QUOTE
    quotes = 0 if parsed else np.count_nonzero(between)
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

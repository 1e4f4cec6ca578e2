"""The cells of CSV rows, as either parser finds them, and where those under a header go."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_apscores.scorefile.reading.csv_values import GAPS, LOST_ZEROS, is_coded, is_free_text
from airflow_provider_apscores.scorefile.reading.header import Header
from airflow_provider_apscores.scorefile.spec.fields import Kind
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: Longer cells fit nowhere.
LONGEST = 32

_LONGEST_GAP = max(map(len, GAPS))

_ZERO, _APOSTROPHE = 48, 39

#: The cell needs no second look, unless one of its letters does.
_FITS = 1
#: It may not begin or end with a blank.
_TIGHT = 2
#: If it is a digit, it is two that lost their zero.
_TWO_DIGITS = 4
#: If it is one of the words in ``GAPS``, it is empty.
_CODED = 8


class Cells(NamedTuple):
    """Cells that are not empty.

    Attributes:
        letters: The bytes in which they stand.
        starts: Where each begins in *letters*, ascending.
        stops: Where each ends.
        columns: The column of each under its header, counted from 0.
        rows: The row of each in the block.
        between: How many control characters in *letters* are no part of a cell: line ends and tabs.
    """

    letters: Bytes
    starts: Numbers
    stops: Numbers
    columns: Numbers
    rows: Numbers
    between: int = 0

    def of_rows(self, chosen: Any) -> Cells:
        """The cells of some rows alone; *chosen* says of each row whether it is one of them."""
        here = chosen[self.rows]
        starts, stops, columns, rows = self.starts[here], self.stops[here], self.columns[here], self.rows[here]
        return Cells(self.letters, starts, stops, columns, rows, self.between)


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
        traits = np.full((width, LONGEST + 1), _FITS, np.uint8)
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


def judge(places: CellPlaces, cells: Cells, padded: Bytes) -> tuple[Flags, Flags, Flags]:
    """Which cells fit as they are, which are one digit of two, and which are a word for nothing.

    Args:
        places: Where the cells go.
        cells: The cells.
        padded: Their letters, with :data:`LONGEST` bytes more.
    """
    import numpy as np

    letters, starts, stops, columns, _, between = cells
    lengths = stops - starts
    traits = places.traits.take(columns * (LONGEST + 1) + np.minimum(lengths, LONGEST))
    first, last = letters.take(starts), letters.take(stops - 1)
    good = (traits & _FITS) != 0
    good &= ((traits & _TIGHT) == 0) | ((first != 32) & (last != 32))
    good &= first != _APOSTROPHE
    if np.count_nonzero(letters < 32) != between or letters.max(initial=0) > 126:
        strange = ((letters < 32) | (letters > 126)).nonzero()[0]
        having = np.searchsorted(starts, strange, "right") - 1
        good[having[(having >= 0) & (strange < stops[having])]] = False
    lost_zero = ((traits & _TWO_DIGITS) != 0) & (first >= _ZERO) & (first <= _ZERO + 9)
    gaps = ((traits & _CODED) != 0) & _begins_gap().take(first)
    if gaps.any():
        at = gaps.nonzero()[0]
        gaps[at] = _are_gaps(items(padded, "<u4")[starts.take(at)], lengths.take(at))
        good &= ~gaps
    return good, lost_zero, gaps


def items(letters: Bytes, kind: str) -> Any:
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
    known = [
        (int.from_bytes(gap.encode(), "little") | as_lower) & int(masks[len(gap)]) | len(gap) << 32 for gap in GAPS
    ]
    words = ((words | np.uint32(as_lower)) & masks[lengths]).astype(np.int64) | lengths.astype(np.int64) << 32
    return np.isin(words, known)

"""The lines of a piece of a TXT file: where they are, and which need no look of their own.

Those are the plain ones (printable ASCII of the layout's length, not blank, nothing in them moved) and the trimmed
ones: blanks at their ends were cut or added, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.reading.landmarks import (
    LAST_CERTAIN_FIELD,
    may_end_at,
    moved_rows,
    trimmed_rows,
)
from airflow_provider_apscores.scorefile.spec.fields import Layout
from airflow_provider_apscores.scorefile.spec.layouts import LAYOUTS

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

_BLANK_8 = 0x2020202020202020


class Lines:
    """The lines of a piece.

    Attributes:
        starts: Where each begins, shape (lines,).
        lengths: How long each is without its line end, shape (lines,).
        plain: Which are plain.
        trimmed: Which are trimmed.

    Args:
        data: Lines, of which the last one may lack its line end.
        layout: The layout of plain lines.
    """

    def __init__(self, data: bytes, layout: Layout) -> None:
        import numpy as np

        self._data = data
        self._layout = layout
        self._flat = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(self._flat == 10)
        terminated = np.ones(len(ends), np.int64)
        if self._flat[-1] != 10:
            ends = np.append(ends, len(data))
            terminated = np.append(terminated, 0)
        self.starts: Numbers = np.concatenate(([0], ends[:-1] + 1))
        returns = (ends > self.starts) & (self._flat[ends - 1] == 13)
        self.lengths: Numbers = ends - self.starts - returns
        strange = np.flatnonzero((self._flat < 32) | (self._flat > 126))
        printable = np.bincount(np.searchsorted(ends, strange), minlength=len(ends)) == terminated + returns
        self.plain: Flags = self._plain(printable & (self.lengths == layout.length))
        # A line without its end may be cut, and one that is as long as another layout's records may be one of those.
        # Lines that are far from a record's length are none, and millions of them must not be filled up to it.
        own_length = ~np.isin(self.lengths, [each.length for each in LAYOUTS.values()])
        near = (self.lengths >= layout.fields[LAST_CERTAIN_FIELD].end) & (self.lengths <= 2 * layout.length)
        self.trimmed: Flags = self._trimmed(printable & own_length & (terminated > 0) & near)

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, at: int) -> bytes:
        """A line without its line end."""
        return self._data[self.starts[at] : self.starts[at] + self.lengths[at]]

    def records(self, at: Numbers) -> Bytes:
        """The records of plain and trimmed lines, shape (len(at), length of the layout)."""
        import numpy as np

        lengths = self.lengths[at]
        if (lengths == self._layout.length).all():
            return self._columns(at, 0, self._layout.length)
        records = np.full((len(at), self._layout.length), 32, np.uint8)
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            width = min(length, self._layout.length)
            records[rows, :width] = self._columns(at[rows], 0, width)
        return records

    def _columns(self, at: Numbers, start: int, width: int) -> Bytes:
        """The same columns of some lines."""
        import numpy as np

        columns: Bytes = np.lib.stride_tricks.sliding_window_view(self._flat, width)[self.starts[at] + start]
        return columns

    def _plain(self, candidates: Flags) -> Flags:
        import numpy as np

        at = np.flatnonzero(candidates)
        if len(at):
            for line in at[blank_heads(self._columns(at, 0, 8))]:
                candidates[line] = self.raw(line).strip(b" ") != b""
            at = np.flatnonzero(candidates)
            moved = moved_rows(
                lambda field: self._columns(at, field.start - 1, field.width),
                lambda row: self.raw(at[row]).decode("ascii"),
                self._layout,
            )
            candidates[at[moved]] = False
        return candidates

    def _trimmed(self, candidates: Flags) -> Flags:
        import numpy as np

        long = self._layout.length
        for length in np.unique(self.lengths[candidates]).tolist():
            if length > long:
                at = np.flatnonzero(candidates & (self.lengths == length))
                candidates[at] = (self._columns(at, long, length - long) == 32).all(axis=1)
        at = np.flatnonzero(candidates)
        if len(at):
            records = self.records(at)
            ends = long - (records[:, ::-1] != 32).argmax(axis=1)
            fitting = np.array([may_end_at(end, self._layout) for end in range(long + 1)])
            candidates[at] = fitting[ends] & trimmed_rows(records, ends, self._layout)
        return candidates


def blank_heads(matrix: Bytes) -> Flags:
    """Which rows begin with eight blanks: a cheap first look for blank lines."""
    import numpy as np

    heads: Flags = np.ascontiguousarray(matrix[:, :8]).view(np.uint64)[:, 0] == _BLANK_8
    return heads

"""TXT bytes to blocks of whole records, as they come in pieces of any size.

Plain lines are by far the most: a run of them is one byte buffer, records × (length + line end), and the lowest and the
highest byte of each column show it: line ends stand where they must, and printable ASCII everywhere else. Where that
fails, or something in a record has moved (landmarks.py), only this piece is cut at its line ends (txtlines.py), and
only lines that are neither plain nor merely trimmed are looked at one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.block import Block, cut, extremes
from airflow_provider_apscores.scorefile.reading.irregular_lines import OddLine, is_blank, read_odd_line
from airflow_provider_apscores.scorefile.reading.landmarks import moved_rows
from airflow_provider_apscores.scorefile.reading.txt import Lines, blank_heads
from airflow_provider_apscores.scorefile.spec.fields import Layout
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT

if TYPE_CHECKING:
    import numpy as np

#: A line longer than this is no record of anything; without a bound it would have to be kept in memory.
LONGEST_LINE = 1 << 20

#: Records in a block: enough that calls cost little beside the work, few enough to stay small in memory.
_RECORDS = 12288


class RecordSplitter:
    """Cuts pieces of a TXT file into blocks of student records.

    Args:
        line_end: What ends the first line. CR makes every CR a line end; LF and CRLF are told apart anyway.

    Attributes:
        records: Records so far: lines that are not blank.
        layout: The layout of the records so far.
    """

    def __init__(self, line_end: bytes = b"\n") -> None:
        self.records = 0
        self._cr_only = line_end == b"\r"
        self.layout: Layout = CURRENT_LAYOUT
        self._line_end = b"\n"
        self._rest = b""
        self._short_lines = False
        self._plain = True

    def wanted(self) -> int:
        """How many bytes should come next, so that they end where a record ends and need no copying."""
        # A piece that is not plain is there twice, as lines and as records.
        records = _RECORDS if self._plain else _RECORDS // 2
        return records * (self.layout.length + len(self._line_end)) - len(self._rest)

    def feed(self, piece: bytes) -> Iterator[Block]:
        """Take the next piece, and give the records that are complete.

        Raises:
            ScoreFileMalformed: A line without end.
        """
        if self._cr_only:
            piece = piece.replace(b"\r", b"\n")
        data = self._rest + piece if self._rest else piece
        if not self.records:
            self._look_at_first_line(data)
        stride = self.layout.length + len(self._line_end)
        usable = len(data) // stride * stride
        block = self._plain_block(data, usable, stride) if usable else None
        self._plain = block is not None
        if block is None:
            usable = data.rfind(b"\n") + 1
            for part in _in_parts(data[:usable]):
                yield from self._odd_blocks(part)
        else:
            yield block
        self._rest = data[usable:]
        if len(self._rest) > LONGEST_LINE:
            raise _too_long(self.records + 1)

    def finish(self) -> Iterator[Block]:
        """Give the last record, if it has no line end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._odd_blocks(rest)

    def _look_at_first_line(self, data: bytes) -> None:
        line, end, _ = data.partition(b"\n")
        if end:
            self._line_end = b"\r\n" if line.endswith(b"\r") else b"\n"
            # Length alone does not tell: a record that an editor trimmed may happen to have that of an older layout.
            self.layout = read_odd_line(line.removesuffix(b"\r"), self.layout, 1).layout

    def _plain_block(self, data: bytes, usable: int, stride: int) -> Block | None:
        """All of *data* that is whole records, or None when a line is not plain."""
        import numpy as np

        matrix = np.frombuffer(data, np.uint8, usable).reshape(-1, stride)
        length = self.layout.length
        lowest, highest = extremes(matrix)
        line_end = np.frombuffer(self._line_end, np.uint8)
        ends_in_place = (lowest[length:] == line_end).all() and (highest[length:] == line_end).all()
        if not ends_in_place or lowest[:length].min() < 32 or highest[:length].max() > 126:
            return None
        if any((matrix[row, :length] == 32).all() for row in np.flatnonzero(blank_heads(matrix))):
            return None
        if moved_rows(
            lambda field: cut(matrix, field.start - 1, field.width),
            lambda row: matrix[row, :length].tobytes().decode("ascii"),
            self.layout,
        ):
            return None
        return Block(self.layout, matrix, self._numbers(len(matrix)), known_extremes=(lowest, highest))

    def _numbers(self, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        import numpy as np

        first = self.records + 1
        self.records += count
        return np.arange(first, first + count, dtype=np.int64)

    def _odd_blocks(self, data: bytes) -> Iterator[Block]:
        """Records of whole lines, some not plain. A block for each run of one layout."""
        import numpy as np

        lines = Lines(data, self.layout)
        easy = lines.plain | lines.trimmed
        rows: list[int] = []
        odd: dict[int, OddLine] = {}
        lost: list[tuple[int, bytes]] = []
        problems = []
        numbers: list[int] = []
        position = 0
        last = len(lines) - 1
        ended = data.endswith((b"\n", b"\x1a"))
        self._short_lines |= bool((lines.lengths[lines.trimmed] < self.layout.length).any())
        for at in [*np.flatnonzero(~easy).tolist(), len(lines)]:
            run = at - position
            rows.extend(range(position, at))
            numbers.extend(range(self.records + 1, self.records + 1 + run))
            self.records += run
            position = at + 1
            if at == len(lines):
                break
            line = lines.raw(at)
            if len(line) > LONGEST_LINE:
                raise _too_long(self.records + 1)
            if is_blank(line):
                continue
            self.records += 1
            is_cut = at == last and not ended and not self._short_lines and self.records > 1
            read = read_odd_line(line, self.layout, self.records, cut=is_cut)
            self._short_lines |= len(line) < self.layout.length and not is_cut
            problems.extend(read.problems)
            if read.row is None:
                lost.append((self.records, line))
            else:
                odd[at] = read
                rows.append(at)
                numbers.append(self.records)
        self._line_end = b"\r\n" if data.endswith(b"\r\n") else b"\n"
        yield from self._blocks(lines, rows, numbers, odd, lost, problems)

    def _blocks(
        self,
        lines: Lines,
        rows: list[int],
        numbers: list[int],
        odd: dict[int, OddLine],
        lost: list[tuple[int, bytes]],
        problems: list[Any],
    ) -> Iterator[Block]:
        import numpy as np

        layouts = [odd[row].layout if row in odd else self.layout for row in rows]
        begin = begin_lost = begin_problems = 0
        while begin < len(rows) or begin_lost < len(lost) or begin_problems < len(problems):
            layout = layouts[begin] if rows else self.layout
            end = begin
            while end < len(rows) and layouts[end] is layout:
                end += 1
            # What gave no record goes with the records before it.
            until = numbers[end] if end < len(rows) else self.records + 1
            end_lost = bisect_left(lost, until, begin_lost, key=itemgetter(0))
            end_problems = bisect_left(problems, until, begin_problems, key=attrgetter("record_number"))
            part = np.array(rows[begin:end], dtype=np.int64)
            block = Block(
                layout,
                np.empty((end - begin, layout.length), np.uint8),
                np.array(numbers[begin:end], dtype=np.int64),
                lost=lost[begin_lost:end_lost],
                problems=problems[begin_problems:end_problems],
                line_of=partial(_line_of, lines, part),
            )
            begin_lost, begin_problems = end_lost, end_problems
            is_odd = np.array([row in odd for row in rows[begin:end]], dtype=bool)
            if not is_odd.all():
                block.matrix[~is_odd] = lines.records(part[~is_odd])
            for row in np.flatnonzero(is_odd).tolist():
                read = odd[rows[begin + row]]
                block.matrix[row] = np.frombuffer(read.row or b"", np.uint8)
                for name, value in read.patches.items():
                    block.patches.setdefault(name, []).append((row, value))
            yield block
            self.layout = layout
            begin = end


def _in_parts(data: bytes) -> Iterator[bytes]:
    """Whole lines, some thousand at a time however short they are: each costs more memory than its bytes."""
    lines = data.count(b"\n")
    size = len(data) if lines <= 2 * _RECORDS else len(data) * _RECORDS // lines
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + size - 1) + 1 or len(data)
        yield data[begin:end]
        begin = end


def _line_of(lines: Lines, at: np.ndarray[Any, np.dtype[np.int64]], row: int) -> bytes:
    return lines.raw(int(at[row]))


def _too_long(number: int) -> ScoreFileMalformed:
    return ScoreFileMalformed(
        f"Record {number} has no end within {LONGEST_LINE:,} characters. This is no AP score file, "
        "or its line ends were lost on the way: fetch it again."
    )

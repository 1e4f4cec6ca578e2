"""TXT bytes to blocks of whole records, as they come in pieces of any size.

Most pieces are plain: records × (length + line end) in one buffer, which the lowest and the highest byte of each column
prove. Line ends stand where they must, and printable ASCII everywhere else. Any other piece is cut at its line ends,
and a line that holds several records between these (joined.py). Then each line is read by itself (txt_lines.py). A line
that is too short or too long gives no row. Whether the rows are aligned is checked later, for both kinds of file
(alignment.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.block import Block, extremes
from airflow_provider_apscores.scorefile.reading.joined import cut_joined, stands
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE, BadLines, is_blank, no_end
from airflow_provider_apscores.scorefile.reading.txt_lines import Line, first_layout, read_line, text_end
from airflow_provider_apscores.scorefile.spec.fields import Kind, Layout
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT, LAYOUTS

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int64]]

#: Records in a block: enough that calls cost little beside the work, few enough to stay small in memory.
_RECORDS = 12288


class TxtSplitter:
    """Cuts pieces of a TXT file into blocks of student records.

    Args:
        line_end: What ends the first line. CR makes every CR a line end; LF and CRLF are told apart anyway.

    Attributes:
        records: Records so far: lines that are not blank.
        layout: The layout of the last record so far.
        first_layout: The layout of the first record that was read; None before it.
    """

    def __init__(self, line_end: bytes = b"\n") -> None:
        self.records = 0
        self.layout: Layout = CURRENT_LAYOUT
        self.first_layout: Layout | None = None
        self._cr_only = line_end == b"\r"
        self._line_end = b"\n"
        self._rest = b""
        self._bad_lines = BadLines()
        self._trimmed = False
        self._plain = True

    def wanted(self) -> int:
        """How many bytes should come next, so that they end where a record ends and need no copying."""
        # A piece that is not plain is kept twice, as lines and as records.
        records = _RECORDS if self._plain else _RECORDS // 2
        return records * (self.layout.length + len(self._line_end)) - len(self._rest)

    def feed(self, piece: bytes) -> Iterator[Block]:
        """Take the next piece, and give the records that are complete.

        Raises:
            ScoreFileMalformed: A line has no end, or too many lines in a row are no records.
        """
        if self._cr_only:
            piece = piece.replace(b"\r", b"\n")
        data = self._rest + piece if self._rest else piece
        if not self.records and (end := data.find(b"\n")) >= 0:
            self._line_end = b"\r\n" if data[:end].endswith(b"\r") else b"\n"
            self.layout = first_layout(data[:end].removesuffix(b"\r"))
        stride = self.layout.length + len(self._line_end)
        usable = len(data) // stride * stride
        block = self._plain_block(data, usable, stride) if usable else None
        self._plain = block is not None
        if block is None:
            ended = data[: data.rfind(b"\n") + 1]
            *records, self._rest = cut_joined(data[len(ended) :], complete=False)
            for part in _in_parts(b"".join([ended, *(record + b"\n" for record in records)])):
                yield from self._block_of_lines(part)
            if records and not ended:
                self._line_end = b""
        else:
            self._rest = data[usable:]
            yield block
        if len(self._rest) > LONGEST_LINE:
            raise no_end(self.records + 1)

    def finish(self) -> Iterator[Block]:
        """Give the last record, if it has no line end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._block_of_lines(rest)

    def _plain_block(self, data: bytes, usable: int, stride: int) -> Block | None:
        """All of *data* that is whole records, or None when a line is not plain."""
        import numpy as np

        matrix = np.frombuffer(data, np.uint8, usable).reshape(-1, stride)
        length = self.layout.length
        line_end = np.frombuffer(self._line_end, np.uint8)
        lowest, highest = extremes(matrix)
        ends_in_place = (lowest[length:] == line_end).all() and (highest[length:] == line_end).all()
        if not ends_in_place or lowest[:length].min() < 32 or highest[:length].max() > 126:
            return None
        # A newer record that was cut to this length has answers in the closing filler.
        if (highest[text_end(self.layout) : length] != 32).any():
            return None
        if (lowest[:length] == 32).all():  # Without a column that every record fills, a line may be blank.
            return None
        # Without line ends, a lost or gained character moves all records behind it.
        if not self._line_end and not stands(matrix[-1].tobytes().decode("ascii"), 0):
            return None
        self._bad_lines.add(good=True)
        self.first_layout = self.first_layout or self.layout
        first = self.records + 1
        self.records += len(matrix)
        numbers = np.arange(first, first + len(matrix), dtype=np.int64)
        return Block(self.layout, matrix, numbers, known_extremes=(lowest, highest))

    def _block_of_lines(self, data: bytes) -> Iterator[Block]:
        """The records of whole lines, some of which are not plain, in one block."""
        import numpy as np

        known = list(LAYOUTS.values())
        lengths = [layout.length for layout in known]
        widest = max(lengths)
        # The last line of a file whose records are whole and that has no line end was cut, not trimmed.
        ended = data.endswith((b"\n", b"\x1a"))
        self._line_end = b"\r\n" if data.endswith(b"\r\n") else b"\n"
        whole = (line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n"))
        lines = [piece for line in whole for piece in cut_joined(line, complete=True)]
        records: list[Line] = []
        raw: list[bytes] = []
        numbers: list[int] = []
        block = Block(self.layout, np.empty((0, widest), np.uint8), np.empty(0, np.int64), line_of=raw.__getitem__)
        for at, line in enumerate(lines, 1):
            if is_blank(line):
                self._bad_lines.add(good=False)
                continue
            self.records += 1
            if len(line) > LONGEST_LINE:
                raise no_end(self.records)
            cut = at == len(lines) and not ended and not self._trimmed and self.records > 1
            read = read_line(line, self.layout, self.records, cut=cut)
            self._bad_lines.add(good=read.row is not None)
            block.problems.extend(read.problems)
            if read.row is None:
                block.lost.append((self.records, line))
                continue
            self._trimmed |= len(line) < read.layout.length
            for name, value in read.patches:
                block.patches.setdefault(name, []).append((len(records), value))
            records.append(read)
            raw.append(line)
            numbers.append(self.records)
        if records:
            self.first_layout = self.first_layout or records[0].layout
            self.layout = records[-1].layout
            rows = bytearray().join([read.row.ljust(widest) for read in records if read.row])
            block.matrix = np.frombuffer(rows, np.uint8).reshape(-1, widest)
            block.numbers = np.array(numbers, np.int64)
            block.doubtful = np.array([len(line) not in lengths and line.endswith(b" ") for line in raw])
            block.layout = _in_one_layout(block.matrix, np.array([known.index(read.layout) for read in records]))
        if records or block.lost:
            yield block


def _in_one_layout(records: Bytes, layouts: Numbers) -> Layout:
    """Lay records of several layouts out in the newest of them, which is returned.

    Args:
        records: Shape (records, at least the length of each layout); changed in place.
        layouts: Which of the layouts each has, shape (records,).
    """
    import numpy as np

    known: list[Layout] = list(LAYOUTS.values())
    found: list[int] = np.unique(layouts).tolist()
    newest, *others = found
    for older in others:
        rows = np.flatnonzero(layouts == older)
        padded = np.pad(records[rows], ((0, 0), (0, 1)), constant_values=32)
        records[rows, : known[newest].length] = padded[:, _columns_from(known[older], known[newest])]
    return known[newest]


@cache
def _columns_from(older: Layout, newest: Layout) -> Numbers:
    """The column of a record of the older layout that each column of the newest takes; -1 for a blank."""
    import numpy as np

    columns = np.full(newest.length, -1)
    for name, field in newest.fields.items():
        source = older.fields.get(name)
        if source is not None and field.kind is not Kind.FILLER:
            columns[field.span] = np.arange(source.start - 1, source.start - 1 + field.width)
    return columns


def _in_parts(data: bytes) -> Iterator[bytes]:
    """Whole lines, some thousand at a time however short they are: each costs more memory than its bytes."""
    lines = data.count(b"\n")
    size = len(data) if lines <= 2 * _RECORDS else len(data) * _RECORDS // lines
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + size - 1) + 1 or len(data)
        yield data[begin:end]
        begin = end

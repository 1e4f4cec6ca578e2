"""CSV bytes to student records, as they come in pieces of any size: three ways, the quickest first.

1. Most pieces are plain and become blocks at once (csvplain.py).
2. Others are parsed by pyarrow, and believed when it finds as many rows as there are lines and quotes come in pairs.
   Where a piece fails, small groups of its lines are tried. Their cells become blocks in csvshape.py.
3. Only in a group that fails is each record read by itself: a value with a line end in it, a row with too many or too
   few cells (csvwidth.py), a quote that never ends, a header in the middle. Its cells go on as those of 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.arrays import strings
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.csv_lines import MOST_LINES, Lines, cells_of, has_blank_before_quote
from airflow_provider_apscores.scorefile.reading.csv_plain import PlainCutter
from airflow_provider_apscores.scorefile.reading.csv_width import stands_under
from airflow_provider_apscores.scorefile.reading.detect import Header, tells_names, understand_header
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE, is_blank
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: Lines that are tried together where a larger piece did not parse.
_GROUP = 256

#: Every record has these, or at least one of them; a header in the middle of a file has their names there.
_TELLING = ("college_code", "ap_id", "last_name")


@dataclass(slots=True)
class Rows:
    """CSV records as text.

    Attributes:
        cells: Arrow strings by field name, as they stood in the file.
        numbers: Record numbers, shape (rows,).
        data: Bytes of the file in which these records stand.
        starts: Where each begins in *data*, shape (rows,).
        ends: Where each ends, its line end included, shape (rows,).
        lost: Lines that gave no record: (record number, line).
        problems: What was wrong.
        headers: Lines before these records that repeat the header, perhaps in another order.
        plain: Whether all of these records are printable ASCII, line ends and tabs aside.
    """

    cells: dict[str, pa.Array]
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    data: bytes
    starts: np.ndarray[Any, np.dtype[np.int64]]
    ends: np.ndarray[Any, np.dtype[np.int64]]
    lost: list[tuple[int, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    plain: bool = False

    def line(self, row: int) -> bytes:
        """The line of *row* without its line end."""
        return self.data[self.starts[row] : self.ends[row]].rstrip(b"\r\n")


class CsvSplitter:
    """Cuts pieces of a CSV file into rows.

    Attributes:
        records: Records so far: rows that are not blank.
        header: The header, or None before it was seen.
    """

    def __init__(self, delimiter: str, only: frozenset[str] | None = None) -> None:
        self.records = 0
        self.header: Header | None = None
        self._delimiter = delimiter
        self._only = only
        self._rest = b""
        self._cr_only: bool | None = None
        self._names: list[str] = []
        self._cutter: PlainCutter | None = None

    def feed(self, piece: bytes) -> Iterator[Rows | Block]:
        """Take the next piece, and give the records that are complete: plain ones as blocks, others as text.

        Raises:
            ScoreFileMalformed: The header lacks essential columns, or a line has no end.
        """
        data = self._line_feeds(self._rest + piece if self._rest else piece)
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        yield from self._rows(data, end, complete=False)
        self._check_length(self._rest)

    def finish(self) -> Iterator[Rows | Block]:
        """Give what is left."""
        data, self._rest = self._rest, b""
        data = data.replace(b"\r", b"\n") if self._cr_only is None else self._line_feeds(data)
        yield from self._rows(data, len(data), complete=True)

    def _check_length(self, line: bytes) -> None:
        if len(line) > LONGEST_LINE:
            raise ScoreFileMalformed(
                f"Record {self.records + 1} has no end within {LONGEST_LINE:,} characters. "
                "The line ends or quotes of this CSV file were damaged on the way: fetch it again."
            )

    def _line_feeds(self, data: bytes) -> bytes:
        """*data* with LF where lines end with CR alone, as on old Macs; the file's first line end tells."""
        if self._cr_only is None and (first := re.search(rb"\n|\r+[^\r]", data)):
            self._cr_only = not first[0].endswith(b"\n")
        return data.replace(b"\r", b"\n") if self._cr_only else data

    def _rows(self, data: bytes, end: int, *, complete: bool) -> Iterator[Rows | Block]:
        """The records in *data* up to *end*. Large pieces are looked at where they are: to copy them costs as much as
        to parse them.
        """
        if not end:
            return
        lines = Lines(data, end, complete)
        at = 0
        if self.header is None:
            found = self._header(lines)
            if found is None:
                self._rest = data
                return
            at = found
        block = self._plain_block(lines, at) if at < len(lines) and self._cutter else None
        if block is not None:
            yield block
            return
        # Of lines shorter than their delimiters few at a time, since pyarrow makes whole columns of whatever it parses.
        group = len(lines) if self.header and len(lines) * self.header.width <= end else _GROUP
        while at < len(lines):
            until = min(at + group, len(lines))
            rows = self._parse_together(lines, at, until)
            if rows is None and group > _GROUP:
                group = _GROUP
                continue
            if rows is None:
                rows, until = self._parse_singly(lines, at, until)
            if len(rows.numbers) or rows.lost or rows.problems:
                yield rows
            if until == at:  # The last record goes on in the next piece.
                self._rest = data[lines.starts[at] :]
                return
            at = until

    def _header(self, lines: Lines) -> int | None:
        """Read the header, and return the number of lines that it and blank lines before it took."""
        at = 0
        while at < len(lines) and is_blank(lines.raw(at, at + 1)):
            at += 1
        for until in range(at + 1, min(at + MOST_LINES, len(lines)) + 1):
            cells = cells_of(lines.text(at, until), self._delimiter)
            if cells is not None:
                self._take_header(cells)
                return until
        if lines.complete or len(lines) > at + MOST_LINES:
            raise ScoreFileMalformed("The CSV header has a quote that is never closed; fetch the file again.")
        return None

    def _take_header(self, cells: list[str]) -> None:
        self.header = understand_header(cells)
        self._names = cells
        # Who wants some columns only is better served by pyarrow.
        self._cutter = PlainCutter(self.header, self._delimiter) if self._only is None else None

    def _fields(self) -> dict[str, int]:
        assert self.header is not None
        return {name: at for name, at in self.header.columns.items() if self._only is None or name in self._only}

    def _plain_block(self, lines: Lines, at: int) -> Block | None:
        """All lines from *at* on, when they are plain; else None."""
        import numpy as np

        assert self._cutter is not None
        text = lines.utf8(at)
        as_in_file = isinstance(text, memoryview) and text[-1] == 10 and b"\r" not in lines.data
        found = self._cutter.block(text, self.records + 1) if as_in_file else None
        begin = lines.starts[at] if at else 0
        if found is not None:
            block, ends = found[0], found[1] + begin
        else:
            changed = bytes(text).replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
            # If rows are plain without the blanks behind delimiters, all of them stood between cells.
            changed = changed.replace(f'"{self._delimiter} "'.encode(), f'"{self._delimiter}"'.encode())
            changed += b"" if changed.endswith(b"\n") else b"\n"
            if b"\r" in changed or (as_in_file and len(changed) == len(text)):
                return None
            found = self._cutter.block(changed, self.records + 1)
            if found is None:
                return None
            block, ends = found[0], lines.ends[at:]
        self.records += len(block)
        starts = np.concatenate(([begin], ends[:-1]))
        block.line_of = lambda row: lines.data[starts[row] : ends[row]].rstrip(b"\r\n")
        return block

    def _parse_together(self, lines: Lines, at: int, until: int) -> Rows | None:
        """Let pyarrow parse some lines; None when it does not find one student record a line."""
        import numpy as np

        cells = self._parsed(lines.utf8(at, until), until - at)
        if cells is None or _any_telling_other_things(cells):
            return None
        numbers = np.arange(self.records + 1, self.records + 1 + until - at)
        self.records += until - at
        return Rows(cells, numbers, lines.data, lines.starts[at:until], lines.ends[at:until], plain=lines.plain)

    def _parsed(self, data: bytes | memoryview, lines: int) -> dict[str, pa.Array] | None:
        """What pyarrow makes of some lines; None when it does not find one record a line."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        assert self.header is not None
        fields = self._fields()
        if np.count_nonzero(np.frombuffer(data, np.uint8) == 34) % 2:
            return None
        if b' "' in bytes(data) and has_blank_before_quote(bytes(data).decode(), self._delimiter):
            return None
        names = [str(each) for each in range(self.header.width)]
        wanted = [str(each) for each in fields.values()]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                # Pieces that fit into a processor's cache, and no more threads than are at work already.
                read_options=arrow_csv.ReadOptions(column_names=names, block_size=1 << 20, use_threads=False),
                parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=wanted,
                    strings_can_be_null=False,
                    check_utf8=False,  # It is: see Lines.utf8.
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines:
            return None
        return {name: _joined(table.column(str(column))) for name, column in fields.items()}

    def _parse_singly(self, lines: Lines, at: int, until: int) -> tuple[Rows, int]:
        """Read record by record; also returns the line after the last record."""
        import numpy as np

        assert self.header is not None
        fields = self._fields()
        kept: list[list[str]] = []
        numbers: list[int] = []
        spans: list[tuple[int, int]] = []
        lost: list[tuple[int, bytes]] = []
        problems: list[Problem] = []
        headers: list[bytes] = []
        while at < until:
            if is_blank(lines.raw(at, at + 1)):
                at += 1
                continue
            cells = None
            end = at
            while cells is None and end < min(at + MOST_LINES, len(lines)):
                end += 1
                cells = cells_of(lines.text(at, end), self._delimiter)
            if cells is None and end == len(lines) and not lines.complete and end - at < MOST_LINES:
                break
            if cells is None:
                end = at + 1
            raw = lines.raw(at, end)
            self._check_length(raw)
            begin, at = at, end
            if cells is not None and not any(cell.strip() for cell in cells):
                continue
            if cells is not None and self._is_header(cells):
                if kept or lost:
                    at = begin
                    break
                problems.append(Problem(max(self.records, 1), "repeated_header"))
                headers.append(raw.rstrip(b"\r\n"))
                if cells != self._names:
                    self._take_header(cells)
                    fields = self._fields()
                continue
            self.records += 1
            if cells is None or not stands_under(cells, self.header):
                what = "a quote out of place" if cells is None else f"{len(cells)} cells"
                problems.append(
                    Problem(self.records, "wrong_length", detail=f"{what}, where the header has {self.header.width}")
                )
                lost.append((self.records, raw.rstrip(b"\r\n")))
                continue
            kept.append(cells + [""] * (self.header.width - len(cells)))
            numbers.append(self.records)
            spans.append((int(lines.starts[begin]), int(lines.ends[end - 1])))
        columns = {name: strings([cells[column] for cells in kept]) for name, column in fields.items()}
        starts, ends = (np.array([span[side] for span in spans], np.int64) for side in (0, 1))
        found = Rows(
            columns, np.array(numbers, np.int64), lines.data, starts, ends, lost, problems, headers, lines.plain
        )
        return found, at

    def _is_header(self, cells: list[str]) -> bool:
        assert self.header is not None
        at = self.header.columns["college_code"]
        return (at >= len(cells) or not cells[at][:1].isdigit()) and tells_names(cells)


def _any_telling_other_things(cells: dict[str, pa.Array]) -> bool:
    """Whether some row is a header, or may be wholly blank, as spreadsheets leave them at the end."""
    import pyarrow.compute as pc

    odd = pc.invert(pc.match_substring_regex(cells["college_code"], "^[0-9]"))
    if not pc.any(odd).as_py():
        return False
    for told in zip(*(cells[name].filter(odd).to_pylist() for name in _TELLING), strict=True):
        if not "".join(told).strip() or tells_names(list(told)):
            return True
    return False


def _joined(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    chunks = column.chunks
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else strings([])

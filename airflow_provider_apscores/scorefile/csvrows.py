"""CSV bytes to rows of cells, as they come in pieces of any size.

Most pieces are parsed at once by pyarrow, and are believed when it finds as many rows as there are lines and quotes
come in pairs. Otherwise small groups of lines are tried, and only in a group that fails is each record read by
itself: a value with a line end in it, a row with too many or too few cells, a quote that never ends.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.arrays import strings
from airflow_provider_apscores.scorefile.lines import LONGEST_LINE
from airflow_provider_apscores.scorefile.oddlines import is_blank
from airflow_provider_apscores.scorefile.problems import Problem
from airflow_provider_apscores.scorefile.recognise import Header, understand_header

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: Lines that are tried together where a larger piece did not parse.
_GROUP = 256

#: A record with more line ends in its values than this is a quote that was never closed.
_MOST_LINES = 16

_DATES = ("birth_date", "released_date", "student_update_date", "report_date")


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
        plain: Whether all of *data* is printable ASCII, line ends and delimiters aside.
    """

    cells: dict[str, pa.Array]
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    data: bytes
    starts: np.ndarray[Any, np.dtype[np.int64]]
    ends: np.ndarray[Any, np.dtype[np.int64]]
    lost: list[tuple[int, bytes]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
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

    def feed(self, piece: bytes) -> Iterator[Rows]:
        """Take the next piece, and give the records that are complete.

        Raises:
            ScoreFileMalformed: The header lacks essential columns, or a line has no end.
        """
        data = self._rest + piece if self._rest else piece
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > LONGEST_LINE:
            raise ScoreFileMalformed(
                f"Record {self.records + 1} has no end within {LONGEST_LINE:,} characters. "
                "The line ends or quotes of this CSV file were damaged on the way: fetch it again."
            )
        yield from self._rows(data, end, complete=False)

    def finish(self) -> Iterator[Rows]:
        """Give what is left."""
        data, self._rest = self._rest, b""
        yield from self._rows(data, len(data), complete=True)

    def _rows(self, data: bytes, end: int, *, complete: bool) -> Iterator[Rows]:
        """The records in *data* up to *end*. Large pieces are looked at where they are: to copy them costs as much as
        to parse them.
        """
        import numpy as np

        if not end:
            return
        flat = np.frombuffer(data, np.uint8, end)
        ends = np.flatnonzero(flat == 10) + 1
        if not len(ends) or ends[-1] != end:
            ends = np.append(ends, end)
        starts = np.concatenate(([0], ends[:-1]))
        lines = _Lines(data, _as_utf8(data, starts, ends), starts, ends, complete)
        expected = sum(np.count_nonzero(flat == ord(each)) for each in {"\n", "\r", self._delimiter} if each < " ")
        plain = bool(np.count_nonzero(flat < 32) == expected and flat.max() < 127)
        at = 0
        if self.header is None:
            found = self._header(lines)
            if found is None:
                self._rest = data
                return
            at = found
        first = at
        while at < len(starts):
            whole = at == first
            until = len(starts) if whole else min(at + _GROUP, len(starts))
            rows = self._parse_together(lines, at, until)
            if rows is None and whole and until - at > _GROUP:
                until = at + _GROUP
                rows = self._parse_together(lines, at, until)
            if rows is None:
                rows, until = self._parse_singly(lines, at, until)
            rows.plain = plain
            yield rows
            if until == at:  # The last record goes on in the next piece.
                self._rest = data[starts[at] :]
                return
            at = until

    def _header(self, lines: _Lines) -> int | None:
        """Read the header, and return the number of lines that it and blank lines before it took."""
        at = 0
        while at < len(lines.starts) and is_blank(lines.raw(at, at + 1)):
            at += 1
        for until in range(at + 1, min(at + _MOST_LINES, len(lines.starts)) + 1):
            cells = self._cells(lines.text(at, until))
            if cells is not None:
                self.header = understand_header(cells)
                return until
        if lines.complete or len(lines.starts) > at + _MOST_LINES:
            raise ScoreFileMalformed("The CSV header has a quote that is never closed; fetch the file again.")
        return None

    def _fields(self) -> dict[str, int]:
        assert self.header is not None
        return {name: at for name, at in self.header.columns.items() if self._only is None or name in self._only}

    def _parse_together(self, lines: _Lines, at: int, until: int) -> Rows | None:
        """Let pyarrow parse some lines; None when it does not find one record a line."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        assert self.header is not None
        fields = self._fields()
        data = lines.utf8_part(at, until)
        if np.count_nonzero(np.frombuffer(data, np.uint8) == 34) % 2:
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
                    check_utf8=False,  # It is: see _as_utf8.
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != until - at:
            return None
        cells = {name: _joined(table.column(str(column))) for name, column in fields.items()}
        if self._any_blank(cells):
            return None
        numbers = np.arange(self.records + 1, self.records + 1 + table.num_rows)
        self.records += table.num_rows
        return Rows(cells, numbers, lines.data, lines.starts[at:until], lines.ends[at:until])

    @staticmethod
    def _any_blank(cells: dict[str, pa.Array]) -> bool:
        """Whether some row may be wholly blank, as spreadsheets leave them at the end."""
        import pyarrow.compute as pc

        first = cells.get("ap_id", next(iter(cells.values())))
        return bool(pc.any(pc.equal(pc.binary_length(first), 0)).as_py()) and bool(
            pc.any(pc.equal(pc.binary_length(cells.get("last_name", first)), 0)).as_py()
        )

    def _parse_singly(self, lines: _Lines, at: int, until: int) -> tuple[Rows, int]:
        """Read record by record; also returns the line after the last record."""
        import numpy as np

        assert self.header is not None
        fields = self._fields()
        kept: list[list[str]] = []
        numbers: list[int] = []
        spans: list[tuple[int, int]] = []
        lost: list[tuple[int, bytes]] = []
        problems: list[Problem] = []
        while at < until:
            cells = None
            end = at
            while cells is None and end < min(at + _MOST_LINES, len(lines.starts)):
                end += 1
                cells = self._cells(lines.text(at, end))
            if cells is None and end == len(lines.starts) and not lines.complete and end - at < _MOST_LINES:
                break
            if cells is None:
                end = at + 1
            raw = lines.raw(at, end)
            begin, at = at, end
            if is_blank(raw) or (cells is not None and not any(cell.strip() for cell in cells)):
                continue
            self.records += 1
            if cells is None or not self._fits(cells):
                found = "a quote out of place" if cells is None else f"{len(cells)} cells"
                problems.append(
                    Problem(self.records, "wrong_length", detail=f"{found}, where the header has {self.header.width}")
                )
                lost.append((self.records, raw.rstrip(b"\r\n")))
                continue
            kept.append(cells + [""] * (self.header.width - len(cells)))
            numbers.append(self.records)
            spans.append((int(lines.starts[begin]), int(lines.ends[end - 1])))
        columns = {name: strings([cells[column] for cells in kept]) for name, column in fields.items()}
        starts, ends = (np.array([span[side] for span in spans], np.int64) for side in (0, 1))
        return Rows(columns, np.array(numbers, np.int64), lines.data, starts, ends, lost, problems), at

    def _cells(self, text: str) -> list[str] | None:
        """The cells of one record; None when a quote is not closed or the text is no record."""
        try:
            found = list(csv.reader([text], delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return found[0] if len(found) == 1 else []

    def _fits(self, cells: list[str]) -> bool:
        """Whether cells stand under their names. In a row of another width only its landmarks can tell."""
        assert self.header is not None
        if len(cells) == self.header.width:
            return True
        columns = self.header.columns
        if any(cell.strip() for cell in cells[self.header.width :]):
            return False
        dates = [columns[name] for name in _DATES if name in columns]
        if max(columns["college_code"], *dates) >= len(cells) or "report_date" not in columns:
            return False
        exams = [at for name, at in columns.items() if name.startswith(("admin_year", "exam_code", "exam_grade"))]
        looks_right = all(any(letter.isdigit() for letter in cells[at]) for at in [*dates, columns["college_code"]])
        return looks_right and max(exams) < len(cells)


@dataclass(slots=True)
class _Lines:
    """Lines of a piece, as bytes of the file and as UTF-8; a line holds its line end."""

    data: bytes
    utf8: list[bytes] | bytes
    starts: Any
    ends: Any
    complete: bool

    def raw(self, at: int, until: int) -> bytes:
        return self.data[self.starts[at] : self.ends[until - 1]]

    def utf8_part(self, at: int, until: int) -> bytes | memoryview:
        if isinstance(self.utf8, list):
            return b"".join(self.utf8[at:until])
        return memoryview(self.utf8)[self.starts[at] : self.ends[until - 1]]

    def text(self, at: int, until: int) -> str:
        return str(self.utf8_part(at, until), "utf-8")


def _as_utf8(data: bytes, starts: Any, ends: Any) -> bytes | list[bytes]:
    """*data* when it is UTF-8; else its lines, those that are not UTF-8 read as Windows-1252."""
    if data.isascii():
        return data
    try:
        str(memoryview(data)[: ends[-1]], "utf-8")
    except UnicodeDecodeError:
        return [_line_as_utf8(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return data


def _line_as_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line


def _joined(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    chunks = column.chunks
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else strings([])

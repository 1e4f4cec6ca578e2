"""CSV bytes to blocks of student records, as they come in pieces of any size.

Most pieces are plain, and NumPy finds their cells (csv_cells.py). In any other, Python's
parser takes the quotes off each record (csv_lines.py), after which the records of a header are plain as well. One
builder lays the cells out at the columns of the TXT record (csv_block.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.csv_block import BlockBuilder, CellPlaces
from airflow_provider_apscores.scorefile.reading.csv_cells import parsed_cells, plain_cells
from airflow_provider_apscores.scorefile.reading.csv_lines import CELL_END, CsvLines, cells_of
from airflow_provider_apscores.scorefile.reading.csv_values import is_date
from airflow_provider_apscores.scorefile.reading.detect import HEAD
from airflow_provider_apscores.scorefile.reading.header import Header, tells_names, understand_header
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE, NOTHING, BadLines, no_end
from airflow_provider_apscores.scorefile.spec.problems import Problem

#: Lines that become one block where they are not plain.
_LINES = 1 << 15

#: A row that ends before one of these fields was cut. Spreadsheets leave out empty cells at the end of rows.
_NEEDED = re.compile("college_code|.+_date|(?:admin_year|exam_code|exam_grade|irregularity_[12])_[0-9]+")

#: In the names of every header's columns: without exams none is understood.
_IN_HEADERS = "exam"


class _HeaderInUse:
    """A header, and what is done with the rows under it.

    Attributes:
        columns: Which column holds a field, counted from 0.
        unread: Names of columns that are not read.
        width: Columns.
        places: Where the cells go.
    """

    def __init__(self, header: Header, only: frozenset[str] | None) -> None:
        self.columns = header.columns
        self.unread = header.unread
        self.width = header.width
        self.places = CellPlaces(header, only)
        self._needed = max(at for name, at in header.columns.items() if _NEEDED.fullmatch(name))

    def fitted(self, row: str) -> str | None:
        """A row with as many cells as the header; None where it is not whole.

        A row is whole if it only lacks empty cells at its end, or has some more. A cell lost or gained anywhere else
        moves the dates. So the report date must stand in its place, and no date in the next one.
        """
        more = row.count(CELL_END) + 1 - self.width
        if not more:
            return row
        cells = row.split(CELL_END)
        report = self.columns.get("report_date")
        if report is None or self._needed >= len(cells) or any(cell.strip() for cell in cells[self.width :]):
            return None
        if not is_date(cells[report]) or any(map(is_date, cells[report + 1 : report + 2])):
            return None
        return CELL_END.join([*cells[: self.width], *[""] * -more])

    def what_is_wrong(self, row: str | None) -> str:
        """Why a row can't be read; None where a quote is out of place."""
        what = "a quote out of place" if row is None else f"{row.count(CELL_END) + 1} cells"
        return f"{what}, where the header has {self.width}"


class CsvSplitter:
    """Cuts pieces of a CSV file into blocks.

    Args:
        delimiter: What stands between cells.
        only: The fields that are wanted; None for all.

    Attributes:
        records: Records so far: rows that are not blank.
    """

    def __init__(self, delimiter: str, only: frozenset[str] | None = None) -> None:
        self.records = 0
        self._delimiter = delimiter
        self._nothing = NOTHING.decode() + '"' + delimiter
        self._only = only
        self._rest = b""
        self._cr_only: bool | None = None
        self._headers: dict[str, _HeaderInUse] = {}
        self._header: _HeaderInUse | None = None
        self._bad_lines = BadLines()

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of columns under the last header that are not read."""
        return self._header.unread if self._header else ()

    @property
    def exam_slots(self) -> int:
        """Exam slots that the columns have room for; under several headers, the fewest."""
        names = [header.columns for header in self._headers.values()]
        return min((sum(name.startswith("exam_code_") for name in each) for each in names), default=0)

    @property
    def is_cut(self) -> bool:
        """Whether the last line so far has no line end and fewer cells than the header."""
        if self._header is None or b"\n" in self._rest or not self._rest.strip(f" \t{self._delimiter}".encode()):
            return False
        cells = cells_of(self._rest.decode("utf-8", "replace"), self._delimiter)
        return cells is None or len(cells) < self._header.width

    def feed(self, piece: bytes) -> Iterator[Block]:
        """Take the next piece, and give the records that are complete.

        Raises:
            ScoreFileMalformed: The header lacks essential columns, a line has no end, or too many lines in a row give
                no record.
        """
        data = self._line_feeds(self._rest + piece if self._rest else piece)
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        yield from self._blocks(CsvLines(data[:end], self._delimiter, complete=False))
        if len(self._rest) > LONGEST_LINE:
            raise no_end(self.records + 1)

    def finish(self) -> Iterator[Block]:
        """Give what is left."""
        data, self._rest = self._rest, b""
        data = data.replace(b"\r", b"\n") if self._cr_only is None else self._line_feeds(data)
        yield from self._blocks(CsvLines(data, self._delimiter, complete=True))

    def _line_feeds(self, data: bytes) -> bytes:
        """*data* with LF where lines end with CR alone, as on old Macs; the file's first line end tells."""
        if self._cr_only is None and (first := re.search(rb"\n|\r+[^\r]", data)):
            self._cr_only = not first[0].endswith(b"\n")
        return data.replace(b"\r", b"\n") if self._cr_only else data

    def _blocks(self, lines: CsvLines) -> Iterator[Block]:
        if self._header is None:
            start = self._find_header(lines)
            if start is None:
                self._rest = lines.data + self._rest
                return
            lines = CsvLines(lines.data[start:], self._delimiter, complete=lines.complete)
        if not lines.data:
            return
        block = self._plain_block(lines)
        if block is not None:
            yield block
            return
        at = 0
        while at < len(lines.text):
            block, end = self._block(lines, at)
            if len(block) or block.lost or block.problems:
                yield block
            if end == at:  # The last record goes on in the next piece.
                self._rest = lines.data[lines.start(at) :] + self._rest
                return
            at = end

    def _find_header(self, lines: CsvLines) -> int | None:
        """Read the header, and return where the rows begin; None where the next piece may have the rest of it."""
        end = lines.data.rfind(b"\n", 0, HEAD) + 1 or len(lines.data)
        head = CsvLines(lines.data[:end], self._delimiter, complete=lines.complete or end < len(lines.data))
        at = next((at for at, line in enumerate(head.text) if line.strip(self._nothing)), None)
        record = head.record(at) if at is not None else None
        if record is None:
            return None
        if record.row is None:
            raise ScoreFileMalformed("The CSV header has a quote that is never closed; fetch the file again.")
        self._header = self._understand_header(record.row)
        return head.start(record.end)

    def _understand_header(self, row: str) -> _HeaderInUse:
        if row not in self._headers:
            self._headers[row] = _HeaderInUse(understand_header(row.split(CELL_END)), self._only)
        return self._headers[row]

    def _plain_block(self, lines: CsvLines) -> Block | None:
        """All lines, when they are plain; else None."""
        import numpy as np

        text, blank = lines.utf8, f'{self._delimiter} "'.encode()
        builder = self._plain_cells(text)
        if builder is None and blank in text:  # Some programs write a blank before each quote.
            builder = self._plain_cells(text.replace(blank, f'{self._delimiter}"'.encode()))
        if builder is None:
            return None
        self._bad_lines.add(good=True)
        count = len(builder.matrix)
        numbers = np.arange(self.records + 1, self.records + 1 + count)
        self.records += count
        return builder.block(numbers, line_of=lambda row: lines.raw(row, row + 1))

    def _plain_cells(self, text: bytes) -> BlockBuilder | None:
        assert self._header is not None
        count, width = text.count(b"\n"), self._header.width
        # Each row has its delimiters, and its LF; a CR here is no part of a line end.
        if len(text) < count * width or b"\r" in text:
            return None
        builder = BlockBuilder(count)
        for cells in plain_cells(text, self._delimiter, width, self._header.columns["college_code"]):
            if cells is None:
                return None
            builder.add(self._header.places, cells)
        return builder

    def _block(self, lines: CsvLines, at: int) -> tuple[Block, int]:
        """The next records from the line *at* on, and the line after the last of them."""
        assert self._header is not None
        until = min(at + _LINES, len(lines.text))
        read: dict[_HeaderInUse, list[tuple[int, str]]] = {}
        places: list[tuple[int, int]] = []
        numbers: list[int] = []
        lost, problems = [], []
        while at < until:
            line = lines.text[at]
            if not line.strip(self._nothing):
                # Spreadsheets leave any number of blank rows, but no empty lines.
                self._bad_lines.add(good=self._delimiter in line)
                at += 1
                continue
            if len(line) > LONGEST_LINE:
                raise no_end(self.records + 1)
            record = lines.record(at)
            if record is None:
                break
            _, at, row = record
            if row is not None and _IN_HEADERS in row.lower() and self._is_header(row):
                self._header = self._understand_header(row)
                problems.append(Problem(max(self.records, 1), "repeated_header"))
                self._bad_lines.add(good=True)
                continue
            self.records += 1
            fitted = None if row is None else self._header.fitted(row)
            self._bad_lines.add(good=fitted is not None)
            if fitted is None:
                problems.append(Problem(self.records, "wrong_length", detail=self._header.what_is_wrong(row)))
                lost.append((self.records, lines.raw(record.first, record.end)))
            else:
                read.setdefault(self._header, []).append((len(numbers), fitted))
                numbers.append(self.records)
                places.append((record.first, record.end))
        builder = BlockBuilder(len(numbers))
        for header, records in read.items():
            for cells in parsed_cells(records, header.width):
                builder.add(header.places, cells)
        block = builder.block(numbers, lost=lost, problems=problems, line_of=lambda row: lines.raw(*places[row]))
        return block, at

    def _is_header(self, row: str) -> bool:
        return row in self._headers or tells_names(row.split(CELL_END))

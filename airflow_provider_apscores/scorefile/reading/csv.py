"""CSV bytes to blocks of student records, as they come in pieces of any size.

Most pieces are plain, and NumPy finds their cells (csv_plain.py). pyarrow parses any other (csv_arrow.py). Both hand
the cells on to one builder, which lays them out at the columns of the TXT record (csv_block.py). Only a row with too
many or too few cells is read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.csv_arrow import Parsed, parse
from airflow_provider_apscores.scorefile.reading.csv_block import BlockBuilder
from airflow_provider_apscores.scorefile.reading.csv_cells import CellPlaces
from airflow_provider_apscores.scorefile.reading.csv_lines import MOST_LINES, CsvLines, Records, cells_of
from airflow_provider_apscores.scorefile.reading.csv_plain import read_plain
from airflow_provider_apscores.scorefile.reading.csv_values import is_date
from airflow_provider_apscores.scorefile.reading.header import Header, tells_names, understand_header
from airflow_provider_apscores.scorefile.reading.lines import LONGEST_LINE, BadLines, is_blank, no_end
from airflow_provider_apscores.scorefile.spec.problems import Problem

#: Lines that become one block where they are not plain.
_LINES = 1 << 15

#: A row that ends before one of these fields was cut. Spreadsheets leave out empty cells at the end of rows.
_NEEDED = re.compile("college_code|.+_date|(?:admin_year|exam_code|exam_grade|irregularity_[12])_[0-9]+")


class _HeaderInUse:
    """A header, and what is done with the rows under it.

    Attributes:
        columns: Which column holds a field, counted from 0.
        unread: Names of columns that are not read.
        places: Where the cells go.
    """

    def __init__(self, header: Header, only: frozenset[str] | None) -> None:
        self.columns = header.columns
        self.unread = header.unread
        self._width = header.width
        self.places = CellPlaces(header, only)
        self._needed = max(at for name, at in header.columns.items() if _NEEDED.fullmatch(name))

    def add_row(self, builder: BlockBuilder, row: int, cells: list[str] | None) -> str:
        """Lay out a row that has too many or too few cells; returns what is wrong where it can't be read."""
        if cells is None or not self._is_whole(cells):
            return self.wrong_length(cells)
        for at, cell in enumerate(cells):
            if cell:
                builder.add_cell(self.places, row, at, cell)
        return ""

    def _is_whole(self, cells: list[str]) -> bool:
        """Whether a row only lacks empty cells at its end, or has some more.

        A cell lost or gained anywhere else moves the dates. So the report date must stand in its place, and no date in
        the next one.
        """
        report = self.columns.get("report_date")
        if report is None or self._needed >= len(cells) or any(cell.strip() for cell in cells[self._width :]):
            return False
        return is_date(cells[report]) and not any(map(is_date, cells[report + 1 : report + 2]))

    def lacks_cells(self, cells: list[str]) -> bool:
        """Whether a row has fewer cells than the header."""
        return len(cells) < self._width

    def wrong_length(self, cells: list[str] | None) -> str:
        """What is wrong with the cells of a row; None where it has none."""
        what = "a quote out of place" if cells is None else f"{len(cells)} cells"
        return f"{what}, where the header has {self._width}"


class _Found(NamedTuple):
    """What some lines hold beside student records.

    Attributes:
        blank: Blank records, empty lines aside.
        headers: Records that are headers.
        lost: Records that can't be read, and what is wrong.
    """

    blank: list[int]
    headers: dict[int, _HeaderInUse]
    lost: dict[int, str]


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
        self._only = only
        self._rest = b""
        self._cr_only: bool | None = None
        self._headers: dict[bytes, _HeaderInUse] = {}
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
        return cells is None or self._header.lacks_cells(cells)

    def feed(self, piece: bytes) -> Iterator[Block]:
        """Take the next piece, and give the records that are complete.

        Raises:
            ScoreFileMalformed: The header lacks essential columns, a line has no end, or too many lines in a row give
                no record.
        """
        data = self._line_feeds(self._rest + piece if self._rest else piece)
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        yield from self._blocks(CsvLines(data, end, self._delimiter, complete=False))
        if len(self._rest) > LONGEST_LINE:
            raise no_end(self.records + 1)

    def finish(self) -> Iterator[Block]:
        """Give what is left."""
        data, self._rest = self._rest, b""
        data = data.replace(b"\r", b"\n") if self._cr_only is None else self._line_feeds(data)
        yield from self._blocks(CsvLines(data, len(data), self._delimiter, complete=True))

    def _line_feeds(self, data: bytes) -> bytes:
        """*data* with LF where lines end with CR alone, as on old Macs; the file's first line end tells."""
        if self._cr_only is None and (first := re.search(rb"\n|\r+[^\r]", data)):
            self._cr_only = not first[0].endswith(b"\n")
        return data.replace(b"\r", b"\n") if self._cr_only else data

    def _blocks(self, lines: CsvLines) -> Iterator[Block]:
        if not lines.end:
            return
        at = 0
        if self._header is None:
            found = self._find_header(lines)
            if found is None:
                self._rest = lines.data
                return
            at = found
        if at == len(lines):
            return
        plain = self._plain_block(lines, at)
        if plain is not None:
            yield plain
            return
        while at < len(lines):
            until = min(at + _LINES, len(lines))
            if lines.is_blank(at, until - 1):
                # Spreadsheets leave any number of blank rows, but no empty lines.
                self._bad_lines.add(lines.ends[at:until] - lines.starts[at:until] > len(b"\r\n"))
                at = until
                continue
            block, end = self._block(lines, at, until)
            if len(block) or block.lost or block.problems:
                yield block
            if end < until:  # The last record goes on in the next piece.
                self._rest = lines.data[lines.starts[end] : lines.end] + self._rest
                return
            at = end

    def _find_header(self, lines: CsvLines) -> int | None:
        """Read the header, and return the number of lines that it and blank lines before it took."""
        at = 0
        while at < len(lines) and is_blank(lines.raw(at, at)):
            at += 1
        for last in range(at, min(at + MOST_LINES, len(lines))):
            cells = lines.cells(at, last)
            if cells is not None:
                self._header = self._understand_header(lines.raw(at, last), cells)
                return last + 1
        if lines.complete or len(lines) > at + MOST_LINES:
            raise ScoreFileMalformed("The CSV header has a quote that is never closed; fetch the file again.")
        return None

    def _understand_header(self, line: bytes, cells: list[str]) -> _HeaderInUse:
        if line not in self._headers:
            self._headers[line] = _HeaderInUse(understand_header(cells), self._only)
        return self._headers[line]

    def _plain_block(self, lines: CsvLines, at: int) -> Block | None:
        """All lines from *at* on, when they are plain; else None."""
        import numpy as np

        assert self._header is not None
        places, code = self._header.places, self._header.columns["college_code"]
        text = lines.utf8_from(at)
        if isinstance(text, bytes) and b"\r" in text:  # One that is no part of a line end. A view has none.
            return None
        blank, none = (f'"{self._delimiter}{each}"'.encode() for each in (" ", ""))
        builder = read_plain(text, places, self._delimiter, code)
        if builder is None and blank in lines.data:
            # If rows are plain without the blanks behind delimiters, all of these stood between cells.
            text = bytes(text).replace(blank, none)
            builder = read_plain(text, places, self._delimiter, code)
        if builder is None:
            return None
        count = len(builder.matrix)
        numbers = np.arange(self.records + 1, self.records + 1 + count, dtype=np.int64)
        self.records += count
        return builder.block(numbers, line_of=lambda row: lines.raw(at + row, at + row))

    def _block(self, lines: CsvLines, at: int, until: int) -> tuple[Block, int]:
        """The records that begin in the lines from *at* to *until*, and the line after the last of them."""
        import numpy as np

        records = lines.records(at, until)
        lengths = lines.ends[records.last] - lines.starts[records.first]
        if lengths.max(initial=0) > LONGEST_LINE:
            raise no_end(self.records + 1 + int(lengths.argmax()))
        builder = BlockBuilder(len(lengths))
        found = self._add_records(builder, records)
        is_record = ~records.is_empty
        is_record[[*found.blank, *found.headers]] = False
        is_read = is_record.copy()
        is_read[list(found.lost)] = False
        self._bad_lines.add((is_read | ~is_record) & ~records.is_empty)
        numbers = self.records + np.cumsum(is_record)
        self.records += int(is_record.sum())
        rows = is_read.nonzero()[0]
        block = builder.block(
            numbers[rows],
            rows if len(rows) < len(is_read) else None,
            lost=[(int(numbers[row]), records.raw(row)) for row in sorted(found.lost)],
            problems=[
                *(Problem(int(numbers[row]), "wrong_length", detail=detail) for row, detail in found.lost.items()),
                *(Problem(max(int(numbers[row]), 1), "repeated_header") for row in sorted(found.headers)),
            ],
            line_of=lambda row: records.raw(rows[row]),
        )
        return block, records.until

    def _add_records(self, builder: BlockBuilder, records: Records) -> _Found:
        """Lay out records, each under the header that it stands under."""
        found = _Found([], self._known_headers(records), {})
        standing = ~records.is_open & ~records.is_empty
        parsed: list[tuple[_HeaderInUse, Parsed]] = []
        known = -1
        while known < len(found.headers):
            known = len(found.headers)
            parsed = list(self._parse(records, standing, found.headers))
            for header, each in parsed:
                for row in _doubtful(each, header.columns["college_code"]):
                    if records.is_blank(row):
                        found.blank.append(row)
                        standing[row] = False
                    elif (cells := records.cells(row)) and _is_header(cells):
                        found.headers[row] = self._understand_header(records.raw(row), cells)
        for header, each in parsed:
            for part in each.cells:
                builder.add(header.places, part if standing[part.rows].all() else part.of_rows(standing))
            for row in each.others:
                if standing[row] and (wrong := header.add_row(builder, row, records.cells(row))):
                    found.lost[row] = wrong
        if found.headers:
            self._header = found.headers[max(found.headers)]
        assert self._header is not None
        for row in records.is_open.nonzero()[0].tolist():
            found.lost[row] = self._header.wrong_length(None)
        return found

    def _known_headers(self, records: Records) -> dict[int, _HeaderInUse]:
        """Records that repeat a header that was read before, letter by letter."""
        found = {}
        lengths = records.lines.ends[records.last] - records.lines.starts[records.first]
        for line, header in self._headers.items():
            for row in ((lengths >= len(line)) & (lengths <= len(line) + len(b"\r\n"))).nonzero()[0].tolist():
                if records.raw(row) == line:
                    found[row] = header
        return found

    def _parse(
        self, records: Records, standing: Any, headers: dict[int, _HeaderInUse]
    ) -> Iterator[tuple[_HeaderInUse, Parsed]]:
        """The records under each header."""
        import numpy as np

        assert self._header is not None
        different = list(dict.fromkeys([self._header, *headers.values()]))
        rows = sorted(headers)
        numbers = [0, *(different.index(headers[row]) for row in rows)]
        under = np.repeat(numbers, np.diff([0, *rows, len(standing)]))
        under[rows] = -1
        for number, header in enumerate(different):
            chosen = (standing & (under == number)).nonzero()[0]
            if len(chosen):
                yield header, parse(records, chosen, header.places, self._delimiter)


def _doubtful(parsed: Parsed, code: int) -> list[int]:
    """Records that may be headers: those without a digit where the college code begins, and those of other lengths."""
    import numpy as np

    rows = [np.empty(0, np.int64)]
    for each in parsed.cells:
        of_code = each.columns == code
        first = each.letters.take(each.starts[of_code])
        rows.append(each.rows[of_code][(first >= ord("0")) & (first <= ord("9"))])
    return sorted({*np.setdiff1d(parsed.whole, np.concatenate(rows)).tolist(), *parsed.others})


def _is_header(cells: list[str]) -> bool:
    """Whether a record is a header. Names of columns rarely begin with a digit, and cells of students often do."""
    filled = [cell for cell in cells if cell.strip()]
    return 4 * sum(cell.lstrip()[0].isdigit() for cell in filled) < len(filled) and tells_names(filled)

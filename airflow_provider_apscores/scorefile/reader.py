"""The pipeline: bytes to tables, TXT or CSV, batch by batch.

    bytes (source.py) -> blocks of records (txt.py, csv.py) -> aligned records (alignment.py) -> rows (batch.py)

Each step holds one piece, so that memory stays the same however long the file is.

Only all report dates together tell the order of month and day (date_order.py). A caller that can start again reads with
the month first, as nearly all files have it, and once more if the dates turn out otherwise. For any other caller, the
blocks are read before their rows, until the order is settled: for most files that is one block.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed
from airflow_provider_apscores.scorefile.columns.arrays import cast_to_schema
from airflow_provider_apscores.scorefile.columns.batch import Assembler, Batch
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.alignment import aligned
from airflow_provider_apscores.scorefile.reading.csv import CsvSplitter
from airflow_provider_apscores.scorefile.reading.date_order import DateOrder, with_month_first
from airflow_provider_apscores.scorefile.reading.detect import HEAD, DetectedFormat, detect_format
from airflow_provider_apscores.scorefile.reading.source import Source
from airflow_provider_apscores.scorefile.reading.txt import TxtSplitter
from airflow_provider_apscores.scorefile.spec.layouts import EXAMS_GROUP
from airflow_provider_apscores.scorefile.spec.tables import TABLES
from airflow_provider_apscores.scorefile.workers import prefetch

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of a CSV file that are read at a time: cells take several times their room while they are laid out.
_CSV_PIECE = 10 << 20

OnProblem = Literal["quarantine", "fail"]


class ScoreFile:
    """A score file that was opened, and its format found. Records are read when a table is asked for.

    A context manager, for sources that must be closed.

    Attributes:
        sha256: Digest of the file's bytes.
        size: How many those are.
        kind: "TXT" or "CSV".
        line_end: What ends the first line: LF, CRLF, or CR alone; LF where there is one line only.
    """

    def __init__(self, source: Source, today: date, on_problem: OnProblem) -> None:
        self._source = source
        self._today = today
        self._on_problem = on_problem
        self.sha256 = source.sha256
        self.size = source.size
        self._format = _detect_format(source)
        self.kind = self._format.kind
        self.line_end = self._format.line_end
        self._last_pass: FilePass | None = None

    def __enter__(self) -> ScoreFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def __repr__(self) -> str:
        return f"<ScoreFile {self.kind} {self.size} bytes {self.sha256[:12]}>"

    @property
    def position(self) -> int:
        """Bytes read so far in the current pass; of the packed file, if it is packed."""
        return self._source.position

    @property
    def records(self) -> int:
        """Student records in the file, those included that could not be read."""
        return self._read_through().records

    @property
    def layout(self) -> str:
        """The layout of the first records ("950", "910"), or "csv"."""
        return self._read_through().layout

    @property
    def exam_slots(self) -> int:
        """Exam slots of each record: those of the layout, or those that the columns of a CSV file have room for."""
        return self._read_through().exam_slots

    @property
    def unknown_codes(self) -> dict[tuple[str, str], int]:
        """Codes that are not in the code tables: rows by raw field name and code."""
        return self._read_through().unknown_codes

    @property
    def unread_columns(self) -> tuple[str, ...]:
        """Header names of a CSV file that were not understood, and so are in no table."""
        return self._read_through().unread_columns

    @cached_property
    def day_first(self) -> bool:
        """Whether the report dates have the day first. To answer, blocks are read until their dates settle it."""
        order = DateOrder()
        # What is wrong with the file is raised behind the rows before it.
        with suppress(ScoreFileMalformed), closing(self._new_pass().blocks(self._source)) as blocks:
            for block in blocks:
                order.add(block)
                if order.settled:
                    break
        return order.day_first

    @property
    def rejected(self) -> list[tuple[int, bytes]]:
        """Lines that could not be read whole: (record number, line). They hold personal data."""
        return [line for batch in self.typed_batches() for line in batch.rejected]

    @property
    def students(self) -> pa.Table:
        """The table of student records."""
        return self._tables["students"]

    @property
    def exam_scores(self) -> pa.Table:
        """The table of exam scores."""
        return self._tables["exam_scores"]

    @property
    def awards(self) -> pa.Table:
        """The table of awards."""
        return self._tables["awards"]

    @property
    def problems(self) -> pa.Table:
        """The table of problems."""
        return self._tables["problems"]

    def batches(self) -> Iterator[Batch]:
        """All tables at once, some thousand records at a time; every call reads the file again.

        Raises:
            ScoreFileMalformed: The file turns out to be damaged beyond its lines (a broken gzip stream, a line
                without end), has a problem and *on_problem* is ``fail``, or is not the one with the digest that was
                given.
            StorageUnavailable: It can't be read any more, or it changes.
        """
        for batch in self.typed_batches():
            rows = {name: cast_to_schema(batch.table(name), table.schema()) for name, table in TABLES.items()}
            yield Batch(**rows, rejected=batch.rejected, first_error=batch.first_error)

    def typed_batches(
        self, on_problem: OnProblem | None = None, *, day_first: bool | None = None
    ) -> Generator[Batch, None, None]:
        """:meth:`batches` for writers: columns of few words are dictionary-encoded, others as declared.

        Args:
            on_problem: As for :func:`read_score_file`; what was said there if None.
            day_first: The order to read the report dates in. Behind the last batch, :attr:`day_first` says whether it
                was right. If None, it is found out first.
        """
        strict = (on_problem or self._on_problem) == "fail"
        this_pass = self._new_pass()
        for batch in this_pass.batches(self._source, day_first=self.day_first if day_first is None else day_first):
            if strict and batch.first_error is not None:
                raise ScoreFileMalformed(f"The file has a problem and none is accepted: {batch.first_error}.")
            yield batch
        self._last_pass = this_pass
        self.day_first = this_pass.order.day_first

    def _new_pass(self) -> FilePass:
        return FilePass(self._format, Assembler(self.sha256, self._today))

    def _read_through(self) -> FilePass:
        if self._last_pass is None:
            for _ in self.typed_batches():
                pass
        assert self._last_pass is not None
        return self._last_pass

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        import pyarrow as pa

        found: dict[str, list[Any]] = {name: [] for name in TABLES}
        for batch in self.batches():
            for name, rows in found.items():
                if batch.table(name).num_rows:
                    rows.append(batch.table(name))
        return {name: pa.Table.from_batches(rows, TABLES[name].schema()) for name, rows in found.items()}


def read_score_file(
    source: Any, *, today: date | None = None, on_problem: OnProblem = "quarantine", sha256: str | None = None
) -> ScoreFile:
    """Open a score file: TXT or CSV, packed with gzip or not, told from its content.

    Args:
        source: A local path, a URI, a path object such as Airflow's ``ObjectStoragePath``, a binary file object, or
            bytes.
        today: The day of reading. It stands in for report dates that are missing and bounds their century.
        on_problem: ``quarantine`` reads on: defects become rows of ``problems``, and lines that could not be read whole
            are in ``rejected``. ``fail`` reads the file through once and raises at the first error.
        sha256: The digest of the file's bytes, 64 hexadecimal digits, where it is known already: from the manifest of a
            delivery, for instance. The file then need not be read once more before the first row, and what was read is
            compared with it when the end is reached.

    Raises:
        ScoreFileMalformed: Not a score file at all; a CSV header without essential columns; or see *on_problem*. And
            behind the last row: the file's digest is not *sha256*.
        StorageUnavailable: The source can't be read.
        ConfigurationError: *on_problem* is something else, *today* is no date, or *sha256* no digest.
    """
    check_on_problem(on_problem)
    if not isinstance(today, date | None):
        raise ConfigurationError(f"today is a date, such as date(2026, 7, 9), not {today!r}.")
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ConfigurationError("sha256 is a digest of 64 hexadecimal digits in lower case.")
    opened = Source(source, sha256)
    try:
        file = ScoreFile(opened, today or date.today(), on_problem)
        if on_problem == "fail":
            file._read_through()
    except BaseException:
        opened.close()
        raise
    return file


def check_on_problem(on_problem: str) -> None:
    """Check the argument *on_problem* of :func:`read_score_file`.

    Raises:
        ConfigurationError: *on_problem* is neither ``quarantine`` nor ``fail``.
    """
    if on_problem not in ("quarantine", "fail"):
        raise ConfigurationError(f'on_problem is "quarantine" or "fail", not {on_problem!r}.')


class FilePass:
    """One pass through a file, and the counts at its end.

    Attributes:
        order: What the report dates so far say about their order.
    """

    def __init__(self, detected: DetectedFormat, assembler: Assembler) -> None:
        self._format = detected
        self._assembler = assembler
        self.order = DateOrder()
        self.records = 0
        self.layout = "csv" if detected.kind == "CSV" else ""
        self.unread_columns: tuple[str, ...] = ()
        self.exam_slots = EXAMS_GROUP.count

    @property
    def unknown_codes(self) -> dict[tuple[str, str], int]:
        return self._assembler.unknown_codes

    def batches(self, source: Source, *, day_first: bool = False) -> Iterator[Batch]:
        """The rows of every block; at least one batch.

        Args:
            source: The file.
            day_first: The order of the report dates.
        """
        any_rows = False
        for block in prefetch(self.blocks(source)):
            any_rows = True
            self.order.add(block)
            yield self._assembler.batch(aligned(with_month_first(block) if day_first else block))
        last = self._assembler.closing_batch(self.order.problem())
        if last.problems.num_rows or not any_rows:
            yield last

    def blocks(self, source: Source) -> Generator[Block, None, None]:
        """The records as they are cut, before they are checked."""
        return self._csv_blocks(source) if self._format.kind == "CSV" else self._txt_blocks(source)

    def _without_mark(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        skip = self._format.skip
        for piece in pieces:
            yield piece[skip:] if skip else piece
            skip -= min(skip, len(piece))

    def _txt_blocks(self, source: Source) -> Generator[Block, None, None]:
        splitter = TxtSplitter(self._format.line_end)
        for piece in self._without_mark(source.pieces(splitter.wanted)):
            yield from splitter.feed(piece)
        yield from splitter.finish()
        self.records = splitter.records
        self.layout = (splitter.first_layout or splitter.layout).name

    def _csv_blocks(self, source: Source) -> Generator[Block, None, None]:
        splitter = CsvSplitter(self._format.delimiter)
        for piece in self._without_mark(source.pieces(lambda: _CSV_PIECE)):
            yield from splitter.feed(piece)
        yield from splitter.finish()
        self.records = splitter.records
        self.unread_columns = splitter.unread
        self.exam_slots = splitter.exam_slots


def _detect_format(source: Source) -> DetectedFormat:
    head = next(source.pieces(lambda: HEAD + 1), b"")
    return detect_format(head[:HEAD], complete=len(head) <= HEAD)

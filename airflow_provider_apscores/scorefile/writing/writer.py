"""Tables to files: Parquet, CSV or JSON Lines, in constant memory, all published when the last row is written.

::

    <output>/students/<stem>.parquet        and so on for exam_scores, awards and problems
    <output>/rejected/<stem>.txt            lines that could not be read whole; only when there are any

The same score file gives the same names, so that writing it again replaces its files and adds nothing.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.reader import OnProblem, ScoreFile, check_on_problem, read_score_file
from airflow_provider_apscores.scorefile.spec.tables import TABLES, Table
from airflow_provider_apscores.scorefile.workers import Hand
from airflow_provider_apscores.scorefile.writing.formats import ENDINGS, Sink, check_formats, open_sink
from airflow_provider_apscores.storage import Folder, Part, Staging, folder

if TYPE_CHECKING:
    import pyarrow as pa

#: Batches that may wait to be written. A file that writes a row group keeps the thread for longer than a batch takes
#: to be made.
_WAITING = 2

Progress = Callable[[int, int], None]

#: Rows written before the size of a file is looked at again, when tables are split by it: a megabyte at most.
_ROWS_BETWEEN_LOOKS = 512


@dataclass(frozen=True, slots=True)
class WrittenTables:
    """What was written. Nothing in it is about a person.

    Attributes:
        sha256: Digest of the score file's bytes.
        bytes: How many those are.
        layout: "950", "910" or "csv".
        records: Student records in the file, those included that could not be read.
        di_codes: The campuses in it, sorted.
        rows: Rows by table.
        uris: Addresses by table and format; several where a table was split.
        rejected_uri: Address of the lines that could not be read whole, or None when there are none.
        rejected_lines: How many those are.
        problems: Rows of ``problems`` by kind.
        unknown_codes: Rows by raw field name and code, of codes that are not in the code tables.
        unread_columns: How many columns of a CSV file are in no table because their names were not understood.
        file_rows: Rows by address.
    """

    sha256: str
    bytes: int
    layout: str
    records: int
    di_codes: tuple[str, ...]
    rows: dict[str, int]
    uris: dict[str, dict[str, tuple[str, ...]]]
    rejected_uri: str | None = None
    rejected_lines: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    unknown_codes: dict[str, dict[str, int]] = field(default_factory=dict)
    unread_columns: int = 0
    file_rows: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same but for *file_rows* as plain JSON values, small enough to be handed between tasks."""
        return {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "layout": self.layout,
            "records": self.records,
            "di_codes": list(self.di_codes),
            "rows": dict(self.rows),
            "uris": {
                table: {name: list(uris) for name, uris in formats.items()} for table, formats in self.uris.items()
            },
            "rejected_uri": self.rejected_uri,
            "rejected_lines": self.rejected_lines,
            "problems": dict(self.problems),
            "unknown_codes": {name: dict(codes) for name, codes in self.unknown_codes.items()},
            "unread_columns": self.unread_columns,
        }


def write_tables(
    source: Any,
    output: Any,
    *,
    formats: Sequence[str] = ("parquet",),
    stem: str | None = None,
    on_problem: OnProblem = "quarantine",
    today: date | None = None,
    sha256: str | None = None,
    max_rows_per_file: int | None = None,
    max_bytes_per_file: int | None = None,
    progress: Progress | None = None,
) -> WrittenTables:
    """Read a score file and write its tables.

    Args:
        source: As for :func:`~.reader.read_score_file`.
        output: A folder: a local path, a URI, or a path object such as Airflow's ``ObjectStoragePath``.
        formats: One or more of ``parquet``, ``csv``, ``jsonl``.
        stem: Name of the files without their ending; ``<di_code>-<first 12 of sha256>`` when None.
        on_problem: ``quarantine`` or ``fail``; with ``fail`` nothing is published once there is an error.
        today: As for :func:`~.reader.read_score_file`.
        sha256: Likewise; nothing is published when the file's digest turns out to be another one.
        max_rows_per_file: Split tables: at most so many rows a file. The files are numbered.
        max_bytes_per_file: Split tables: begin a new file once one has so many bytes.
        progress: Called with the bytes read and the bytes in all.

    Raises:
        ScoreFileMalformed: Not a score file, or see *on_problem* and *sha256*.
        StorageUnavailable: The source can't be read, or somebody writes to it, or the output can't be written.
        ConfigurationError: An argument is wrong.
    """
    formats = tuple(dict.fromkeys([formats] if isinstance(formats, str) else formats))
    check_formats(formats)
    check_on_problem(on_problem)
    for limit in (max_rows_per_file, max_bytes_per_file):
        if limit is not None and limit < 1:
            raise ConfigurationError("A table can't be split into files of less than one row or byte.")
    if stem is not None and (not stem or "/" in stem or stem.startswith(".")):
        raise ConfigurationError("A stem is the beginning of a file name: not empty, no slash, no dot in front.")
    place = folder(output)
    with ExitStack() as stack:
        # Left in the opposite order: no thread is at work any more when its parts are thrown away.
        staging = stack.enter_context(Staging(place))
        hands = [stack.enter_context(Hand()) for _ in range(2)]
        # Digesting the file and importing this take about the same time and need different hands.
        imported = hands[0].submit(import_module, "pyarrow.parquet")
        file = stack.enter_context(read_score_file(source, today=today, sha256=sha256))
        imported.result()
        writing = _Writing(staging, hands, formats, stem, max_rows_per_file, max_bytes_per_file)
        for batch in stack.enter_context(closing(file.typed_batches(on_problem))):
            writing.write(batch, file)
            if progress is not None:
                progress(file.position, file.size)
        writing.finish()
        staging.publish()
    return writing.result(file, place)


class _Writing:
    """The files of one score file, as they grow.

    Batches are written by two threads while others are made: students cost about as much as all other tables.
    """

    def __init__(
        self,
        staging: Staging,
        hands: Sequence[Hand],
        formats: tuple[str, ...],
        stem: str | None,
        max_rows: int | None,
        max_bytes: int | None,
    ) -> None:
        self._staging = staging
        self._hands = hands
        self._going_on: deque[list[Future[None]]] = deque()
        self._formats = formats
        self._stem = stem
        self._limits = (max_rows, max_bytes)
        self._files: list[_TableFiles] = []
        self._rejected: Part | None = None
        self._rejected_lines = 0
        self._di_codes: set[str] = set()
        self._problems: Counter[str] = Counter()

    def write(self, batch: Batch, file: ScoreFile) -> None:
        self._begin(batch, file)
        self._wait_until(_WAITING)
        self._going_on.append(
            [
                self._hands[each.table.name != "students"].submit(each.write, batch.table(each.table.name))
                for each in self._files
            ]
        )
        for _, line in batch.rejected:
            if self._rejected is None:
                self._rejected = self._staging.open(self._rejected_name)
            self._rejected.write(line + b"\n")
            self._rejected_lines += 1
        self._di_codes.update(code for code in batch.students.column("di_code").unique().to_pylist() if code)
        self._problems.update(batch.problems.column("kind").to_pylist())

    def finish(self) -> None:
        self._wait_until(0)
        for each in self._files:
            each.close()

    def _wait_until(self, batches: int) -> None:
        while len(self._going_on) > batches:
            for each in self._going_on.popleft():
                each.result()

    @property
    def _rejected_name(self) -> str:
        return f"rejected/{self._stem}.txt"

    def result(self, file: ScoreFile, place: Folder) -> WrittenTables:
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for each in self._files:
            found.setdefault(each.table.name, {})[each.format] = tuple(place.uri(name) for name in each.file_rows)
            self._sweep(place.child(each.table.name), ENDINGS[each.format], found[each.table.name][each.format])
        rejected = None if self._rejected is None else place.uri(self._rejected_name)
        self._sweep(place.child("rejected"), "txt", (rejected,) if rejected else ())
        unknown: dict[str, dict[str, int]] = {}
        for (name, code), rows in file.unknown_codes.items():
            shown = code if code.isdigit() else "other"
            codes = unknown.setdefault(name, {})
            codes[shown] = codes.get(shown, 0) + rows
        return WrittenTables(
            sha256=file.sha256,
            bytes=file.size,
            layout=file.layout,
            records=file.records,
            di_codes=tuple(sorted(self._di_codes)),
            rows={each.table.name: each.rows for each in self._files},
            uris=found,
            rejected_uri=rejected,
            rejected_lines=self._rejected_lines,
            problems=dict(sorted(self._problems.items())),
            unknown_codes=unknown,
            unread_columns=len(file.unread_columns),
            file_rows={place.uri(name): rows for each in self._files for name, rows in each.file_rows.items()},
        )

    def _begin(self, batch: Batch, file: ScoreFile) -> None:
        if self._files:
            return
        if self._stem is None:
            codes = [code for code in batch.students.column("di_code").unique().to_pylist() if code]
            campus = codes[0] if len(codes) == 1 else "mixed" if codes else "unknown"
            self._stem = f"{campus}-{file.sha256[:12]}"
        for name in self._formats:
            for table in TABLES.values():
                self._files.append(_TableFiles(table, name, self._stem, self._limits, self._staging))

    def _sweep(self, place: Folder, ending: str, kept: tuple[str, ...]) -> None:
        """Remove what earlier runs, killed ones or ones with other limits, wrote of the same score file."""
        ours = re.compile(rf"{re.escape(self._stem or '')}(-part-[0-9]{{5}})?\.{ending}")
        names = {uri.rpartition("/")[2] for uri in kept}
        for name in place.names():
            if ours.fullmatch(name) and name not in names:
                place.remove(name)
        place.remove_stale_parts()


class _TableFiles:
    """The files of one table in one format: one, or several when it is split."""

    def __init__(
        self, table: Table, name: str, stem: str, limits: tuple[int | None, int | None], staging: Staging
    ) -> None:
        self.table = table
        self.format = name
        self.file_rows: dict[str, int] = {}
        self._stem = stem
        self._max_rows, self._max_bytes = limits
        self._staging = staging
        # Every table has a file, also when it has no rows.
        self._next_file()

    @property
    def rows(self) -> int:
        return sum(self.file_rows.values())

    def write(self, rows: pa.RecordBatch) -> None:
        while rows.num_rows:
            room = rows.num_rows if self._max_rows is None else self._max_rows - self.file_rows[self._name]
            if room <= 0 or (self._max_bytes is not None and self._bytes_in_file >= self._max_bytes):
                self.close()
                self._next_file()
                continue
            if self._max_bytes is not None:
                room = min(room, _ROWS_BETWEEN_LOOKS)
            fits, rows = rows.slice(0, room), rows.slice(room)
            self._sink.write(fits)
            self.file_rows[self._name] += fits.num_rows

    def close(self) -> None:
        self._sink.close()

    def _next_file(self) -> None:
        split = self._max_rows is not None or self._max_bytes is not None
        number = f"-part-{len(self.file_rows) + 1:05}" if split else ""
        self._name = f"{self.table.name}/{self._stem}{number}.{ENDINGS[self.format]}"
        self.file_rows[self._name] = 0
        self._bytes_in_file = 0
        self._part: Part = self._staging.open(self._name)
        self._sink: Sink = open_sink(self.format, self.table, self._append)

    def _append(self, data: bytes) -> None:
        self._part.write(data)
        self._bytes_in_file += len(data)

"""A score file to table files: Parquet, CSV or JSON Lines, in constant memory.

::

    <output>/students/<stem>.parquet        likewise exam_scores, awards, problems, deliveries
    <output>/students/di_code=4866/reporting_year=2026/<stem>.parquet        with partition_by
    <output>/rejected/<stem>.txt            lines that could not be read whole, if there are any

All files are published when the last row is written. The same score file gives the same names, so writing it again
replaces its files.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.columns.arrays import strings
from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.reader import OnProblem, ScoreFile, check_on_problem, read_score_file
from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES
from airflow_provider_apscores.scorefile.tables_folder import partition, read_partition_by
from airflow_provider_apscores.scorefile.workers import Worker
from airflow_provider_apscores.scorefile.writing.formats import read_formats
from airflow_provider_apscores.scorefile.writing.writer import TablesWriter
from airflow_provider_apscores.storage import Folder, Staging, folder, locate

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int], None]


class Tally(Protocol):
    """Counts rows while they are read."""

    def clear(self) -> None:
        """Count from zero: the file is read from its beginning."""

    def add(self, rows: pa.RecordBatch) -> None:
        """Count some more rows."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a manifest says about a score file. None where nothing is known.

    Attributes:
        di_code: The campus that the file was ordered for, four digits.
        download_id: College Board's number of the download.
        download_type: ``new`` or ``full``.
        file_name: The name that College Board gave the file.
        landed_at: When this content landed first, in UTC.
    """

    di_code: str | None = None
    download_id: str | None = None
    download_type: str | None = None
    file_name: str | None = None
    landed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WrittenTables:
    """What was written. It holds no personal data.

    Attributes:
        sha256: Digest of the score file's bytes.
        bytes: Their number.
        layout: "950", "910" or "csv".
        records: Student records in the file, including those that could not be read.
        di_codes: The campuses in it, sorted.
        rows: Rows by table.
        uris: Addresses by table and format.
        rejected_uri: Address of the lines that could not be read whole, or None if there are none.
        rejected_lines: Their number.
        problems: Rows of ``problems`` by kind.
        unknown_codes: Rows by raw field name and code, for codes that are not in the code tables.
        unread_columns: Columns of a CSV file that are in no table because their names are not known.
    """

    sha256: str
    bytes: int
    layout: str
    records: int
    di_codes: tuple[str, ...]
    rows: dict[str, int]
    uris: dict[str, dict[str, str]]
    rejected_uri: str | None
    rejected_lines: int
    problems: dict[str, int]
    unknown_codes: dict[str, dict[str, int]]
    unread_columns: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values, small enough for an XCom."""
        return asdict(self) | {"di_codes": list(self.di_codes)}


@dataclass(slots=True)
class _Found:
    """What was in the batches so far."""

    di_codes: set[str] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    report_dates: set[date] = field(default_factory=set)

    def add(self, batch: Batch) -> None:
        self.di_codes.update(_di_codes(batch))
        self.problems.update(batch.problems.column("kind").to_pylist())
        self.report_dates.update(day for day in batch.students.column("report_date").unique().to_pylist() if day)


def write_tables(
    source: Any,
    output: Any,
    *,
    formats: str | Sequence[str] = ("parquet",),
    stem: str | None = None,
    on_problem: OnProblem = "quarantine",
    today: date | None = None,
    sha256: str | None = None,
    escape_formulas: bool = False,
    partition_by: str | Sequence[str] = (),
    origin: Origin | None = None,
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> WrittenTables:
    """Read a score file and write its tables.

    Args:
        source: As for :func:`~.reader.read_score_file`.
        output: A folder: a local path, a URI, or a path object such as Airflow's ``ObjectStoragePath``.
        formats: One or more of ``parquet``, ``csv``, ``jsonl``.
        stem: Name of the files without their ending; ``<di_code>-<first 12 of sha256>`` if None.
        on_problem: ``quarantine`` or ``fail``; with ``fail`` nothing is published if there is an error.
        today: As for :func:`~.reader.read_score_file`.
        sha256: Likewise; nothing is published if the file has another digest.
        escape_formulas: In CSV, put an apostrophe before text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a
            carriage return. Spreadsheets run such text as a formula. The default leaves text as it is, since
            databases and data frames would load the apostrophe as part of the value.
        partition_by: ``di_code``, ``reporting_year`` or both: the folders of a table in which its files are, such as
            ``students/di_code=4866/reporting_year=2026/``. A reporting year begins on 1 July and has the number of that
            year; a file belongs to that of its latest report. Keep it the same for one *output*.
        origin: What is known about the file, for the table ``deliveries``. Without a moment of landing, that of the
            source's last change stands in. A moment that an earlier run wrote, and that is earlier, is kept.
        progress: Called with the bytes read and the bytes in all.
        tally: Counts the rows of ``exam_scores`` without a second read.

    Raises:
        ScoreFileMalformed: Not a score file, or see *on_problem* and *sha256*.
        StorageUnavailable: The source can't be read or changes meanwhile, or the output can't be written.
        ConfigurationError: An argument is wrong; or the file has several campuses and *partition_by* has ``di_code``.
    """
    formats = read_formats(formats)
    partition_by = read_partition_by(partition_by)
    check_on_problem(on_problem)
    if stem is not None and (not stem or "/" in stem or stem.startswith(".")):
        raise ConfigurationError("A stem is the beginning of a file name: not empty, no slash, no dot in front.")
    place = folder(output)
    with Worker() as worker:
        # Digesting the file and importing pyarrow take about the same time.
        imported = worker.submit(import_module, "pyarrow.parquet")
        file = read_score_file(source, today=today, sha256=sha256)
        imported.result()
    with file:
        # Nearly all files have the month first in their report dates. What was written of another one is discarded.
        for day_first in [file.day_first] if on_problem == "fail" else [False, True]:
            with ExitStack() as stack:
                # Closed in the opposite order: all threads have ended when the parts are discarded.
                staging = stack.enter_context(Staging(place))
                workers = [stack.enter_context(Worker()) for _ in range(2)]
                batches = stack.enter_context(closing(file.typed_batches(on_problem, day_first=day_first)))
                first = next(batches)
                stem = stem or _stem(first, file.sha256)
                writer = TablesWriter(staging, workers, formats, stem, escape_formulas)
                found = _Found()
                if tally is not None:
                    tally.clear()
                for batch in chain([first], batches):
                    writer.write(batch)
                    found.add(batch)
                    if tally is not None:
                        tally.add(batch.exam_scores)
                    if progress is not None:
                        progress(file.position, file.size)
                writer.finish()
                if file.day_first == day_first:
                    writer.partition = partition(partition_by, found.di_codes, found.report_dates)
                    landed_at = _landed_at(origin, source, place.child(writer.final(DELIVERIES.name)), stem)
                    writer.add_delivery(_delivery(file, origin or Origin(), landed_at, found.report_dates))
                    staging.publish(writer.final)
                    break
    for name in {*writer.names, *map(writer.final, writer.names), "rejected"}:
        place.child(name).remove_stale_parts()
    if not writer.rejected_lines and place.size(writer.rejected_name) is not None:
        place.remove(writer.rejected_name)  # an earlier version of the reader wrote it
    return WrittenTables(
        sha256=file.sha256,
        bytes=file.size,
        layout=file.layout,
        records=file.records,
        di_codes=tuple(sorted(found.di_codes)),
        rows=writer.rows,
        uris={
            table: {each: place.uri(writer.final(name)) for each, name in names.items()}
            for table, names in writer.names.items()
        },
        rejected_uri=place.uri(writer.rejected_name) if writer.rejected_lines else None,
        rejected_lines=writer.rejected_lines,
        problems=dict(sorted(found.problems.items())),
        unknown_codes=_unknown_codes(file),
        unread_columns=len(file.unread_columns),
    )


def _delivery(file: ScoreFile, origin: Origin, landed_at: datetime | None, report_dates: set[date]) -> pa.RecordBatch:
    import pyarrow as pa

    from airflow_provider_apscores import __version__

    row = {
        "file_sha256": file.sha256,
        "di_code": origin.di_code,
        "download_id": origin.download_id,
        "download_type": origin.download_type,
        "file_format": file.kind,
        "file_name": origin.file_name,
        "landed_at": landed_at,
        "reported_from": min(report_dates, default=None),
        "reported_to": max(report_dates, default=None),
        "records": file.records,
        "exam_slots": file.exam_slots,
        "parser_version": __version__,
    }
    schema = DELIVERIES.schema()
    # As text, since pyarrow imports pandas when it is given other Python values.
    texts = [None if row[name] is None else str(row[name]) for name in schema.names]
    columns = [strings([text]).cast(kind) for text, kind in zip(texts, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _landed_at(origin: Origin | None, source: Any, deliveries: Folder, stem: str) -> datetime | None:
    """The earliest known moment; never the present one, or an old file that is parsed again would become the newest."""
    moments = [] if origin is None or origin.landed_at is None else [origin.landed_at]
    if not moments and (isinstance(source, str | os.PathLike) or hasattr(source, "fs")):
        place, name = locate(source)
        moments.append(place.modified(name))
    moments += _stored_landed_at(deliveries, stem)
    return min(moments, default=None)


def _stored_landed_at(place: Folder, stem: str) -> list[datetime]:
    found: list[datetime] = []
    for name in ("parquet", "csv", "jsonl"):
        data = place.read(f"{stem}.{name}")
        if data is None:
            continue
        if name == "parquet":
            import io

            import pyarrow.parquet as pq

            found += [each for each in pq.read_table(io.BytesIO(data))["landed_at"].to_pylist() if each]
        elif moment := re.search(rb"\d{4}-\d\d-\d\d[ T][\d:.]+Z", data):  # the only one in its row
            found.append(datetime.fromisoformat(moment[0].decode()))
    return found


def _di_codes(batch: Batch) -> list[str]:
    return [code for code in batch.students.column("di_code").unique().to_pylist() if code]


def _stem(first: Batch, sha256: str) -> str:
    codes = _di_codes(first)
    campus = codes[0] if len(codes) == 1 else "mixed" if codes else "unknown"
    return f"{campus}-{sha256[:12]}"


def _unknown_codes(file: ScoreFile) -> dict[str, dict[str, int]]:
    """Rows by field and code. A code that is not a number may be a part of a name, and is not shown."""
    found: dict[str, Counter[str]] = {}
    for (name, code), rows in file.unknown_codes.items():
        found.setdefault(name, Counter())[code if code.isdigit() else "other"] += rows
    return {name: dict(codes) for name, codes in found.items()}

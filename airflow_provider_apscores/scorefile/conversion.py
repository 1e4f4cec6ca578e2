"""A score file to table files: Parquet, CSV or JSON Lines, in constant memory.

::

    <output>/students/<stem>.parquet        likewise exam_scores, awards and problems
    <output>/rejected/<stem>.txt            lines that could not be read whole, if there are any

All files are published when the last row is written. The same score file gives the same names, so writing it again
replaces its files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from itertools import chain
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.reader import OnProblem, ScoreFile, check_on_problem, read_score_file
from airflow_provider_apscores.scorefile.workers import Worker
from airflow_provider_apscores.scorefile.writing.formats import check_formats
from airflow_provider_apscores.scorefile.writing.writer import TablesWriter
from airflow_provider_apscores.storage import Staging, folder

Progress = Callable[[int, int], None]


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


def write_tables(
    source: Any,
    output: Any,
    *,
    formats: Sequence[str] = ("parquet",),
    stem: str | None = None,
    on_problem: OnProblem = "quarantine",
    today: date | None = None,
    sha256: str | None = None,
    escape_formulas: bool = False,
    progress: Progress | None = None,
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
        progress: Called with the bytes read and the bytes in all.

    Raises:
        ScoreFileMalformed: Not a score file, or see *on_problem* and *sha256*.
        StorageUnavailable: The source can't be read or changes meanwhile, or the output can't be written.
        ConfigurationError: An argument is wrong.
    """
    formats = tuple(dict.fromkeys([formats] if isinstance(formats, str) else formats))
    check_formats(formats)
    check_on_problem(on_problem)
    if stem is not None and (not stem or "/" in stem or stem.startswith(".")):
        raise ConfigurationError("A stem is the beginning of a file name: not empty, no slash, no dot in front.")
    di_codes: set[str] = set()
    problems: Counter[str] = Counter()
    place = folder(output)
    with ExitStack() as stack:
        # Closed in the opposite order: all threads have ended when the parts are discarded.
        staging = stack.enter_context(Staging(place))
        workers = [stack.enter_context(Worker()) for _ in range(2)]
        # Digesting the file and importing pyarrow take about the same time.
        imported = workers[0].submit(import_module, "pyarrow.parquet")
        file = stack.enter_context(read_score_file(source, today=today, sha256=sha256))
        imported.result()
        batches = stack.enter_context(closing(file.typed_batches(on_problem)))
        first = next(batches)
        writer = TablesWriter(staging, workers, formats, stem or _stem(first, file.sha256), escape_formulas)
        for batch in chain([first], batches):
            writer.write(batch)
            di_codes.update(_di_codes(batch))
            problems.update(batch.problems.column("kind").to_pylist())
            if progress is not None:
                progress(file.position, file.size)
        writer.finish()
        staging.publish()
    for name in (*writer.names, "rejected"):
        place.child(name).remove_stale_parts()
    if not writer.rejected_lines and place.size(writer.rejected_name) is not None:
        place.remove(writer.rejected_name)  # an earlier version of the reader wrote it
    return WrittenTables(
        sha256=file.sha256,
        bytes=file.size,
        layout=file.layout,
        records=file.records,
        di_codes=tuple(sorted(di_codes)),
        rows=writer.rows,
        uris={table: {each: place.uri(name) for each, name in names.items()} for table, names in writer.names.items()},
        rejected_uri=place.uri(writer.rejected_name) if writer.rejected_lines else None,
        rejected_lines=writer.rejected_lines,
        problems=dict(sorted(problems.items())),
        unknown_codes=_unknown_codes(file),
        unread_columns=len(file.unread_columns),
    )


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

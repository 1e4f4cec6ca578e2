"""The Parquet files in a folder of tables: where they are, and which rows of them count.

::

    <tables>/students/4866-0123456789ab.parquet                                    one score file
    <tables>/students/di_code=4866/reporting_year=2026/4866-0123456789ab.parquet   the same, in partitions
    <tables>/students/compacted-20261201T061500000000Z-01234567.parquet            many score files

A compacted file may hold rows of a score file that has a file of its own as well: compaction was interrupted, or the
score file was parsed again since. The file of its own counts then, and of compacted files the newest.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError, StorageUnavailable
from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES, TABLES, Table
from airflow_provider_apscores.storage import Folder, StoredFile

if TYPE_CHECKING:
    import pyarrow as pa

#: What tables can be partitioned by.
PARTITIONS = ("di_code", "reporting_year")

#: The value of a partition that has none, as Hive writes it. DuckDB, pyarrow, Polars and Spark read it as null.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

#: Bytes of small files that are read at once. Larger files are read by themselves, piece by piece.
_READ_AT_ONCE = 32 << 20

_COMPACTED = re.compile(r"compacted-\d{8}T\d{12}Z-[0-9a-f]{8}\.parquet")

#: A file of one score file ends with the beginning of its digest, unless it was written under a stem of the caller.
_OWN = re.compile(r".*-([0-9a-f]{12})\.\w+")

#: Characters of a digest in a file name.
_DIGEST = 12


def read_partition_by(partition_by: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns to partition by; a text is one column.

    Raises:
        ConfigurationError: One is not in :data:`PARTITIONS`, or is there twice.
    """
    names = (partition_by,) if isinstance(partition_by, str) else tuple(partition_by)
    if not set(names) <= set(PARTITIONS) or len(set(names)) < len(names):
        raise ConfigurationError(f"partition_by takes {' and '.join(PARTITIONS)}, each once; not {', '.join(names)}.")
    return names


def partition(partition_by: Sequence[str], di_codes: Iterable[str], report_dates: Iterable[date]) -> str:
    """Return the folders for the files of one score file, such as ``di_code=4866/reporting_year=2026``.

    A file is in the partition of its latest report, with all its rows.

    Args:
        partition_by: What :func:`read_partition_by` returned.
        di_codes: The campuses in the file.
        report_dates: The report dates in it.

    Raises:
        ConfigurationError: It has records of several campuses and *partition_by* has ``di_code``.
    """
    codes, latest = sorted(di_codes), max(report_dates, default=None)
    if len(codes) > 1 and "di_code" in partition_by:
        raise ConfigurationError(
            f"The file has records of several campuses ({', '.join(codes)}), so it is in no partition of one. Leave "
            "di_code out of partition_by."
        )
    values = {"di_code": codes[0] if codes else None, "reporting_year": reporting_year(latest) if latest else None}
    return "/".join(f"{name}={values[name] or _NO_VALUE}" for name in partition_by)


def reporting_year(day: date) -> int:
    """The year in which the reporting year of *day* began: on 1 July, as College Board says that it usually does."""
    return day.year if day.month >= 7 else day.year - 1


def check_tables(tables: Folder) -> None:
    """Check that this is a folder of tables: a wrong folder, or a disk that is not mounted, has no tables either.

    Raises:
        ConfigurationError: It holds other files or folders, but no table.
        StorageUnavailable: It does not exist, or can't be read.
    """
    names = [name for name in tables.listed(missing_ok=False) if not name.startswith(".")]
    if names and not {*TABLES, DELIVERIES.name}.intersection(names):
        raise ConfigurationError(
            f"{tables.uri()} holds other files or folders ({len(names)}), but no table. Is it the folder that the "
            "parse tasks write to?"
        )


def table_files(tables: Folder, table: str) -> list[StoredFile]:
    """The Parquet files of one table with names from *tables*, from one listing, in the order in which they count."""
    files = [
        StoredFile(f"{table}/{each.name}", each.size, each.modified)
        for each in tables.child(table).tree()
        if each.name.endswith(".parquet") and not _last(each.name).startswith(".")
    ]
    compacted = [each for each in files if is_compacted(each.name)]
    return [each for each in files if each not in compacted] + sorted(compacted, key=_name, reverse=True)


def is_compacted(name: str) -> bool:
    """Whether a file holds the rows of many score files."""
    return _COMPACTED.fullmatch(_last(name)) is not None


def compacted_name() -> str:
    """A new name for a compacted file. Later ones sort behind earlier ones, and no two processes make the same."""
    return f"compacted-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}.parquet"


def own_digest(name: str) -> str | None:
    """The beginning of the digest of the score file that a file was made of, or None."""
    match = _OWN.fullmatch(_last(name))
    return match[1] if match else None


def read_rows(
    tables: Folder, table: Table, files: Iterable[StoredFile], *, without: Iterable[str] = ()
) -> Iterator[pa.Table]:
    """The rows that count, in pieces: each score file once.

    Of ``deliveries``, all rows are handed out, since they may hold different moments of landing; see
    :func:`one_row_per_file`.

    Args:
        tables: The folder.
        table: The table.
        files: Files of :func:`table_files`, in its order.
        without: Beginnings of digests, of :data:`_DIGEST` characters, of score files to leave out.

    Raises:
        ConfigurationError: A file lacks a column.
        StorageUnavailable: A file is gone or can't be read.
    """
    import pyarrow.parquet as pq

    seen = set(without)
    coded = [column.name for column in table.columns if column.repeats]
    for file, content in _opened(tables, files):
        own = own_digest(file.name)
        found = {own} if own else set()
        with pq.ParquetFile(content, read_dictionary=coded) as parquet:
            if not parquet.num_row_groups:
                yield conform(parquet.schema_arrow.empty_table(), table)
            for number in range(parquet.num_row_groups):
                rows = parquet.read_row_group(number)
                digests = _digests(rows)
                found |= digests
                yield conform(_without(rows, seen) if seen & digests else rows, table)
        if table is not DELIVERIES:
            seen |= found


def conform(rows: pa.Table, table: Table) -> pa.Table:
    """The columns of *table* in their order and types, dictionary-encoded where words repeat.

    Raises:
        ConfigurationError: *rows* lacks a column.
    """
    missing = [column.name for column in table.columns if column.name not in rows.column_names]
    if missing:
        raise ConfigurationError(
            f"The table {table.name} lacks {', '.join(missing)}. Parse the score files again with this version."
        )
    rows = rows.select([column.name for column in table.columns])
    for index, column in enumerate(table.columns):
        if column.repeats and str(rows.schema.field(index).type) == "string":
            rows = rows.set_column(index, column.name, rows.column(index).dictionary_encode())
    return rows.cast(table.schema(encoded=True))


def digests_in(tables: Folder, name: str) -> set[str]:
    """The beginnings of the digests of the score files in a table file."""
    import pyarrow.parquet as pq

    with tables.open(name) as content:
        return _digests(pq.read_table(content, columns=["file_sha256"], read_dictionary=["file_sha256"]))


def one_row_per_file(deliveries: pa.Table) -> pa.Table:
    """The first row of each score file, sorted by digest, with the earliest moment of landing in any row of it."""
    import pyarrow as pa

    kept: dict[str, dict[str, Any]] = {}
    for row in deliveries.to_pylist():
        first = kept.setdefault(row["file_sha256"], row)
        first["landed_at"] = min((each["landed_at"] for each in (first, row) if each["landed_at"]), default=None)
    return pa.Table.from_pylist([kept[digest] for digest in sorted(kept)], deliveries.schema)


def _opened(tables: Folder, files: Iterable[StoredFile]) -> Iterator[tuple[StoredFile, IO[bytes]]]:
    """Each file, open. Small ones are read several at once."""
    waiting: list[StoredFile] = []
    for file in [*files, None]:
        if file is None or sum(each.size for each in (*waiting, file)) > _READ_AT_ONCE:
            names = [each.name for each in waiting]
            for small, (name, data) in zip(waiting, tables.read_many(names), strict=True):
                if data is None:
                    raise StorageUnavailable(
                        f"{tables.uri(name)} is gone since the folder was listed; perhaps it was compacted meanwhile. "
                        "Try again."
                    )
                yield small, io.BytesIO(data)
            waiting = []
        if file is not None and file.size > _READ_AT_ONCE:
            with tables.open(file.name) as content:
                yield file, content
        elif file is not None:
            waiting.append(file)


def _digests(rows: pa.Table) -> set[str]:
    if "file_sha256" not in rows.column_names:
        return set()
    return {each[:_DIGEST] for each in rows["file_sha256"].unique().to_pylist()}


def _without(rows: pa.Table, digests: set[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    begins = pc.utf8_slice_codeunits(rows["file_sha256"].cast(pa.string()), 0, _DIGEST)
    kept = rows.filter(pc.invert(pc.is_in(begins, value_set=pa.array(sorted(digests)))))
    # Dictionaries would keep the words of the other rows.
    plain = [pa.field(each.name, pa.string()) if pa.types.is_dictionary(each.type) else each for each in kept.schema]
    return kept.cast(pa.schema(plain))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _name(file: StoredFile) -> str:
    return _last(file.name)

"""Compaction: the Parquet files of many score files become one in each folder.

A killed compaction loses nothing. It publishes the new file before it deletes those that it was made of, and until then
:func:`~.tables_folder.read_rows` counts each score file once. The next run deletes what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES, TABLES, Table
from airflow_provider_apscores.scorefile.tables_folder import (
    check_tables,
    compacted_name,
    digests_in,
    is_compacted,
    one_row_per_file,
    read_rows,
    table_files,
)
from airflow_provider_apscores.scorefile.writing.formats import open_encoder
from airflow_provider_apscores.storage import Folder, StoredFile, folder

#: Days for which files are left as they are, so that the tasks of recent runs find what parse returned.
OLDER_THAN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did. It holds no personal data.

    Attributes:
        written: URIs of the new files.
        replaced: URIs of the files that they replace.
    """

    written: tuple[str, ...]
    replaced: tuple[str, ...]


def compact_tables(tables: Any, *, older_than: timedelta = OLDER_THAN) -> Compaction:
    """Merge the Parquet files of each table into one: one in each partition, or one in all.

    Rows keep their order within a score file. CSV and JSON Lines files and rejected lines stay as they are.

    Args:
        tables: The folder that the parse step writes to: a local path, a URI or a path object.
        older_than: Files that were written since are left as they are.

    Raises:
        ConfigurationError: The folder holds other files, but no table.
        StorageUnavailable: The folder does not exist, or can't be used now. Nothing was lost: run it again.
    """
    place = folder(tables)
    check_tables(place)
    limit = datetime.now(UTC) - older_than
    written, replaced = [], []
    for table in (*TABLES.values(), DELIVERIES):
        old: dict[str, list[StoredFile]] = {}
        for file in table_files(place, table.name):
            if file.modified < limit or is_compacted(file.name):
                old.setdefault(file.name.rpartition("/")[0], []).append(file)
        for name, files in old.items():
            place.child(name).remove_stale_parts()
            if len(files) > 1:
                written.append(_write(place, table, name, files))
                replaced += _removed(place, table, files)
    return Compaction(tuple(written), tuple(replaced))


def drop_score_files(tables: Folder, digests: Iterable[str], *, dry_run: bool = False) -> list[str]:
    """Write the compacted files that hold rows of certain score files anew, without these rows.

    Args:
        tables: The folder.
        digests: SHA-256 of the score files.
        dry_run: Only say which files.

    Returns:
        URIs of the files that were replaced.
    """
    gone = {digest[:12] for digest in digests}
    replaced = []
    for table in (*TABLES.values(), DELIVERIES) if gone else ():
        for file in table_files(tables, table.name):
            if is_compacted(file.name) and gone & digests_in(tables, file.name):
                replaced.append(tables.uri(file.name))
                if not dry_run:
                    _write(tables, table, file.name.rpartition("/")[0], [file], without=gone)
                    tables.remove(file.name)
    return replaced


def _write(place: Folder, table: Table, name: str, files: list[StoredFile], without: Iterable[str] = ()) -> str:
    """Write one compacted file into the folder *name*, and return its URI."""
    part = place.open_part(f"{name}/{compacted_name()}")
    try:
        encoder = open_encoder("parquet", table, part.write, escape_formulas=False)
        pieces = read_rows(place, table, files, without=without)
        if table is DELIVERIES:
            import pyarrow as pa

            pieces = iter([one_row_per_file(pa.concat_tables(pieces))])
        for rows in pieces:
            for batch in rows.to_batches():
                encoder.write(batch)
        encoder.close()
        return part.publish()
    finally:
        part.discard()


def _removed(place: Folder, table: Table, files: list[StoredFile]) -> list[str]:
    """Delete files that are in a compacted one, except those that were written again meanwhile."""
    unchanged = set(table_files(place, table.name)) & set(files)
    place.remove_many(sorted(file.name for file in unchanged))
    return [place.uri(file.name) for file in files if file in unchanged]

"""The parsed tables of many score files as one table each, every file once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import (
    DELIVERIES,
    TABLES,
    Table,
    conform,
    one_row_per_file,
    read_rows,
    table_files,
)
from airflow_provider_apscores.storage import folder

if TYPE_CHECKING:
    import pyarrow as pa

#: What a source is: a folder of parsed tables (path, URI or path object), or Arrow tables by name.
Source = Any

#: Every table of facts by name, in the order in which one file is loaded.
FACTS: dict[str, Table] = {DELIVERIES.name: DELIVERIES, **TABLES}


def collect(sources: Iterable[Source], *, di_code: str | None, since: datetime | None) -> dict[str, pa.Table]:
    """All rows of *sources* by table.

    A file that is in several sources counts once, with its earliest landing.

    Args:
        sources: Folders of parsed tables, or mappings of Arrow tables by name.
        di_code: One campus only: that of the rows. None for all.
        since: Only files that landed at this moment or later. None for all.

    Raises:
        ConfigurationError: The sources have no tables, a table lacks columns, or it holds rows of a file that
            ``deliveries`` does not have.
        StorageUnavailable: A folder can't be read.
    """
    import pyarrow as pa

    found: dict[str, list[pa.Table]] = {name: [] for name in FACTS}
    known: dict[str, set[str]] = {name: set() for name in TABLES}
    sources = list(sources)
    for source in sources:
        for name, table in FACTS.items():
            rows = _rows(source, table)
            if rows is not None:
                found[name].append(_new_files(rows, known[name]) if name in known else rows)
    if sources and not any(found.values()):
        raise ConfigurationError(
            "The source has no Parquet tables. Give the folder that APScoresParseOperator writes to as output, with "
            "parquet among its formats."
        )
    facts = {name: pa.concat_tables([_empty(FACTS[name]), *pieces]) for name, pieces in found.items()}
    facts = {name: rows.unify_dictionaries() for name, rows in facts.items()}
    facts["deliveries"] = _landed_since(one_row_per_file(facts["deliveries"]), since)
    return _selected(facts, known, di_code, since)


def _rows(source: Source, table: Table) -> pa.Table | None:
    """The rows of one table in a source, each score file once; None if the source does not have the table."""
    import pyarrow as pa

    if isinstance(source, Mapping):
        return conform(source[table.name], table) if table.name in source else None
    place = folder(source)
    files = table_files(place, table.name)
    return pa.concat_tables(read_rows(place, table, files)) if files else None


def _empty(table: Table) -> pa.Table:
    return table.schema(encoded=True).empty_table()


def _new_files(rows: pa.Table, known: set[str]) -> pa.Table:
    """*rows* without those of files in *known*, to which the others are added."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digests = set(rows["file_sha256"].unique().to_pylist())
    if repeated := digests & known:
        is_repeated = pc.is_in(rows["file_sha256"].cast(pa.string()), value_set=pa.array(sorted(repeated)))
        rows = rows.filter(pc.invert(is_repeated))
    known |= digests
    return rows


def _landed_since(deliveries: pa.Table, since: datetime | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if since is None:
        return deliveries
    return deliveries.filter(pc.greater_equal(deliveries["landed_at"], pa.scalar(since, pa.timestamp("us", "UTC"))))


def _selected(
    facts: dict[str, pa.Table], known: dict[str, set[str]], di_code: str | None, since: datetime | None
) -> dict[str, pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    files = facts["deliveries"]["file_sha256"].combine_chunks()
    lost = set().union(*known.values()) - set(files.to_pylist())
    if lost and since is None:
        raise ConfigurationError(
            f"{len(lost)} files have rows but are not in the table deliveries. Parse them again with this version."
        )
    for name, table in TABLES.items():
        rows = facts[name]
        if lost:
            rows = rows.filter(pc.is_in(rows["file_sha256"].cast(pa.string()), value_set=files))
        if di_code is not None and "di_code" in table.schema().names:
            rows = rows.filter(pc.equal(rows["di_code"].cast(pa.string()), di_code))
        facts[name] = rows
    return facts

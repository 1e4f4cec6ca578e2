"""The parsed tables of many score files as one table each, every file once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import DELIVERIES, TABLES, Table
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
            for piece in _pieces(source, table):
                rows = _checked(piece, table)
                if name in known:
                    rows = _new_files(rows, known[name])
                found[name].append(rows)
    if sources and not any(found.values()):
        raise ConfigurationError(
            "The source has no Parquet tables. Give the folder that APScoresParseOperator writes to as output, with "
            "parquet among its formats."
        )
    facts = {name: pa.concat_tables([_empty(FACTS[name]), *pieces]) for name, pieces in found.items()}
    facts = {name: rows.unify_dictionaries() for name, rows in facts.items()}
    facts["deliveries"] = _earliest(facts["deliveries"], since)
    return _selected(facts, known, di_code, since)


def _pieces(source: Source, table: Table) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    if isinstance(source, Mapping):
        if table.name in source:
            yield source[table.name]
        return
    place = folder(source).child(table.name)
    coded = [column.name for column in table.columns if column.repeats]
    for name in place.names():
        if name.endswith(".parquet"):
            with place.open(name) as file:
                yield pq.read_table(file, read_dictionary=coded)


def _checked(rows: pa.Table, table: Table) -> pa.Table:
    missing = [column.name for column in table.columns if column.name not in rows.column_names]
    if missing:
        raise ConfigurationError(
            f"The table {table.name} lacks {', '.join(missing)}. Parse the score files again with this version."
        )
    return encoded(rows, table)


def encoded(rows: pa.Table, table: Table) -> pa.Table:
    """The columns of *table* in their order and types, dictionary-encoded where words repeat."""
    rows = rows.select([column.name for column in table.columns])
    for index, column in enumerate(table.columns):
        if column.repeats and str(rows.schema.field(index).type) == "string":
            rows = rows.set_column(index, column.name, rows.column(index).dictionary_encode())
    return rows.cast(table.schema(encoded=True))


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


def _earliest(deliveries: pa.Table, since: datetime | None) -> pa.Table:
    """One row a file, that of its earliest landing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ordered = deliveries.sort_by([("file_sha256", "ascending"), ("landed_at", "ascending")])
    digests = ordered["file_sha256"].combine_chunks()
    if len(digests) > 1:
        first = pa.concat_arrays([pa.array([True]), pc.not_equal(digests[1:], digests[:-1])])
        ordered = ordered.filter(first)
    if since is not None:
        ordered = ordered.filter(pc.greater_equal(ordered["landed_at"], pa.scalar(since, pa.timestamp("us", "UTC"))))
    return ordered


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

"""Load tables into a database, in one transaction: the rows of a score file, or of a campus in the credit table,
replace those of an earlier load.

Rows go in through ADBC, batch by batch, so that memory stays flat. No message holds a word of the database's own: those
quote rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError, DatabaseUnavailable, LoadRefused
from airflow_provider_apscores.scorefile import Table
from airflow_provider_apscores.scores.credit.policy import CREDIT
from airflow_provider_apscores.scores.facts import FACTS
from airflow_provider_apscores.scores.sql import Sql, sql_for
from airflow_provider_apscores.storage import locate

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

#: SQLSTATE classes and codes that a retry may get past: connection, rollback, resources, an operator's intervention,
#: a lock that is not available; and, for the row that claims a file, a load of the same file at the same time.
_TRANSIENT = ("08", "40", "53", "57", "55P03")
_CLAIMED = "23505"

#: What to do about the refusals of PostgreSQL that its documentation explains.
_ADVICE = {
    "22001": "A column is too narrow: widen it as in the statements of sql_for.",
    "3F000": "The schema does not exist: create it.",
    "42501": "The account lacks a right: grant it, or let an owner run the statements of sql_for and set create=False.",
    "42P01": "The table does not exist: set create=True, or run the statements of sql_for.",
}
_OTHER_ADVICE = (
    "Compare the table with the statements of sql_for: a column may be missing or too narrow, or the account may lack "
    "a right."
)

_ONE_AT_A_TIME = "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('airflow-provider-apscores')); END $$"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    Attributes:
        inserted: Rows by table.
        deleted: Rows of an earlier load of the same file, by table.
    """

    inserted: dict[str, int]
    deleted: dict[str, int]


def load_tables(
    connection: Any,
    files: Mapping[str, Any],
    *,
    dialect: str,
    schema: str | None = None,
    prefix: str = "ap_",
    create: bool = False,
) -> Loaded:
    """Load the tables of one score file.

    Args:
        connection: An open ADBC connection (``adbc_driver_manager.dbapi``) that does not commit by itself.
        files: By table, the Parquet file that the parse step wrote: a path, a URI or a path object.
        dialect: ``postgres``, ``duckdb`` or ``sqlite``.
        schema: As for :func:`~airflow_provider_apscores.scores.sql_for`.
        prefix: Likewise.
        create: Make the tables, indexes and views first where they are missing.

    Raises:
        ConfigurationError: An argument is wrong, or the tables are not of one score file.
        LoadRefused: The database refused: a table or column is missing, a value does not fit. Nothing was changed.
        DatabaseUnavailable: It can't be reached now, or another task loads the same file. Nothing was changed.
        StorageUnavailable: A file can't be read now.
    """
    missing = [table for table in FACTS if not files.get(table)]
    if missing:
        raise ConfigurationError(f"There is no Parquet file of {', '.join(missing)}. Parse with formats=('parquet',).")
    load = _Load(connection, sql_for(dialect, schema=schema, prefix=prefix), schema, prefix)
    return _transaction(load, create, lambda: load.run(files))


def load_credit(
    connection: Any,
    file: Any,
    *,
    dialect: str,
    schema: str | None = None,
    prefix: str = "ap_",
    create: bool = False,
) -> Loaded:
    """Load a result of :func:`~airflow_provider_apscores.scores.credit.award_credit`.

    Its rows replace all rows of its campuses, so that the table has what a score is worth now.

    Args:
        connection: As for :func:`load_tables`.
        file: ``credit.parquet``: a path, a URI or a path object.
        dialect: As for :func:`load_tables`.
        schema: Likewise.
        prefix: Likewise.
        create: Likewise.

    Raises:
        ConfigurationError: An argument is wrong, or the file is another table.
        LoadRefused: The database refused: a table or column is missing, a value does not fit. Nothing was changed.
        DatabaseUnavailable: It can't be reached now. Nothing was changed.
        StorageUnavailable: The file can't be read now.
    """
    load = _Load(connection, sql_for(dialect, schema=schema, prefix=prefix), schema, prefix)
    return _transaction(load, create, lambda: load.replace_campuses(file))


def _transaction(load: _Load, create: bool, action: Callable[[], Loaded]) -> Loaded:
    try:
        if create:
            load.create()
        loaded = action()
        load.commit()
    except BaseException:
        load.roll_back()
        raise
    return loaded


class _Load:
    def __init__(self, connection: Any, sql: Sql, schema: str | None, prefix: str) -> None:
        self._connection = connection
        self._sql = sql
        self._schema = schema
        self._prefix = prefix

    def create(self) -> None:
        if self._sql.dialect == "postgres":
            # Transactions that make indexes and then write lock each other out: one after the other.
            with _errors("create"):
                self._execute(_ONE_AT_A_TIME).close()
        for statement in (*self._sql.tables.values(), *self._sql.indexes, *self._sql.views.values()):
            with _errors("create", claim=True):
                self._execute(statement).close()

    def run(self, files: Mapping[str, Any]) -> Loaded:
        targets = {name: self._target_columns(table) for name, table in FACTS.items()}
        (delivery,) = _rows(files["deliveries"])
        digest = delivery["file_sha256"]
        first_landed = self._landed_before(digest)
        deleted, inserted = {}, {}
        # The row of deliveries comes first: its key makes a second load of the same file wait, and then fail.
        for name, table in FACTS.items():
            deleted[name] = self._delete(name, digest)
            rows = _Rows(table, files[name], digest, targets[name])
            if name == "deliveries" and first_landed is not None:
                rows.earliest = first_landed
            with _errors(self._prefix + name, claim=name == "deliveries"):
                self._ingest(name, rows.reader())
            inserted[name] = rows.count
        return Loaded(inserted, deleted)

    def replace_campuses(self, file: Any) -> Loaded:
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = CREDIT.name
        columns = self._target_columns(CREDIT)
        place, file_name = locate(file)
        with place.open(file_name) as opened:
            rows = pq.read_table(opened)
        if set(columns) - set(rows.column_names):
            raise ConfigurationError(f"{place.uri(file_name)} is not the credit table.")
        rows = rows.cast(CREDIT.schema()).select(columns)
        if self._sql.dialect == "postgres":
            # Two loads of one campus, one after the other.
            with _errors(self._prefix + name):
                self._execute(_ONE_AT_A_TIME).close()
        deleted = sum(
            self._delete(name, code, "college_code") for code in sorted(rows["college_code"].unique().to_pylist())
        )
        with _errors(self._prefix + name):
            self._ingest(name, pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(1 << 15)))
        return Loaded({name: rows.num_rows}, {name: deleted})

    def commit(self) -> None:
        with _errors("commit", claim=True):
            self._connection.commit()

    def roll_back(self) -> None:
        """Undo what was begun. A connection that is gone has done so by itself."""
        with suppress(Exception):
            self._connection.rollback()

    def _target_columns(self, table: Table) -> list[str]:
        """The columns of a table in the database, in its order."""
        name = table.name
        with _errors(self._prefix + name):
            cursor = self._execute(f"SELECT * FROM {self._name(name)} WHERE 1 = 0")
            there = cursor.fetch_arrow_table().schema.names
            cursor.close()
        lacking = [column.name for column in table.columns if column.name not in there]
        if lacking:
            raise LoadRefused(
                f"The table {self._prefix}{name} lacks the columns {', '.join(lacking)}. Add them; the statements of "
                "sql_for have their types."
            )
        if self._sql.dialect == "duckdb" and len(there) != len(table.columns):
            raise LoadRefused(
                f"The table {self._prefix}{name} has columns of its own, and DuckDB takes rows for all columns only. "
                "Put your columns into a view or another table."
            )
        return [column for column in there if column in {each.name for each in table.columns}]

    def _landed_before(self, digest: str) -> datetime | None:
        """When this content landed first, as an earlier load noted it."""
        with _errors(self._prefix + "deliveries"):
            cursor = self._execute(
                f"SELECT landed_at FROM {self._name('deliveries')} WHERE file_sha256 = {self._parameter}", [digest]
            )
            found = cursor.fetchone()
            cursor.close()
        return _moment(found[0]) if found and found[0] else None

    def _delete(self, name: str, value: str, column: str = "file_sha256") -> int:
        of_value = f"FROM {self._name(name)} WHERE {column} = {self._parameter}"
        with _errors(self._prefix + name):
            cursor = self._execute(f"SELECT count(*) {of_value}", [value])
            count = int(cursor.fetchone()[0])
            cursor.close()
            if count:
                self._execute(f"DELETE {of_value}", [value]).close()
        return count

    def _ingest(self, name: str, rows: pa.RecordBatchReader) -> None:
        cursor = self._connection.cursor()
        try:
            cursor.adbc_ingest(
                f"{self._prefix}{name}",
                rows,
                mode="append",
                **({"db_schema_name": self._schema} if self._schema else {}),
            )
        finally:
            cursor.close()

    def _execute(self, statement: str, parameters: list[Any] | None = None) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement, parameters)
        return cursor

    def _name(self, table: str) -> str:
        return f"{self._schema}.{self._prefix}{table}" if self._schema else f"{self._prefix}{table}"

    @property
    def _parameter(self) -> str:
        return "?" if self._sql.dialect == "sqlite" else "$1"


class _Rows:
    """The rows of one table as the database takes them, and how many there were."""

    def __init__(self, table: Table, file: Any, digest: str, columns: list[str]) -> None:
        self._table = table
        self._file = file
        self._digest = digest
        self._columns = columns
        self.earliest: datetime | None = None
        self.count = 0

    def reader(self) -> pa.RecordBatchReader:
        import pyarrow as pa

        schema = self._table.schema()
        schema = pa.schema([schema.field(name) for name in self._columns])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in _parquet_batches(self._file, self._columns):
            if batch.num_rows and batch.column("file_sha256").unique().to_pylist() != [self._digest]:
                raise ConfigurationError(f"The file of {self._table.name} has rows of another score file.")
            batch = batch.select(self._columns).cast(schema)
            if self.earliest is not None:
                place = schema.get_field_index("landed_at")
                earliest = min(self.earliest, batch.column(place)[0].as_py())
                batch = batch.set_column(place, schema.field(place), pa.array([earliest], schema.field(place).type))
            self.count += batch.num_rows
            yield batch


def _parquet_batches(file: Any, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    place, name = locate(file)
    with place.open(name) as opened:
        # Every row has the same digest: as a dictionary it is read once.
        yield from pq.ParquetFile(opened, read_dictionary=["file_sha256"]).iter_batches(columns=columns)


def _rows(file: Any) -> list[dict[str, Any]]:
    return [row for batch in _parquet_batches(file) for row in batch.to_pylist()]


def _moment(value: Any) -> datetime:
    from datetime import UTC, datetime

    # SQLite has no time stamps and gives text back.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    found: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found


@contextmanager
def _errors(where: str, *, claim: bool = False) -> Iterator[None]:
    """Turn what ADBC raises into our errors, without the database's words.

    Args:
        where: The table, for messages.
        claim: Whether a duplicate key means that another task loads the same file.
    """
    import adbc_driver_manager

    try:
        yield
    except adbc_driver_manager.Error as error:
        state = error.sqlstate or ""
        known = f"{where}: SQLSTATE {state}" if state else f"{where}: {type(error).__name__}"
        if claim and (state == _CLAIMED or (not state and isinstance(error, adbc_driver_manager.IntegrityError))):
            raise DatabaseUnavailable(
                f"Another task loads the same score file now ({known}). A retry replaces its rows."
            ) from None
        if state.startswith(_TRANSIENT) if state else isinstance(error, adbc_driver_manager.OperationalError):
            raise DatabaseUnavailable(f"The database can't be used now ({known}). Nothing was changed.") from None
        advice = _ADVICE.get(state, _OTHER_ADVICE)
        raise LoadRefused(f"The database refused ({known}). Nothing was changed. {advice}") from None

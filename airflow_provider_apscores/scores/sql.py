"""The current state as SQL: tables, the load of one file, and the views, for each dialect from one definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import DELIVERIES, TABLES, Column, Table
from airflow_provider_apscores.scores.credit.policy import CREDIT
from airflow_provider_apscores.scores.definition import COLUMNS, KEYS, NO_PROOF, OF_A_PERSON
from airflow_provider_apscores.scores.facts import FACTS

CROSSWALK = Table(
    "crosswalk",
    "Which AP IDs are one person.",
    ("ap_id",),
    (Column("ap_id", "string", "An AP ID."), Column("person_id", "string", "Your identifier of the person.")),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between databases.

    Attributes:
        types: The column type for each type of :class:`~airflow_provider_apscores.scorefile.Column`.
        create_view: How a view is made or made anew.
        not_enforced: What stands behind a primary key that the database does not enforce, or "".
        indexes: Whether tables have indexes.
    """

    types: dict[str, str]
    create_view: str = "CREATE OR REPLACE VIEW"
    not_enforced: str = ""
    indexes: bool = True


def _types(text: str, small: str, big: str, date: str, flag: str, timestamp: str, number: str) -> dict[str, str]:
    return {
        "string": text,
        "int8": small,
        "int16": small,
        "int64": big,
        "date32": date,
        "bool": flag,
        "timestamp": timestamp,
        "float64": number,
    }


#: Databases by name. PostgreSQL, DuckDB and SQLite are run in the tests; Snowflake and BigQuery are parsed only.
DIALECTS: dict[str, Dialect] = {
    "postgres": Dialect(_types("text", "smallint", "bigint", "date", "boolean", "timestamptz", "double precision")),
    "duckdb": Dialect(_types("VARCHAR", "SMALLINT", "BIGINT", "DATE", "BOOLEAN", "TIMESTAMPTZ", "DOUBLE")),
    # SQLite has no dates: they are text, year first, which sorts as dates do.
    "sqlite": Dialect(
        _types("TEXT", "INTEGER", "INTEGER", "TEXT", "INTEGER", "TEXT", "REAL"), create_view="CREATE VIEW IF NOT EXISTS"
    ),
    "snowflake": Dialect(
        _types("VARCHAR", "SMALLINT", "BIGINT", "DATE", "BOOLEAN", "TIMESTAMP_TZ", "FLOAT"), indexes=False
    ),
    "bigquery": Dialect(
        _types("STRING", "INT64", "INT64", "DATE", "BOOL", "TIMESTAMP", "FLOAT64"),
        not_enforced=" NOT ENFORCED",
        indexes=False,
    ),
}

#: Column names that are reserved words somewhere.
_RESERVED = {"start", "end"}


@dataclass(frozen=True, slots=True)
class Sql:
    """The statements for one database. Each string is one statement, without a semicolon.

    Attributes:
        dialect: A key of :data:`DIALECTS`.
        tables: ``CREATE TABLE`` by table, the crosswalk and the credit included.
        indexes: ``CREATE INDEX`` statements; empty where the database has none.
        views: ``CREATE VIEW`` by view, in an order in which they can be made.
        load: What replaces the rows of all files that stand in the staging tables, in order, to be run in one
            transaction. The staging tables are named ``<prefix>staged_<table>`` and have the columns of the tables.
    """

    dialect: str
    tables: dict[str, str]
    indexes: tuple[str, ...]
    views: dict[str, str]
    load: tuple[str, ...]

    def script(self, *, load: bool = False) -> str:
        """Tables, indexes and views as one text to be run once; with *load*, the load instead."""
        statements: Iterable[str] = self.load if load else (*self.tables.values(), *self.indexes, *self.views.values())
        return "".join(f"{each};\n\n" for each in statements)


def sql_for(dialect: str, *, schema: str | None = None, prefix: str = "ap_") -> Sql:
    """The statements for one database.

    Args:
        dialect: A key of :data:`DIALECTS`.
        schema: The schema (BigQuery: dataset) of tables and views; the connection's own when None.
        prefix: What the names of tables and views begin with.

    Raises:
        ConfigurationError: Another dialect, or a schema or prefix with characters other than letters, digits and _.
    """
    if dialect not in DIALECTS:
        raise ConfigurationError(f"dialect must be one of {', '.join(DIALECTS)}.")
    names = _Names(DIALECTS[dialect], check_name(schema, "schema"), check_name(prefix, "prefix") or "")
    return Sql(
        dialect=dialect,
        tables={table.name: _create_table(names, table) for table in (*FACTS.values(), CROSSWALK, CREDIT)},
        indexes=_indexes(names) if names.dialect.indexes else (),
        views=_views(names),
        load=_load(names),
    )


def check_name(value: str | None, argument: str) -> str | None:
    """Return *value* when it can stand in a statement as it is: letters, digits and _, no digit in front.

    Raises:
        ConfigurationError: It can't.
    """
    if value and (not value.replace("_", "a").isalnum() or not value.isascii() or value[0].isdigit()):
        raise ConfigurationError(f"{argument} may have ASCII letters, digits and _ only, and no digit in front.")
    return value or None


def column_name(name: str) -> str:
    """A column's name in a statement."""
    return f'"{name}"' if name in _RESERVED else name


@dataclass(frozen=True, slots=True)
class _Names:
    dialect: Dialect
    schema: str | None
    prefix: str

    def __call__(self, name: str) -> str:
        return f"{self.schema}.{self.prefix}{name}" if self.schema else f"{self.prefix}{name}"

    def columns(self, columns: Iterable[Column]) -> str:
        return ", ".join(self.quoted(each.name) for each in columns)

    def quoted(self, name: str) -> str:
        if name in _RESERVED and self.dialect.not_enforced:  # BigQuery
            return f"`{name}`"
        return column_name(name)


def _create_table(names: _Names, table: Table) -> str:
    keyed = table.name in (DELIVERIES.name, CROSSWALK.name)
    lines = []
    for column in table.columns:
        required = " NOT NULL" if keyed and column.name in (*table.key, "person_id") else ""
        lines.append(f"    {names.quoted(column.name)} {names.dialect.types[column.type]}{required}")
    if keyed:
        lines.append(f"    PRIMARY KEY ({', '.join(table.key)}){names.dialect.not_enforced}")
    return f"CREATE TABLE IF NOT EXISTS {names(table.name)} (\n" + ",\n".join(lines) + "\n)"


def _indexes(names: _Names) -> tuple[str, ...]:
    found = []
    for table in TABLES:
        found.append((table, "file", "file_sha256, record_number"))
        if table in KEYS:
            found.append((table, "student", "college_code, ap_id"))
    return tuple(
        f"CREATE INDEX IF NOT EXISTS {names.prefix}{table}_{what} ON {names(table)} ({columns})"
        for table, what, columns in found
    )


def _load(names: _Names) -> tuple[str, ...]:
    def staged(table: str) -> str:
        return names(f"staged_{table}")

    digests = f"SELECT file_sha256 FROM {staged('deliveries')}"
    staged_deliveries = staged("deliveries")
    known = (
        f"FROM {names('deliveries')} AS known WHERE known.file_sha256 = {staged_deliveries}.file_sha256 "
        f"AND known.landed_at < {staged_deliveries}.landed_at"
    )
    # A file that is parsed again must not become the newest: the earliest landing stays.
    earliest = f"UPDATE {staged_deliveries} SET landed_at = (SELECT known.landed_at {known})"
    earliest += f" WHERE EXISTS (SELECT 1 {known})"
    deletes = [f"DELETE FROM {names(table)} WHERE file_sha256 IN ({digests})" for table in FACTS]
    inserts = [
        f"INSERT INTO {names(name)} ({names.columns(table.columns)}) "
        f"SELECT {names.columns(table.columns)} FROM {staged(name)}"
        for name, table in FACTS.items()
    ]
    return (earliest, *deletes, *inserts)


def _views(names: _Names) -> dict[str, str]:
    views = {}
    for table, key in KEYS.items():
        no_key = " OR ".join(f"{column} IS NULL" for column in key)
        views[f"{table}_without_key"] = f"SELECT * FROM {names(table)} WHERE {no_key}"
    for table in KEYS:
        views[f"current_{table}"] = _current(names, table)
    return {name: f"{names.dialect.create_view} {names(name)} AS\n{body}" for name, body in views.items()}


def _current(names: _Names, table: str) -> str:
    key = KEYS[table]
    person = "coalesce(c.person_id, f.ap_id)"
    by = [person if column == "ap_id" and table in OF_A_PERSON else f"f.{column}" for column in key]
    report_date = "s.report_date" if table == "awards" else "f.report_date"
    position = "" if table == "students" else " f.position ASC,"
    facts = ", ".join(f"f.{names.quoted(column.name)}" for column in TABLES[table].columns)
    if table == "awards":
        facts += ", s.report_date"
    added = "d.landed_at, c.person_id"
    joins = [
        f"LEFT JOIN {names('deliveries')} AS d ON d.file_sha256 = f.file_sha256",
        f"LEFT JOIN {names('crosswalk')} AS c ON c.ap_id = f.ap_id",
    ]
    common = ""
    if table == "awards":
        joins.append(
            f"LEFT JOIN {names('students')} AS s ON s.file_sha256 = f.file_sha256 AND s.record_number = f.record_number"
        )
    if table == "exam_scores":
        common = _withdrawn(names) + ",\n"
        added += ", (p.ap_id IS NOT NULL AND k.ap_id IS NULL) AS withdrawn"
        same = " AND ".join(f"k.{column} = f.{column}" for column in key)
        joins.append("LEFT JOIN proven AS p ON p.college_code = f.college_code AND p.ap_id = f.ap_id")
        joins.append(f"LEFT JOIN kept AS k ON {same}")
    has_key = " AND ".join(f"f.{column} IS NOT NULL" for column in key)
    # NULLS LAST is spelled out: PostgreSQL and Snowflake take a null as the latest date otherwise.
    order = f"{report_date} DESC NULLS LAST, d.landed_at DESC NULLS LAST, f.record_number DESC,{position} f.file_sha256"
    columns = ", ".join(names.quoted(column.name) for column in COLUMNS[table])
    newline = "\n    "
    return (
        f"WITH {common}ranked AS (\n"
        f"    SELECT {facts}, {added},\n"
        f"    row_number() OVER (PARTITION BY {', '.join(by)} ORDER BY {order}) AS place\n"
        f"    FROM {names(table)} AS f\n    {newline.join(joins)}\n"
        f"    WHERE {has_key}\n)\n"
        f"SELECT {columns} FROM ranked WHERE place = 1"
    )


def _withdrawn(names: _Names) -> str:
    """Common tables: ``proven``, students whose latest report date proves what is gone; ``kept``, exams that it has."""
    kinds = ", ".join(f"'{kind}'" for kind in NO_PROOF)
    return f"""latest AS (
    SELECT college_code, ap_id, max(report_date) AS report_date FROM {names("students")}
    WHERE college_code IS NOT NULL AND ap_id IS NOT NULL GROUP BY college_code, ap_id
),
latest_records AS (
    SELECT s.college_code, s.ap_id, s.file_sha256, s.record_number FROM {names("students")} AS s
    JOIN latest AS l
    ON l.college_code = s.college_code AND l.ap_id = s.ap_id AND l.report_date = s.report_date
),
defects AS (
    SELECT DISTINCT file_sha256, record_number FROM {names("problems")}
    WHERE severity = 'error' OR kind IN ({kinds})
),
exams AS (
    SELECT file_sha256, record_number, count(*) AS filled FROM {names("exam_scores")}
    GROUP BY file_sha256, record_number
),
proven AS (
    SELECT r.college_code, r.ap_id FROM latest_records AS r
    LEFT JOIN {names("deliveries")} AS d ON d.file_sha256 = r.file_sha256
    LEFT JOIN defects AS x ON x.file_sha256 = r.file_sha256 AND x.record_number = r.record_number
    LEFT JOIN exams AS e ON e.file_sha256 = r.file_sha256 AND e.record_number = r.record_number
    GROUP BY r.college_code, r.ap_id
    HAVING max(CASE WHEN x.record_number IS NOT NULL OR d.exam_slots IS NULL OR e.filled >= d.exam_slots
        THEN 1 ELSE 0 END) = 0
),
kept AS (
    SELECT DISTINCT f.college_code, f.ap_id, f.admin_year, f.exam_code FROM {names("exam_scores")} AS f
    JOIN latest_records AS r ON r.file_sha256 = f.file_sha256 AND r.record_number = f.record_number
    WHERE f.admin_year IS NOT NULL AND f.exam_code IS NOT NULL
)"""

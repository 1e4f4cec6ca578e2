"""The load and current-state operators: parsed tables into real databases, and into files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_apscores.errors import ConfigurationError, DatabaseUnavailable, LoadRefused
from airflow_provider_apscores.hooks.database import postgres_uri
from airflow_provider_apscores.operators.current_state import APScoresCurrentStateOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.scores import sql_for
from tests.provider.world import QUILLFEATHER, SALTMARSH, World, fails_permanently, task_instance
from tests.scores.databases import NAMES, connected, query, run
from tests.scores.databases import postgres_uri as server_uri
from tests.webservice.test_frames import leaks


def parse(world: World, source: Any) -> dict[str, Any]:
    task = APScoresParseOperator(task_id="parse", source=source, output=str(world.destination.parent / "tables"))
    return task.execute({"ti": task_instance("parse")})


def load(tables: Any, **arguments: Any) -> dict[str, Any]:
    task = APScoresLoadOperator(task_id="load", tables=tables, **{"conn_id": "warehouse"} | arguments)
    return task.execute({"ti": task_instance("load")})


@pytest.fixture(params=NAMES)
def database(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty database that the connection *warehouse* leads to."""
    with connected(request.param, tmp_path):
        pass
    if request.param == "postgres":
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(postgres_connection()))
    else:
        path = tmp_path / {"duckdb": "scores.duckdb", "sqlite": "scores.db"}[request.param]
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": request.param, "host": str(path)}))
    return request.param


def postgres_connection() -> dict[str, Any]:
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(server_uri())
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    return {
        "conn_type": "postgres",
        "host": host,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.lstrip("/"),
    }


def rows_of(name: str, tmp_path: Path, statement: str) -> list[dict[str, Any]]:
    if name == "postgres":
        import adbc_driver_postgresql.dbapi as dbapi

        with dbapi.connect(server_uri()) as connection:
            return query(connection, statement)
    import importlib

    module = importlib.import_module({"duckdb": "adbc_driver_duckdb.dbapi", "sqlite": "adbc_driver_sqlite.dbapi"}[name])
    with module.connect(str(tmp_path / {"duckdb": "scores.duckdb", "sqlite": "scores.db"}[name])) as connection:
        return query(connection, statement)


def test_downloads_become_rows_and_views(world: World, database: str, tmp_path: Path):
    written = [parse(world, world.download(di_code)) for di_code in (SALTMARSH, QUILLFEATHER)]

    loaded = [load(each, create=True) for each in written]

    assert json.loads(json.dumps(loaded)) == loaded
    assert [each["inserted"]["students"] for each in loaded] == [12, 5]
    assert len(rows_of(database, tmp_path, "SELECT * FROM ap_students")) == 17
    exams = sum(each["rows"]["exam_scores"] for each in written)
    assert len(rows_of(database, tmp_path, "SELECT * FROM ap_current_exam_scores")) == exams
    assert load(written[0])["deleted"] == loaded[0]["inserted"]


def test_a_delivery_is_described_beside_the_tables(world: World):
    landed = world.download()

    (uri,) = parse(world, landed)["uris"]["deliveries"].values()

    (row,) = parquet.read_table(uri.removeprefix("file://")).to_pylist()
    assert {name: row[name] for name in ("file_sha256", "di_code", "download_id", "records", "exam_slots")} == {
        "file_sha256": landed["sha256"],
        "di_code": SALTMARSH,
        "download_id": landed["download_id"],
        "records": 12,
        "exam_slots": 30,
    }
    (manifest,) = world.manifests()
    assert row["landed_at"].isoformat()[:23] == manifest["landed_at"][:23]


def test_content_that_landed_twice_has_its_first_landing(world: World):
    first = world.download()
    again = world.download(run="day-2", download_type="full")
    assert again["duplicate_of"] == first["manifest_uri"]

    (uri,) = parse(world, again)["uris"]["deliveries"].values()

    (row,) = parquet.read_table(uri.removeprefix("file://")).to_pylist()
    assert row["landed_at"].isoformat()[:23] == world_manifest(world, first)["landed_at"][:23]


def world_manifest(world: World, landed: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in world.manifests() if each["download_id"] == landed["download_id"])


def test_what_the_database_says_reaches_nobody(world: World, tmp_path: Path, monkeypatch, caplog):
    with connected("postgres", tmp_path) as connection:
        statements = [
            each.replace("last_name text", "last_name varchar(1)") for each in sql_for("postgres").tables.values()
        ]
        run(connection, *statements)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(postgres_connection()))
    tables = parse(world, world.download())

    with fails_permanently(LoadRefused, "ap_students: SQLSTATE 22001") as failed:
        load(tables)

    import traceback

    said = "".join(traceback.format_exception(failed.value)) + caplog.text
    students = parquet.read_table(tables["uris"]["students"]["parquet"].removeprefix("file://")).to_pylist()
    assert not [each["last_name"] for each in students if each["last_name"] in said]


def test_a_database_that_is_away_is_worth_a_retry(world: World, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://ap:invented-password@127.0.0.1:1/scores")
    with pytest.raises(DatabaseUnavailable, match="can't be opened") as away:
        load(parse(world, world.download()))
    assert leaks(away.value, {"invented-password"}) == []


def test_a_file_that_another_process_has_open_is_worth_a_retry(world: World, monkeypatch, tmp_path):
    file = tmp_path / "scores.duckdb"
    code = f"import duckdb; connection = duckdb.connect({str(file)!r}); print('open', flush=True); input()"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "duckdb", "host": str(file)}))
    tables = parse(world, world.download())
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(DatabaseUnavailable, match="One process at a time can open a DuckDB file"):
            load(tables)
        other.communicate("\n")

    assert load(tables, create=True)["inserted"]["deliveries"] == 1


@pytest.mark.parametrize(
    ("connection", "message"),
    [(None, "no connection 'warehouse'"), ("mysql://host/db", "type mysql"), ("sqlite://", "names no file")],
)
def test_a_connection_that_can_not_be_right_is_named(world: World, monkeypatch, connection, message):
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    with fails_permanently(ConfigurationError, message):
        load(parse(world, world.download()))


@pytest.mark.parametrize("tables", ["s3://bucket/tables", {"uris": ["x"]}, {"rows": {}}])
def test_anything_but_the_result_of_parse_is_refused(tables):
    with fails_permanently(ConfigurationError, "APScoresParseOperator"):
        load(tables)


def test_nothing_to_load_is_skipped():
    with pytest.raises(AirflowSkipException):
        load(None)


@pytest.mark.parametrize(
    ("fields", "uri"),
    [
        ({"host": "db", "login": "a b", "password": "p@/:", "schema": "x"}, "postgresql://a%20b:p%40%2F%3A@db/x"),
        ({"host": "db", "port": 5433, "schema": "x"}, "postgresql://db:5433/x"),
        ({"host": "/run/pg", "schema": "x"}, "postgresql:///x?host=%2Frun%2Fpg"),
        ({"host": "::1", "extra": {"sslmode": "require", "cursor": "dict"}}, "postgresql://[::1]/?sslmode=require"),
    ],
)
def test_a_connection_becomes_an_address(fields: dict[str, Any], uri: str):
    from airflow.models import Connection

    extra = json.dumps(fields.pop("extra", {}))
    assert postgres_uri(Connection(conn_id="warehouse", conn_type="postgres", extra=extra, **fields)).reveal() == uri


def current(world: World, **arguments: Any) -> dict[str, Any]:
    arguments = {
        "source": str(world.destination.parent / "tables"),
        "output": str(world.destination.parent / "now"),
    } | arguments
    return APScoresCurrentStateOperator(task_id="now", **arguments).execute({"ti": task_instance("now")})


def test_the_current_state_becomes_files(world: World, tmp_path: Path):
    written = parse(world, world.download())
    parse(world, world.download(QUILLFEATHER))

    state = current(world, formats=["parquet", "csv", "jsonl"], di_code=SALTMARSH)

    assert json.loads(json.dumps(state)) == state
    assert state["counts"]["students"] == 12
    path = Path(state["uris"]["exam_scores"]["parquet"].removeprefix("file://"))
    assert parquet.read_table(path).num_rows == state["counts"]["exam_scores"] == written["rows"]["exam_scores"]
    assert sorted(each.name for each in path.parent.iterdir())[:3] == ["awards.csv", "awards.jsonl", "awards.parquet"]


def test_a_current_state_in_another_format_leaves_no_file_of_the_last_one(world: World, tmp_path: Path):
    parse(world, world.download())
    current(world, formats=["parquet", "jsonl"])

    current(world, formats="csv")

    left = [each.name for each in (world.destination.parent / "now").iterdir()]
    assert sorted(left) == ["awards.csv", "exam_scores.csv", "students.csv"]


def test_a_crosswalk_file_joins_two_ids_and_one_that_is_none_is_refused(world: World, tmp_path: Path):
    students = parquet.read_table(parse(world, world.download())["uris"]["students"]["parquet"].removeprefix("file://"))
    one, two = students["ap_id"].to_pylist()[:2]
    (tmp_path / "crosswalk.csv").write_text(f"ap_id,person_id\n{one} ,00042\n{two}, 00042\n")

    state = current(world, crosswalk=str(tmp_path / "crosswalk.csv"))

    path = state["uris"]["students"]["parquet"].removeprefix("file://")
    assert parquet.read_table(path)["person_id"].to_pylist().count("00042") == 2
    (tmp_path / "crosswalk.csv").write_text(f"ap_id,person_id\n{one},1\n{one},2\n")
    with fails_permanently(ConfigurationError, "AP ID twice") as refused:
        current(world, crosswalk=str(tmp_path / "crosswalk.csv"))
    assert one not in str(refused.value)
    (tmp_path / "crosswalk.csv").write_text("a,b\n1,2\n")
    with fails_permanently(ConfigurationError, "is no crosswalk"):
        current(world, crosswalk=str(tmp_path / "crosswalk.csv"))


def test_only_files_that_landed_since_a_day_count(world: World):
    parse(world, world.download())

    assert current(world, since="2099-01-01")["counts"]["students"] == 0
    assert current(world, since="2020-01-01")["counts"]["students"] == 12
    with fails_permanently(ConfigurationError, "since must be a day"):
        current(world, since="last week")

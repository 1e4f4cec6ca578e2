"""The SQL views on real databases against the Arrow result, and the load."""

import random
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from airflow_provider_apscores.errors import ConfigurationError, DatabaseUnavailable, LoadRefused
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.scores import DIALECTS, current_state, load_tables, sql_for
from airflow_provider_apscores.scores.definition import COLUMNS
from airflow_provider_apscores.scores.sql import FACTS
from tests.scores.databases import NAMES, connected, query, run, write_parquet
from tests.scores.histories import digest, random_history, record, tables
from tests.scores.slow_truth import truth

HISTORIES = 120


def comparable(rows, columns):
    """Rows as sorted text, however a database spells dates, flags and moments."""

    def text(name, value):
        if value is None or value == "":
            return "-"
        if name == "landed_at":
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        if isinstance(value, bool) or name == "withdrawn" or (name.startswith("race_") and value in (0, 1)):
            return str(bool(value))
        return value.isoformat() if isinstance(value, date) else str(value)

    return sorted(tuple(text(name, row[name]) for name in columns) for row in rows)


@pytest.fixture(scope="module")
def histories():
    """All histories, with the Arrow result over what retention has left of them."""
    found = [random_history(seed) for seed in range(HISTORIES)]
    people = {ap_id: person for each in found for ap_id, person in each.crosswalk.items()}
    return found, current_state([file for each in found for file in each.kept], crosswalk=people)


@pytest.mark.parametrize("name", NAMES)
def test_the_views_are_the_arrow_result_and_the_truth_for_random_histories(name, histories, tmp_path):
    """
    Files of all histories are loaded in random order and again; half-way, retention deletes the rows of some.
    """
    histories, state = histories
    sql = sql_for(name)
    chance = random.Random(name)
    files = {digest(file): file for each in histories for file in reversed(each.files)}
    purged = set().union(*(each.purged for each in histories))
    order = [*files, *chance.choices(list(files), k=len(files) // 4)]
    chance.shuffle(order)
    with connected(name, tmp_path) as connection:
        run(connection, *sql.tables.values(), *sql.indexes, *sql.views.values(), *staging_tables(name))
        for each in histories:
            for ap_id, person in each.crosswalk.items():
                run(connection, f"INSERT INTO ap_crosswalk VALUES ('{ap_id}', '{person}')")
        load(name, connection, [files[each] for each in order[: len(order) // 2]], tmp_path)
        gone = ", ".join(f"'{each}'" for each in purged)
        run(connection, *(f"DELETE FROM ap_{table} WHERE file_sha256 IN ({gone})" for table in FACTS))
        load(name, connection, [files[each] for each in order[len(order) // 2 :] if each not in purged], tmp_path)

        current = {table: query(connection, f"SELECT * FROM ap_current_{table}") for table in COLUMNS}
        without_key = {table: query(connection, f"SELECT * FROM ap_{table}_without_key") for table in COLUMNS}

    for table, columns in COLUMNS.items():
        names = [column.name for column in columns]
        assert comparable(current[table], names) == comparable(getattr(state, table).to_pylist(), names)
        assert len(without_key[table]) == state.without_key[table].num_rows
    facts = [truth(each.kept, each.crosswalk) for each in histories]
    for table, names, rows in zip(COLUMNS, DECISIVE, zip(*facts, strict=True), strict=True):
        assert comparable(current[table], names) == comparable([row for each in rows for row in each], names)
    assert sum(row["withdrawn"] in (True, 1) for row in current["exam_scores"]) > HISTORIES / 4


#: What the independent truth says of exam scores, students and awards.
_ROW = ("file_sha256", "record_number")
DECISIVE = (
    (
        *_ROW, "position", "ap_id", "college_code", "admin_year", "exam_code", "score", "status", "withdrawn",
        "landed_at",
    ),
    _ROW,
    (*_ROW, "position"),
)  # fmt: skip


def staging_tables(name):
    return [each.replace("ap_", "ap_staged_", 1) for each in sql_for(name).tables.values()]


def load(name, connection, files, folder):
    """Some files one by one; for speed, the others many at once through the staging tables."""
    for start in range(0, len(files), 50):
        for file in files[start : start + 3]:
            load_tables(connection, write_parquet(folder / digest(file), file), dialect=name)
        batch = {digest(file): file for file in files[start + 3 : start + 50]}
        for table, definition in FACTS.items():
            rows = pa.concat_tables([file[table].cast(definition.schema()) for file in batch.values()])
            with connection.cursor() as cursor:
                cursor.adbc_ingest(f"ap_staged_{table}", rows, mode="append")
        run(connection, *sql_for(name).load, *(f"DELETE FROM ap_staged_{table}" for table in FACTS))


@pytest.fixture(params=NAMES)
def database(request, tmp_path):
    with connected(request.param, tmp_path) as connection:
        sql = sql_for(request.param)
        run(connection, *sql.tables.values(), *sql.indexes, *sql.views.values())
        yield request.param, connection


def one_file(tmp_path, landed_at=datetime(2026, 7, 2, tzinfo=UTC), score="5"):
    content = encode_record(record("AP000001", "004866", [("26", "07", score, "")], "070126")) + b"\n"
    return write_parquet(tmp_path / f"{score}-{landed_at:%m%d}", tables(content, landed_at))


def test_a_second_load_of_a_file_replaces_its_rows(database, tmp_path):
    name, connection = database
    first = load_tables(connection, one_file(tmp_path), dialect=name)
    again = load_tables(connection, one_file(tmp_path), dialect=name)

    assert first.inserted == again.inserted == again.deleted
    assert not any(first.deleted.values())
    assert len(query(connection, "SELECT * FROM ap_current_exam_scores")) == 1


def test_a_file_that_is_parsed_again_does_not_become_the_newest(database, tmp_path):
    name, connection = database
    load_tables(connection, one_file(tmp_path, datetime(2026, 7, 2, tzinfo=UTC)), dialect=name)
    load_tables(connection, one_file(tmp_path, datetime(2026, 9, 9, tzinfo=UTC)), dialect=name)

    (delivery,) = query(connection, "SELECT landed_at FROM ap_deliveries")
    assert str(delivery["landed_at"]).startswith("2026-07-02")


def test_a_column_that_the_database_lacks_is_named_and_nothing_is_loaded(database, tmp_path):
    name, connection = database
    run(
        connection, *(f"DROP VIEW ap_{view}" for view in reversed(sql_for(name).views)),
        "DROP TABLE ap_awards", "CREATE TABLE ap_awards (ap_id VARCHAR(20))",
    )  # fmt: skip
    with pytest.raises(LoadRefused, match="ap_awards lacks the columns college_code"):
        load_tables(connection, one_file(tmp_path), dialect=name)

    assert query(connection, "SELECT * FROM ap_deliveries") == []


def test_a_refusal_says_nothing_of_a_student(tmp_path):
    with connected("postgres", tmp_path) as connection:
        sql = sql_for("postgres")
        run(connection, *(each.replace("last_name text", "last_name varchar(3)") for each in sql.tables.values()))
        with pytest.raises(LoadRefused) as refused:
            load_tables(connection, one_file(tmp_path), dialect="postgres")

        assert "ap_students: SQLSTATE 22001" in str(refused.value)
        assert "INVENTED" not in str(refused.value)
        assert refused.value.__suppress_context__
        assert [query(connection, f"SELECT * FROM ap_{table}") for table in sql.tables] == [[]] * len(sql.tables)


def test_of_two_loads_of_one_file_at_once_the_second_can_be_retried(tmp_path):
    import threading

    import adbc_driver_postgresql.dbapi as dbapi

    from tests.scores.databases import postgres_uri

    with connected("postgres", tmp_path) as connection, dbapi.connect(postgres_uri()) as other:
        run(connection, *sql_for("postgres").tables.values())
        uris = one_file(tmp_path)
        with other.cursor() as cursor:
            from airflow_provider_apscores.scores.load import _rows

            digest = _rows(uris["deliveries"])[0]["file_sha256"]
            cursor.execute("INSERT INTO ap_deliveries (file_sha256) VALUES ($1)", [digest])
        found = []

        def load():
            try:
                load_tables(connection, uris, dialect="postgres")
            except Exception as error:
                found.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "the second load waits for the first"
        other.commit()
        thread.join(30)
        assert isinstance(found[0], DatabaseUnavailable)
        load_tables(connection, uris, dialect="postgres")


def test_a_missing_table_or_schema_is_named_with_what_to_do(tmp_path):
    with connected("postgres", tmp_path) as connection:
        with pytest.raises(LoadRefused, match=r"ap_deliveries: SQLSTATE 42P01.*set create=True"):
            load_tables(connection, one_file(tmp_path), dialect="postgres")
        with pytest.raises(LoadRefused, match=r"SQLSTATE 3F000.*The schema does not exist: create it"):
            load_tables(connection, one_file(tmp_path), dialect="postgres", schema="no_schema", create=True)


def test_many_campuses_make_the_tables_and_load_at_the_same_time(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    import adbc_driver_postgresql.dbapi as dbapi

    from tests.scores.databases import postgres_uri

    files = [one_file(tmp_path, score=score) for score in "12345"]

    def load(uris):
        with dbapi.connect(postgres_uri()) as other:
            return load_tables(other, uris, dialect="postgres", create=True)

    with connected("postgres", tmp_path) as connection, ThreadPoolExecutor(len(files)) as pool:
        for _ in range(2):  # into an empty schema, then into tables that are there
            assert len(list(pool.map(load, files))) == len(files)
        assert len(query(connection, "SELECT * FROM ap_deliveries")) == len(files)


def test_tables_are_made_where_they_are_missing(tmp_path):
    for name in NAMES:
        with connected(name, tmp_path) as connection:
            load_tables(connection, one_file(tmp_path), dialect=name, create=True)
            load_tables(connection, one_file(tmp_path, score="4"), dialect=name, create=True)
            assert len(query(connection, "SELECT * FROM ap_deliveries")) == 2


def test_a_schema_and_a_prefix_are_used(tmp_path):
    with connected("postgres", tmp_path, schema="registrar") as connection:
        load_tables(connection, one_file(tmp_path), dialect="postgres", schema="registrar", prefix="x_", create=True)
        assert len(query(connection, "SELECT * FROM registrar.x_current_exam_scores")) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_of_its_dialect(dialect):
    import sqlglot

    sql = sql_for(dialect, schema="registrar")
    for statement in (*sql.tables.values(), *sql.indexes, *sql.views.values(), *sql.load):
        assert sqlglot.parse_one(statement, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize("name", ["drop table x; --", "1a", "a b", "ü"])
def test_a_name_that_can_not_stand_in_a_statement_is_refused(name):
    with pytest.raises(ConfigurationError):
        sql_for("postgres", prefix=name)
    with pytest.raises(ConfigurationError):
        sql_for("postgres", schema=name)


@pytest.mark.parametrize("name", NAMES)
def test_the_load_from_staging_tables_is_the_same_load(name, tmp_path):
    sql = sql_for(name)
    with connected(name, tmp_path) as connection:
        run(connection, *sql.tables.values(), *sql.views.values(), *staging_tables(name))
        for uris in (one_file(tmp_path), one_file(tmp_path, datetime(2026, 9, 9, tzinfo=UTC))):
            load_tables(connection, uris, dialect=name, prefix="ap_staged_")
            run(connection, *sql.load, *(f"DELETE FROM ap_staged_{table}" for table in sql.tables))
        (row,) = query(connection, "SELECT * FROM ap_current_exam_scores")
        assert str(row["landed_at"]).startswith("2026-07-02")

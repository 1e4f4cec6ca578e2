"""SQL and code maps of the documentation: run where the database is at hand, parsed elsewhere."""

import runpy
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlglot

from airflow_provider_apscores.scorefile import Origin, encode_record, write_tables
from airflow_provider_apscores.scores import load_tables
from tests.scores.databases import connected, query, run
from tests.scores.histories import record
from tests.test_docs import Block, marked

DIALECTS = ("postgres", "snowflake", "bigquery", "trino")


@pytest.fixture
def tables(tmp_path: Path):
    """The parsed tables of two students."""
    exams = [("19", "93", "4", ""), ("26", "93", "5", ""), ("26", "07", "", "06")]
    content = b"".join(encode_record(record(ap_id, "004866", exams, "070126")) + b"\n" for ap_id in ("AP1", "AP2"))
    return write_tables(content, tmp_path / "tables", origin=Origin(landed_at=datetime(2026, 7, 2, tzinfo=UTC)))


@pytest.mark.parametrize("block", [each for each in marked("sql") if each.test.split()[1] == "postgres"], ids=str)
def test_documented_sql_runs_on_postgresql(block: Block, tables, tmp_path: Path):
    with connected("postgres", tmp_path) as connection:
        files = {name: uris["parquet"] for name, uris in tables.uris.items()}
        load_tables(connection, files, dialect="postgres", create=True)
        statements = [each.strip() for each in block.code.split(";") if each.strip() not in ("", "BEGIN", "COMMIT")]
        run(connection, *statements[:-1])
        rows = query(connection, statements[-1])

    assert "SELECT" not in block.code or rows


@pytest.mark.parametrize("block", marked("sql"), ids=str)
def test_documented_sql_is_of_its_dialect(block: Block):
    dialect = block.test.split()[1]

    assert dialect in DIALECTS
    assert sqlglot.parse(block.code, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)


def test_all_documented_sql_is_tested():
    from tests.test_docs import BLOCKS

    assert [str(each) for each in BLOCKS if each.language == "sql" and not each.test.startswith("sql ")] == []


def test_the_documented_code_map_gives_rows_for_banner(tables, tmp_path: Path):
    (block,) = marked("code-map")
    page = block.page.read_text()
    (tmp_path / "map.csv").write_text(page[page.index("exam_code,year_from") : page.index("07,,,APUH") + 10])
    (tmp_path / "banner.py").write_text(block.code)
    rows = runpy.run_path(str(tmp_path / "banner.py"))["banner_rows"](tmp_path / "tables", tmp_path / "map.csv")

    assert sorted(rows)[:2] == [("AP1", "APWH", "2019-05-01", 4), ("AP1", "APWM", "2026-05-01", 5)]

"""``apscores sql``."""

from __future__ import annotations

import sqlite3

import pytest

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.scores import DIALECTS, sql_for


def test_the_printed_script_makes_the_views(capsys: pytest.CaptureFixture[str]):
    assert main(["sql", "sqlite"]) == 0

    with sqlite3.connect(":memory:") as database:
        database.executescript(capsys.readouterr().out)
        assert database.execute("SELECT count(*) FROM ap_current_exam_scores").fetchall() == [(0,)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_load_of_a_file(dialect: str, capsys: pytest.CaptureFixture[str]):
    assert main(["sql", dialect, "--schema", "registrar", "--prefix", "x_", "--load"]) == 0

    expected = sql_for(dialect, schema="registrar", prefix="x_").script(load=True)
    assert capsys.readouterr().out == expected.rstrip() + "\n"


def test_a_wrong_schema_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert main(["sql", "postgres", "--schema", "a;b"]) == 2

    assert capsys.readouterr().err.startswith("ConfigurationError: schema may have ASCII letters")

"""A credit table in a real database."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from airflow_provider_apscores.errors import ConfigurationError, LoadRefused
from airflow_provider_apscores.scores import load_credit
from airflow_provider_apscores.scores.credit import award_credit, write_credit
from tests.scores.credit_cases import exam, policy_in, table
from tests.scores.databases import NAMES, connected, query


@pytest.fixture
def credit(tmp_path):
    """Write the credit of some exam scores; returns a function."""
    policy = policy_in(tmp_path, "rule,exam_code,score_min,award,credits\n BIO,20,3,BIOL 1,2.67")

    def written(*rows):
        write_credit(award_credit(table(rows), policy), tmp_path)
        return tmp_path / "credit.parquet"

    return written


@pytest.mark.parametrize("name", NAMES)
def test_a_load_replaces_the_rows_of_its_campuses_only(name, tmp_path, credit):
    with connected(name, tmp_path) as connection:
        load_credit(connection, credit(exam("A", "20", 4), exam("B", "20", 2)), dialect=name, create=True)
        load_credit(connection, credit(exam("C", "20", 4, college_code="000417")), dialect=name)
        loaded = load_credit(connection, credit(exam("A", "20", 2)), dialect=name)

        assert (loaded.inserted, loaded.deleted) == ({"credit": 1}, {"credit": 2})
        rows = query(connection, "SELECT ap_id, decision, credits, award FROM ap_credit ORDER BY ap_id")
    assert [tuple(row.values()) for row in rows] == [("A", "below", None, None), ("C", "award", 2.67, "BIOL 1")]


def test_a_missing_table_and_another_file_change_nothing(tmp_path, credit):
    with connected("duckdb", tmp_path) as connection:
        with pytest.raises(LoadRefused):
            load_credit(connection, credit(exam("A", "20", 4)), dialect="duckdb")
        load_credit(connection, credit(exam("A", "20", 4)), dialect="duckdb", create=True)
        pq.write_table(table([exam("B", "20", 4)]), tmp_path / "other.parquet")
        with pytest.raises(ConfigurationError, match=r"other\.parquet is not the credit table"):
            load_credit(connection, tmp_path / "other.parquet", dialect="duckdb")

        assert query(connection, "SELECT ap_id FROM ap_credit") == [{"ap_id": "A"}]

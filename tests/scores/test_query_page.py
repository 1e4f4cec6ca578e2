"""The queries of docs/how-to/query.md give the same rows in each engine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_apscores.scorefile import compact_tables, write_tables
from tests.scorefile.students import of_report, student, txt
from tests.test_docs import Block, marked


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two campuses and two reporting years; one part is compacted, and one day is not."""
    folder = tmp_path_factory.mktemp("tables")

    def parse(code: str, *days: str) -> None:
        for day in days:
            students = (of_report(student(number, college_code=f"00{code}"), day) for number in (1, 2))
            write_tables(txt(students), folder, partition_by=("di_code", "reporting_year"))

    parse("0417", "070726", "070826", "070725")
    parse("4866", "070726")
    compact_tables(folder, older_than=timedelta(seconds=-1))
    parse("0417", "070926")
    return folder


@pytest.mark.parametrize("block", marked("tables"), ids=str)
def test_a_documented_query_finds_the_rows_of_one_campus_and_year(block: Block, tables: Path):
    pytest.importorskip(block.test.split()[1])
    names: dict[str, object] = {}

    exec(block.code.replace("/srv/ap-scores/tables", str(tables)), names)

    assert names["found"] == [("07", 3, 6), ("66", 5, 6)]

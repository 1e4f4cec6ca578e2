"""The reference pages name every column, kind of problem and layout, and nothing that is gone."""

import re
from pathlib import Path

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.scorefile import DELIVERIES, LAYOUTS, TABLES
from airflow_provider_apscores.scorefile.spec.problems import KINDS
from airflow_provider_apscores.scorefile.spec.tables import STATUSES
from tests.scorefile.students import student, txt

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def section(page, heading):
    text = (DOCS / page).read_text()
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.S | re.M)[1]


def rows(text):
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def test_every_column_is_documented_in_order_with_its_type():
    for table in (*TABLES.values(), DELIVERIES):
        documented = [tuple(row) for row in rows(section("tables.md", table.name))]
        assert documented == [(each.name, each.type, each.doc) for each in table.columns]


def test_keys_are_documented():
    for table in (*TABLES.values(), DELIVERIES):
        if table.key:
            assert ", ".join(f"`{name}`" for name in table.key) in section("tables.md", table.name)


def test_every_kind_of_problem_and_status_is_documented():
    documented = {row[0]: tuple(row[1:]) for row in rows(section("tables.md", "Kinds of problems"))}
    assert documented == KINDS
    assert [row[0] for row in rows(section("tables.md", "Status of a score"))] == list(STATUSES)


def test_the_code_on_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scores.txt").write_bytes(txt([student(1), student(2)]))
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "score-files.md").read_text(), re.S):
        exec(block, names)
    assert len(names["line"]) == 950
    commands = re.findall(r"^apscores (.*)", (DOCS / "score-files.md").read_text(), re.M)
    assert len(commands) >= 2
    for command in commands:
        assert main(command.split()) == 0


def test_every_layout_is_documented():
    text = (DOCS / "score-files.md").read_text()
    for name in LAYOUTS:
        assert f"{name} characters" in text

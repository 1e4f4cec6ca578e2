"""The pages on credit: the policy and the commands of the how-to work, and the reference is complete."""

from __future__ import annotations

import re
import shlex

import pytest

from airflow_provider_apscores import cli
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.scores.credit import CREDIT, DECISIONS, check_policy
from airflow_provider_apscores.scores.credit.reader import COLUMNS
from tests.scores.histories import record
from tests.test_docs import DOCS, blocks, table_rows

HOW_TO = DOCS / "how-to" / "credit-policy.md"
REFERENCE = (DOCS / "reference" / "credit.md").read_text()

STUDENTS = {
    "AP000001": [("19", "93", "3"), ("26", "93", "4"), ("26", "68", "5"), ("26", "69", "5"), ("25", "66", "4")],
    "AP000002": [("26", "80", "4"), ("26", "82", "5"), ("26", "14", "3"), ("26", "15", "4"), ("26", "16", "5")],
    "AP000003": [("26", "20", "3"), ("26", "37", "4"), ("25", "87", "3"), ("26", "93", "3"), ("26", "10", "5")],
    "AP000004": [("26", "20", "4"), ("26", "66", "2"), ("26", "93", "3"), ("26", "07", "")],
}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The folder of a registrar, with the files of the page."""
    (policy,) = [block.code for block in blocks(HOW_TO) if block.code.startswith("rule,")]
    (tmp_path / "policy.csv").write_text(policy)
    (tmp_path / "next_year.csv").write_text(policy.replace("WORLD-MODERN,93,2020,,,,3", "WORLD-MODERN,93,2020,,,,4"))
    (tmp_path / "entries.csv").write_text("ap_id,entry_date\nAP000003,2022-08-22\nAP000004,2026-08-24\n")
    lines = [
        encode_record(record(ap_id, "004866", [(*exam, "" if exam[2] else "02") for exam in exams], "070126"))
        for ap_id, exams in STUDENTS.items()
    ]
    (tmp_path / "scores.txt").write_bytes(b"".join(line + b"\n" for line in lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_policy_of_the_page_has_each_kind_of_rule_and_no_defect(desk):
    checked = check_policy(desk / "policy.csv")

    assert (checked.defects, checked.warnings) == ((), ())
    used = {name for rule in checked.policy.rules for name in COLUMNS if getattr(rule, name, None)}
    assert used >= set(COLUMNS) - {"rule", "note"}


def test_the_commands_of_the_page_print_what_it_shows(desk, capsys):
    shown = [block.code for block in blocks(HOW_TO) if block.language == "console"]
    assert len(shown) == 3
    for text in shown:
        command, _, output = text.partition("\n")

        assert cli.main(shlex.split(command.removeprefix("$ apscores "))) == 0

        assert capsys.readouterr().out.replace(f"file://{desk}", "file:///home/registrar") == output


def test_the_reference_has_every_column_and_decision():
    result = REFERENCE.partition("## The result")[2]
    columns, _, decisions = result.partition("| decision |")
    rows = table_rows(columns)

    assert [name for name in DECISIONS if name not in table_rows(decisions)] == []
    assert {column.name: rows[column.name][0] for column in CREDIT.columns} == {
        column.name: {"float64": "double", "date32": "date"}.get(column.type, column.type) for column in CREDIT.columns
    }
    policy = REFERENCE.partition("## The policy")[2].partition("\n## ")[0]
    assert [name for name in COLUMNS if not re.search(rf"^\| .*`{name}`", policy, re.M)] == []

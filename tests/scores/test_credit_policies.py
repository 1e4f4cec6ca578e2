"""Policies of institutions give their published outcomes; see ``policies/README.md``."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from airflow_provider_apscores.scores.credit import award_credit, check_policy, read_policy, write_credit
from tests.scores.credit_cases import day, exam, table

FOLDER = Path(__file__).parent / "policies"
NAMES = sorted(path.stem for path in FOLDER.glob("*.csv") if "." not in path.stem)


def outcomes(name):
    with (FOLDER / f"{name}.outcomes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def inputs(name):
    """The exam scores and entry dates of the students of an outcome file."""
    rows = outcomes(name)
    scores = [exam(row["student"], row["exam_code"], int(row["score"]), int(row["admin_year"])) for row in rows]
    return scores, {row["student"]: day(row["entry_date"]) for row in rows if row["entry_date"]}


def test_there_are_policies_of_eight_public_institutions():
    readme = (FOLDER / "README.md").read_text()

    assert readme.count("(public)") >= 8
    assert all(f"`{name}`" in readme for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_published_outcome_comes_out(name):
    scores, entry_dates = inputs(name)

    found = award_credit(table(scores), read_policy(FOLDER / f"{name}.csv"), entry_dates=entry_dates).to_pylist()

    shown = {
        (row["ap_id"], row["exam_code"], str(row["admin_year"])): (
            row["decision"], row["award"] or "", "" if row["credits"] is None else f"{row['credits']:g}"
        )
        for row in found
    }  # fmt: skip
    assert shown == {
        (row["student"], row["exam_code"], row["admin_year"]): (row["decision"], row["award"], row["credits"])
        for row in outcomes(name)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_rules_and_columns_does_not_change_a_byte(name, tmp_path):
    scores, entry_dates = inputs(name)
    policy = (FOLDER / f"{name}.csv").read_text().splitlines()
    chance = random.Random(name)
    written = set()
    for _ in range(3):
        shuffled = [policy[0], *chance.sample(policy[1:], len(policy) - 1)]
        rows = list(csv.reader(shuffled))
        columns = chance.sample(range(len(rows[0])), len(rows[0]))
        (tmp_path / "policy.csv").write_text("".join(_line([row[place] for place in columns]) for row in rows))
        chance.shuffle(scores)

        result = award_credit(table(scores), read_policy(tmp_path / "policy.csv"), entry_dates=entry_dates)

        write_credit(result, tmp_path, formats=("parquet", "csv", "jsonl"))
        written.add(tuple((tmp_path / f"credit.{each}").read_bytes() for each in ("parquet", "csv", "jsonl")))
    assert len(written) == 1


def _line(cells):
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def test_a_rule_over_a_renamed_exam_is_a_warning_with_its_line():
    checked = check_policy(FOLDER / "purdue.csv")

    assert checked.policy is not None
    renamed = [str(each) for each in checked.warnings if "World History: Modern since 2020" in str(each)]
    assert [each.partition(",")[0] for each in renamed] == ["line 3", "line 6"]

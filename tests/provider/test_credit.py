"""The credit operator: files, counts, and no personal value in logs, XComs and errors."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.operators.credit import APScoresCreditOperator
from airflow_provider_apscores.operators.current_state import APScoresCurrentStateOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from tests.provider.world import fails_permanently, task_instance
from tests.scores.credit_cases import write_policy
from tests.scores.histories import encode_record, record

POLICY = """
    rule,exam_code,exam_year_from,entry_from,score_min,award,credits
    MODERN,93,2020,,4,HIST 102,3
    AB,66,,2026-08-01,4,MATH 151,4
"""


@pytest.fixture
def tables(tmp_path: Path) -> str:
    """The tables of a score file with two students."""
    scores = tmp_path / "scores.txt"
    exams = [("26", "93", "5", ""), ("26", "66", "4", "")]
    lines = [encode_record(record(ap_id, "004866", exams, "070126")) for ap_id in ("QX91K2VA", "QX91K2VB")]
    scores.write_bytes(b"".join(line + b"\n" for line in lines))
    parse = APScoresParseOperator(task_id="parse", source=str(scores), output=str(tmp_path / "tables"))
    parse.execute({"ti": task_instance("parse")})
    return str(tmp_path / "tables")


def credit(tmp_path: Path, **arguments: Any) -> dict[str, Any]:
    task = APScoresCreditOperator(task_id="credit", output=str(tmp_path / "credit"), **arguments)
    return task.execute({"ti": task_instance("credit")})


def test_parsed_tables_and_the_current_state_give_the_same_credit(tables: str, tmp_path: Path):
    state = APScoresCurrentStateOperator(task_id="current", source=tables, output=str(tmp_path / "current"))
    state.execute({"ti": task_instance("current")})
    policy = str(write_policy(tmp_path, POLICY))
    dates = tmp_path / "entries.csv"
    dates.write_text("ap_id,entry_date\nQX91K2VA,2026-08-24\n")

    found = []
    for scores in (tables, str(tmp_path / "current"), str(tmp_path / "current" / "exam_scores.parquet")):
        returned = credit(tmp_path, scores=scores, policy=policy, entry_dates=str(dates), as_of="2026-08-24")
        found.append((returned, (tmp_path / "credit" / "credit.parquet").read_bytes()))

    assert found[0] == found[1] == found[2]
    returned = found[0][0]
    assert returned["uris"] == {"credit": {"parquet": f"file://{tmp_path}/credit/credit.parquet"}}
    assert (returned["counts"]["award"], returned["counts"]["review"], returned["credits"]) == (3, 1, 10.0)
    rows = pq.read_table(tmp_path / "credit" / "credit.parquet").to_pylist()
    assert {str(row["as_of"]) for row in rows} == {"2026-08-24"}
    assert {row["policy_sha256"] for row in rows} == {returned["policy_sha256"]}


def test_loaded_credit_is_in_the_lineage(tables: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/scores.db"}))
    returned = credit(tmp_path, scores=tables, policy=str(write_policy(tmp_path, POLICY)))
    load = APScoresLoadOperator(task_id="load", tables=returned, conn_id="warehouse", create=True)

    load.execute({"ti": task_instance("load")})

    assert load.lineage is not None
    (read,), (written,) = load.lineage.inputs, load.lineage.outputs
    assert (read.name, read.files) == (f"{tmp_path}/credit", (f"file://{tmp_path}/credit/credit.parquet",))
    assert (written.namespace, written.name, written.rows) == (f"sqlite://{tmp_path}/scores.db", "ap_credit", 4)


def test_a_current_state_without_parquet_is_refused(tables: str, tmp_path: Path):
    output = str(tmp_path / "current")
    state = APScoresCurrentStateOperator(task_id="current", source=tables, output=output, formats="csv")
    state.execute({"ti": task_instance("current")})

    with fails_permanently(ConfigurationError, match="Write the current state with parquet among its formats"):
        credit(tmp_path, scores=output, policy=str(write_policy(tmp_path, POLICY)))
    with fails_permanently(ConfigurationError, match=r"policy\.parquet is no Parquet file"):
        other = write_policy(tmp_path, POLICY, "policy.parquet")
        credit(tmp_path, scores=str(other), policy=str(tmp_path / "policy.csv"))


def test_another_policy_is_compared_in_a_file_and_nothing_personal_is_logged(
    tables: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    policy = write_policy(tmp_path, POLICY.replace(",2026-08-01,", ",,") + "ART,14,,,3,ART 1,3")
    other = write_policy(tmp_path, POLICY.replace(",2026-08-01,", ",,").replace("3\n", "4\n"), "other.csv")

    with caplog.at_level(logging.DEBUG):
        returned = credit(tmp_path, scores=tables, policy=str(policy), compare=str(other))
    # Airflow 3 logs to standard output here, Airflow 2 through the logging module.
    log = "".join(capfd.readouterr()) + caplog.text

    assert (returned["changed"], returned["warnings"]) == (2, 1)
    assert f"{other} would change 2 of 4 scores." in log
    assert "Credit policy, line 4, exam_year_from: exam 14 was Studio Art: Drawing" in log
    written = json.loads((tmp_path / "credit" / "credit_comparison.json").read_text())
    assert written["changes"][0]["after"] == "award: HIST 102 (4)"
    credit(tmp_path, scores=tables, policy=str(policy))
    assert not (tmp_path / "credit" / "credit_comparison.json").exists()
    for text in (log, json.dumps(returned), json.dumps(written)):
        assert "QX91K2V" not in text
        assert "INVENTED" not in text


def test_a_policy_with_defects_fails_permanently_and_writes_nothing(tables: str, tmp_path: Path):
    policy = write_policy(tmp_path, POLICY + "X,98,,,6,A 1,3")

    with fails_permanently(
        ConfigurationError, match=r"2 defects\. Nothing was evaluated\.\n  line 4, exam_code: there is"
    ):
        credit(tmp_path, scores=tables, policy=str(policy))

    assert not (tmp_path / "credit").exists()


@pytest.mark.parametrize("content", [
    "ap_id,day\nQX91K2VA,2026-08-24\n", "ap_id,entry_date\nQX91K2VA,someday\n",
    "ap_id,entry_date\nQX91K2VA,2026-08-24\nQX91K2VA,2026-08-25\n", "",
])  # fmt: skip
def test_entry_dates_that_can_not_be_read_fail_without_a_word_of_them(content: str, tables: str, tmp_path: Path):
    dates = tmp_path / "entries.csv"
    dates.write_text(content)

    with fails_permanently(ConfigurationError, match=r"entries\.csv") as caught:
        credit(tmp_path, scores=tables, policy=str(write_policy(tmp_path, POLICY)), entry_dates=str(dates))

    assert "QX91K2V" not in str(caught.value)

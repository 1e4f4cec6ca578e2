"""``apscores credit``: from score files and a policy to counts and a table, without names."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pyarrow.csv
import pytest

from airflow_provider_apscores import cli
from tests.scores.credit_cases import write_policy
from tests.scores.histories import encode_record, record

POLICY = """
    rule,exam_code,exam_year_from,exam_year_to,score_min,award,credits
    WORLD,93,,2019,3,HIST 101 + HIST 102,6
    MODERN,93,2020,,4,HIST 102,3
    AB,66,,,4,MATH 151,4
"""


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A score file with two students."""
    path = tmp_path / "scores.txt"
    lines = [
        encode_record(record("AP000001", "004866", [("19", "93", "3", ""), ("26", "66", "5", "")], "070126")),
        encode_record(record("AP000002", "004866", [("26", "93", "4", ""), ("26", "66", "", "02")], "070126")),
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_the_command_counts_decisions_and_writes_the_table_for_its_owner_only(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    policy = write_policy(tmp_path, POLICY)
    output = tmp_path / "credit"

    written = ["--output", str(output), "--format", "csv", "--as-of", "2026-08-24"]
    code = cli.main(["credit", str(scores), "--policy", str(policy), *written])

    printed = capsys.readouterr().out
    assert code == 0
    assert "award           3" in printed
    assert "13 credits for 4 scores" in printed
    assert "AP00000" not in printed
    assert "INVENTED" not in printed
    rows = pyarrow.csv.read_csv(output / "credit.csv").to_pylist()
    assert [(row["ap_id"], row["decision"], row["credits"]) for row in rows] == [
        ("AP000001", "award", 6), ("AP000001", "award", 4), ("AP000002", "not_final", None), ("AP000002", "award", 3),
    ]  # fmt: skip
    assert {str(row["as_of"]) for row in rows} == {"2026-08-24"}
    assert stat.S_IMODE((output / "credit.csv").stat().st_mode) == 0o600


def test_files_of_an_earlier_result_do_not_stay(scores: Path, tmp_path: Path):
    policy = str(write_policy(tmp_path, POLICY))
    output = tmp_path / "credit"
    arguments = ["credit", str(scores), "--policy", policy, "--output", str(output)]

    assert cli.main([*arguments, "--format", "csv", "--compare", policy]) == 0
    assert sorted(file.name for file in output.iterdir()) == ["credit.csv", "credit_comparison.json"]

    assert cli.main(arguments) == 0
    assert [file.name for file in output.iterdir()] == ["credit.parquet"]


def test_many_credits_are_printed_in_full(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    policy = write_policy(tmp_path, POLICY.replace("MATH 151,4", "MATH 151,999.25"))
    for number in range(1500):
        line = encode_record(record(f"BP{number:06}", "004866", [("26", "66", "5", "")], "070126"))
        with scores.open("ab") as file:
            file.write(line + b"\n")

    assert cli.main(["credit", str(scores), "--policy", str(policy)]) == 0

    assert "1,499,883.25 credits for 1,504 scores" in capsys.readouterr().out


def test_another_policy_is_compared_in_counts(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    policy = write_policy(tmp_path, POLICY)
    other = write_policy(tmp_path, POLICY.replace("MODERN,93,2020,,4", "MODERN,93,2020,,5"), "other.csv")

    assert cli.main(["credit", str(scores), "--policy", str(policy), "--compare", str(other), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)["comparison"]
    assert (found["changed"], found["people"], found["credits_before"], found["credits_after"]) == (1, 1, 13, 10)
    assert found["changes"] == [{"exam_code": "93", "before": "award: HIST 102 (3)", "after": "below", "rows": 1}]


def test_a_policy_is_checked_without_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good = write_policy(tmp_path, POLICY)
    bad = write_policy(tmp_path, POLICY.replace("66", "98") + "WIDE,14,,,3,ART 1,9 9", "bad.csv")

    assert cli.main(["credit", "--check", str(good)]) == 0
    assert "3 rules, no defects. SHA-256 of the rules: " in capsys.readouterr().out
    assert cli.main(["credit", "--check", str(bad)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "defect: line 4, exam_code: there is no AP exam 98.",
        "defect: line 5, credits: '9 9' is no number of credits. Write a number such as 3 or 2.67, with a point, at "
        "most 3 decimals.",
        "warning: line 5, exam_year_from: exam 14 was Studio Art: Drawing up to 2019 and is Drawing since 2020; this "
        "rule covers both.",
        "2 defects. Correct the file, and check again.",
    ]  # fmt: skip


def test_a_policy_with_defects_evaluates_nothing(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = write_policy(tmp_path, POLICY.replace("66", "98"))
    output = tmp_path / "credit"

    assert cli.main(["credit", str(scores), "--policy", str(bad), "--output", str(output)]) == 2

    assert "/policy.csv has 1 defect. Nothing was evaluated." in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("arguments", [[], ["scores.txt"], ["scores.txt", "--check", "policy.csv"]])
def test_arguments_that_do_not_fit_exit_with_2(arguments: list[str]):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["credit", *arguments])


def test_a_folder_without_tables_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    policy = write_policy(tmp_path, POLICY)
    wrong = {
        tmp_path: "is a folder without parsed tables. Name its score files",
        tmp_path / "nowhere": "is neither a score file nor a folder of parsed tables: there is no such file",
    }
    for place, message in wrong.items():
        assert cli.main(["credit", str(place), "--policy", str(policy)]) == 2
        assert message in capsys.readouterr().err


def test_the_file_that_is_no_score_file_is_named(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    policy = write_policy(tmp_path, POLICY)

    assert cli.main(["credit", str(scores), str(policy), "--policy", str(policy)]) == 2

    assert f"{policy}: This is no AP score file" in capsys.readouterr().err


@pytest.mark.parametrize(("damage", "said"), [
    (b"a line that is no record\n", "scores.txt: not read, and not in the result: 1 lines or values."),
    (encode_record(record("", "004866", [("26", "66", "5", "")], "070126")) + b"\n", "which get no decision: 1."),
])  # fmt: skip
def test_scores_that_get_no_decision_are_counted_and_exit_with_1(
    damage: bytes, said: str, scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    scores.write_bytes(scores.read_bytes() + damage)

    assert cli.main(["credit", str(scores), "--policy", str(write_policy(tmp_path, POLICY))]) == 1

    printed = capsys.readouterr()
    assert said in printed.err
    assert "13 credits for 4 scores" in printed.out


def test_the_ap_ids_with_an_entry_date_are_counted(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file of other students, or with other identifiers, is noticed."""
    dates = tmp_path / "entries.csv"
    dates.write_text("ap_id,entry_date\nAP000001,2026-08-24\n000002,2026-08-24\n")
    policy = write_policy(tmp_path, POLICY)

    assert cli.main(["credit", str(scores), "--policy", str(policy), "--entry-dates", str(dates)]) == 0

    assert capsys.readouterr().err == f"1 of 2 AP IDs have an entry date in {dates}.\n"

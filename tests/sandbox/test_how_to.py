"""The page about the sandbox is correct."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from airflow_provider_apscores.cli.sandbox import add_arguments, welcome
from airflow_provider_apscores.sandbox import CALLS, FAULTS, REFUSALS, Campus, PlannedFault, Sandbox

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "sandbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=[f"block {number}" for number in range(1, len(BLOCKS) + 1)])
def test_every_python_block_runs(code):
    exec(compile(code, "sandbox.md", "exec"), {})


def test_the_documented_check_finds_a_loss(make_client, tmp_path):
    names: dict[str, object] = {}
    exec(next(code for code in BLOCKS if "nothing_was_lost" in code), names)
    check = names["nothing_was_lost"]
    with Sandbox(campuses=[Campus("0901", "A College", 3)]) as sandbox:
        client = make_client(sandbox)
        download_id, file = client.fetch("0901")
        client.record(download_id)
        with pytest.raises(AssertionError):
            check(sandbox, tmp_path)
        (tmp_path / "scores.txt").write_bytes(file)
        check(sandbox, tmp_path)


def test_every_fault_is_in_the_table():
    rows = re.findall(r"^\| `([a-z-]+)(?:=([^`]*))?` \| ([a-z, ]+) \| (yes|no) \|", PAGE, re.MULTILINE)
    told = {
        name: (CALLS if calls == "all" else tuple(calls.split(", ")), done == "yes", default or None)
        for name, default, calls, done in rows
    }
    assert told == {name: (kind.calls, kind.effect, kind.default or None) for name, kind in FAULTS.items()}


def test_every_refusal_and_option_is_named():
    assert [name for name in REFUSALS if f"`{name}`" not in PAGE] == []
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    assert [option for option in options if f"`{option}" not in PAGE and option not in ("--help", "--host")] == []


def test_every_fault_on_the_page_can_be_planned():
    written = re.findall(r"^\| `((?:login|order|download|record|any)[^`]*:[^`]*)` \|", PAGE, re.MULTILINE)
    assert len(written) == 4
    for text in written:
        PlannedFault.parse(text)


def test_the_page_shows_the_printed_start():
    with Sandbox() as sandbox:
        printed = welcome(sandbox).replace(str(sandbox.port), "8765").splitlines()
    missing = [line for line in printed[: printed.index("For Airflow:") + 1] if line not in PAGE.splitlines()]
    assert missing == []

"""``apscores check`` against a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from tests.cli.test_command import COMMAND
from tests.provider.world import World

pytestmark = pytest.mark.airflow


def test_it_logs_in_and_lists_the_campuses(world: World, capsys: pytest.CaptureFixture[str]):
    assert main(["check"]) == 0

    out = capsys.readouterr().out
    assert out == f"apscores_default: logged in to {world.sandbox.base_url}.\nCampuses: 0901, 9120, 9377\n"
    assert (world.sandbox.counts["login"], world.sandbox.counts["order"]) == (1, 0)


def test_it_says_which_campus_has_new_reports_or_is_refused(world: World, capsys: pytest.CaptureFixture[str]):
    world.sandbox.fail("order", "refuse=campus", di_code="9120")

    assert main(["check", "--new"]) == 2

    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "0901    new reports"
    assert lines[3].startswith("9120    CampusRefused: College Board refused to order")
    assert lines[4] == "9377    nothing new"
    assert (world.sandbox.counts["download"], world.sandbox.counts["record"]) == (0, 0)


def test_a_refused_login_is_sent_once_and_the_other_connections_are_checked(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    wrong = json.loads(world.connection) | {"password": "a wrong password", "extra": {"verify": "false"}}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps(wrong | {"password": world.sandbox.password}))

    assert main(["check", "wrong", "nosuch", "bare", "--json"]) == 2

    out, err = capsys.readouterr()
    found = {each["conn_id"]: each for each in json.loads(out)}
    assert found["wrong"]["error"].startswith("CredentialsRefused: ")
    assert found["nosuch"]["error"].startswith("ConfigurationError: There is no connection 'nosuch'. Create one")
    assert (found["bare"]["error"], found["bare"]["campuses"]) == (None, [])
    assert [line.split()[:2] for line in err.splitlines()] == [
        ["CredentialsRefused:", "wrong:"],
        ["ConfigurationError:", "nosuch:"],
    ]
    assert "a wrong password" not in out + err
    assert world.sandbox.counts["login"] == 2


def test_a_connection_without_campuses_is_a_finding(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    bare = json.loads(world.connection) | {"extra": {"verify": "false"}}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps(bare))

    assert main(["check", "bare"]) == 1
    assert "The connection names no campus" in capsys.readouterr().out


def test_a_process_needs_no_database_and_prints_nothing_else(world: World, tmp_path: Path):
    """
    Airflow's own log lines and warnings stay away from the output.
    """
    home = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db"}
    done = subprocess.run(
        [*COMMAND, "check", "apscores_default", "nosuch", "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, **home},
    )  # fmt: skip

    assert [each["conn_id"] for each in json.loads(done.stdout)] == ["apscores_default", "nosuch"]
    assert [line.partition(" nosuch:")[0] for line in done.stderr.splitlines()] == ["ConfigurationError:"]
    assert done.returncode == 2

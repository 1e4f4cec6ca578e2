"""``airflow apscores`` on Airflow 3.2 and later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import COMMANDS
from tests.scorefile.students import student, txt

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def parser():
    from airflow.providers_manager import ProvidersManager

    if not hasattr(ProvidersManager, "cli_command_functions"):
        pytest.skip("this Airflow takes no commands from providers")
    from airflow.cli.cli_parser import get_parser

    return get_parser()


def test_it_passes_arguments_and_options_on(parser, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "scores.txt").write_bytes(txt([student(1)]))
    given = parser.parse_args(["apscores", "summary", str(tmp_path / "scores.txt"), "--json"])

    with pytest.raises(SystemExit, match="0"):
        given.func(given)
    assert '"records": 1' in capsys.readouterr().out


def test_the_help_of_a_command_is_its_own(parser, capsys: pytest.CaptureFixture[str]):
    given = parser.parse_args(["apscores", "sql", "--help"])

    with pytest.raises(SystemExit, match="0"):
        given.func(given)
    assert capsys.readouterr().out.startswith("usage: airflow apscores sql ")


def test_the_help_lists_the_commands(parser, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        parser.parse_args(["apscores", "--help"])

    printed = capsys.readouterr().out
    assert [line for line in COMMANDS.values() if line not in printed] == []


def test_other_commands_of_airflow_import_only_the_definition():
    """
    Airflow imports the definition each time one of its commands runs.
    """
    code = (
        "import sys, airflow.cli.cli_config; before = set(sys.modules)\n"
        "from airflow_provider_apscores.cli.definition import get_apscores_cli_commands as commands; commands()\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)

    package = "airflow_provider_apscores"
    assert set(done.stdout.splitlines()[-1].split()) <= {package, f"{package}.cli", f"{package}.cli.definition"}

"""What all commands share: help, exit codes, a terminal, interruption."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores import __version__, cli
from tests.scorefile.students import student, txt

COMMAND = [sys.executable, "-m", "airflow_provider_apscores.cli"]


@pytest.fixture
def score_file(tmp_path: Path) -> Path:
    path = tmp_path / "scores.txt"
    path.write_bytes(txt([student(1), student(2)]))
    return path


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_examples_and_exit_codes(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"apscores {name} " in text.partition("examples:")[2]
    assert cli.EXIT_CODES in text


def test_the_help_names_every_command_without_importing_it(score_file: Path):
    code = (
        "import sys; from airflow_provider_apscores import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print(*[name for name in sys.modules if name.split('.')[0] in ('rich', 'airflow') or "
        "name.startswith('airflow_provider_apscores.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    *help_text, modules = done.stdout.splitlines()
    assert [name for name in cli.COMMANDS if f"  {name} " not in "\n".join(help_text)] == []
    assert modules == "airflow_provider_apscores.cli.output"


def test_the_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])

    assert capsys.readouterr().out == f"apscores {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["sumary"], ["summary"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)

    assert capsys.readouterr().err.startswith("usage: apscores")


def test_a_terminal_gets_a_table_and_a_progress_bar(
    score_file: Path, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TERM", "xterm")
    out, err = mocker.patch("sys.stdout", Terminal()), mocker.patch("sys.stderr", Terminal())

    assert cli.main(["summary", str(score_file)]) == 0

    assert "Calculus AB" in out.getvalue()
    assert "\x1b[1m" in out.getvalue()
    assert "scores.txt" in err.getvalue()


def test_an_interrupted_command_says_so_in_one_line(
    score_file: Path, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
):
    mocker.patch("airflow_provider_apscores.cli.summary.summarize", side_effect=KeyboardInterrupt)

    assert cli.main(["summary", str(score_file)]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk to write to")
def test_a_full_disk_behind_standard_output_is_one_line(score_file: Path):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "summary", score_file], stdout=full, stderr=subprocess.PIPE, check=False)

    assert (done.returncode, done.stderr) == (2, b"Can't use standard output: No space left on device.\n")


def test_a_program_that_reads_no_further_causes_no_traceback(score_file: Path):
    gone, pipe = os.pipe()
    os.close(gone)
    with os.fdopen(pipe, "wb") as output:
        done = subprocess.run([*COMMAND, "summary", score_file], stdout=output, stderr=subprocess.PIPE, check=False)

    assert (done.returncode, done.stderr) == (2, b"")


def test_the_script_reads_standard_input(score_file: Path):
    script = Path(sys.executable).with_name("apscores")
    if not script.exists():
        pytest.skip("the package was installed before it had the script")
    done = subprocess.run([script, "summary", "-"], input=score_file.read_bytes(), capture_output=True, check=True)

    assert done.stdout.startswith(b"-: 2 student records")
    assert done.stderr == b""

"""``apscores student`` and ``apscores find``: personal data goes to its file or the terminal, nowhere else."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores import cli
from tests.cli.test_command import Terminal
from tests.scorefile.students import student, txt


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "scores.txt"
    path.write_bytes(txt([student(1), student(2)]))
    return path


def ap_id_of(number: int) -> str:
    return student(number)["ap_id"]


def test_the_report_is_readable_by_its_owner_only_and_nothing_of_it_is_printed(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    out = tmp_path / "student.html"

    with caplog.at_level(logging.DEBUG):
        assert cli.main(["student", str(scores), "--ap-id", ap_id_of(1), "--html", str(out)]) == 0

    html = out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert student(1)["last_name"] in html
    assert ap_id_of(2) not in html
    said = "".join(capsys.readouterr()) + caplog.text
    assert "Wrote " in said
    assert ap_id_of(1) not in said
    assert student(1)["last_name"] not in said


def test_a_line_that_could_not_be_read_is_said_and_exits_with_1(
    scores: Path, tmp_path: Path, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
):
    """The student may be on that line."""
    scores.write_bytes(scores.read_bytes() + b"a line that is no record\n")

    assert cli.main(["student", str(scores), "--ap-id", ap_id_of(1), "--html", str(tmp_path / "student.html")]) == 1
    assert "not in the result: 1 lines or values" in capsys.readouterr().err
    mocker.patch("sys.stdout", Terminal())
    assert cli.main(["find", str(scores), "--name", student(2)["last_name"]]) == 1
    assert "not in the result: 1 lines or values" in capsys.readouterr().err


def test_an_unknown_ap_id_writes_nothing(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "student.html"

    assert cli.main(["student", str(scores), "--ap-id", "ZZZZ", "--html", str(out)]) == 2

    assert (
        capsys.readouterr().err == "ConfigurationError: No score file has AP ID number 1 of those that you asked for.\n"
    )
    assert not out.exists()


def test_found_students_are_shown_on_a_terminal(scores: Path, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")
    out = mocker.patch("sys.stdout", Terminal())

    assert cli.main(["find", str(scores), "--name", student(2)["last_name"].lower()]) == 0

    assert ap_id_of(2) in out.getvalue()


def test_a_name_that_is_not_there_exits_with_1(scores: Path, mocker: MockerFixture):
    out = mocker.patch("sys.stdout", Terminal())

    assert cli.main(["find", str(scores), "--name", "qqqq"]) == 1

    assert out.getvalue() == "0 found.\n"


def test_find_writes_neither_to_a_file_nor_to_a_pipe(scores: Path, capsys: pytest.CaptureFixture[str]):
    """A task of Airflow would log it."""
    assert cli.main(["find", str(scores), "--name", student(1)["last_name"]]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Run this command on a terminal" in printed.err
    assert student(1)["last_name"] not in printed.err

"""``apscores parse``."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores.cli import main
from tests.scorefile.students import csv_file, student, txt

WITH_ERRORS = [student(1), student(2, irregularity_1_02="94", exam_grade_02="", birth_date="999999")]


@pytest.fixture
def score_file(tmp_path: Path) -> Path:
    path = tmp_path / "scores.txt"
    path.write_bytes(txt(WITH_ERRORS))
    return path


def test_tables_are_written_and_named(score_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["parse", str(score_file), "--to", str(tmp_path / "out"), "--format", "csv", "--stem", "july"]

    assert main(arguments) == 1

    first, _header, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{score_file}: 2 student records"
    assert [line.split()[:2] for line in lines] == [
        ["students", "2"],
        ["exam_scores", "4"],
        ["awards", "2"],
        ["problems", "1"],
        ["deliveries", "1"],
        ["rejected", "1"],
        ["problems:", "bad_date"],
    ]
    assert (tmp_path / "out" / "students" / "july.csv").is_file()


def test_several_files_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    header, row = csv_file([student()]).splitlines()
    (tmp_path / "first.txt").write_bytes(txt([student(1), student(2)]))
    (tmp_path / "second.csv").write_bytes(header + b',"Shoe Size"\n' + row + b',"42"\n')
    files = [str(tmp_path / "first.txt"), str(tmp_path / "second.csv")]

    assert main(["parse", *files, "--to", str(tmp_path / "out"), "--json"]) == 0

    first, second = json.loads(capsys.readouterr().out)
    assert (first["file"], first["records"], second["unread_columns"]) == (files[0], 2, 1)
    written = {each["uris"]["students"]["parquet"] for each in (first, second)}
    assert written == {path.as_uri() for path in (tmp_path / "out" / "students").iterdir()}


def test_columns_that_are_not_read_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    header, row = csv_file([student()]).splitlines()
    (tmp_path / "scores.csv").write_bytes(header + b',"Shoe Size"\n' + row + b',"42"\n')

    assert main(["parse", str(tmp_path / "scores.csv"), "--to", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.endswith("1 columns were not read; apscores summary names them.\n")


def test_a_file_with_errors_can_be_refused(score_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["parse", str(score_file), "--to", str(tmp_path / "out"), "--on-problem", "fail"]) == 2

    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert "record 2: bad_date" in found.err
    assert not list((tmp_path / "out").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", ""], "--to is empty"),
        (["again.txt", "--to", "out", "--stem", "a"], "--stem names the tables of a single file"),
        (["--to", "out", "--escape-formulas"], "--escape-formulas changes CSV files only"),
        ([], "required: --to"),
    ],
)
def test_an_option_without_effect_is_an_error(
    score_file: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit, match="2"):
        main(["parse", str(score_file), *arguments])

    assert message in capsys.readouterr().err


class InterruptedInput(io.BytesIO):
    """Standard input while the user presses Ctrl-C: the signal arrives behind the first bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            signal.raise_signal(signal.SIGINT)
        return super().read(size)


def test_an_interrupted_run_says_so_in_one_line_and_leaves_no_part(
    tmp_path: Path, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
):
    data = InterruptedInput(txt([student(number) for number in range(1, 20_000)]))
    mocker.patch("sys.stdin", mocker.Mock(buffer=data))
    # A shell lets its background jobs ignore the signal.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        assert main(["parse", "-", "--to", str(tmp_path / "out")]) == 130
    finally:
        signal.signal(signal.SIGINT, previous)

    assert capsys.readouterr().err == "Interrupted.\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_tables_can_be_partitioned(score_file: Path, tmp_path: Path):
    arguments = ["--partition-by", "di_code", "--partition-by", "reporting_year"]

    main(["parse", str(score_file), "--to", str(tmp_path / "out"), *arguments])

    assert list((tmp_path / "out" / "awards" / "di_code=4866" / "reporting_year=2025").glob("4866-*.parquet"))

"""The reader on the command line."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from airflow_provider_apscores.scorefile import __main__ as command_line
from tests.scorefile.students import csv_file, student, txt


@pytest.fixture
def score_file(tmp_path):
    path = tmp_path / "scores.txt"
    path.write_bytes(txt([student(1), student(2, irregularity_1_02="94", exam_grade_02="", birth_date="999999")]))
    return path


def test_tables_are_written_and_named(score_file, tmp_path, capsys):
    status = command_line.main([str(score_file), "--to", str(tmp_path / "out"), "--format", "csv", "--stem", "july"])
    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["students", "2"],
        ["exam_scores", "4"],
        ["awards", "2"],
        ["problems", "1"],
        ["deliveries", "1"],
        ["rejected", "1"],
    ]
    assert (tmp_path / "out" / "students" / "july.csv").is_file()


def test_the_summary_counts_and_names_nobody(score_file, capsys):
    assert command_line.main([str(score_file), "--summary"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert out.startswith("2 student records (TXT, 950 characters a record)")
    assert rows["4866"] == ["2", "4", "2"]
    assert rows["66"] == ["Calculus", "AB", "2", "0", "0", "0", "0", "0"]
    assert rows["07"] == ["United", "States", "History", "0", "0", "1", "0", "0", "1"]
    assert " ".join(rows["status"]) == "canceled 1, reported 3"
    assert " ".join(rows["problems"]) == "bad_date 1 (error)"
    assert rows["rejected"] == ["1", "lines"]
    assert "RIVERA" not in out
    assert "AP0000" not in out


def test_columns_that_are_not_read_are_named(tmp_path, capsys):
    path = tmp_path / "scores.csv"
    header, row = csv_file([student()]).splitlines()
    path.write_bytes(header + b',"Shoe Size"\n' + row + b',"42"\n')
    command_line.main([str(path)])
    assert "not read    1 columns: Shoe Size" in capsys.readouterr().out
    command_line.main([str(path), "--to", str(tmp_path / "out")])
    assert capsys.readouterr().out.endswith("1 columns, which --summary names\n")


def test_an_error_is_one_line(tmp_path, capsys):
    path = tmp_path / "page.txt"
    path.write_text("<html></html>")
    assert command_line.main([str(path), "--to", str(tmp_path / "out")]) == 1
    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert found.err.startswith("ScoreFileMalformed: This is no AP score file: it is a web page")
    assert command_line.main([str(tmp_path / "nowhere")]) == 1


def test_on_problem_fail(score_file, tmp_path, capsys):
    arguments = [str(score_file), "--to", str(tmp_path / "out"), "--on-problem", "fail"]
    assert command_line.main(arguments) == 1
    assert "record 2: bad_date" in capsys.readouterr().err


def test_on_problem_fail_without_tables(score_file, capsys):
    assert command_line.main([str(score_file), "--on-problem", "fail"]) == 1
    found = capsys.readouterr()
    assert (found.out, "record 2: bad_date" in found.err) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", ""], "--to is empty"),
        (["--format", "csv"], "--format is about the tables; say with --to"),
        (["--escape-formulas", "--summary"], "--escape-formulas is about the tables"),
    ],
)
def test_what_would_be_left_undone_is_an_error(score_file, arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        command_line.main([str(score_file), *arguments])
    assert said in capsys.readouterr().err


def test_a_pipe_is_asked_for_one_thing(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    for source in (str(tmp_path / "pipe"), "-"):
        with pytest.raises(SystemExit, match="2"):
            command_line.main([source, "--to", str(tmp_path / "out"), "--summary"])
        assert "can be read once" in capsys.readouterr().err


def test_an_interrupted_run_says_so_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "airflow_provider_apscores.scorefile", tmp_path / "pipe", "--to", tmp_path / "out"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        try:
            writing = os.open(tmp_path / "pipe", os.O_WRONLY)  # it has come as far as reading
            time.sleep(0.5)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=30)
            os.close(writing)
        finally:
            running.kill()
    assert (running.returncode, said) == (130, b"Interrupted.\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk to write to")
def test_a_full_disk_behind_standard_output_is_one_line(score_file):
    command = [sys.executable, "-m", "airflow_provider_apscores.scorefile", str(score_file)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"Can't write to standard output: No space left on device.\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_progress_bar_and_a_pipe_none(score_file, tmp_path, monkeypatch):
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        command_line.main([str(score_file), "--to", str(tmp_path / "out")])
        assert ("100 %" in stream.getvalue()) == stream.isatty()
        assert stream.getvalue().endswith("\r") == stream.isatty()


def test_as_a_program_with_standard_input(score_file):
    done = subprocess.run(
        [sys.executable, "-m", "airflow_provider_apscores.scorefile", "-"],
        input=score_file.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"2 student records")
    assert done.stderr == b""


def test_a_reader_that_has_seen_enough_causes_no_traceback(score_file):
    gone, pipe = os.pipe()
    os.close(gone)
    command = [sys.executable, "-m", "airflow_provider_apscores.scorefile", str(score_file)]
    with os.fdopen(pipe, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")

"""``apscores summary``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from tests.scorefile.students import csv_file, student, txt

WITH_ERRORS = [student(1), student(2, irregularity_1_02="94", exam_grade_02="", birth_date="999999")]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_the_summary_counts_and_contains_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["summary", write(tmp_path / "scores.txt", txt(WITH_ERRORS))]) == 1

    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert out.startswith(f"{tmp_path}/scores.txt: 2 student records (TXT, 950 characters a record)")
    assert rows["4866"] == ["2", "4", "2"]
    assert rows["66"] == ["Calculus", "AB", "2", "0", "0", "0", "0", "0"]
    assert rows["07"] == ["United", "States", "History", "0", "0", "1", "0", "0", "1"]
    assert " ".join(rows["status"]) == "canceled 1, reported 3"
    assert " ".join(rows["problems"]) == "bad_date 1 (error)"
    assert rows["rejected"] == ["1", "lines"]
    assert "RIVERA" not in out
    assert "AP0000" not in out


def test_several_files_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    header, row = csv_file([student()]).splitlines()
    files = [
        write(tmp_path / "first.txt", txt([student(1), student(2)])),
        write(tmp_path / "second.csv", header + b',"Shoe Size"\n' + row + b',"42"\n'),
    ]

    assert main(["summary", "--json", *files]) == 0

    first, second = json.loads(capsys.readouterr().out)
    assert (first["file"], first["records"], first["layout"]) == (files[0], 2, "950")
    assert first["campuses"] == [{"di_code": "4866", "students": 2, "exam_scores": 4, "awards": 2}]
    assert second["unread_columns"] == ["Shoe Size"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = [
        write(tmp_path / "page.txt", b"<html></html>"),
        write(tmp_path / "scores.txt", txt([student(1)])),
        str(tmp_path / "nowhere"),
    ]

    assert main(["summary", *files]) == 2

    found = capsys.readouterr()
    assert "1 student records" in found.out
    page, nowhere = found.err.splitlines()
    assert page.startswith(f"ScoreFileMalformed: {files[0]}: This is no AP score file: it is a web page")
    assert nowhere.startswith(f"StorageUnavailable: {files[2]}: ")

"""``apscores compact``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.scorefile import write_tables
from tests.scorefile.students import student, txt


def test_old_files_are_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for number in (1, 2, 3):
        write_tables(txt([student(number)]), tmp_path)

    assert main(["compact", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Merged 0 files into 0.\n"
    assert main(["compact", str(tmp_path), "--older-than", "0", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert (len(said["written"]), len(said["replaced"])) == (5, 15)


def test_a_folder_without_tables_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "4866").mkdir()

    assert main(["compact", str(tmp_path)]) == 2
    assert "no table. Is it the folder that the parse tasks write to?" in capsys.readouterr().err
    assert main(["compact", str(tmp_path / "missing")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_an_age_that_is_no_number_of_days_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["compact", "tables", "--older-than", "-1"])
    assert "a number of days, such as 7, not '-1'" in capsys.readouterr().err

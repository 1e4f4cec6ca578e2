"""``apscores ledger``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main

RECORDED = "2026-11-23T18:16:00Z"


def path(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_the_command_shows_deliveries(place: Path, land, capsys):
    delivery = land().mark_recorded(RECORDED)

    assert main(["ledger", str(place)]) == 0

    shown = capsys.readouterr().out
    header, row, _, total = shown.splitlines()
    assert header.split()[:2] == ["campus", "landed"]
    assert row.split()[0] == "4866"
    assert "2026-11-23 18:16" in row
    assert row.endswith(delivery.uri)
    assert total == "1 delivery, 1 of them recorded."


def test_the_command_lists_what_needs_attention(place: Path, land, capsys):
    waits = land()

    assert main(["ledger", str(place)]) == 1

    said = capsys.readouterr().out
    assert "Landed, no record noted; perhaps recorded. Unless it is a pull, clear the unfinished tasks" in said
    assert waits.manifest_uri in said


def test_the_command_lists_unfinished_files(place: Path, land, landing, capsys):
    land().mark_recorded(RECORDED)
    landing().begin().write(b"cut")

    assert main(["ledger", str(place)]) == 1
    assert "Unfinished, left by interrupted tries or being written now" in capsys.readouterr().out


def test_a_missing_file_is_found_and_a_changed_one_on_request(place: Path, land, capsys):
    gone, longer, changed = (
        land(run_id=f"day-{number}", download_id=str(number)).mark_recorded(RECORDED) for number in (1, 2, 3)
    )
    path(gone.uri).unlink()
    path(longer.uri).write_bytes(b"longer" * 1000)
    path(changed.uri).write_bytes(bytes(changed.manifest.bytes))

    assert main(["ledger", str(place)]) == 1
    assert capsys.readouterr().out.endswith(f"Gone or changed since they were landed:\n  {gone.uri}\n  {longer.uri}\n")
    assert main(["ledger", str(place), "--check"]) == 1
    assert capsys.readouterr().out.endswith(f"  {longer.uri}\n  {changed.uri}\n")


def test_a_missing_destination_is_an_error(place: Path, capsys):
    assert main(["ledger", str(place)]) == 2
    assert f"Can't read file://{place}: No such file" in capsys.readouterr().err
    place.write_bytes(b"a file")
    assert main(["ledger", str(place), "--check"]) == 2
    assert "Not a directory" in capsys.readouterr().err
    assert main(["ledger", "memory://nowhere/at/all", "--json"]) == 2


def test_the_command_names_a_destination_without_deliveries(place: Path, capsys):
    place.mkdir()
    assert main(["ledger", str(place)]) == 0
    assert capsys.readouterr().out == f"No deliveries under {place}.\n"
    assert main(["ledger", str(place), "--di-code", "4866"]) == 0
    assert capsys.readouterr().out == f"No deliveries of campus 4866 under {place}.\n"


def test_the_command_prints_json(place: Path, land, capsys):
    delivery = land()

    assert main(["ledger", str(place), "--json", "--di-code", "4866"]) == 1

    said = json.loads(capsys.readouterr().out)
    assert said["pending"] == [delivery.manifest_uri]
    assert said["deliveries"][0]["sha256"] == delivery.manifest.sha256


def test_the_command_fails_on_an_unreadable_manifest(place: Path, land, capsys):
    path(land().manifest_uri).write_text("{}")

    assert main(["ledger", str(place)]) == 2
    assert "names no manifest version" in capsys.readouterr().err


def test_a_folder_that_is_no_destination_is_an_error(place: Path, capsys):
    (place / "exam_scores").mkdir(parents=True)

    assert main(["ledger", str(place)]) == 2
    assert "but no folder of a campus. Is it the destination" in capsys.readouterr().err


def test_a_campus_that_is_no_di_code_is_an_error(place: Path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["ledger", str(place), "--di-code", "486"])

    assert "a DI code has four digits, not '486'" in capsys.readouterr().err

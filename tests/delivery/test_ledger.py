"""The ledger, in Python and on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_apscores.delivery import APScoresLedger
from airflow_provider_apscores.delivery.__main__ import main
from airflow_provider_apscores.errors import ManifestNotUnderstood, WrongCampusInFile
from airflow_provider_apscores.scorefile import encode_record

RECORDED = "2026-11-23T18:16:00Z"


def test_an_empty_destination_has_no_deliveries(place: Path):
    ledger = APScoresLedger(place)

    assert (list(ledger.deliveries()), ledger.unrecorded(), ledger.orphans(), ledger.quarantined()) == ([], [], [], [])


def test_deliveries_come_campus_by_campus_in_the_order_of_landing(place: Path, land):
    second = land(b"".join(encode_record({"ap_id": "FK1", "college_code": "004867"}) for _ in "1"), di_code="4867")
    first = land()
    third = land(run_id="day-2", download_id="2")

    ledger = APScoresLedger(place)

    assert [each.manifest_uri for each in ledger.deliveries()] == [each.manifest_uri for each in (first, third, second)]
    assert list(ledger.deliveries("4867")) == [second]
    assert ledger.manifest_uris("4867") == [second.manifest_uri]
    assert list(ledger.deliveries("0000")) == []


def test_unrecorded_and_pending_deliveries_are_listed(place: Path, land):
    land().mark_recorded(RECORDED)
    waits = land(run_id="day-2", download_id="2")
    full = land(run_id="day-2", download_id="3", download_type="full")

    ledger = APScoresLedger(place)

    assert ledger.unrecorded() == [waits, full]
    assert ledger.pending() == [waits]


def test_a_delivery_is_not_pending_once_a_later_one_is_recorded(place: Path, land):
    land()
    land(run_id="day-2", download_id="2").mark_recorded(RECORDED)

    assert len(APScoresLedger(place).unrecorded()) == 1
    assert APScoresLedger(place).pending() == []


def test_a_delivery_whose_record_began_stays_pending(place: Path, land):
    perhaps = land().mark_record_began(RECORDED)
    land(run_id="day-2", download_id="2").mark_record_began(RECORDED).mark_recorded(RECORDED)

    assert APScoresLedger(place).pending() == [perhaps]


def test_an_unreadable_manifest_is_an_error(place: Path, land):
    Path(land().manifest_uri.removeprefix("file://")).write_text("{}")

    with pytest.raises(ManifestNotUnderstood):
        list(APScoresLedger(place).deliveries())


def test_leftovers_are_found(place: Path, land):
    killed = land()
    Path(killed.manifest_uri.removeprefix("file://")).unlink()
    with pytest.raises(WrongCampusInFile):
        land(encode_record({"ap_id": "FK1", "college_code": "004867"}) + b"\n", run_id="day-2")

    ledger = APScoresLedger(place)

    assert ledger.orphans() == [killed.uri]
    (aside,) = ledger.quarantined()
    assert "/quarantine/4866/day-2-" in aside
    assert ledger.quarantined("4867") == []


def test_unfinished_files_of_interrupted_tries_are_listed(place: Path, land, landing):
    land()
    for run_id in ("day-1", "day-2"):
        landing(run_id=run_id).begin().write(b"cut")
    mark = place / "4866" / ".digests" / ".0a.part-6b0c7507-1c1e3a4b40f0"
    mark.touch()

    ledger = APScoresLedger(place)

    of_mark, *of_files = ledger.unfinished("4866")
    assert of_mark == f"file://{mark}"
    assert ["/.incoming.part-" in each for each in of_files] == [True, True]
    assert (ledger.unfinished(), ledger.unfinished("4867")) == ([of_mark, *of_files], [])


# The command


def test_the_command_shows_deliveries(place: Path, land, capsys):
    delivery = land().mark_recorded(RECORDED)

    assert main([str(place)]) == 0

    shown = capsys.readouterr().out
    header, row, _, total = shown.splitlines()
    assert header.split()[:2] == ["campus", "landed"]
    assert row.split()[0] == "4866"
    assert "2026-11-23 18:16" in row
    assert row.endswith(delivery.uri)
    assert total == "1 delivery, 1 of them recorded."


def test_a_closed_pipe_causes_no_traceback(place: Path, land):
    land().mark_recorded(RECORDED)
    gone, pipe = os.pipe()
    os.close(gone)
    command = [sys.executable, "-m", "airflow_provider_apscores.delivery", str(place)]
    with os.fdopen(pipe, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk to write to")
def test_a_full_disk_behind_standard_output_is_one_line(place: Path, land):
    land()
    command = [sys.executable, "-m", "airflow_provider_apscores.delivery", str(place)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"Can't write to standard output: No space left on device.\n")


def test_the_command_lists_what_needs_attention(place: Path, land, capsys):
    waits = land()

    assert main([str(place)]) == 1

    said = capsys.readouterr().out
    assert "Landed, no record noted; perhaps recorded. Clear the unfinished tasks of the run:" in said
    assert waits.manifest_uri in said


def test_the_command_lists_unfinished_files(place: Path, land, landing, capsys):
    land().mark_recorded(RECORDED)
    landing().begin().write(b"cut")

    assert main([str(place)]) == 1
    assert "Unfinished, left by interrupted tries or being written now" in capsys.readouterr().out


def test_the_command_compares_files_on_request(place: Path, land, capsys):
    delivery = land().mark_recorded(RECORDED)
    Path(delivery.uri.removeprefix("file://")).write_bytes(b"changed")

    assert main([str(place)]) == 0
    assert main([str(place), "--check"]) == 1
    assert f"Gone or changed since they were landed:\n  {delivery.uri}" in capsys.readouterr().out


def test_a_missing_destination_is_an_error(place: Path, capsys):
    assert main([str(place)]) == 2
    assert f"Can't read file://{place}: No such file" in capsys.readouterr().err
    place.write_bytes(b"a file")
    assert main([str(place), "--check"]) == 2
    assert "Not a directory" in capsys.readouterr().err
    assert main(["memory://nowhere/at/all", "--json"]) == 2


def test_the_command_names_a_destination_without_deliveries(place: Path, capsys):
    place.mkdir()
    assert main([str(place)]) == 0
    assert capsys.readouterr().out == f"No deliveries under {place}.\n"
    assert main([str(place), "--di-code", "4866"]) == 0
    assert capsys.readouterr().out == f"No deliveries of campus 4866 under {place}.\n"


def test_the_command_prints_json(place: Path, land, capsys):
    delivery = land()

    assert main([str(place), "--json", "--di-code", "4866"]) == 1

    said = json.loads(capsys.readouterr().out)
    assert said["pending"] == [delivery.manifest_uri]
    assert said["deliveries"][0]["sha256"] == delivery.manifest.sha256


def test_the_command_fails_on_an_unreadable_manifest(place: Path, land):
    Path(land().manifest_uri.removeprefix("file://")).write_text("{}")

    command = [sys.executable, "-m", "airflow_provider_apscores.delivery", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "names no manifest version" in done.stderr

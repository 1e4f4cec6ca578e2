"""``apscores pull`` against a sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from tests.provider.world import World

pytestmark = pytest.mark.airflow


def test_the_campuses_of_the_connection_are_stored_and_not_recorded(world: World, capsys: pytest.CaptureFixture[str]):
    assert main(["pull", str(world.destination)]) == 0

    out, err = capsys.readouterr()
    header, *rows, nothing = out.splitlines()
    assert header.split() == ["campus", "records", "bytes", "recorded", "file"]
    assert [row.split()[:4] for row in rows] == [["0901", "12", "11,412", "no"], ["9120", "5", "4,755", "no"]]
    assert nothing == "Nothing new: 9377"
    assert "Verified 12 student records" in err
    assert len(world.landed()) == 17
    world.assert_nothing_was_recorded()
    assert world.sandbox.counts["login"] == 1


def test_record_is_explicit(world: World, capsys: pytest.CaptureFixture[str]):
    arguments = ["pull", str(world.destination), "--di-code", "9120", "--format", "CSV", "--json"]

    assert main([*arguments, "--record"]) == 0
    (pulled,) = json.loads(capsys.readouterr().out)
    assert (pulled["di_code"], pulled["records"], pulled["recorded"]) == ("9120", 5, True)
    assert world.sandbox.audit().passed_reports(world.sandbox.email) == world.landed()

    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == [{"di_code": "9120", "uri": None}]
    world.assert_nothing_is_lost()


def test_a_campus_that_fails_does_not_stop_the_others(world: World, capsys: pytest.CaptureFixture[str]):
    world.sandbox.fail("order", "refuse=campus", di_code="0901")

    assert main(["pull", str(world.destination)]) == 2

    out, err = capsys.readouterr()
    assert "CampusRefused: 0901: College Board refused to order" in err
    assert out.splitlines()[1].split()[:2] == ["9120", "5"]
    assert len(world.landed()) == 5


def test_a_refused_login_is_sent_once_for_all_campuses(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    wrong = json.loads(world.connection) | {"password": "a wrong password"}
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(wrong))

    assert main(["pull", str(world.destination), "--record"]) == 2

    assert "\nCredentialsRefused: College Board did not accept the login" in capsys.readouterr().err
    assert (world.sandbox.counts["login"], world.sandbox.counts["order"]) == (1, 0)


def test_a_broken_transfer_starts_again(world: World, capsys: pytest.CaptureFixture[str]):
    world.sandbox.fail("download", "truncate")

    assert main(["pull", str(world.destination), "--di-code", "0901"]) == 0
    assert len(world.landed()) == 12


def test_a_file_of_another_campus_is_not_stored(world: World, capsys: pytest.CaptureFixture[str]):
    world.sandbox.fail("download", "wrong-campus")

    assert main(["pull", str(world.destination), "--di-code", "0901", "--record"]) == 2

    assert "WrongCampusInFile: " in capsys.readouterr().err
    assert world.landed() == set()
    world.assert_nothing_was_recorded()


def test_a_connection_without_campuses_needs_di_code(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    bare = json.loads(world.connection) | {"extra": {"verify": "false"}}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps(bare))

    assert main(["pull", str(tmp_path), "--conn-id", "bare"]) == 2
    assert "Connection 'bare' names no campus. Give --di-code" in capsys.readouterr().err

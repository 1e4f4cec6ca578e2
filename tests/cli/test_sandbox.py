"""``apscores sandbox``: as a process where its signals or its output matter."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.sandbox import DEFAULT_PASSWORD, FAULTS, RemoteSandbox, Sandbox

COMMAND = [sys.executable, "-m", "airflow_provider_apscores.cli", "sandbox"]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **more}


@contextmanager
def started(*arguments: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and what it printed up to its readiness."""
    command = [*COMMAND, "--port", "0", *arguments]
    env = environment(**more)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, encoding="utf-8") as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "Stop with Ctrl-C" in line:
                break
        try:
            yield process, lines
        finally:
            process.kill()


def connection(lines: list[str]) -> dict[str, object]:
    line = next(line for line in lines if line.startswith("export AIRFLOW_CONN_APSCORES_DEFAULT="))
    # As a shell parses the line.
    return json.loads(shlex.split(line)[1].partition("=")[2])


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_serves_and_stops_cleanly(make_client, stop):
    with started() as (process, lines):
        found = connection(lines)
        assert found["conn_type"] == "apscores"
        assert found["password"] == DEFAULT_PASSWORD
        assert found["extra"] == {"di_codes": "0901,9120,9245,9377"}
        campuses = [line.split()[:2] for line in lines if line[2:6] in {"0901", "9120", "9245", "9377"}]
        assert campuses == [["0901", "40"], ["9120", "34"], ["9245", "27"], ["9377", "0"]]

        client = make_client(str(found["host"]))
        download_id, file = client.fetch("9245")
        client.record(download_id)
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert rest.endswith("Stopped.\n")
    calls = [line.split(maxsplit=1)[1] for line in rest.splitlines()[:-1]]
    assert [call.split()[0] for call in calls] == ["login", "order", "download", "record"]
    assert calls[1] == f"order    9245 -> 200 download {download_id}"
    # One line per call, without secrets and personal data.
    assert client.token not in rest
    assert "Signature" not in rest
    people = [line[8:23].strip() for line in file.decode().splitlines()]
    assert not [name for name in people if name in rest]


def test_campuses_seed_and_faults_can_be_chosen(make_client):
    arguments = ["--campus", "0007:College: of Colons:3", "--campus", "0008:Empty:0", "--seed", "9"]
    with started(*arguments, "--fault", "order@0007:504:2", "--fault", "login+1:refuse=mfa") as (_, lines):
        client = make_client(str(connection(lines)["host"]))
        assert any(line.split() == ["0007", "3", "College:", "of", "Colons"] for line in lines)
        assert [client.order("0007").status for _ in range(3)] == [504, 504, 200]
        assert "Multifactor" in client.log_in()["message"]


def test_the_number_of_students_per_campus():
    with started("--students", "3") as (_, lines):
        remote = RemoteSandbox(str(connection(lines)["host"]))
        assert [campus["waiting"] for campus in remote.status()["campuses"]] == [3, 3, 3, 0]


def test_chaos_from_the_command_line():
    with started("--chaos-seed", "7", "--chaos-rate", "1") as (_, lines):
        address = str(connection(lines)["host"])
        for _ in range(3):
            with contextlib.suppress(OSError, ValueError):
                urlopen(f"{address.removesuffix('/aposrd-api-prod')}/files/nothing", timeout=5)
        # At most two calls of one kind fail in a row.
        assert [injected.partition(":")[0] for injected in RemoteSandbox(address).status()["injected"]] == [
            "download"
        ] * 2


def test_new_reports_are_issued_at_an_interval():
    with started("--add-every", "0.1", "--students", "0") as (_, lines):
        remote = RemoteSandbox(str(connection(lines)["host"]))
        deadline = time.monotonic() + 10
        while len(remote.audit().all_reports) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(remote.audit().all_reports) >= 3


def test_a_terminal_without_unicode_does_not_stop_it():
    with started(PYTHONIOENCODING="ascii") as (_, lines):
        assert connection(lines)["password"] == DEFAULT_PASSWORD


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--host", "::1"], "loopback only"),
        (["--host", "192.168.1.7"], "loopback only"),
        (["--campus", "0901"], "CODE:NAME:COUNT"),
        (["--campus", "901:Short:1"], "four digits"),
        (["--campus", "0901:A:1", "--campus", "0901:B:1"], "once"),
        (["--fault", "order:nonsense"], "There is no fault 'nonsense'"),
        (["--chaos-rate", "3"], "from 0 to 1"),
        (["--add-every", "0"], "more than 0"),
    ],
)
def test_invalid_options_are_refused_in_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["sandbox", *arguments])

    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]):
    with Sandbox() as other, pytest.raises(SystemExit, match="2"):
        main(["sandbox", "--port", str(other.port)])

    assert "is in use; choose another with --port" in capsys.readouterr().err


def test_help_lists_every_fault(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        main(["sandbox", "--help"])

    printed = capsys.readouterr().out
    assert [name for name in FAULTS if f"  {name}" not in printed] == []

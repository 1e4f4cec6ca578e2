"""The hand-off and purge operators: a real SFTP server, a consumer that moves files away, templates, errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_apscores.delivery.hand_off import DEFAULT_NAME
from airflow_provider_apscores.errors import ConfigurationError, HandOffInProgress, StorageUnavailable
from airflow_provider_apscores.operators import hand_off as module
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.operators.purge import APScoresPurgeOperator
from tests.provider.world import World, fails_permanently, task_instance
from tests.sftp_server import sftp_server


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a consumer behind SFTP, with its Airflow connection *slate*."""
    pytest.importorskip("airflow.providers.sftp.hooks.sftp")
    (tmp_path / "server" / "incoming").mkdir(parents=True)
    with sftp_server(tmp_path / "server") as port:
        connection = {
            "conn_type": "sftp",
            "host": "127.0.0.1",
            "port": port,
            "login": "slate",
            "password": "invented-sftp-password",
            "extra": {"no_host_key_check": True},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SLATE", json.dumps(connection))
        yield tmp_path / "server" / "incoming"


def hand_off(download: Any, *, run: str = "day-1", **arguments: Any) -> dict[str, Any]:
    arguments = {"to": "sftp://slate@127.0.0.1/incoming"} | arguments
    task = APScoresHandOffOperator(task_id="hand_off", download=download, **arguments)
    return task.execute({"ti": task_instance("hand_off", run)})


def test_a_file_reaches_slate_by_sftp_once(world: World, inbox: Path):
    landed = world.download()

    given = hand_off(landed)

    (file,) = inbox.iterdir()
    assert file.name == f"AP_HED_Scores_0901_{landed['download_id']}.txt"
    assert file.read_bytes() == Path(landed["uri"].removeprefix("file://")).read_bytes()
    assert json.loads(json.dumps(given)) == given
    assert (given["consumer"], given["sent"], given["sha256"]) == ("slate", True, landed["sha256"])

    file.unlink()  # Slate moves files away
    assert hand_off(landed)["sent"] is False
    assert list(inbox.iterdir()) == []


def test_an_sftp_folder_is_a_destination(world: World, inbox: Path):
    landed = world.download(destination="sftp://slate@/incoming/ap")

    assert landed["uri"].startswith("sftp://slate@")
    assert [path.suffix for path in sorted(inbox.rglob("scores-*"))] == [".json", ".txt"]
    assert world.record(landed)["recorded"] is True


def test_an_address_of_another_server_is_refused(world: World, inbox: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_MOVED", os.environ["AIRFLOW_CONN_SLATE"])

    with fails_permanently(ConfigurationError, "another server than connection 'moved', which leads to 127.0.0.1"):
        hand_off(world.download(), to="sftp://moved@files.college.edu/incoming")

    assert list(inbox.iterdir()) == []


def test_a_server_that_refuses_is_an_error_without_the_password(world: World, inbox: Path, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_SLATE", '{"conn_type": "sftp", "host": "127.0.0.1", "port": 1, "password": "s3cret"}'
    )
    with pytest.raises(StorageUnavailable, match=r"sftp://slate@/incoming.*: Unable to connect") as refused:
        hand_off(world.download())
    assert "s3cret" not in str(refused.value)


def test_a_connection_that_is_not_there_is_named(world: World, inbox: Path):
    with fails_permanently(ConfigurationError, "no connection 'nowhere'"):
        hand_off(world.download(), to="sftp://nowhere@files.college.edu/incoming")
    with fails_permanently(ConfigurationError, "sftp://conn_id@host/path"):
        hand_off(world.download(), to="sftp://files.college.edu/incoming")


def test_nothing_to_hand_on_is_skipped():
    with pytest.raises(AirflowSkipException):
        hand_off(None)


def test_a_local_folder_is_a_consumer_too(world: World, tmp_path: Path):
    hand_off(world.download(), to=str(tmp_path / "banner"), consumer="banner", name="srtload_{di_code}.txt")

    assert [path.name for path in (tmp_path / "banner").iterdir()] == ["srtload_0901.txt"]


def test_the_default_name_is_that_of_the_delivery_package():
    assert module._DEFAULT_NAME == DEFAULT_NAME


def test_a_claim_of_another_run_is_transient(world: World, tmp_path: Path, mocker):
    landed = world.download()
    mocker.patch("airflow_provider_apscores.delivery.hand_off.HandOff._copy", side_effect=StorageUnavailable("full"))
    with pytest.raises(StorageUnavailable):
        hand_off(landed, to=str(tmp_path / "inbox"))
    mocker.stopall()

    with pytest.raises(HandOffInProgress):
        hand_off(landed, run="day-2", to=str(tmp_path / "inbox"))
    assert hand_off(landed, to=str(tmp_path / "inbox"))["sent"]


@pytest.mark.parametrize("wrong", [{"on_exists": "append"}])
def test_an_argument_that_can_not_be_right_fails_when_the_dag_is_parsed(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        APScoresHandOffOperator(task_id="hand_off", download=None, to="/srv", **wrong)


def purge(world: World, **arguments: Any) -> dict[str, Any]:
    arguments = {"source": str(world.destination), "before": "2025-07-01"} | arguments
    return APScoresPurgeOperator(task_id="purge", **arguments).execute({"ti": task_instance("purge")})


def test_a_purge_deletes_old_files_and_says_how_many(world: World):
    landed = world.download()
    path = Path(landed["manifest_uri"].removeprefix("file://"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"landed_at": "2024-08-01T08:00:00Z"}))

    assert purge(world, dry_run=True)["deleted"] == 1
    done = purge(world)

    assert json.loads(json.dumps(done)) == done
    assert (done["deleted"], done["sha256"], done["kept"]) == (1, [landed["sha256"]], [])
    assert not Path(landed["uri"].removeprefix("file://")).exists()


@pytest.mark.parametrize(("before", "message"), [("soon", "must be a day"), ("2099-01-01", "reporting year")])
def test_a_day_that_can_not_be_right_is_refused(world: World, before: str, message: str):
    world.download()
    with fails_permanently(ConfigurationError, message):
        purge(world, before=before)

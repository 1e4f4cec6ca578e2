"""The record operator: the commit after the user's own load."""

from __future__ import annotations

import json
import signal
from datetime import datetime
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowSkipException

from airflow_provider_apscores import errors
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from tests.provider.world import SALTMARSH, World, fails_permanently, task_instance


def stored(reference: dict, part: str = "uri") -> Path:
    return Path(reference[part].removeprefix("file://"))


def test_a_landed_file_is_recorded_and_noted(world: World):
    landed = world.download(record=False)

    assert world.record(landed) == landed | {"recorded": True}

    assert world.sandbox.audit().recorded == [landed["download_id"]]
    assert json.loads(stored(landed, "manifest_uri").read_text())["recorded_at"]


@pytest.mark.parametrize("form", [str, lambda landed: landed["manifest_uri"], dict], ids=["text", "address", "dict"])
def test_a_reference_comes_in_three_forms(world: World, form):
    """
    A template renders the dict as text unless the DAG renders native objects.
    """
    assert world.record(form(world.download(record=False)))["recorded"] is True


def test_a_template_reads_the_xcom_of_the_download(world: World):
    landed = world.download(record=False)
    task = APScoresRecordDownloadOperator(
        task_id="record", download="{{ landed }}", apscores_conn_id="{{ connection }}"
    )
    context = {"landed": landed, "connection": "apscores_default", "ti": task_instance("record")}
    task.render_template_fields(context)

    assert task.execute(context)["recorded"] is True


def test_native_rendering_keeps_the_reference_a_dict(world: World):
    with DAG("ap", schedule=None, start_date=datetime(2026, 7, 1), render_template_as_native_obj=True):
        download = APScoresDownloadOperator(
            task_id="download", di_code="{{ campus }}", destination="{{ place }}", record=False
        )
        record = APScoresRecordDownloadOperator(task_id="record", download="{{ landed }}")
    context = {"campus": "9120", "place": str(world.destination), "ti": task_instance("download")}

    download.render_template_fields(context)
    landed = download.execute(context)
    record.render_template_fields({"landed": landed})

    assert (download.di_code, record.download) == (9120, landed)
    assert record.execute({"ti": task_instance("record")})["recorded"] is True


@pytest.mark.parametrize("nothing", [None, "None", ""])
def test_without_a_download_there_is_nothing_to_record(world: World, nothing):
    with pytest.raises(AirflowSkipException):
        world.record(nothing)
    assert world.sandbox.counts["login"] == 0


def test_a_recorded_download_is_not_recorded_again(world: World):
    landed = world.download()

    assert world.record(landed) == world.record(landed, try_number=2) == landed
    assert world.sandbox.counts["record"] == 1


def test_a_full_download_is_recorded_on_request(world: World):
    assert world.record(world.download(download_type="full"))["recorded"] is True


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"changed")])
def test_a_landed_file_that_is_gone_or_changed_is_not_recorded(world: World, damage):
    landed = world.download(record=False)
    damage(stored(landed))

    with fails_permanently(errors.DeliveryDamaged, match="No record is noted. Clear the download task"):
        world.record(landed)

    world.assert_nothing_was_recorded()


def test_a_missing_manifest_is_not_recorded(world: World):
    landed = world.download(record=False)
    stored(landed, "manifest_uri").unlink()

    with fails_permanently(errors.DeliveryDamaged, match="no manifest"):
        world.record(landed)
    world.assert_nothing_was_recorded()


@pytest.mark.parametrize("reference", ["/some/file.txt", {"uri": "file:///x"}, "{'cut", {"manifest_uri": 7}])
def test_an_invalid_reference_is_refused(world: World, reference):
    with fails_permanently(errors.ConfigurationError, match="reference to a download"):
        world.record(reference)


def test_a_lasting_fault_leaves_the_download_to_the_next_try(world: World):
    landed = world.download(record=False)
    world.sandbox.fail("record", "503", times=None)

    with pytest.raises(errors.ServiceUnavailable):
        world.record(landed)

    world.assert_nothing_was_recorded()
    world.sandbox.clear_faults()
    assert world.record(landed, try_number=2)["recorded"] is True


def test_an_unknown_download_fails_permanently(world: World):
    landed = world.download(record=False)
    world.sandbox.fail("record", "refuse=download-id", times=None)

    with fails_permanently(errors.RequestRefused, match="The download was not found"):
        world.record(landed)

    assert json.loads(stored(landed, "manifest_uri").read_text())["recorded_at"] is None


@pytest.mark.parametrize("words", ["refuse=download-id", "refuse=Already recorded."])
def test_a_declined_second_record_is_no_error(world: World, words: str):
    """
    The first record succeeded and its answer was lost. Nothing is new, so the reports are recorded.
    """
    landed = world.download(record=False)
    world.sandbox.fail("record", "lost-reply", times=4)
    with pytest.raises(errors.ServiceUnavailable):
        world.record(landed)
    world.sandbox.fail("record", words, times=None)

    assert world.record(landed, try_number=2)["recorded"] is True
    assert world.sandbox.audit().recorded == [landed["download_id"]]


def test_a_record_whose_note_failed_is_noted_by_the_next_try(world: World):
    landed = world.download(record=False)
    folder = stored(landed).parent
    moved = folder.rename(folder.with_name("moved"))
    folder.symlink_to(moved)
    # A folder in place of the manifest: permissions do not stop root from writing.
    manifest = stored(landed, "manifest_uri")
    whole = manifest.read_bytes()
    try:
        manifest.unlink()
        manifest.mkdir()
        with pytest.raises((errors.StorageUnavailable, errors.DeliveryDamaged)):
            world.record(landed)
    finally:
        manifest.rmdir()
        manifest.write_bytes(whole)

    assert world.record(landed, try_number=2)["recorded"] is True


def test_another_account_can_not_record_the_download(world: World, monkeypatch: pytest.MonkeyPatch):
    landed = world.download(record=False)
    connection = json.loads(world.sandbox.airflow_connection) | {"password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(connection))

    with fails_permanently(errors.CredentialsRefused):
        world.record(landed, apscores_conn_id="other")

    assert world.sandbox.counts["login"] == 2
    assert json.loads(stored(landed, "manifest_uri").read_text())["record_began_at"] is None


def test_recording_one_campus_leaves_the_others_new(world: World):
    world.record(world.download(SALTMARSH, record=False))

    assert set(world.sandbox.audit().cursors[world.sandbox.email]) == {SALTMARSH}


def test_a_task_that_is_told_to_stop_does_not_record(world: World):
    """
    Airflow 3 calls on_kill from the handler of SIGTERM, and the task goes on: here, with its login.
    """
    landed = world.download(record=False)
    task = APScoresRecordDownloadOperator(task_id="record", download=landed)
    before = signal.signal(signal.SIGALRM, lambda *_: task.on_kill())
    world.sandbox.fail("login", "slow=0.5")
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(AirflowException, match="did not record"):
            task.execute({"ti": task_instance("record")})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    world.assert_nothing_was_recorded()
    assert json.loads(stored(landed, "manifest_uri").read_text())["record_began_at"] is None

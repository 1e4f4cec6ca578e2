"""Handing files on: each consumer once, whole, or a task that says what to check; also when killed at any step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fsspec.implementations.sftp import SFTPFileSystem

from airflow_provider_apscores.delivery import HandOff, Run
from airflow_provider_apscores.errors import (
    ConfigurationError,
    DeliveryDamaged,
    HandOffInProgress,
    HandOffUnclear,
    StorageUnavailable,
)
from airflow_provider_apscores.storage import Folder, RemoteFolder, folder
from airflow_provider_apscores.storage.local import LocalFolder, _LocalPart
from airflow_provider_apscores.storage.remote import _RemotePart
from tests.delivery.conftest import score_file
from tests.sftp_server import sftp_server

RUN = Run("ap", "hand_off", "day-1")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


@pytest.fixture
def hand_off(place: Path, inbox: Path):
    def make(delivery, *, run=RUN, consumer="slate", **more):
        return HandOff(delivery, folder(place / "4866"), folder(inbox), consumer=consumer, run=run, **more)

    return make


def names(inbox: Path) -> list[str]:
    return sorted(os.listdir(inbox)) if inbox.exists() else []


def test_the_consumer_gets_the_file_unchanged(land, hand_off, inbox):
    receipt, sent = hand_off(land()).send()

    assert sent
    assert names(inbox) == ["AP_HED_Scores_4866_1.txt"]
    assert (inbox / "AP_HED_Scores_4866_1.txt").read_bytes() == score_file("1", "2")
    assert (receipt.state, receipt.uri) == ("done", f"file://{inbox}/AP_HED_Scores_4866_1.txt")


def test_a_retry_sends_nothing_again_when_the_consumer_has_moved_the_file_away(land, hand_off, inbox):
    delivery = land()
    hand_off(delivery).send()
    (inbox / "AP_HED_Scores_4866_1.txt").unlink()

    assert hand_off(delivery).send()[1] is False
    assert names(inbox) == []


def test_equal_content_of_another_delivery_is_not_sent_twice(land, hand_off, inbox):
    hand_off(land()).send()
    again = land(download_id="2", run_id="day-2")

    receipt, sent = hand_off(again, run=Run("ap", "hand_off", "day-2")).send()

    assert (sent, receipt.download_id) == (False, "1")
    assert len(names(inbox)) == 1


def test_each_consumer_gets_the_file(land, hand_off, inbox):
    delivery = land()
    hand_off(delivery).send()

    assert hand_off(delivery, consumer="banner", name="banner-{sha256}.txt").send()[1]
    assert len(names(inbox)) == 2


def test_force_sends_again(land, hand_off, inbox):
    delivery = land()
    hand_off(delivery).send()
    (inbox / "AP_HED_Scores_4866_1.txt").unlink()

    assert hand_off(delivery, force=True).send()[1]
    assert len(names(inbox)) == 1


def test_a_file_of_that_name_is_not_replaced_unless_asked(land, hand_off, inbox):
    inbox.mkdir()
    (inbox / "AP_HED_Scores_4866_1.txt").write_text("not ours")
    delivery = land()

    with pytest.raises(ConfigurationError, match="exists"):
        hand_off(delivery).send()
    assert (inbox / "AP_HED_Scores_4866_1.txt").read_text() == "not ours"

    assert hand_off(delivery, replace_existing=True).send()[1]


def test_a_changed_score_file_is_not_sent(land, hand_off, inbox, place):
    delivery = land()
    path = next(place.rglob("scores-*.txt"))
    path.write_bytes(path.read_bytes().replace(b"FK", b"XX"))

    with pytest.raises(DeliveryDamaged):
        hand_off(delivery).send()
    assert names(inbox) == []


def test_a_rename_that_fails_is_finished_by_the_next_try(land, hand_off, inbox, mocker):
    delivery, replace = land(), os.replace

    def broken(source, target):
        if Path(target).parent == inbox:
            raise OSError(5, "Input/output error")
        replace(source, target)

    mocker.patch("os.replace", side_effect=broken)
    with pytest.raises(StorageUnavailable):
        hand_off(delivery).send()
    mocker.stopall()

    assert hand_off(delivery).send()[1]
    assert names(inbox) == ["AP_HED_Scores_4866_1.txt"]


def test_another_task_that_holds_the_claim_is_waited_for(land, hand_off, inbox, place):
    delivery = land()
    interrupted(hand_off(delivery).send, 3)

    with pytest.raises(HandOffInProgress, match="day-1"):
        hand_off(delivery, run=Run("ap", "hand_off", "day-2")).send()
    hand_off(delivery).send()

    assert hand_off(delivery, run=Run("ap", "hand_off", "day-2")).send()[1] is False


@pytest.mark.parametrize(
    ("name", "message"),
    [("../x.txt", "name may"), ("a b.txt", "name may"), ("{last_name}.txt", "last_name"), (".hidden", "name may")],
)
def test_a_name_that_a_consumer_could_misread_is_refused(land, hand_off, name, message):
    with pytest.raises(ConfigurationError, match=message):
        hand_off(land(), name=name)


def test_the_default_name_has_the_ending_of_the_format(land, hand_off, inbox):
    from airflow_provider_apscores.scorefile import csv_header, encode_csv_record

    content = csv_header() + "\n" + encode_csv_record({"ap_id": "FK1", "college_code": "004866"}) + "\n"
    hand_off(land(content.encode(), file_format="CSV")).send()

    assert names(inbox) == ["AP_HED_Scores_4866_1.csv"]


# --------------------------------------------------------------------------------------------- killed at each step

STEPS = {
    LocalFolder: ("create", "read", "size", "open_part", "move", "remove"),
    _LocalPart: ("write", "prepare", "publish"),
    RemoteFolder: ("size", "open_part", "move", "remove"),
    _RemotePart: ("write", "prepare", "publish"),
    SFTPFileSystem: ("put_file", "mv", "rm_file"),
}


def interrupted(send: Callable[[], object], step: int) -> bool:
    """Send in a process of its own, which is killed at its step number *step*; returns whether it came that far."""
    child = os.fork()
    if child == 0:
        try:
            left = [step]

            def counted(method):
                def call(*args, **kwargs):
                    kill_at(left)
                    result = method(*args, **kwargs)
                    kill_at(left)
                    return result

                return call

            for kind, methods in STEPS.items():
                for name in methods:
                    setattr(kind, name, counted(getattr(kind, name)))
            send()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill_at(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(params=["local", "sftp"])
def target(request: pytest.FixtureRequest, inbox: Path) -> Iterator[Callable[[], Folder]]:
    """Opens the consumer's folder; each process has its own connection."""
    if request.param == "local":
        yield lambda: folder(inbox)
        return
    inbox.mkdir()
    with sftp_server(inbox.parent) as port:
        options = {"host": "127.0.0.1", "port": port, "username": "u", "password": "p", "skip_instance_cache": True}
        yield lambda: RemoteFolder(SFTPFileSystem(**options), "/inbox", "sftp://host/inbox")


@pytest.mark.parametrize("takes_at_once", [False, True], ids=["slow consumer", "consumer takes at once"])
def test_killed_at_any_step_the_consumer_gets_the_file_once_or_the_task_says_what_to_check(
    land, inbox, place, target, takes_at_once
):
    unclear = 0
    for step in range(200):
        delivery = land(score_file("1", "2", str(step)), run_id=f"run-{step}", download_id=str(step))
        taken: list[bytes] = []

        def consume(taken=taken):
            for path in inbox.glob("[!.]*") if inbox.exists() else []:
                taken.append(path.read_bytes())
                path.unlink()

        def send(delivery=delivery):
            return HandOff(delivery, folder(place / "4866"), target(), consumer="slate", run=RUN).send()

        was_killed = interrupted(send, step)
        if takes_at_once:
            consume()
        try:
            send()
        except HandOffUnclear:
            unclear += 1
            assert takes_at_once, "the file or its part shows how far the interrupted attempt came"
            assert len(taken) == 1
        consume()
        assert taken == [score_file("1", "2", str(step))], step
        assert names(inbox) == []
        if not was_killed:
            break
    else:
        raise AssertionError("every step was killed")
    assert step > 20
    assert bool(unclear) == takes_at_once

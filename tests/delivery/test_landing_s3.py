"""Landing in an object store, killed at many points: no half file and no part is visible, and the next try lands."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_apscores.delivery import APScoresLedger, Landing, Run
from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.storage import RemoteFolder
from tests.s3_server import S3Path, S3Server, s3_file_system, s3_server

PROJECT = Path(__file__).parents[2]
CONTENT = b"".join(encode_record({"ap_id": f"FK{number:06}", "college_code": "004866"}) + b"\n" for number in range(40))
#: Calls of and returns from functions of storage, landing and manifest that one landing makes.
POINTS = 290

#: The process: lands as the download operator does, notes it as recorded, and kills itself at a point.
PROCESS = """
import os, signal, sys

from tests.delivery.test_landing_s3 import land, place

passed = 0

def see(frame, event, arg):
    global passed
    if frame.f_code.co_filename.startswith({watched!r}) and not event.startswith("c_"):
        passed += 1
        if passed == {point}:
            os.kill(os.getpid(), signal.SIGKILL)

where = place({address!r}, {name!r})
sys.setprofile(see)
land(where, 1).mark_recorded("2026-11-23T18:16:00Z")
sys.setprofile(None)
"""
WATCHED = tuple(str(PROJECT / "airflow_provider_apscores" / name) for name in ("storage", "delivery"))


def place(address: str, name: str) -> RemoteFolder:
    store = s3_file_system(address)
    store.call_s3("create_bucket", Bucket="scores")
    return RemoteFolder(store, f"scores/{name}", f"s3://scores/{name}")


def landing(where: RemoteFolder, try_number: int, run_id: str = "day-1") -> Landing:
    run = Run("ap", "download", run_id, try_number=try_number)
    return Landing(where, di_code="4866", file_format="TXT", download_type="new", run=run)


def land(where: RemoteFolder, try_number: int, run_id: str = "day-1") -> Any:
    with landing(where, try_number, run_id).begin() as incoming:
        for start in range(0, len(CONTENT), 9000):
            incoming.write(CONTENT[start : start + 9000])
        return incoming.publish(
            download_id=str(try_number),
            file_name="AP_HED_Scores_4866.txt",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def address(server: S3Server) -> str:
    return server.address


@pytest.mark.parametrize("point", [*range(1, POINTS, 32), 10_000])
def test_a_landing_killed_in_an_object_store(address: str, point: int):
    name = uuid.uuid4().hex
    script = PROCESS.format(watched=WATCHED, point=point, address=address, name=name)
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    assert (done.returncode == 0) == (point == 10_000), "the points end earlier"
    where = place(address, name)

    found = landing(where, 2).find()
    visible = {path.rpartition("/")[2] for path in where.fs.find(f"scores/{name}/4866") if ".digests" not in path}
    delivery = found or land(where, 2)

    # Every visible file was whole after the kill, and no manifest was without its file.
    assert not any(".part-" in each for each in visible)
    for each in visible - {each for each in visible if each.endswith(".manifest.json")}:
        assert where.size(f"{landing(where, 2).name}/{each}") == len(CONTENT)
    assert (found is None) == (not any(each.endswith(".manifest.json") for each in visible))
    delivery.check()
    assert delivery.manifest.duplicate_of is None
    assert delivery.manifest_uri in [each.manifest_uri for each in APScoresLedger(_path(where)).deliveries()]


def test_a_bucket_with_versions_keeps_no_hidden_copy_of_student_records(address: str):
    """
    Every version under every key is a file that was meant to stay: the delivery, and the head of a refused file.
    """
    where = place(address, uuid.uuid4().hex)
    where.fs.make_bucket_versioned("scores")
    try:
        delivery = land(where, 1)
        with landing(where, 2).begin() as incoming, pytest.raises(ScoreFileMalformed):
            incoming.write(CONTENT + b"x" * 940 + b"\n" + CONTENT)
        with landing(where, 3).begin() as incoming:
            incoming.write(CONTENT[:951])  # and then the transfer broke
        listed = where.fs.call_s3("list_object_versions", Bucket="scores", Prefix=where.path("").partition("/")[2])
    finally:
        where.fs.make_bucket_versioned("scores", versioned=False)

    names = sorted(each["Key"].rpartition("/")[2] for each in listed["Versions"] if ".digests" not in each["Key"])
    assert names[1:] == [delivery.manifest.name, delivery.manifest.file]
    assert [name.rpartition("/")[2] for name in APScoresLedger(_path(where)).quarantined()] == names[:1]
    assert "DeleteMarkers" not in listed


def test_a_destination_is_listed_once_and_each_manifest_read_once(server: S3Server):
    """
    The deliveries, the pending ones, and everything that interrupted tries left behind come from one listing.
    """
    where = place(server.address, uuid.uuid4().hex)
    for day in range(12):
        land(where, 1, f"day-{day}")
    where.write("4867/day-1/scores-abc.txt", b"left behind")
    server.requests.clear()

    snapshot = APScoresLedger(_path(where)).snapshot()
    found = (len(snapshot.deliveries), len(snapshot.pending), len(snapshot.orphans), snapshot.quarantined)

    assert found == (12, 12, 1, [])
    reads = [each for each in server.requests if ".manifest.json" in each]
    assert (len(reads), len(server.requests) - len(reads)) == (12, 1)


def _path(where: RemoteFolder) -> S3Path:
    return S3Path(where.fs, where.path("").rstrip("/"))

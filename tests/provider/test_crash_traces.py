"""Traces: after a day of faults and crashes, secrets and personal data are in no file but the score files."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from pathlib import Path

from tests.provider.worker import KILL, Outcome, Try, Worker
from tests.provider.world import QUILLFEATHER, SALTMARSH, World

#: Fields of the sandbox's records that identify a student.
PERSONAL = ("ap_id", "last_name", "first_name", "street_1", "birth_date", "student_identifier")


def test_a_day_of_faults_leaves_no_secret_and_no_personal_data(world: World, tmp_path: Path):
    log = tmp_path / "worker.log"
    outcomes: list[Outcome] = []
    arguments = {"di_code": SALTMARSH, "destination": str(world.destination)}

    def run(attempt: Try, connection: str | None = None) -> None:
        worker = Worker(connection or world.connection, log)
        outcomes.append(worker.run(attempt))
        worker.close()

    run(Try("download", arguments), json.dumps(json.loads(world.connection) | {"password": "Wr0ng-Pa55?ßword"}))
    for number, fault in enumerate(("html", "truncate", "drop", "expired-url", "refuse=token"), 2):
        call = "download" if fault in ("html", "truncate", "drop") else "order"
        world.sandbox.fail(call, fault, times=4)
        run(Try("download", arguments, try_number=number))
        world.sandbox.clear_faults()
    world.sandbox.fail("download", f"stray-record={QUILLFEATHER}")
    run(Try("download", arguments, run="day-2"))
    world.sandbox.fail("download", "short=0.51", times=2)
    run(Try("download", arguments, run="day-3"))
    run(Try("download", arguments, run="day-4", at={150: KILL}))
    run(Try("download", arguments | {"record": False}, run="day-4", try_number=2))
    run(Try("record", {"download": next(each.value for each in reversed(outcomes) if each.state == "returned")}))

    assert {each.state for each in outcomes} == {"returned", "failed", "killed"}
    traces = {
        "the log": log.read_bytes(),
        "what tasks returned and raised": repr(outcomes).encode(),
        "manifests": json.dumps(world.manifests()).encode(),
        "names of files": "\n".join(str(path) for path in world.destination.rglob("*")).encode(),
        **{path.name: path.read_bytes() for path in world.destination.rglob(".digests/*")},
    }
    assert len(traces["the log"]) > 2000
    for what, content in traces.items():
        for needle in secrets(world.sandbox.password) | secrets("Wr0ng-Pa55?ßword") | people(world):
            found = re.search(rb"(?<![0-9A-Za-z])" + re.escape(needle) + rb"(?![0-9A-Za-z])", content)
            assert not found, f"{what} has a secret or personal value of {len(needle)} bytes"
        assert not re.search(rb"Signature=\w|Expires=\d|authToken|[?&]X-Amz", content), f"{what} has a signed address"


def secrets(password: str) -> set[bytes]:
    encoded = base64.b64encode(password.encode()).decode()
    forms = {password, encoded, urllib.parse.quote(password), urllib.parse.quote(encoded, safe="")}
    return {form.encode() for form in forms} | {json.dumps(password)[1:-1].encode(), repr(password)[1:-1].encode()}


def people(world: World) -> set[bytes]:
    values = {
        record.get(name, "").strip()
        for campus in (SALTMARSH, QUILLFEATHER)
        for record in world.sandbox.records(campus)
        for name in PERSONAL
    }
    found = {value.encode() for value in values if len(value) > 3}
    assert len(found) > 50
    return found

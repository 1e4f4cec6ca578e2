"""The manifest: what is stored, what is understood, what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_apscores.delivery import Delivery, Manifest, open_delivery
from airflow_provider_apscores.delivery.manifest import VERSION, read_manifest
from airflow_provider_apscores.errors import DeliveryDamaged, ManifestNotUnderstood
from airflow_provider_apscores.storage import folder

CONTENT = b"an invented score file\n"
MANIFEST = Manifest(
    di_code="4866",
    file_format="TXT",
    download_type="new",
    download_id="70001",
    file_name="AP_HED_Scores_4866_11232026_1815.txt",
    file="scores-abc.txt",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    records=1,
    layout="950",
    landed_at="2026-11-23T18:15:00Z",
    dag_id="ap",
    task_id="campus.download",
    run_id="scheduled__2026-11-23",
    map_index=0,
    try_number=1,
    provider_version="0.1.0",
)


def changed(**changes: Any) -> bytes:
    stored = json.loads(MANIFEST.to_json()) | changes
    return json.dumps({name: value for name, value in stored.items() if value is not ...}).encode()


def land(place: Path) -> Delivery:
    (place / MANIFEST.file).write_bytes(CONTENT)
    delivery = Delivery(folder(place), MANIFEST)
    delivery.store()
    return delivery


def test_a_stored_manifest_is_read_back():
    assert read_manifest(MANIFEST.to_json(), "x") == MANIFEST


def test_the_schema_is_fixed():
    """A change of this list raises the version; older versions are still read."""
    assert VERSION == 2
    assert [field.name for field in fields(Manifest)] == [
        "di_code",
        "file_format",
        "download_type",
        "download_id",
        "file_name",
        "file",
        "bytes",
        "sha256",
        "records",
        "layout",
        "landed_at",
        "record_began_at",
        "recorded_at",
        "duplicate_of",
        "dag_id",
        "task_id",
        "run_id",
        "map_index",
        "try_number",
        "provider_version",
        "purge_began_at",
        "purged_at",
    ]


def test_a_manifest_of_version_1_is_read():
    stored = json.loads(MANIFEST.to_json()) | {"manifest_version": 1}
    del stored["purge_began_at"], stored["purged_at"]

    assert read_manifest(json.dumps(stored).encode(), "x") == MANIFEST


def documented() -> str:
    return (Path(__file__).parents[2] / "docs" / "reference" / "manifest.md").read_text()


def test_the_documented_schema_is_the_one_that_is_read():
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", documented(), re.MULTILINE)

    assert rows[0] == ("manifest_version", "int")
    assert [(name, kind.replace("\\|", "|")) for name, kind in rows[1:]] == [
        (field.name, str(field.type)) for field in fields(Manifest)
    ]
    assert f"version of this schema: {VERSION} |" in documented()


def test_the_documented_example_is_a_manifest():
    (example,) = re.findall(r"^```json\n(.*?)^```", documented(), re.MULTILINE | re.DOTALL)

    assert json.loads(read_manifest(example.encode(), "the example").to_json()) == json.loads(example)


def test_what_is_null_may_be_left_out():
    """
    As the first version of a schema has no older one, this is all that older writers may differ in.
    """
    assert read_manifest(changed(recorded_at=..., duplicate_of=...), "x") == MANIFEST


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "names no manifest version"),
        (b"{}", "names no manifest version"),
        (changed(manifest_version="1"), "names no manifest version"),
        (changed(manifest_version=True), "names no manifest version"),
        (changed(manifest_version=3), "newer airflow-provider-apscores.*Upgrade the provider"),
        (changed(colour="blue"), "'colour', which manifest version 2 does not know"),
        (changed(bytes="23"), "'bytes' should hold int"),
        (changed(records=True), "'records' should hold int"),
        (changed(sha256=None), "'sha256' should hold str"),
        (changed(di_code=..., records=...), "lacks di_code, records"),
        (changed(file="../4866.txt"), "plain file name"),
        (changed(landed_at="yesterday"), "'landed_at' should be a time"),
        (changed(landed_at="now"), "'landed_at' should be a time"),
        (changed(landed_at="2026-11-23/P1D"), "'landed_at' should be a time"),
        (changed(landed_at="P1D/P1D"), "'landed_at' should be a time"),
        (changed(recorded_at="2026-11-31T00:00:00Z"), "'recorded_at' should be a time"),
        (changed(recorded_at="9999-12-31T23:59:59-12:00"), "'recorded_at' should be a time"),
        (changed(recorded_at=""), "'recorded_at' should be a time"),
    ],
)
def test_an_invalid_manifest_is_refused_with_a_reason(data: bytes, said: str):
    with pytest.raises(ManifestNotUnderstood, match=f"^file:///x.manifest.json .*{said}"):
        read_manifest(data, "file:///x.manifest.json")


def test_a_manifest_leads_to_its_file(tmp_path: Path):
    land(tmp_path)

    delivery = open_delivery(tmp_path / "scores-abc.manifest.json")

    delivery.check()
    assert delivery.manifest == MANIFEST
    assert delivery.uri == f"file://{tmp_path}/scores-abc.txt"


def test_recording_is_noted(tmp_path: Path):
    land(tmp_path).mark_recorded("2026-11-23T18:16:00Z")

    delivery = open_delivery(tmp_path / "scores-abc.manifest.json")

    assert delivery.manifest.recorded_at == "2026-11-23T18:16:00Z"
    assert delivery.reference()["recorded"] is True


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.unlink(), "is gone"),
        (lambda file: file.write_bytes(CONTENT + b"more"), "is not the file"),
        (lambda file: file.write_bytes(CONTENT.swapcase()), "is not the file"),
    ],
)
@pytest.mark.parametrize(
    ("recorded", "helped"), [(False, "No record is noted. Clear the download task"), (True, "Restore it from a backup")]
)
def test_damage_is_found_and_the_advice_fits(tmp_path: Path, damage, said: str, recorded: bool, helped: str):
    delivery = land(tmp_path)
    if recorded:
        delivery = delivery.mark_recorded("2026-11-23T18:16:00Z")
    damage(tmp_path / "scores-abc.txt")

    with pytest.raises(DeliveryDamaged, match=f"{said}.*{helped}"):
        delivery.check()


def test_a_missing_manifest_is_an_error(tmp_path: Path):
    with pytest.raises(DeliveryDamaged, match="There is no manifest file://"):
        open_delivery(tmp_path / "scores-abc.manifest.json")


def test_a_reference_is_json_without_personal_data(tmp_path: Path):
    reference = land(tmp_path).reference()

    assert json.loads(json.dumps(reference)) == reference
    assert list(reference) == [
        "di_code",
        "download_id",
        "file_format",
        "download_type",
        "uri",
        "manifest_uri",
        "file_name",
        "records",
        "bytes",
        "sha256",
        "recorded",
        "duplicate_of",
    ]

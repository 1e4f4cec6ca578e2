"""``apscores purge``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_apscores.cli import main
from airflow_provider_apscores.delivery import Delivery

RECORDED = "2023-08-01T08:00:00Z"


@pytest.fixture
def old(land: Callable[..., Delivery]) -> Callable[..., Delivery]:
    """Land a file on 1 August 2023."""

    def make(**more: str) -> Delivery:
        delivery = land(**more)
        aged = Delivery(delivery.folder, replace(delivery.manifest, landed_at=RECORDED))
        aged.store()
        return aged

    return make


def test_nothing_is_deleted_without_delete(place: Path, old, capsys: pytest.CaptureFixture[str]):
    delivery = old().mark_recorded(RECORDED)
    arguments = ["purge", str(place), "--before", "2024-07-01"]

    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Would delete 1 files of 1 deliveries.\n  {delivery.uri}\n")
    assert shown.endswith("Nothing was deleted. Add --delete to delete these files.\n")
    assert delivery.folder.size(delivery.manifest.file)

    assert main([*arguments, "--delete"]) == 0
    assert capsys.readouterr().out == f"Deleted 1 files of 1 deliveries.\n  {delivery.uri}\n"
    assert delivery.folder.size(delivery.manifest.file) is None


def test_new_reports_without_a_noted_record_are_kept(place: Path, old, capsys: pytest.CaptureFixture[str]):
    kept = old()

    assert main(["purge", str(place), "--before", "2024-07-01", "--delete", "--json"]) == 1

    printed = json.loads(capsys.readouterr().out)
    assert printed == {
        "dry_run": False,
        "deliveries": [],
        "deleted": [],
        "rewritten": [],
        "kept": [kept.manifest_uri],
        "sha256": [],
    }


@pytest.mark.parametrize(
    ("before", "message"),
    [("July", "a day is written as 2024-07-01, not 'July'"), ("2999-07-01", "before must not be later than")],
)
def test_a_wrong_day_is_an_error(place: Path, before: str, message: str, capsys: pytest.CaptureFixture[str]):
    place.mkdir()
    try:
        code = main(["purge", str(place), "--before", before])
    except SystemExit as ended:
        code = int(ended.code or 0)

    assert code == 2
    assert message in capsys.readouterr().err

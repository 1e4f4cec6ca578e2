"""Landing: what is published, what is set aside, what a later try finds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from airflow_provider_apscores.delivery import run_slug
from airflow_provider_apscores.errors import ScoreFileMalformed, StorageUnavailable, WrongCampusInFile
from tests.delivery.conftest import score_file
from tests.full_disk import full_disk


def files(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("*") if path.is_file() and ".digests" not in path.parts)


def test_a_file_lands_with_its_manifest(place: Path, land, landing):
    delivery = land()

    assert files(place) == [delivery.manifest.name, delivery.manifest.file]
    assert delivery.manifest.records == 2
    assert landing().find() == delivery


def test_another_runs_delivery_is_not_found(land, landing):
    land()

    assert landing("day-2").find() is None
    assert landing(file_format="CSV").find() is None
    assert landing(download_type="full").find() is None
    assert landing(di_code="4867").find() is None


def test_a_recorded_delivery_comes_before_a_later_one(land, landing):
    first = land(score_file("1")).mark_recorded("2026-11-23T18:16:00Z")
    land(score_file("1", "2"), download_id="2", force=True)

    assert landing().find() == first


def test_the_later_of_two_is_found(land, landing):
    land(score_file("1"))
    second = land(score_file("1", "2"), download_id="2", force=True)

    assert landing().find() == second


def test_force_sees_what_was_landed_since_the_task_was_cleared(land, landing):
    land(score_file("1"))
    forced = land(score_file("1", "2"), download_id="2", force=True, try_number=3, first_try=3)

    assert landing(force=True, try_number=3, first_try=3).find() is None
    assert landing(force=True, try_number=4, first_try=3).find() == forced
    assert landing(force=True, try_number=5, first_try=5).find() is None
    assert landing(force=True, try_number=5, first_try=5).find(nothing_new=True) == forced


def test_a_file_that_comes_second_is_dropped(place: Path, land, landing):
    """
    Another try of the task has landed while this one was at it.
    """
    content = score_file("1", "2", "3")
    with landing(try_number=2).begin() as incoming:
        incoming.write(content)
        first = land(score_file("1"))
        found = incoming.publish(download_id="2", file_name="x", size=len(content), sha256="0" * 64)

    assert found == first
    assert files(place) == [first.manifest.name, first.manifest.file]


def test_a_transfer_that_begins_again_counts_once(land, landing):
    content = score_file("1", "2")
    with landing().begin() as incoming:
        incoming.write(content[:1200])
        incoming.restart()
        incoming.write(content)
        delivery = incoming.publish(download_id="1", file_name="x", size=len(content), sha256="0" * 64)

    assert delivery.manifest.records == 2


def test_a_store_that_loses_bytes_is_noticed_before_the_manifest_is_written(place: Path, landing):
    content = score_file("1", "2")
    with landing().begin() as incoming:
        incoming.write(content[:951])
        with pytest.raises(StorageUnavailable, match="has 951 bytes, but 1902 were"):
            incoming.publish(download_id="1", file_name="x", size=len(content), sha256="0" * 64)

    assert not list(place.rglob("*.manifest.json"))


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", ScoreFileMalformed, ""),
        (b"<html>We are in maintenance</html>", ScoreFileMalformed, ""),
        (score_file("1", "2")[:-100], ScoreFileMalformed, "Record 2 is not whole"),
        (score_file("1", di_code="0417"), WrongCampusInFile, "1 of campus 0417.*privacy incident"),
    ],
)
def test_a_refused_file_is_set_aside(place: Path, land, content: bytes, error: type[Exception], said: str):
    with pytest.raises(error, match=f"(?s){said}.*set aside as file://.*not published and not recorded"):
        land(content)

    (aside,) = (path for path in place.rglob("*") if path.is_file())
    assert aside.is_relative_to(place / "quarantine" / "4866")
    assert aside.read_bytes() == content


def test_only_the_first_megabyte_of_a_large_file_is_set_aside(place: Path, landing):
    """
    The sink raises at the first defect, which ends the transfer.
    """
    content = score_file("1") + b"x" * 940 + b"\n" + score_file("2") * 2500
    with landing().begin() as incoming, pytest.raises(ScoreFileMalformed, match="first megabyte of the file was set"):
        incoming.write(content)

    (aside,) = (path for path in place.rglob("*") if path.is_file())
    assert aside.read_bytes() == content[: 1 << 20]
    assert aside.name == hashlib.sha256(content[: 1 << 20]).hexdigest()[:12] + ".txt"


def test_too_few_records_are_a_defect(land):
    with pytest.raises(ScoreFileMalformed, match="has 2 student records; expect_min_records asks for at least 3"):
        land(expect=3)
    assert land(expect=2).manifest.records == 2


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(place: Path, land):
    with full_disk(1000), pytest.raises(StorageUnavailable, match="File too large"):
        land(score_file(*map(str, range(50))))

    assert files(place) == []


# Duplicates


def test_the_same_content_is_named_by_its_first_delivery(land):
    first = land()

    assert first.manifest.duplicate_of is None
    assert land(run_id="day-2", download_id="2").manifest.duplicate_of == first.manifest_uri
    assert land(run_id="day-3", download_id="3").manifest.duplicate_of == first.manifest_uri


def test_another_campus_or_content_is_no_duplicate(land):
    land()

    assert land(score_file("1"), run_id="day-2").manifest.duplicate_of is None
    assert land(score_file("1", di_code="0417"), di_code="0417").manifest.duplicate_of is None


def test_the_mark_of_a_try_that_was_killed_before_its_manifest_is_replaced(land):
    first = land()
    (Path(first.manifest_uri.removeprefix("file://"))).unlink()

    again = land(run_id="day-2", download_id="2")

    assert again.manifest.duplicate_of is None
    assert land(run_id="day-3", download_id="3").manifest.duplicate_of == again.manifest_uri


@pytest.mark.parametrize(
    ("run_id", "slug"),
    [
        ("scheduled__2026-11-23T18:15:00+00:00", "scheduled__2026-11-23T181500Z"),
        ("manual__2026-11-23T18:15:00.123456+00:00", "manual__2026-11-23T181500.123456Z"),
        ("../../etc", "etc"),
        ("Übung / 1", "bung1"),
        ("***", "run"),
        ("x" * 99, "x" * 60),
    ],
)
def test_runs_become_names_of_folders(run_id: str, slug: str):
    assert run_slug(run_id) == slug


def test_two_runs_whose_names_look_alike_have_their_own_folders(landing):
    assert landing("a/b").name != landing("a.b").name != landing("ab").name

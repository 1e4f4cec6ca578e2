"""Retention: what a purge deletes, what it keeps, and what is left when it is interrupted."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_apscores.delivery import APScoresLedger, Delivery
from airflow_provider_apscores.errors import ConfigurationError, DeliveryDamaged, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.scorefile import compact_tables, write_tables
from tests.delivery.conftest import score_file

LONG_AGO = "2024-08-01T08:00:00Z"
LIMIT = date(2025, 7, 1)


def old(delivery: Delivery, landed_at: str = LONG_AGO, *, recorded: bool = True) -> Delivery:
    """The delivery as if it had landed then."""
    changed = replace(delivery.manifest, landed_at=landed_at, recorded_at=landed_at if recorded else None)
    Delivery(delivery.folder, changed).store()
    return Delivery(delivery.folder, changed)


@pytest.fixture
def ledger(place: Path) -> APScoresLedger:
    return APScoresLedger(place)


def remaining(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("*") if path.is_file() and ".digests" not in path.parts)


def test_old_files_go_and_manifests_stay(land, ledger, place):
    delivery = old(land())
    kept = land(score_file("3"), download_id="2", run_id="day-2")

    done = ledger.purge(LIMIT, dry_run=False)

    assert done.deleted == (delivery.uri,)
    assert done.sha256 == (delivery.manifest.sha256,)
    assert remaining(place) == sorted([delivery.manifest.name, kept.manifest.name, kept.manifest.file])
    assert [each.manifest.purged for each in ledger.deliveries()] == [True, False]
    assert ledger.manifest_uris() == [kept.manifest_uri]


def test_a_dry_run_deletes_nothing_and_says_the_same(land, ledger, place):
    old(land())
    before = remaining(place)

    planned = ledger.purge(LIMIT)

    assert remaining(place) == before
    assert planned == ledger.purge(LIMIT, dry_run=False)


def test_a_repetition_deletes_nothing_else(land, ledger):
    old(land())
    ledger.purge(LIMIT, dry_run=False)

    assert ledger.purge(LIMIT, dry_run=False).deleted == ()


def test_what_is_not_noted_as_recorded_is_kept(land, ledger):
    delivery = old(land(), recorded=False)

    done = ledger.purge(LIMIT, dry_run=False)

    assert (done.deleted, done.kept) == ((), (delivery.manifest_uri,))


def test_a_full_delivery_is_never_recorded_and_goes(land, ledger):
    delivery = old(land(download_type="full"), recorded=False)

    assert ledger.purge(LIMIT, dry_run=False).deleted == (delivery.uri,)


def test_files_of_the_reporting_year_are_refused(land, ledger):
    with pytest.raises(ConfigurationError, match="reconciliation"):
        ledger.purge(datetime.now(UTC).date() + timedelta(days=1), dry_run=False)


def test_tables_go_when_no_delivery_of_the_content_is_left(land, ledger, tmp_path):
    content = score_file("1", "2")
    first = old(land(content))
    written = write_tables(content, tmp_path / "tables", formats=("parquet", "csv"))
    second = old(land(content, download_id="2", run_id="day-2"), "2026-08-01T08:00:00Z")

    done = ledger.purge(LIMIT, dry_run=False, tables=tmp_path / "tables")
    assert (done.deleted, done.sha256) == ((first.uri,), ())
    assert len(remaining(tmp_path / "tables")) == 2 * len(written.uris)

    old(second, "2024-09-01T08:00:00Z")
    assert ledger.purge(LIMIT, dry_run=False, tables=tmp_path / "tables").sha256 == (first.manifest.sha256,)
    assert remaining(tmp_path / "tables") == []


def test_a_folder_without_tables_is_refused_before_anything_is_deleted(land, ledger, place, tmp_path):
    old(land())
    before = remaining(place)

    with pytest.raises(ConfigurationError, match="but no table"):
        ledger.purge(LIMIT, dry_run=False, tables=place)
    with pytest.raises(StorageUnavailable):
        ledger.purge(LIMIT, dry_run=False, tables=tmp_path / "missing")

    assert remaining(place) == before


def test_tables_of_other_files_stay(land, ledger, tmp_path):
    old(land())
    write_tables(score_file("9"), tmp_path / "tables")
    before = remaining(tmp_path / "tables")

    ledger.purge(LIMIT, dry_run=False, tables=tmp_path / "tables")

    assert remaining(tmp_path / "tables") == before


def test_quarantined_files_go_only_when_asked(land, ledger, place):
    with pytest.raises(ScoreFileMalformed):
        land(b"no score file at all\n" * 3)
    (uri,) = ledger.quarantined()
    path = Path(uri.removeprefix("file://"))
    os.utime(path, (0, datetime(2024, 8, 1, tzinfo=UTC).timestamp()))

    assert ledger.purge(LIMIT, dry_run=False).deleted == ()
    assert ledger.purge(LIMIT, dry_run=False, quarantine=True).deleted == (uri,)
    assert ledger.quarantined() == []


def test_an_interrupted_purge_goes_on(land, ledger, place, mocker):
    from airflow_provider_apscores.storage.local import LocalFolder

    delivery = old(land())
    mocker.patch.object(LocalFolder, "remove", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        ledger.purge(LIMIT, dry_run=False)
    mocker.stopall()
    (noted,) = ledger.deliveries()
    assert noted.manifest.purged
    assert noted.manifest.purged_at is None

    assert ledger.purge(LIMIT, dry_run=False).deleted == (delivery.uri,)
    (noted,) = ledger.deliveries()
    assert noted.manifest.purged_at is not None


def test_a_purged_file_is_no_finding_and_says_what_became_of_it(land, ledger, place, capsys):
    from airflow_provider_apscores.cli import main

    delivery = old(land())
    ledger.purge(LIMIT, dry_run=False)

    assert main(["ledger", str(place), "--check"]) == 0
    assert "purged" in capsys.readouterr().out
    with pytest.raises(DeliveryDamaged, match="purged by retention"):
        next(ledger.deliveries()).check()
    assert delivery.manifest.sha256 not in str(ledger.orphans())


def test_rows_in_partitions_and_compacted_files_go_too(land, ledger, place):
    tables = place.parent / "tables"
    gone = old(land())
    stays = land(score_file("3"), download_id="2", run_id="day-2")
    for delivery in (gone, stays):
        content = Path(delivery.uri.removeprefix("file://"))
        write_tables(content, tables / "parts", partition_by=("di_code", "reporting_year"))
        write_tables(content, tables / "compacted")
    compact_tables(tables / "compacted", older_than=timedelta(seconds=-1))

    planned = ledger.purge(LIMIT, tables=tables / "compacted")
    done = ledger.purge(LIMIT, dry_run=False, tables=tables / "compacted")

    assert planned == done
    assert len(done.rewritten) == 2  # students and deliveries: the files have no other rows
    assert gone.manifest.sha256[:12] not in str(remaining(tables / "compacted"))
    ledger.purge(LIMIT, dry_run=False, tables=tables / "parts")
    assert [name for name in remaining(tables / "parts") if gone.manifest.sha256[:12] in name] == []
    assert [name for name in remaining(tables / "parts") if stays.manifest.sha256[:12] in name]

"""The table deliveries: what it says about a file, and which moment of landing stands in it."""

import os
from datetime import UTC, date, datetime

import pytest
from pyarrow import csv, json, parquet

from airflow_provider_apscores import __version__
from airflow_provider_apscores.scorefile import Origin, write_tables
from tests.scorefile.students import csv_file, student, txt

RECORDS = [student(1, report_date="070725"), student(2, report_date="070925")]
JULY, AUGUST = datetime(2026, 7, 2, 8, tzinfo=UTC), datetime(2026, 8, 2, 8, tzinfo=UTC)


def delivery(written):
    (row,) = parquet.read_table(written.uris["deliveries"]["parquet"].removeprefix("file://")).to_pylist()
    return row


def test_a_row_says_what_is_known_of_the_file(tmp_path):
    origin = Origin("4866", "73001", "new", "AP_HED_Scores_4866.txt", JULY)
    written = write_tables(txt(RECORDS), tmp_path, origin=origin)

    assert delivery(written) == {
        "file_sha256": written.sha256,
        "di_code": "4866",
        "download_id": "73001",
        "download_type": "new",
        "file_format": "TXT",
        "file_name": "AP_HED_Scores_4866.txt",
        "landed_at": JULY,
        "reported_from": date(2025, 7, 7),
        "reported_to": date(2025, 7, 9),
        "records": 2,
        "exam_slots": 30,
        "parser_version": __version__,
    }


def test_exam_slots_of_a_csv_file_are_those_of_its_columns(tmp_path):
    few = "\n".join(
        ",".join(cell for cell, name in zip(line.split(","), HEADER, strict=True) if not name.endswith(LAST_SLOTS))
        for line in csv_file(RECORDS).decode().splitlines()
    )
    assert delivery(write_tables(csv_file(RECORDS), tmp_path))["exam_slots"] == 30
    assert delivery(write_tables(few.encode(), tmp_path))["exam_slots"] == 28


HEADER = [name.strip('"') for name in csv_file([]).decode().strip().split(",")]
LAST_SLOTS = (" 29", " 30")


def test_without_a_manifest_the_last_change_of_the_source_stands_in(tmp_path):
    path = tmp_path / "scores.txt"
    path.write_bytes(txt(RECORDS))
    os.utime(path, (0, JULY.timestamp()))

    assert delivery(write_tables(path, tmp_path / "tables"))["landed_at"] == JULY
    assert delivery(write_tables(path.read_bytes(), tmp_path / "more"))["landed_at"] is None


@pytest.mark.parametrize("formats", [("parquet",), ("csv", "parquet"), ("jsonl", "parquet")])
def test_an_earlier_landing_that_was_written_is_kept(tmp_path, formats):
    write_tables(txt(RECORDS), tmp_path, formats=formats[:1], origin=Origin(landed_at=JULY))

    assert (
        delivery(write_tables(txt(RECORDS), tmp_path, formats=formats, origin=Origin(landed_at=AUGUST)))["landed_at"]
        == JULY
    )


def test_other_formats_have_the_same_row(tmp_path):
    written = write_tables(txt(RECORDS), tmp_path, formats=("csv", "jsonl"), origin=Origin(landed_at=JULY))
    paths = {name: uri.removeprefix("file://") for name, uri in written.uris["deliveries"].items()}

    assert csv.read_csv(paths["csv"])["file_sha256"].to_pylist() == [written.sha256]
    assert json.read_json(paths["jsonl"])["landed_at"].to_pylist()[0].startswith("2026-07-02 08:00:00")

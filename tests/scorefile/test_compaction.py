"""Partitions of tables, and the compaction of their files: nothing is lost or counted twice at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import dataset, parquet
from pytest_mock import MockerFixture

from airflow_provider_apscores.errors import ConfigurationError, StorageUnavailable
from airflow_provider_apscores.scorefile import Origin, compact_tables, drop_score_files, write_tables
from airflow_provider_apscores.scores import current_state
from airflow_provider_apscores.storage import LocalFolder
from tests.scorefile.students import of_report, student, txt

BOTH = ("di_code", "reporting_year")
TABLES = ("awards", "deliveries", "exam_scores", "problems", "students")
ALL = timedelta(seconds=-1)
JULY = datetime(2026, 7, 10, tzinfo=UTC)


def day(number: int, *students: dict[str, str]) -> bytes:
    """The score file of a day of July 2026."""
    students = students or (student(number), student(100 + number))
    return txt(of_report(each, f"07{number:02}26") for each in students)


def parse(content: bytes, tables: Path, **more):
    return write_tables(content, tables, origin=Origin(landed_at=JULY), **more)


def files(tables: Path) -> list[str]:
    return sorted(str(path.relative_to(tables)) for path in tables.rglob("*") if path.is_file())


def state(tables: Path) -> list[list[dict[str, object]]]:
    """The current state, the columns that count."""
    found = current_state([tables])
    return [found.exam_scores.to_pylist(), found.students.to_pylist(), found.awards.to_pylist()]


def rows(tables: Path, table: str) -> list[str]:
    """The rows as a query engine sees them that reads all files of a folder."""
    return sorted(map(str, dataset.dataset(tables / table, format="parquet").to_table().to_pylist()))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Three days of one campus."""
    for number in (7, 8, 9):
        parse(day(number), tmp_path / "tables")
    return tmp_path / "tables"


def test_files_are_in_the_folders_of_their_campus_and_year(tmp_path: Path):
    written = parse(day(7), tmp_path, partition_by=BOTH)

    name = f"4866-{written.sha256[:12]}.parquet"
    assert files(tmp_path) == [f"{table}/di_code=4866/reporting_year=2026/{name}" for table in TABLES]
    assert written.uris["students"]["parquet"] == f"file://{tmp_path}/students/di_code=4866/reporting_year=2026/{name}"


@pytest.mark.parametrize(("report_date", "year"), [("063026", 2025), ("070126", 2026), ("", None)])
def test_a_reporting_year_begins_on_1_july(tmp_path: Path, report_date: str, year: int | None):
    write_tables(txt([student(report_date=report_date)]), tmp_path, partition_by="reporting_year")

    expected = f"reporting_year={year or '__HIVE_DEFAULT_PARTITION__'}"
    assert [path.name for path in (tmp_path / "exam_scores").iterdir()] == [expected]


def test_a_file_of_several_campuses_is_in_no_partition_of_one(tmp_path: Path):
    content = txt([student(1), student(2, college_code="004867")])

    with pytest.raises(ConfigurationError, match=r"several campuses \(4866, 4867\)"):
        write_tables(content, tmp_path, partition_by=BOTH)
    assert files(tmp_path) == []
    write_tables(content, tmp_path, partition_by="reporting_year")


@pytest.mark.parametrize("wrong", ["year", ("di_code", "di_code"), ("di_code", "landed_at")])
def test_other_partitions_are_refused(tmp_path: Path, wrong):
    with pytest.raises(ConfigurationError, match="partition_by takes di_code and reporting_year, each once"):
        write_tables(day(7), tmp_path, partition_by=wrong)


def test_a_repetition_writes_the_same_files_and_keeps_the_earliest_landing(tmp_path: Path):
    parse(day(7), tmp_path, partition_by=BOTH)
    before = files(tmp_path)

    write_tables(day(7), tmp_path, partition_by=BOTH, origin=Origin(landed_at=JULY + timedelta(days=1)))

    assert files(tmp_path) == before
    (row,) = dataset.dataset(tmp_path / "deliveries", format="parquet").to_table().to_pylist()
    assert row["landed_at"] == JULY


def test_partitions_and_compaction_change_no_current_state(tables: Path, tmp_path: Path):
    for number in (7, 8, 9):
        parse(day(number), tmp_path / "parts", partition_by=BOTH)
    expected = state(tables)

    compact_tables(tables, older_than=ALL)
    compact_tables(tmp_path / "parts", older_than=ALL)

    assert state(tables) == state(tmp_path / "parts") == expected


def test_each_folder_has_one_file_with_the_same_rows(tmp_path: Path):
    for number in (7, 8):
        parse(day(number), tmp_path, partition_by=BOTH)
        parse(day(number, student(number, college_code="004867")), tmp_path, partition_by=BOTH)
    before = {table: rows(tmp_path, table) for table in TABLES}

    done = compact_tables(tmp_path, older_than=ALL)

    assert (len(done.written), len(done.replaced)) == (2 * len(TABLES), 4 * len(TABLES))
    folders = [name.rpartition("/")[0] for name in files(tmp_path)]
    assert folders == [f"{table}/di_code={code}/reporting_year=2026" for table in TABLES for code in (4866, 4867)]
    assert {table: rows(tmp_path, table) for table in TABLES} == before
    assert compact_tables(tmp_path, older_than=ALL).written == ()


def test_recent_files_stay(tables: Path):
    before = files(tables)

    assert compact_tables(tables).replaced == ()
    assert files(tables) == before


def test_later_files_join_the_compacted_one(tables: Path):
    compact_tables(tables, older_than=ALL)
    parse(day(10), tables)
    expected = state(tables)

    compact_tables(tables, older_than=ALL)

    assert len(files(tables)) == len(TABLES)
    assert state(tables) == expected


@pytest.mark.parametrize("step", [0, 1, 3, 4, 7, 19])
def test_a_compaction_that_is_killed_loses_nothing(tables: Path, mocker: MockerFixture, step: int):
    """
    It stops before one of its changes of the disk: five files are published, and fifteen deleted.
    """
    expected = state(tables)
    left = iter(range(step))

    def until_killed(change: Callable[..., None]) -> Callable[..., None]:
        def change_or_die(*arguments, **options) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            change(*arguments, **options)

        return change_or_die

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalFolder, "remove", until_killed(LocalFolder.remove))
        patch.setattr(os, "replace", until_killed(os.replace))
        with pytest.raises(KeyboardInterrupt):
            compact_tables(tables, older_than=ALL)

    assert state(tables) == expected
    compact_tables(tables, older_than=ALL)
    assert state(tables) == expected
    assert len(files(tables)) == len(TABLES)
    assert len(rows(tables, "students")) == 6


def test_two_compactions_at_once_lose_nothing(tables: Path, mocker: MockerFixture):
    """
    The second one runs between the listing and the publication of the first.
    """
    expected = state(tables)
    publish = LocalFolder.open_part
    first = iter([True])

    def open_part(self: LocalFolder, name: str):
        part = publish(self, name)
        if next(first, False):
            compact_tables(tables, older_than=ALL)
        return part

    mocker.patch.object(LocalFolder, "open_part", open_part)
    with pytest.raises(StorageUnavailable, match="perhaps it was compacted meanwhile"):
        compact_tables(tables, older_than=ALL)
    mocker.stopall()

    assert state(tables) == expected
    assert len(files(tables)) == len(TABLES)


def test_a_file_that_is_parsed_again_counts_instead_of_its_compacted_rows(tables: Path):
    """
    An earlier version of the reader found a problem; this one does not.
    """
    bad = parse(day(10, student(10, birth_date="999999")), tables)
    assert bad.rows["problems"] == 1
    compact_tables(tables, older_than=ALL)
    stem = f"4866-{bad.sha256[:12]}"
    parse(day(10, student(10, last_name="CHEN")), tables, stem=stem)
    expected = state(tables)
    assert {row["last_name"] for row in expected[1] if row["ap_id"] == "AP000010"} == {"CHEN"}

    compact_tables(tables, older_than=ALL)

    assert state(tables) == expected
    assert rows(tables, "problems") == []
    assert len(files(tables)) == len(TABLES)


def test_a_file_that_is_parsed_again_meanwhile_stays(tables: Path, mocker: MockerFixture):
    remove = LocalFolder.remove_many

    def remove_many(self: LocalFolder, names):
        names = list(names)
        assert not any(name.startswith("students/") and again in name for name in names)
        remove(self, names)

    again = parse(day(7), tables).sha256[:12]
    tree = LocalFolder.tree
    calls = iter(range(2))

    def changed_tree(self: LocalFolder):
        if self.path.name == "students" and next(calls, None) == 1:
            parse(day(7), tables)
        return tree(self)

    mocker.patch.object(LocalFolder, "tree", changed_tree)
    mocker.patch.object(LocalFolder, "remove_many", remove_many)

    compact_tables(tables, older_than=ALL)

    assert f"students/4866-{again}.parquet" in files(tables)


def test_the_rows_of_a_score_file_leave_the_compacted_files(tables: Path):
    gone = parse(day(10, student(10, high_school_name="SCHOOL OF ONE")), tables).sha256
    compact_tables(tables, older_than=ALL)
    before = files(tables)

    planned = drop_score_files(LocalFolder(tables), [gone], dry_run=True)
    assert files(tables) == before
    assert drop_score_files(LocalFolder(tables), [gone]) == planned
    assert drop_score_files(LocalFolder(tables), [gone]) == []

    assert len(planned) == len(TABLES) - 1  # it had no problems
    assert len(files(tables)) == len(TABLES)
    for table in TABLES:
        assert gone not in str(rows(tables, table))
    (students,) = (tables / "students").iterdir()
    # Nor does the file hold their words any more.
    words = parquet.read_table(students, read_dictionary=["high_school_name"])["high_school_name"].combine_chunks()
    assert words.dictionary.to_pylist() == ["INVENTED HIGH SCHOOL"]

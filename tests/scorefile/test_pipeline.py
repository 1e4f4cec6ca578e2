"""How work flows from the source to the files: in several threads, in order, with everything put away at the end."""

import gzip
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from airflow_provider_apscores.errors import ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.scorefile import read_score_file, write_tables
from airflow_provider_apscores.scorefile.reading import txt as txt_reader
from tests.full_disk import full_disk
from tests.scorefile.students import csv_file, student, txt

ROOT = Path(__file__).parents[2]

#: Reads and writes students with and without the optional fields, and prints whether pandas was imported.
LOADS_PANDAS = """
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            print("pandas")

sys.meta_path.insert(0, Watch())
from airflow_provider_apscores.scorefile import encode_record, write_tables

record = {"college_code": "004866", "report_date": "070725", "last_name": "RIVERA"}
more = {**record, "race_ethnicity_derived": "4", "exam_code_01": "07", "admin_year_01": "25", "exam_grade_01": "5"}
write_tables(encode_record(record) + b"\\n" + encode_record(more), sys.argv[1], formats=["parquet", "csv", "jsonl"])
"""


def test_pandas_is_not_loaded(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", LOADS_PANDAS, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == ""


@pytest.fixture
def many_blocks(monkeypatch):
    """A file of many blocks: every kind of row, words that differ from block to block, and defects."""
    monkeypatch.setattr(txt_reader, "_RECORDS", 16)
    records = [
        student(
            number,
            high_school_name=f"SCHOOL {number // 40}",
            exam_code_02="ZZ" if number % 50 == 3 else "07",
            birth_date="999999" if number % 70 == 5 else "051407",
        )
        for number in range(1, 401)
    ]
    return txt(records)


def test_blocks_are_written_in_order_and_the_same_from_run_to_run(tmp_path, many_blocks):
    one, two = (write_tables(many_blocks, tmp_path / name, formats=["parquet", "csv"]) for name in ("one", "two"))
    assert one.to_dict() | {"uris": None, "rejected_uri": None} == two.to_dict() | {"uris": None, "rejected_uri": None}
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(names) == 11
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    students = parquet.read_table(one.uris["students"]["parquet"].removeprefix("file://"))
    assert students["record_number"].to_pylist() == list(range(1, 401))
    assert students.equals(read_score_file(many_blocks).students)


@pytest.mark.parametrize("records_in_block", [1, 2, 100])
def test_an_unknown_code_is_told_at_its_first_record_whatever_the_blocks(monkeypatch, records_in_block):
    monkeypatch.setattr(txt_reader, "_RECORDS", records_in_block)
    file = read_score_file(txt([student(number, irregularity_1_01=code) for number, code in enumerate([" 5", "5"])]))
    assert file.unknown_codes == {("irregularity_1", "5"): 2}
    assert file.problems["record_number"].to_pylist() == [1]


def test_blocks_share_row_groups_and_dictionaries(tmp_path, many_blocks):
    written = write_tables(many_blocks, tmp_path)
    pages = parquet.ParquetFile(written.uris["students"]["parquet"].removeprefix("file://")).metadata
    assert pages.num_row_groups == 1
    at = pages.schema.names.index("high_school_name")
    assert pages.row_group(0).column(at).total_uncompressed_size < 1000


@pytest.mark.parametrize("hand_over", ["batches", "typed_batches"])
def test_whoever_stops_in_the_middle_leaves_no_thread_behind(many_blocks, hand_over):
    before = threading.active_count()
    batches = getattr(read_score_file(many_blocks), hand_over)()
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("output", ["local", "memory://full"])
def test_an_error_in_a_writing_thread_publishes_nothing_and_ends_all_threads(many_blocks, output, tmp_path):
    before = threading.active_count()
    with full_disk(20_000), pytest.raises(StorageUnavailable, match="File too large"):
        write_tables(many_blocks, tmp_path if output == "local" else output, formats=["jsonl"])
    assert threading.active_count() == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert MemoryFileSystem().find("/full") == []


@pytest.mark.parametrize(("make", "line"), [(txt, b"\n"), (txt, b"x\n"), (csv_file, b"\n"), (csv_file, b",,\n")])
def test_many_short_lines_are_not_filled_up_all_at_a_time(make, line):
    """
    Each as long as a record, they would take hundreds of megabytes.
    """
    file_of_one = make([student(1)])
    record = file_of_one.splitlines(keepends=True)[-1]
    file = read_score_file(file_of_one + (line * 8000 + record) * 10)
    tracemalloc.start()
    try:
        records = sum(batch.students.num_rows + len(batch.rejected) for batch in file.batches())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert records == 11 + (80_000 if line == b"x\n" else 0)
    assert most < 60e6


@pytest.mark.parametrize("line", [b"\n", b"  \n", b"x\n"])
def test_too_many_bad_lines_in_a_row_end_the_reading(line):
    """
    A gzip file of 4 MB may hold four thousand million of them.
    """
    records = txt([student(1)])
    read = read_score_file(records + line * 10_000 + records)
    assert read.students.num_rows == 2
    bomb = gzip.compress(records + line * 1_000_000 + records)
    with pytest.raises(ScoreFileMalformed, match="10,000 lines in a row hold no student record"):
        list(read_score_file(bomb).batches())


@pytest.mark.parametrize("hangs_at", [0, 1_000_000])
def test_a_disk_that_stops_answering_does_not_keep_a_task_beyond_its_time(tmp_path, hangs_at):
    """
    Airflow's execution_timeout raises in the main thread, as a signal does here.
    """
    program = """
import io, signal, sys, time
from airflow_provider_apscores.scorefile import write_tables
from airflow_provider_apscores.scorefile import workers
from airflow_provider_apscores.storage import LocalFolder

workers._PATIENCE = 0.2

class Store(io.BytesIO):
    reads = 0
    def read(self, size=-1, /):
        Store.reads += self.tell() == 0
        if self.tell() >= int(sys.argv[2]) and (Store.reads > 1 or int(sys.argv[2]) == 0):
            signal.alarm(1)
            time.sleep(60)
        return super().read(size)

class TaskTimeout(BaseException):
    pass

def over(*_):
    raise TaskTimeout("the task took too long")

signal.signal(signal.SIGALRM, over)
data = sys.stdin.buffer.read()
LocalFolder.open = lambda folder, name: Store(data)
write_tables("/scores.txt", sys.argv[1])
"""
    found = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "out", str(hangs_at)],
        cwd=ROOT,
        input=txt([student(1)]) * 60_000,
        capture_output=True,
        timeout=40,
        check=False,
    )
    assert found.stderr.endswith(b"the task took too long\n")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []

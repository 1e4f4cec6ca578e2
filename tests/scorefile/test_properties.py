"""Whatever a record holds: an independent reading agrees, and tables give every byte back."""

import hashlib
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_apscores.scorefile import TABLES, read_score_file
from tests.scorefile.raw_records import raw_records
from tests.scorefile.slow_reading import slow_reading
from tests.scorefile.strategies import raw_records as records_of_fields
from tests.scorefile.students import csv_file, txt

TODAY = date(2026, 3, 4)

some_records = st.lists(records_of_fields(), min_size=1, max_size=4)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
quick = settings(thorough, max_examples=25)


def tables(data):
    file = read_score_file(data, today=TODAY)
    return [getattr(file, name).to_pylist() for name in ("students", "exam_scores", "awards")]


@thorough
@given(some_records)
def test_txt_agrees_with_an_independent_reading(records):
    data = txt(records)
    expected = slow_reading(data.decode().splitlines(), TODAY, hashlib.sha256(data).hexdigest())
    for ours, theirs in zip(tables(data), expected, strict=True):
        assert ours == theirs


@thorough
@given(some_records, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_csv_says_the_same_as_txt(records, delimiter, line_end):
    from_csv = tables(csv_file(records, delimiter, line_end))
    from_txt = tables(txt(records))
    for rows in from_csv + from_txt:
        for row in rows:
            del row["file_sha256"]
    assert from_csv == from_txt


def from_tables(data):
    """The records of a file as its tables have them."""
    return raw_records(read_score_file(data))


@quick
@given(some_records, st.sampled_from(["950", "910"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_tables_of_a_txt_file_give_every_byte_back(records, layout, line_end):
    if layout == "910":
        records = [{name: v for name, v in record.items() if not name.startswith("race")} for record in records]
    data = txt(records, layout, line_end.encode())
    assert txt(from_tables(data), layout, line_end.encode()) == data


@quick
@given(some_records)
def test_tables_of_a_csv_file_give_every_byte_back(records):
    data = csv_file(records)
    assert csv_file(from_tables(data)) == data


@quick
@given(some_records, st.sampled_from(["\n", "\r\n", "\r"]))
def test_txt_to_csv_and_back_gives_every_byte_back(records, line_end):
    data = txt(records, line_end=line_end.encode())
    as_csv = csv_file(from_tables(data), line_end=line_end)
    assert as_csv == csv_file(records, line_end=line_end)
    assert txt(from_tables(as_csv), line_end=line_end.encode()) == data


@quick
@given(some_records)
def test_the_tables_have_the_declared_types(records):
    file = read_score_file(txt(records))
    for name, table in TABLES.items():
        assert getattr(file, name).schema.equals(table.schema())

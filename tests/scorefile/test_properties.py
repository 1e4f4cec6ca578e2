"""Whatever a record holds: an independent reading agrees, and writing gives it back."""

import hashlib
import io
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slow_reading import slow_reading
from strategies import raw_records
from students import csv_file, txt

from airflow_provider_apscores.scorefile import TABLES, read_score_file, write_score_file

TODAY = date(2026, 3, 4)

some_records = st.lists(raw_records(), min_size=1, max_size=4)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


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
@given(some_records, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_csv_says_the_same_as_txt(records, delimiter, line_end):
    from_csv = tables(csv_file(records, delimiter, line_end))
    from_txt = tables(txt(records))
    for rows in from_csv + from_txt:
        for row in rows:
            del row["file_sha256"]
    assert from_csv == from_txt


@thorough
@given(some_records, st.sampled_from(["950", "910"]), st.sampled_from(["\n", "\r\n"]))
def test_reading_and_writing_txt_gives_every_byte_back(records, layout, line_end):
    if layout == "910":
        records = [{name: v for name, v in record.items() if not name.startswith("race")} for record in records]
    data = txt(records, layout, line_end.encode())
    written = io.BytesIO()
    assert write_score_file(read_score_file(data), written, layout=layout, line_end=line_end) == len(records)
    assert written.getvalue() == data


@thorough
@given(some_records)
def test_reading_and_writing_csv_gives_every_byte_back(records):
    data = csv_file(records)
    written = io.BytesIO()
    write_score_file(read_score_file(data), written, file_format="CSV")
    assert written.getvalue() == data


@settings(max_examples=20, deadline=None)
@given(some_records)
def test_the_tables_have_the_declared_types(records):
    file = read_score_file(txt(records))
    for name, table in TABLES.items():
        assert getattr(file, name).schema.equals(table.schema())

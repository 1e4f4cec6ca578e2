"""Raw records: text by field name, to bytes and back."""

import csv
import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_apscores.scorefile import (
    CSV_COLUMNS,
    LAYOUTS,
    csv_header,
    encode_csv_record,
    encode_record,
)
from tests.scorefile.raw_records import decode_record


def test_values_stand_at_their_columns():
    line = encode_record({"ap_id": "AP000001", "last_name": "RIVERA", "exam_code_30": "93", "report_date": "070125"})
    assert len(line) == 950
    assert line[:8] == b"AP000001"
    assert line[8:23] == b"RIVERA         "
    assert line[859:861] == b"93"
    assert line[880:886] == b"070125"
    assert line[886:] == b" " * 64


def test_positions_count_characters_beyond_ascii():
    line = encode_record({"last_name": "NUÑEZ", "first_name": "ZOË"})
    assert len(line) == 952
    assert len(line.decode()) == 950
    assert line.decode()[23:26] == "ZOË"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"middle_initial": "SECRET"}, "middle_initial has room for 1 characters, not 6"),
        ({"shoe_size": "SECRET"}, "no field shoe_size"),
        ({"last_name": "SEC\nRET"}, "last_name holds a line end"),
    ],
)
def test_what_does_not_fit_is_refused_without_naming_the_value(values, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        encode_record(values)
    assert "SEC" not in str(caught.value)


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="Layouts are 950, 910; not '1000'"):
        encode_record({}, "1000")


@given(st.data(), st.sampled_from(list(LAYOUTS)))
def test_decoding_and_encoding_give_every_line_back(data, layout):
    characters = st.characters(codec="utf-8", exclude_characters="\r\n")
    length = LAYOUTS[layout].length
    text = data.draw(st.text(characters, max_size=200)).ljust(length)
    line = text.encode()
    assert encode_record(decode_record(line, layout), layout) == line


def test_a_csv_record_has_a_cell_for_each_column():
    text = csv_header() + "\n" + encode_csv_record({"ap_id": "AP000001", "last_name": 'O"HARA, JR'}) + "\n"
    header, record = csv.reader(io.StringIO(text))
    assert header == [name for name, _ in CSV_COLUMNS]
    assert dict(zip(header, record, strict=True))["Last Name"] == 'O"HARA, JR'
    assert text.startswith('"AP Number / AP ID","Last Name",')


def test_a_field_without_csv_column_is_refused():
    with pytest.raises(ValueError, match="no column for filler_1"):
        encode_csv_record({"filler_1": "x"})


def test_the_package_and_its_raw_writer_import_nothing_heavy():
    program = (
        "import sys, airflow_provider_apscores.scorefile as s; s.encode_record({'ap_id': '1'});"
        "print([m for m in ('pyarrow', 'numpy', 'pandas', 'fsspec', 'airflow', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

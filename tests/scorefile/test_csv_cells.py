"""Plain CSV rows: they are read as if each was parsed, and rows that could be read wrongly are not plain."""

import csv
import io
import random

import numpy as np
import pytest

from airflow_provider_apscores.scorefile.reading import csv as reading_csv
from airflow_provider_apscores.scorefile.reading import csv_cells
from tests.scorefile.students import csv_file, student
from tests.scorefile.test_csv import CSV_VARIANTS
from tests.scorefile.three_ways import ALL, read

PLAIN = ["plain", "CRLF", "no last newline", "semicolons", "tabs", "unquoted", "reversed"]

ODD_CELLS = {
    "letters beyond ASCII": {"last_name": "NUÑEZ", "street_3": "É"},
    "text wider than its field": {"last_name": "WOLFESCHLEGELSTEINHAUSENBERGERDORFF", "college_name": "C" * 40},
    "blanks around": {"first_name": " ALEX ", "gender": " ", "exam_code_01": "7 ", "zip_code": " 2139"},
    "lost zeros": {"exam_code_01": "7", "admin_year_01": "5", "birth_date": "51407", "zip_code": "2139"},
    "fractions": {"exam_grade_01": "5.0", "exam_code_01": "7.0", "zip_code": "2139.0", "grade_level": "7.0"},
    "named gaps": {"exam_grade_01": "NA", "irregularity_1_01": "NULL", "last_name": "NA", "best_language": "NA"},
    "a fraction as long as its field": {"high_school_code": "1234.0"},
    "a fraction as long as a ZIP code": {"zip_code": "501.0"},
    "a named gap as long as its field": {"irregularity_1_01": "NA", "state": "NA"},
    "a named gap as long as a field may be": {"high_school_code": "NULL", "zip_code": "None"},
    "a campus that is a fraction": {"college_code": "4866.0"},
    "no gap": {"gender": "N", "country_code": "NA", "last_name": "Null"},
    "other dates": {"birth_date": "5/4/07", "report_date": "7/9/2026", "released_date": "2025-07-01"},
    "years in full": {"admin_year_01": "2025", "award_year_1": "1925"},
    "what no record holds": {"province": "QC", "postal_code": "H2X 1Y4", "student_identifier": "S-17"},
    "defects": {"exam_grade_01": "9", "exam_grade_02": "10", "award_type_1": "A", "birth_date": "023007"},
    "short answers": {"race_ethnicity_response": "NNNNY"},
    "no answers on the left": {"race_ethnicity_response": " NNNYNNNNY "},
    "control characters": {"last_name": "A\x01B", "street_1": "A\x7fB"},
    "no campus": {"college_code": ""},
    "another campus": {"college_code": "4866"},
}


def both_ways(data, mocker):
    """What is read of plain rows, what when each row is parsed, and whether any rows were plain."""
    mocker.patch.object(csv_cells, "_AT_A_TIME", 2500)
    spy = mocker.spy(reading_csv.CsvSplitter, "_plain_block")
    when_plain = read(data)
    mocker.patch.object(reading_csv.CsvSplitter, "_plain_block", return_value=None)
    return when_plain, read(data), spy.spy_return is not None


@pytest.mark.parametrize("variant", CSV_VARIANTS)
def test_both_ways_read_every_form_alike(variant, mocker):
    when_plain, when_parsed, was_plain = both_ways(CSV_VARIANTS[variant], mocker)
    assert when_plain == when_parsed
    assert was_plain or variant not in PLAIN


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_NONE])
@pytest.mark.parametrize("odd", ODD_CELLS)
def test_both_ways_read_odd_cells_alike(odd, quoting, mocker):
    records = [*ALL[::2], student(2, **ODD_CELLS[odd]), *ALL[::2]]
    rows = list(csv.reader(io.StringIO(csv_file(records).decode())))
    out = io.StringIO()
    csv.writer(out, quoting=quoting).writerows([[*row, "Ñote"] for row in rows])
    when_plain, when_parsed, _ = both_ways(out.getvalue().encode(), mocker)
    assert when_plain == when_parsed


def test_random_text_that_is_plain_has_the_same_cells_for_a_parser():
    """
    Among random quotes, delimiters and line ends, the cells that are found are the right ones.
    """
    rng = random.Random(4)
    agreed = 0
    for _ in range(20_000):
        cells = ["", "", "a", ",", '"', '","', '",', ',"', "\n", '""', "a,a", '"\n"']
        odd = 0.15 if rng.random() < 0.7 else 0
        rows = [[rng.choice(cells[:4] if rng.random() > odd else cells) for _ in range(3)] for _ in range(2)]
        text = "".join('"' + '","'.join(row) + '"\n' for row in rows)
        if rng.random() < 0.5:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", '"', ",", "\n", "a"]) + text[at + 1 :]
        if not text.endswith("\n") or len(text) < 6:
            continue
        piece = np.frombuffer(text.encode(), np.uint8)
        found = csv_cells.filled_cells(piece, (piece == 10).nonzero()[0], ord(","), 3)
        if found is None:
            continue
        spans, columns, counts = found
        parsed = list(csv.reader(io.StringIO(text), strict=True))
        assert [len(row) for row in parsed] == [3] * len(counts)
        expected = [(row, at, cell) for row, cells in enumerate(parsed) for at, cell in enumerate(cells) if cell]
        numbers = np.repeat(np.arange(len(counts)), counts).tolist()
        cells = [text[start:stop] for start, stop in spans.tolist()]
        assert list(zip(numbers, columns.tolist(), cells, strict=True)) == expected
        agreed += 1
    assert agreed > 1000

"""Files that were joined without a line end in between, and files without line ends."""

import pytest

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile import Inspection, Inspector, read_score_file
from tests.scorefile.students import of_report, student, txt
from tests.scorefile.three_ways import read

MANY = [student(number, first_name=f"A{number}") for number in range(1, 41)]
OLD = [
    {name: value for name, value in of_report(student(number), "070715").items() if "race" not in name}
    for number in range(1, 41)
]
LETTERS = [student(1, last_name="NUÑEZ"), *MANY[1:4], student(5, college_name="ÉCOLE"), *MANY[5:]]


def ids(found):
    return [row["ap_id"] for row in found["students"]]


@pytest.mark.parametrize("piece", [None, 7, 951, 5000, 1 << 20])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\x1a"])
@pytest.mark.parametrize(
    ("records", "layout"), [(MANY, "950"), (OLD, "910"), (LETTERS, "950")], ids=["950", "910", "letters"]
)
def test_a_file_without_line_ends(records, layout, end, piece):
    expected = read(txt(records, layout))
    assert len(ids(expected)) == 40

    assert read(txt(records, layout, line_end=b"") + end, piece) == expected


@pytest.mark.parametrize("piece", [None, 951, 5000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (txt(MANY[:1]), txt(MANY[1:])),
        (txt(MANY[:20]), txt(MANY[20:])),
        (txt(MANY[:39]), txt(MANY[39:])),
        (txt(MANY[:39]), txt(MANY[39:]).rstrip() + b"\n"),
        (txt(MANY[:20]), b"\xef\xbb\xbf" + txt(MANY[20:])),
        (txt(MANY[:20])[:-1] + b"\x1a\n", txt(MANY[20:])),
        (txt(OLD[:20], "910"), txt(MANY[20:])),
        (txt(MANY[:20]), txt(OLD[20:], "910")),
        (txt(LETTERS[:1]), txt(LETTERS[1:])),
    ],
)
def test_files_joined_without_a_line_end(first, second, line_end, piece):
    expected = read(first + second)
    assert len(ids(expected)) == 40

    assert read(first[:-1].replace(b"\n", line_end) + second.replace(b"\n", line_end), piece) == expected


def test_letters_of_one_byte_in_a_file_without_line_ends():
    data = txt([student(1, last_name="NUxEZ"), *MANY[1:]], line_end=b"").replace(b"NUxEZ", b"NU\xd1EZ")

    found = read(data)

    assert ids(found) == [each["ap_id"] for each in MANY]
    assert found["students"][0]["last_name"] == "NUÑEZ"


@pytest.mark.parametrize("behind", [b"X", b" EXTRA TEXT", b"9" * 700, txt(MANY[:1])[100:-1]])
def test_a_record_with_text_behind_it_is_set_aside_as_before(behind):
    data = txt(MANY[:1])[:-1] + behind + b"\n" + txt(MANY[1:3])

    found = read(data)

    assert ids(found) == ["AP000002", "AP000003"]
    assert found["rejected"] == [(1, data.split(b"\n")[0])]


@pytest.mark.parametrize(
    "change", [lambda data, at: data[:at] + data[at + 1 :], lambda data, at: data[:at] + b"X" + data[at:]]
)
def test_records_behind_a_lost_or_gained_character_are_not_guessed(change):
    data = change(txt(MANY, line_end=b""), 950 * 10 + 100)

    found = read(data)

    assert ids(found) == [f"AP{number:06}" for number in range(1, 10)]
    assert [number for number, _ in found["rejected"]] == [10]
    assert b"".join(line for _, line in found["rejected"]) == data[950 * 9 :]


def test_a_large_file_without_line_ends():
    many = txt([student(number) for number in range(30_000)], line_end=b"")

    assert read_score_file(many).students.num_rows == 30_000
    damaged = many[:10_000_000] + many[10_000_001:]
    with pytest.raises(ScoreFileMalformed, match="Record 10526 has no end"):
        read_score_file(damaged).students  # noqa: B018


@pytest.mark.parametrize("piece", [333, 1 << 20])
@pytest.mark.parametrize(
    "data", [txt(MANY, line_end=b""), txt(MANY, line_end=b"") + b"\n", txt(MANY).replace(b"\n", b"", 1)]
)
def test_the_download_accepts_them(data, piece):
    inspector = Inspector("TXT", "4866")
    for start in range(0, len(data), piece):
        inspector.feed(data[start : start + piece])

    assert inspector.finish() == Inspection(40, "950", len(data))

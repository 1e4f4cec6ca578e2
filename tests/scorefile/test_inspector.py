"""What is noticed while a file is downloaded, in pieces of any size."""

import pytest

from airflow_provider_apscores.errors import ScoreFileMalformed, WrongCampusInFile
from airflow_provider_apscores.scorefile import Inspection, Inspector
from tests.scorefile.students import csv_file, student, txt

FIVE = [student(number) for number in range(1, 6)]


def inspect(data, file_format="TXT", di_code="4866", piece=1 << 30):
    inspector = Inspector(file_format, di_code)
    for start in range(0, len(data), piece):
        inspector.feed(data[start : start + piece])
    return inspector.finish()


@pytest.mark.parametrize("piece", [1, 7, 949, 951, 5000, 1 << 30])
@pytest.mark.parametrize(
    ("data", "file_format", "layout"),
    [
        (txt(FIVE), "TXT", "950"),
        (txt(FIVE, line_end=b"\r\n"), "TXT", "950"),
        (txt(FIVE, line_end=b"\r"), "TXT", "950"),
        (txt(FIVE)[:-1], "TXT", "950"),
        (b"\xef\xbb\xbf" + txt(FIVE), "TXT", "950"),
        (txt(FIVE) + b"\n\r\n\x1a", "TXT", "950"),
        (txt([{k: v for k, v in each.items() if "race" not in k} for each in FIVE], "910"), "TXT", "910"),
        (txt([*FIVE[:4], student(5, last_name="NUÑEZ")]), "TXT", "950"),
        (txt(FIVE).rstrip() + b"\n", "TXT", "950"),
        (txt(FIVE).rstrip() + b"\x1a", "TXT", "950"),
        (txt(FIVE)[:-1] + b"\x1a", "TXT", "950"),
        (csv_file(FIVE), "CSV", "csv"),
        (csv_file(FIVE, line_end="\r\n"), "CSV", "csv"),
        (csv_file(FIVE)[:-1], "CSV", "csv"),
        (csv_file([*FIVE[:4], student(5, street_1="1 MAIN\nST")]), "CSV", "csv"),
        (csv_file([*FIVE[:4], student(5, street_1="1 MAIN\nST")])[:-1], "CSV", "csv"),
        (csv_file(FIVE) + b",,, ,", "CSV", "csv"),
    ],
)
def test_whole_files_of_the_campus(data, file_format, layout, piece):
    assert inspect(data, file_format, piece=piece) == Inspection(5, layout, len(data))


def test_more_records_than_one_piece_holds():
    data = txt([student(number) for number in range(3000)])
    assert inspect(data, piece=65536) == Inspection(3000, "950", len(data))


def test_any_campus_will_do_when_none_was_asked_for():
    assert inspect(txt(FIVE), di_code=None).records == 5


@pytest.mark.parametrize("make", [txt, csv_file])
@pytest.mark.parametrize("piece", [100, 1 << 30])
def test_records_of_another_campus_are_counted(make, piece):
    strangers = [student(6, college_code="001234"), student(7, college_code="001234"), student(8, college_code="")]
    with pytest.raises(WrongCampusInFile, match=r"campus 4866.*2 of campus 1234.*1 of no campus among records 1 to 8"):
        inspect(make([*FIVE, *strangers]), "CSV" if make is csv_file else "TXT", piece=piece)


def test_a_di_code_keeps_its_leading_zeros():
    assert inspect(txt([student(college_code="000042")]), di_code="0042").records == 1
    with pytest.raises(WrongCampusInFile, match="campus 0042"):
        inspect(txt([student(college_code="000042")]), di_code="4200")


def test_a_college_code_that_is_none_is_not_repeated():
    with pytest.raises(WrongCampusInFile) as caught:
        inspect(txt([student(college_code="RIVERA")]))
    assert "RIVERA" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\r\n\n \n", "empty"),
        (b"<!DOCTYPE html><html><body>Maintenance</body></html>", "web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "order a fresh file"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"PK\x03\x04....", "ZIP"),
        (b'{"success": false}', "JSON"),
        (b"hello\nworld\n", "no student records"),
        (txt(FIVE).decode().encode("utf-16"), "UTF-16"),
        (csv_file(FIVE), "TXT file was ordered, and this one is CSV"),
        (txt(FIVE)[:2000], r"Record 3 is not whole: 98 characters, not 950\. The file ends in the middle"),
        (txt(FIVE)[: 951 * 4 + 900], r"Record 5 is not whole.*the middle"),
        (txt(FIVE[:1])[:900], r"Record 1 is not whole.*the middle"),
        (txt(FIVE)[: 951 * 2 + 100] + txt(FIVE)[951 * 2 + 101 :], r"Record 3 is not whole: 949 characters"),
        (txt(FIVE).replace(b"4866", b"4B66", 1).replace(b"\n", b"", 1), r"Record 1 is not whole: 1900 characters"),
    ],
)
@pytest.mark.parametrize("piece", [333, 1 << 30])
def test_what_is_no_whole_score_file(data, says, piece):
    with pytest.raises(ScoreFileMalformed, match=says) as caught:
        inspect(data, piece=piece)
    assert "RIVERA" not in str(caught.value)
    assert "AP0000" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (csv_file([]), "no student records"),
        (csv_file(FIVE)[:-20], "Record 5 is not whole"),
        (csv_file(FIVE)[:-1].rsplit(b"\n", 1)[0] + b'\n"AP000005","RIV', "Record 5 is not whole"),
        (csv_file(FIVE)[:-4], "it lacks cells and a line end. The file ends in the middle"),
        (csv_file(FIVE) + b'"', "it lacks cells and a line end. The file ends in the middle"),
        (b"AP ID,Last Name,First Name\nA,B,C\n", '"Date of Birth", "College Code", "Admin Year 01"'),
        (txt(FIVE), "CSV file was ordered"),
    ],
)
def test_what_is_no_whole_csv_file(data, says):
    with pytest.raises(ScoreFileMalformed, match=says):
        inspect(data, "CSV")


def test_a_line_without_end_is_not_kept_in_memory():
    inspector = Inspector("TXT")
    inspector.feed(txt(FIVE) * 20)
    for _ in range(15):
        inspector.feed(b"x" * 65536)
    with pytest.raises(ScoreFileMalformed, match="Record 101 has no end"):
        inspector.feed(b"x" * 1_200_000)


@pytest.mark.parametrize(
    ("second", "error"),
    [(txt([student(2)])[100:], ScoreFileMalformed), (txt([student(2, college_code="001234")]), WrongCampusInFile)],
    ids=["not whole", "of another campus"],
)
def test_the_first_defect_is_raised_long_before_the_end(second, error):
    """
    A download need not go on once its file is condemned.
    """
    inspector = Inspector("TXT", "4866")
    with pytest.raises(error):
        inspector.feed(txt([student(1)]) + second + txt([student(3)]) * 100)

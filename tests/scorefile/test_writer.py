"""Tables as files: all formats, published together or not at all."""

import csv
import json
import stat

import pytest
from pyarrow import parquet

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed
from airflow_provider_apscores.scorefile import TABLES, read_score_file, write_tables
from tests.scorefile.students import csv_file, student, txt

RECORDS = [student(1), student(2, last_name="NUÑEZ", irregularity_1_01="02"), student(3, street_1='"1" MAIN\\ST')]
DATA = txt(RECORDS)
BROKEN = txt([student(1), student(2, birth_date="999999"), student(3)]) + b"no record\n"
SINCE_2016 = ("race_ethnicity_response", "race_ethnicity_derived")
OLD = txt([{k: v for k, v in student(2, middle_initial="É").items() if k not in SINCE_2016}], "910")
NAME = "4866-" + read_score_file(DATA).sha256[:12]
ALL = (*TABLES, "deliveries")


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_each_table_has_a_file_under_its_name(tmp_path):
    written = write_tables(DATA, tmp_path)
    assert files(tmp_path) == sorted(f"{table}/{NAME}.parquet" for table in ALL)
    assert written.uris["students"]["parquet"] == f"file://{tmp_path}/students/{NAME}.parquet"
    assert written.rows == {"students": 3, "exam_scores": 6, "awards": 3, "problems": 0, "deliveries": 1}
    assert (written.records, written.layout, written.di_codes) == (3, "950", ("4866",))
    assert (written.rejected_uri, written.rejected_lines) == (None, 0)


@pytest.mark.parametrize("source", [DATA, csv_file(RECORDS)])
def test_parquet_holds_what_was_read_in_the_declared_types(tmp_path, source):
    written = write_tables(source, tmp_path)
    for name, table in TABLES.items():
        found = parquet.read_table(written.uris[name]["parquet"].removeprefix("file://"))
        assert found.schema.equals(table.schema())
        assert found.equals(getattr(read_score_file(source), name))
    pages = parquet.ParquetFile(written.uris["students"]["parquet"].removeprefix("file://"))
    assert pages.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize(
    "records",
    [
        txt([student(1)]) + OLD + txt([student(3)]),
        txt([student(1), student(1), student(2, ap_id=""), student(3, college_code="114866")]),
        txt([student(1, college_name=" A"), student(2, college_name="A"), student(3, high_school_name=" ")]),
    ],
    ids=["blocks with and without a column's words", "students and campuses alike", "words that differ by blanks"],
)
def test_columns_whose_words_repeat_are_written_as_they_were_read(tmp_path, records):
    uris = write_tables(records, tmp_path).uris
    for name in TABLES:
        found = parquet.read_table(uris[name]["parquet"].removeprefix("file://"))
        assert found.equals(getattr(read_score_file(records), name))


def test_json_lines_hold_the_same(tmp_path):
    written = write_tables(DATA, tmp_path, formats=["jsonl"])
    file = read_score_file(DATA)
    for name in TABLES:
        with open(written.uris[name]["jsonl"].removeprefix("file://"), encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        expected = getattr(file, name).to_pylist()
        assert found == json.loads(json.dumps(expected, default=str))


def test_json_escapes_what_csv_files_can_hold(tmp_path):
    source = csv_file([student(street_1='1 "A"\n\tB\\C', last_name="Zoë")])
    uri = write_tables(source, tmp_path, formats=["jsonl"]).uris["students"]["jsonl"]
    with open(uri.removeprefix("file://"), encoding="utf-8") as lines:
        row = json.loads(lines.readline())
    assert (row["street_1"], row["last_name"]) == ('1 "A"\n\tB\\C', "Zoë")


def test_csv_holds_the_same(tmp_path):
    written = write_tables(DATA, tmp_path, formats=["csv"])
    with open(written.uris["exam_scores"]["csv"].removeprefix("file://"), newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    expected = read_score_file(DATA).exam_scores.to_pylist()
    assert found == [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected]


def test_several_formats_at_once(tmp_path):
    written = write_tables(DATA, tmp_path, formats=("csv", "parquet", "jsonl"), stem="july")
    assert files(tmp_path) == sorted(f"{table}/july.{end}" for table in ALL for end in ("csv", "parquet", "jsonl"))
    assert written.rows["exam_scores"] == 6


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "A=1", "'=1"])
@pytest.mark.parametrize("escape", [False, True])
def test_formulas_in_csv_are_escaped_if_asked(tmp_path, value, escape):
    source = csv_file([student(1, street_1=f"X{value}"), student(2, street_1="1 MAIN ST")]).replace(b'"X', b'"')
    written = write_tables(source, tmp_path, formats=["csv", "jsonl"], escape_formulas=escape)
    with open(written.uris["students"]["csv"].removeprefix("file://"), newline="", encoding="utf-8") as file:
        streets = [row["street_1"] for row in csv.DictReader(file)]
    [read, _] = read_score_file(source).students["street_1"].to_pylist()
    assert streets == ["'" + read if escape and read[0] in "=+-@\t\r" else read, "1 MAIN ST"]
    with open(written.uris["students"]["jsonl"].removeprefix("file://"), encoding="utf-8") as lines:
        assert json.loads(lines.readline())["street_1"] == read


def test_writing_again_replaces_and_adds_nothing(tmp_path):
    (tmp_path / "students").mkdir()
    (tmp_path / "students" / "another.parquet").write_bytes(b"")
    for _ in range(2):
        write_tables(txt(RECORDS), tmp_path)
        assert files(tmp_path) == sorted([*(f"{table}/{NAME}.parquet" for table in ALL), "students/another.parquet"])


def test_two_processes_may_write_the_same_files_at_once(tmp_path):
    inner = []

    def write_again(*_):
        if not inner:
            inner.append(None)
            inner[0] = write_tables(BROKEN, tmp_path)

    outer = write_tables(BROKEN, tmp_path, progress=write_again)
    assert [outer] == inner
    assert len(files(tmp_path)) == 6


def test_lines_that_could_not_be_read_are_set_aside_for_the_owner_alone(tmp_path):
    written = write_tables(BROKEN, tmp_path, stem="s")
    rejected = tmp_path / "rejected" / "s.txt"
    assert rejected.read_bytes() == BROKEN.splitlines(keepends=True)[1] + b"no record\n"
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    assert (written.rejected_uri, written.rejected_lines) == (f"file://{rejected}", 2)
    assert written.problems == {"bad_date": 1, "wrong_length": 1}
    assert (written.records, written.rows["students"], written.rows["problems"]) == (4, 3, 2)


def test_rejected_lines_are_removed_when_the_file_is_read_whole(tmp_path):
    write_tables(BROKEN, tmp_path, stem="s")
    write_tables(DATA, tmp_path, stem="s")
    assert not (tmp_path / "rejected" / "s.txt").exists()


@pytest.mark.parametrize(
    ("source", "options"),
    [(BROKEN, {"on_problem": "fail"}), (DATA + b"x" * (1 << 21), {}), (b"%PDF-1.4", {}), (b"", {})],
)
def test_nothing_is_published_when_it_fails(tmp_path, source, options):
    with pytest.raises(ScoreFileMalformed):
        write_tables(source, tmp_path, **options)
    assert files(tmp_path) == []


def test_on_problem_must_be_quarantine_or_fail(tmp_path):
    with pytest.raises(ConfigurationError, match="on_problem"):
        write_tables(BROKEN, tmp_path, on_problem="Fail")
    assert files(tmp_path) == []


def test_a_later_error_publishes_nothing_either(tmp_path):
    source = txt([student(number) for number in range(40_000)]) + BROKEN
    with pytest.raises(ScoreFileMalformed, match="record 40002: bad_date"):
        write_tables(source, tmp_path, on_problem="fail")
    assert files(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "students").write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="is a file"):
        write_tables(DATA, tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"formats": ["xlsx"]}, {"formats": []}, {"stem": "a/b"}, {"stem": ""}, {"stem": ".x"}],
)
def test_arguments_that_are_wrong(tmp_path, options):
    with pytest.raises(ConfigurationError):
        write_tables(DATA, tmp_path, **options)


def test_an_object_store_as_the_place():
    fsspec = pytest.importorskip("fsspec")
    written = write_tables(BROKEN, "memory://tables", stem="s")
    assert written.uris["awards"]["parquet"] == "memory://tables/awards/s.parquet"
    with fsspec.open(written.uris["students"]["parquet"], "rb") as file:
        assert parquet.read_table(file).num_rows == 3
    with fsspec.open(written.rejected_uri, "rb") as file:
        assert file.read().endswith(b"no record\n")


@pytest.mark.parametrize(
    ("records", "stem"),
    [
        ([student(), student(college_code="001234")], "mixed"),
        ([student(college_code="")], "unknown"),
        ([student(college_code="RIVERA")], "unknown"),
    ],
)
def test_the_name_of_files_without_one_campus(tmp_path, records, stem):
    write_tables(txt(records), tmp_path)
    assert files(tmp_path)[0].split("/")[1].startswith(f"{stem}-")


def test_the_result_is_plain_and_holds_no_personal_data(tmp_path):
    source = txt([student(1, exam_code_01="99", exam_code_02="RI"), student(2, birth_date="999999")])
    found = write_tables(source, tmp_path, stem="s").to_dict()
    text = json.dumps(found)
    assert json.loads(text) == found
    assert found["unknown_codes"] == {"exam_code": {"99": 1, "other": 1}}
    assert not any(word in text for word in ("RIVERA", "ALEX", "AP0000", "RI"))
    problems = read_score_file(source).problems.to_pylist()
    assert not any("RI" in str(row) for row in problems)


def test_progress_is_reported_up_to_the_end(tmp_path):
    source = txt([student(number) for number in range(40_000)])
    seen = []
    write_tables(source, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(source), len(source))
    assert len(seen) > 2

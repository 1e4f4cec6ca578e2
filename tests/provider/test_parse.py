"""The parse operator behind a download: tables, references, damage."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from pytest_mock import MockerFixture

from airflow_provider_apscores import errors
from airflow_provider_apscores.operators.current_state import APScoresCurrentStateOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from tests.provider.world import QUILLFEATHER, World, fails_permanently, task_instance


def parse(world: World, source: Any, **arguments: Any) -> dict[str, Any]:
    task = APScoresParseOperator(
        task_id="parse", source=source, **{"output": str(world.destination.parent / "tables")} | arguments
    )
    return task.execute({"ti": task_instance("parse")})


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


@pytest.mark.parametrize("file_format", ["TXT", "CSV"])
def test_a_download_becomes_tables(world: World, file_format: str):
    landed = world.download(file_format=file_format)

    written = parse(world, landed)

    assert json.loads(json.dumps(written)) == written
    assert (written["records"], written["di_codes"], written["sha256"]) == (12, ["0901"], landed["sha256"])
    students = written["uris"]["students"]["parquet"]
    assert parquet.read_table(local(students)).num_rows == 12


FORMS = [str, dict, lambda landed: landed["uri"], lambda landed: landed["manifest_uri"]]


@pytest.mark.parametrize("form", FORMS, ids=["text", "dict", "address", "manifest"])
def test_a_source_comes_in_four_forms(world: World, form):
    assert parse(world, form(world.download()))["records"] == 12


def test_a_retry_writes_the_same_names(world: World):
    landed = world.download()

    assert parse(world, landed) == parse(world, landed)


def test_parts_that_interrupted_tasks_left_are_deleted_and_those_of_tasks_at_work_are_not(world: World):
    students = world.destination.parent / "tables" / "students"
    students.mkdir(parents=True)
    old, young = (f".0901-0.parquet.part-{int(time.time()) - 3600 * hours:x}-0a" for hours in (7, 5))
    for name in (old, young):
        (students / name).write_text("half")

    parse(world, world.download())

    assert [path.name for path in students.iterdir() if path.name.startswith(".")] == [young]


def test_tables_are_partitioned_and_one_file_is_read_by_its_path(world: World):
    written = parse(world, world.download(), partition_by=["di_code", "reporting_year"])

    students = local(written["uris"]["students"]["parquet"])
    assert students.parent.parent.name == "di_code=0901"
    assert students.parent.name.startswith("reporting_year=20")
    assert set(parquet.read_table(students, partitioning=None)["di_code"].to_pylist()) == {"0901"}
    state = APScoresCurrentStateOperator(
        task_id="state", source=str(world.destination.parent / "tables"), output=str(world.destination.parent / "state")
    )
    assert state.execute({"ti": task_instance("state")})["counts"]["students"] == 12


@pytest.mark.parametrize("wrong", ["year", ["di_code", "year"]])
def test_other_partitions_are_refused_when_the_dag_is_parsed(wrong: Any):
    with pytest.raises(ValueError, match="partition_by takes di_code, reporting_year, or a list of both"):
        APScoresParseOperator(task_id="parse", source="scores.txt", output="tables", partition_by=wrong)


def test_campuses_share_an_output(world: World):
    files = [parse(world, world.download(campus)) for campus in ("0901", QUILLFEATHER)]

    tables = {written["uris"]["students"]["parquet"] for written in files}
    assert len(tables) == 2
    assert len({local(uri).parent for uri in tables}) == 1


def test_unknown_columns_are_logged(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    header, *rows = local(world.download(file_format="CSV")["uri"]).read_bytes().splitlines()
    (tmp_path / "more.csv").write_bytes(b"\n".join([header + b',"Exam Code 31"', *(row + b',"07"' for row in rows)]))

    assert parse(world, str(tmp_path / "more.csv"))["unread_columns"] == 1

    assert "1 columns of the CSV file have unknown names" in caplog.text + capfd.readouterr().out


@pytest.mark.parametrize("nothing", [None, "None"])
def test_without_a_file_there_is_nothing_to_parse(world: World, nothing):
    with pytest.raises(AirflowSkipException):
        parse(world, nothing)


@pytest.mark.parametrize("arguments", [{"source": "scores.txt"}, {"output": "tables"}, {"output": "None"}])
def test_a_relative_path_is_refused(world: World, arguments):
    with fails_permanently(errors.ConfigurationError, match="absolute"):
        parse(world, **{"source": world.download()} | arguments)


def test_a_manifest_as_source_is_checked_like_a_reference(world: World):
    landed = world.download()
    local(landed["uri"]).write_bytes(b"changed")

    with fails_permanently(errors.DeliveryDamaged):
        parse(world, landed["manifest_uri"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda folder: str(folder), "is a folder. Give one file"),
        (lambda folder: f"{folder}/", "is a folder. Give one file"),
        (lambda folder: f"file://{folder}", "is a folder. Give one file"),
        (lambda folder: f"{folder}/*.txt", "is a pattern, or there is no such file. Give one file"),
        (lambda folder: "s3:/bucket/scores.txt", "two slashes after its scheme: s3://, not s3:/"),
        (lambda folder: "nosuch://bucket/scores.txt", "no file system for nosuch://"),
    ],
)
def test_a_source_that_is_no_file_fails_permanently(world: World, tmp_path: Path, wrong, said: str):
    (tmp_path / "scores.txt").write_text("x")

    with fails_permanently(errors.ConfigurationError, match=said):
        parse(world, wrong(tmp_path))


def test_a_missing_package_is_named_in_airflows_own_words(world: World, mocker: MockerFixture):
    hint = "Airflow FS S3 protocol requires the s3fs library. Please install apache-airflow-providers-amazon[s3fs]"
    mocker.patch(
        "airflow.providers.common.compat.sdk.ObjectStoragePath.fs",
        new_callable=mocker.PropertyMock,
        side_effect=ImportError(hint),
    )

    with fails_permanently(errors.ConfigurationError, match=re.escape(hint)):
        parse(world, "s3://bucket/scores.txt")


def test_the_content_of_a_file_is_not_a_source_and_is_not_quoted(world: World):
    content = local(world.download()["uri"]).read_text()

    for source in (content, content[:950], "/" + content[:950]):
        with fails_permanently(errors.ConfigurationError, match="content of a file") as caught:
            parse(world, source)
        assert content[8:23].strip() not in str(caught.value)


@pytest.mark.parametrize("source", [["a.txt", "b.txt"], b"a.txt"])
def test_an_invalid_reference_fails_permanently(world: World, source):
    with fails_permanently(errors.ConfigurationError, match="one dict, URI or path, not a"):
        parse(world, source)


def test_a_single_format_needs_no_list_and_rows_are_logged(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level("INFO")
    written = parse(world, world.download(), formats="csv")

    assert list(written["uris"]["students"]) == ["csv"]
    assert "12 student records; rows: 12 students, " in caplog.text + capfd.readouterr().out


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"changed"),
        lambda path: path.write_bytes(path.read_bytes()[:-951]),
        lambda path: path.write_bytes(path.read_bytes()[:23] + b"X" + path.read_bytes()[24:]),
    ],
    ids=["gone", "no score file", "a record less", "a letter in a name"],
)
def test_a_file_that_differs_from_its_manifest_is_not_parsed(world: World, damage):
    landed = world.download()
    damage(local(landed["uri"]))

    with fails_permanently(errors.DeliveryDamaged):
        parse(world, landed)

    assert [path for path in (world.destination.parent / "tables").rglob("*") if path.is_file()] == []


def test_a_file_that_is_no_score_file_fails_permanently(world: World, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<html>not a score file</html>")

    with fails_permanently(errors.ScoreFileMalformed):
        parse(world, str(page))


def test_a_missing_source_is_named(world: World, tmp_path: Path):
    with pytest.raises(errors.StorageUnavailable, match=r"nowhere\.txt"):
        parse(world, str(tmp_path / "nowhere.txt"))


def test_tables_are_for_their_owner_only(world: World):
    parse(world, world.download(), formats=("parquet", "csv", "jsonl"))

    files = [path for path in (world.destination.parent / "tables").rglob("*") if path.is_file()]
    assert len(files) >= 9
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_an_output_on_a_disk_that_is_not_shared_is_warned_of(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    landed = world.download()
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    parse(world, landed)

    assert "tables is a local folder, and CeleryExecutor runs tasks on several machines" in (
        caplog.text + capfd.readouterr().out
    )


def test_a_download_of_another_machine_is_named_as_the_cause(world: World):
    landed = world.download()
    local(landed["manifest_uri"]).unlink()

    with fails_permanently(errors.DeliveryDamaged, match="on the disk of another one.*that all of them mount"):
        parse(world, landed)

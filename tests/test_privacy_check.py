"""The privacy check must be able to fail: the tests plant each kind of secret and personal value once."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import json
import shutil
import sqlite3
import urllib.parse
from pathlib import Path

import pytest

from airflow_provider_apscores.sandbox import DEFAULT_PASSWORD, Sandbox
from airflow_provider_apscores.sandbox.authentication import Authenticator

SCRIPT = Path(__file__).parents[1] / "tools" / "privacy_check.py"
ENCODED = base64.b64encode(DEFAULT_PASSWORD.encode()).decode()


@pytest.fixture(scope="module")
def student() -> dict[str, str]:
    with Sandbox() as sandbox:
        return next(iter(sandbox.records("9120")))


@pytest.fixture
def demo(tmp_path: Path, student: dict[str, str]) -> Path:
    """The results of a demo: a score file with its manifest, the sandbox's output, a log and a database."""
    from airflow_provider_apscores.scorefile import encode_record

    landed = tmp_path / "data" / "files" / "9120" / "run"
    for folder in (landed, tmp_path / "sandbox", tmp_path / "airflow" / "logs"):
        folder.mkdir(parents=True)
    (landed / "scores-0.txt").write_bytes(encode_record(student) + b"\n")
    (landed / "scores-0.manifest.json").write_text(json.dumps({"records": 1, "sha256": "ab" * 32}))
    (tmp_path / "sandbox" / "output.txt").write_text(f"  e-mail    a@b.c\n  password  {DEFAULT_PASSWORD}\n")
    (tmp_path / "airflow" / "logs" / "task.log").write_text("Landed 1 record. Token: ***\n")
    with sqlite3.connect(tmp_path / "airflow" / "airflow.db") as database:
        database.execute("create table xcom (value text)")
    return tmp_path


def check(demo: Path) -> tuple[int, str]:
    """Return the exit status and the output."""
    spec = importlib.util.spec_from_file_location("privacy_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = script.main(["--demo", str(demo)])
    return status, output.getvalue()


def test_a_clean_demo_passes(demo: Path):
    # Its digest also has 64 characters, but is not a token.
    status, output = check(demo)

    assert (status, "none found" in output) == (0, True), output


SECRETS = {
    "plain": DEFAULT_PASSWORD,
    "in JSON": json.dumps(DEFAULT_PASSWORD),
    "quoted": urllib.parse.quote(DEFAULT_PASSWORD, safe=""),
    "Base64": json.dumps({"p": ENCODED}),
    "Base64 in a query": f"?p={urllib.parse.quote(ENCODED, safe='')}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_password_in_a_log_is_found(demo: Path, text: str):
    (demo / "airflow" / "logs" / "task.log").write_text(f"logging in with {text} now")

    status, output = check(demo)

    assert status == 1
    assert "FOUND the password, 1 times, in airflow/logs/task.log" in output
    assert DEFAULT_PASSWORD not in output
    assert ENCODED not in output


def test_tokens_and_signed_addresses_are_found(demo: Path):
    authenticator = Authenticator({"a@b.c": "x"}, seed=1, token_lifetime=60, url_lifetime=60, lock_after=None)
    (demo / "airflow" / "scheduler.log").write_text(f"sent X: {authenticator.issue_token('a@b.c')}\n")
    (demo / "airflow" / "logs" / "task.log").write_text(f"GET {authenticator.signed_path('7300001')}\n")

    status, output = check(demo)

    assert status == 1
    assert "FOUND a token, 1 times, in airflow/scheduler.log" in output
    assert "FOUND the query of a signed address, 2 times, in airflow/logs/task.log" in output


@pytest.mark.parametrize("field", ["ap_id", "last_name", "first_name", "street_1"])
def test_a_student_in_the_database_is_found(demo: Path, student: dict[str, str], field: str):
    with sqlite3.connect(demo / "airflow" / "airflow.db") as database:
        database.execute("insert into xcom values (?)", (json.dumps({"note": student[field].title()}),))

    status, output = check(demo)

    assert (status, f"FOUND {field}, 1 times, in airflow/airflow.db" in output) == (1, True), output
    assert student[field].casefold() not in output.casefold()


def test_a_student_in_a_manifest_is_found(demo: Path, student: dict[str, str]):
    (manifest,) = demo.rglob("*.manifest.json")
    manifest.write_text(json.dumps({"first": student["ap_id"]}))

    assert check(demo)[0] == 1


def test_it_fails_without_a_password(demo: Path):
    (demo / "sandbox" / "output.txt").write_text("Stopped.\n")

    assert check(demo)[0] == 2


def test_it_fails_without_students(demo: Path):
    next(demo.rglob("scores-*.txt")).unlink()

    assert check(demo)[0] == 2


def test_it_fails_without_anything_to_search(demo: Path):
    shutil.rmtree(demo / "airflow")
    next(demo.rglob("*.manifest.json")).unlink()

    assert check(demo)[0] == 2

"""The testing kit: the tests that its page shows, and what the page promises."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow import settings
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.testing import apscores_run_dag, apscores_sandbox
from tests.provider.deployment import PROJECT, clean_environment
from tests.test_docs import blocks

PAGE = PROJECT / "docs" / "how-to" / "test-your-dag.md"
#: The plugin by its name: the entry point of an older installation may not have it.
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:apscores", "-p", "airflow_provider_apscores.testing.pytest_plugin"]


def run(folder: Path, *command: str) -> str:
    env = clean_environment() | {"AIRFLOW_HOME": str(folder / "airflow")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page shows."""
    folder = tmp_path_factory.mktemp("kit")
    for block in blocks(PAGE):
        kind, _, name = block.test.partition(" ")
        if kind == "pytest":
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(block.code)
    return folder


def test_the_documented_tests_pass(documented: Path):
    assert "4 passed" in run(documented, *PYTEST, "-q", "tests")


def test_each_documented_test_is_short(documented: Path):
    tests = (documented / "tests" / "test_ap_scores.py").read_text().split("\ndef test_")[1:]

    assert len(tests) == 4
    assert max(len(test.strip().splitlines()) for test in tests) <= 15


def test_it_works_without_pytest(documented: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(documented)
    monkeypatch.setenv("AIRFLOW_VAR_APSCORES_DATA", "set by the program")

    runpy.run_path("check_ap_scores.py")


def test_the_plugin_imports_neither_airflow_nor_the_provider(tmp_path: Path):
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import airflow_provider_apscores.testing.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )

    assert run(tmp_path, sys.executable, "-c", code).split() == [
        "airflow_provider_apscores",
        "airflow_provider_apscores.testing",
        "airflow_provider_apscores.testing.pytest_plugin",
    ]


def test_a_dag_that_a_test_defines_runs_and_stays_as_it_was(tmp_path: Path):
    """
    A mapped task retries without its delay of a day, and Airflow has its own database again after the run.
    """
    day = timedelta(days=1)
    with DAG("mapped", schedule=None, start_date=datetime(2026, 7, 1), default_args={"retries": 2}) as dag:
        APScoresDownloadOperator.partial(
            task_id="download", destination=str(tmp_path), retry_delay=day, retry_exponential_backoff=True
        ).expand(di_code=["4866", "0417"])
    engine = str(settings.engine.url)

    with apscores_sandbox(conn_id="apscores_default") as sandbox:
        sandbox.add_reports("4866", 2)
        sandbox.add_reports("0417", 0)
        sandbox.fail("order", "500", times=4, di_code="4866")
        finished = apscores_run_dag(dag)
        assert sandbox.counts["order"] == 6

    assert finished.tasks == {"download": ["success", "skipped"]}
    assert finished.tries == {"download": [2, 1]}
    assert [each["di_code"] for each in finished.returned["download"]] == ["4866"]
    assert dag.get_task("download").partial_kwargs["retry_delay"] == day
    assert str(settings.engine.url) == engine
    assert "AIRFLOW_CONN_APSCORES_DEFAULT" not in os.environ


def test_a_task_may_return_any_json_value():
    """
    The metadata database of the kit keeps a number as a number, not as its JSON.
    """
    values = [14, 1.5, "14", True, ["14"], {"rows": 14}]
    with DAG("values", schedule=None, start_date=datetime(2026, 7, 1)) as dag:

        @task
        def load(value: Any) -> Any:
            return value

        load.expand(value=values)
        load.override(task_id="one")(14)

    assert apscores_run_dag(dag).returned == {"load": values, "one": 14}


def test_the_connection_that_was_there_comes_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_MINE", "before")

    with apscores_sandbox(conn_id="mine") as sandbox:
        sandbox.add_reports("4866")
        assert "4866" in os.environ["AIRFLOW_CONN_MINE"]

    assert os.environ["AIRFLOW_CONN_MINE"] == "before"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nowhere  # no Airflow DAG", "nowhere"),
        ("", r"\(none\)"),
        ("from airflow.providers.common.compat.sdk import DAG\nwith DAG('a'), DAG('b'): pass", "a, b"),
    ],
)
def test_a_file_without_the_dag_is_an_error_that_says_so(tmp_path: Path, text: str, error: str):
    (tmp_path / "dag.py").write_text(text)

    with pytest.raises(ValueError, match=error):
        apscores_run_dag(tmp_path / "dag.py")


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="no DAG file"):
        apscores_run_dag(tmp_path / "missing.py")

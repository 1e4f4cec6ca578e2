"""DAGs that fan out over campuses: a refused login is sent once in the whole run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_apscores.sandbox import Campus, Sandbox
from tests.provider.deployment import PROJECT, clean_environment

CAMPUSES = [f"{1000 + number}" for number in range(20)]


def documented(dag_id: str) -> str:
    """Return the DAG file that the tutorial shows."""
    found = re.search(
        f"<!-- test: dag {dag_id} -->\n```python\n(.*?)```", (PROJECT / "docs/tutorial.md").read_text(), re.S
    )
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow home with the DAGs."""
    home = tmp_path_factory.mktemp("fan-out")
    (home / "dags").mkdir()
    shutil.copy(PROJECT / "example_dags" / "example_apscores.py", home / "dags")
    (home / "dags" / "ap_scores_all.py").write_text(documented("ap_scores_all"))
    airflow(home, "", "db", "migrate")
    return home


def airflow(home: Path, connection: str, *command: str) -> str:
    env = clean_environment() | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_APSCORES_DEFAULT": connection,
    }
    command = (sys.executable, "-m", "airflow", *command)
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("dag_id", ["example_apscores", "ap_scores_all"])
def test_a_refused_password_is_sent_once_in_a_run_of_twenty_campuses(home: Path, dag_id: str):
    with Sandbox(campuses=[Campus(di_code, f"College {di_code}") for di_code in CAMPUSES]) as sandbox:
        connection = json.loads(sandbox.airflow_connection) | {"password": "refused"}
        connection["extra"] |= {"di_codes": CAMPUSES, "verify": "false"}

        said = airflow(home, json.dumps(connection), "dags", "test", dag_id)

        assert sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}, said[-3000:]
        # The run did start, and the campuses did not.
        assert "Invalid username or password" in said

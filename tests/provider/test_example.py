"""DAGs that fan out over campuses: a refused login is sent once in the whole run."""

from __future__ import annotations

import imaplib
import importlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.testing import apscores_run_dag
from tests.provider.deployment import PROJECT
from tests.provider.mail_server import LOGIN, PASSWORD, mail_connection, mail_server

CAMPUSES = [f"{1000 + number}" for number in range(20)]


def documented(dag_id: str) -> str:
    """Return the DAG file that the tutorial shows."""
    found = re.search(
        f"<!-- test: dag {dag_id} -->\n```python\n(.*?)```", (PROJECT / "docs/tutorial.md").read_text(), re.S
    )
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the DAGs."""
    dags = tmp_path_factory.mktemp("dags")
    for example in (PROJECT / "example_dags").glob("*.py"):
        text = example.read_text().replace('["0901", "9120"]', repr(CAMPUSES))
        names = re.compile(r'\{\n    "0901": .*?\n\}', re.S)
        text = names.sub(repr({di_code: f"College {di_code}" for di_code in CAMPUSES}), text)
        (dags / example.name).write_text(text)
    listed = (dags / "example_apscores.py").read_text().replace("MAPPED = True", "MAPPED = False")
    (dags / "in_a_list.py").write_text(listed)
    (dags / "ap_scores_all.py").write_text(documented("ap_scores_all"))
    return dags


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection to a mailbox with a notification for each campus."""
    with mail_server(tmp_path_factory.mktemp("mailbox")) as port, imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(LOGIN, PASSWORD)
        for di_code in CAMPUSES:
            message = f"From: scores@e.collegeboard.org\r\nSubject: New reports: College {di_code}\r\n\r\n".encode()
            client.append("INBOX", "", imaplib.Time2Internaldate(time.time()), message)
        yield mail_connection(port)


#: All but those that do not talk to College Board.
EXAMPLES = sorted(
    {path.stem for path in (PROJECT / "example_dags").glob("*.py")}
    - {"example_apscores_credit", "example_apscores_reparse"}
)


def read(path: Path) -> Any:
    """Return the DAG of a file."""
    try:
        bags = importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:  # before Airflow 3.2
        bags = importlib.import_module("airflow.models.dagbag")
    (dag,) = bags.DagBag(str(path)).dags.values()
    return dag


@pytest.mark.parametrize("name", EXAMPLES)
def test_tasks_have_the_status_and_the_events_and_the_last_one_checks_all(name: str):
    dag = read(PROJECT / "example_dags" / f"{name}.py")
    ours = [each for each in dag.tasks if re.fullmatch("APScores.*(?<!Sensor)", each.task_type)]

    assert ours
    for each in ours:
        assert status() in each.inlets, each.task_id
        assert events() in each.outlets, each.task_id
    assert [each.task_id.rpartition(".")[2] for each in dag.leaves] == ["all_campuses_delivered"]


@pytest.mark.parametrize("name", [*EXAMPLES, "in_a_list", "ap_scores_all"])
def test_a_refused_password_is_sent_once_in_a_run_of_twenty_campuses(
    dags: Path, mailbox: str, name: str, monkeypatch: pytest.MonkeyPatch
):
    with Sandbox(campuses=[Campus(di_code, f"College {di_code}") for di_code in CAMPUSES]) as sandbox:
        connection = json.loads(sandbox.airflow_connection) | {"password": "refused"}
        connection["extra"] |= {"di_codes": CAMPUSES, "verify": "false"}
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_CONN_IMAP_DEFAULT", mailbox)

        run = apscores_run_dag(dags / f"{name}.py")

        assert sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}, run.tasks
    # The first task failed, and the campuses did not start.
    states = Counter(state for each in run.tasks.values() for state in (each if isinstance(each, list) else [each]))
    assert (run.state, states["failed"]) == ("failed", 1)
    assert set(states) <= {"success", "failed", "upstream_failed"}

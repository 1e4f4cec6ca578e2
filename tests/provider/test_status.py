"""The status of each campus that tasks store for the page in Airflow's UI (Airflow 3.3)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException

from airflow_provider_apscores import assets
from airflow_provider_apscores.errors import ServiceUnavailable
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.task_groups import check_login
from tests.provider.contexts import States, context
from tests.provider.world import EMBERWICK, QUILLFEATHER, SALTMARSH, World


class Statuses:
    """The status asset with its store, and tasks that have it as inlet."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.states = States(assets.status())

    def __getitem__(self, di_code: str) -> dict[str, Any]:
        return json.loads(json.dumps(self.states[assets.status()][di_code]))

    def errors(self, di_code: str) -> dict[str, str]:
        """The class of the error of each operator."""
        return {operator: error["class"] for operator, error in self[di_code].get("errors", {}).items()}

    def run(self, operator: type, run: str = "day-1", **arguments: Any) -> Any:
        task = operator(task_id="task", inlets=[assets.status()], **arguments)
        told = context("task", asset_state_store=self.states)
        told["ti"].run_id = run
        return task.execute(told)

    def download(self, di_code: Any = SALTMARSH, run: str = "day-1", **arguments: Any) -> Any:
        destination = str(self.world.destination)
        return self.run(APScoresDownloadOperator, run, di_code=di_code, destination=destination, **arguments)


@pytest.fixture
def statuses(world: World) -> Statuses:
    return Statuses(world)


def test_each_task_stores_its_part(world: World, statuses: Statuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reference = statuses.download(record=False)
    (manifest,) = world.manifests()
    landed = {name: manifest[name] for name in ("landed_at", "records", "bytes", "file_format", "download_type")}
    assert statuses[SALTMARSH] == landed | {
        "recorded_at": None,
        "pending_since": manifest["landed_at"],
        "checked_at": statuses[SALTMARSH]["checked_at"],
        "updated_at": statuses[SALTMARSH]["updated_at"],
    }
    assert statuses[SALTMARSH]["checked_at"] <= manifest["landed_at"]

    tables = statuses.run(APScoresParseOperator, source=reference, output=str(tmp_path / "tables"))
    status = statuses[SALTMARSH]
    assert {name: status[name] for name in ("problems", "quarantined")} == {"problems": 0, "quarantined": 0}
    assert sum(status["statuses"].values()) == tables["rows"]["exam_scores"]

    monkeypatch.setenv("AIRFLOW_CONN_SCORES", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "db")}))
    statuses.run(APScoresLoadOperator, tables=tables, conn_id="scores", create=True)
    assert statuses[SALTMARSH]["loads"]["rows"] == sum(tables["rows"].values())

    for consumer in ("slate", "banner"):
        folder = tmp_path / consumer
        statuses.run(APScoresHandOffOperator, download=reference, to=str(folder), consumer=consumer)
    hand_offs = statuses[SALTMARSH]["hand_offs"]
    assert {consumer: each["records"] for consumer, each in hand_offs.items()} == {"slate": 12, "banner": 12}

    statuses.run(APScoresRecordDownloadOperator, download=reference)
    status = statuses[SALTMARSH]
    assert (status["recorded_at"], status["pending_since"]) == (world.manifests()[0]["recorded_at"], None)
    assert {name: status[name] for name in landed} == landed


def test_reports_are_pending_since_the_first_delivery_that_is_not_recorded(world: World, statuses: Statuses):
    statuses.download(record=False)
    first = statuses[SALTMARSH]["landed_at"]

    statuses.download(run="day-2", record=False)

    assert statuses[SALTMARSH]["landed_at"] > first
    assert statuses[SALTMARSH]["pending_since"] == first
    statuses.download(run="day-3", download_type="full")
    assert statuses[SALTMARSH]["pending_since"] == first
    statuses.download(run="day-4")
    assert statuses[SALTMARSH]["pending_since"] is None


def test_parsing_an_old_delivery_again_changes_nothing(world: World, statuses: Statuses, tmp_path: Path):
    old = statuses.download(record=False)
    statuses.download(run="day-2", record=False)
    before = statuses[SALTMARSH]

    statuses.run(APScoresParseOperator, source=old, output=str(tmp_path / "tables"))

    assert statuses[SALTMARSH] == before


def test_an_error_stays_until_the_operator_that_failed_succeeds(world: World, statuses: Statuses, tmp_path: Path):
    reference = statuses.download(record=False)
    (path,) = world.files()
    content = path.read_bytes()
    path.write_bytes(b"changed")
    with pytest.raises(AirflowFailException):
        statuses.run(APScoresParseOperator, source=reference, output=str(tmp_path / "tables"))
    damaged = {"APScoresParseOperator": "DeliveryDamaged"}
    assert statuses.errors(SALTMARSH) == damaged
    error = statuses[SALTMARSH]["errors"]["APScoresParseOperator"]
    assert error["at"] <= statuses[SALTMARSH]["updated_at"]

    world.sandbox.fail("login", "status=503", times=None)
    with pytest.raises(ServiceUnavailable):
        statuses.download(run="day-2", record=False)
    assert statuses.errors(SALTMARSH) == damaged | {"APScoresDownloadOperator": "ServiceUnavailable"}
    world.sandbox.clear_faults()
    path.write_bytes(content)
    statuses.download(run="day-2", record=False)
    assert statuses.errors(SALTMARSH) == damaged
    statuses.run(APScoresParseOperator, source=reference, output=str(tmp_path / "tables"))
    assert statuses.errors(SALTMARSH) == {}


def test_a_transient_error_is_stored_until_the_download_succeeds(world: World, statuses: Statuses):
    world.sandbox.fail("login", "status=503", times=None)
    with pytest.raises(ServiceUnavailable):
        statuses.download(EMBERWICK)
    assert statuses.errors(EMBERWICK) == {"APScoresDownloadOperator": "ServiceUnavailable"}

    world.sandbox.clear_faults()
    with pytest.raises(AirflowSkipException):
        statuses.download(EMBERWICK)
    assert statuses.errors(EMBERWICK) == {}


def test_a_campus_without_news_was_checked(world: World, statuses: Statuses):
    with pytest.raises(AirflowSkipException):
        statuses.download(EMBERWICK)
    first = statuses[EMBERWICK]

    assert first == {"checked_at": first["checked_at"], "updated_at": first["updated_at"]}
    with pytest.raises(AirflowSkipException):
        statuses.download(EMBERWICK, run="day-2")
    assert statuses[EMBERWICK]["checked_at"] > first["checked_at"]


def test_a_retry_that_asks_nothing_checks_nothing(world: World, statuses: Statuses):
    statuses.download()
    before = statuses[SALTMARSH]["checked_at"]

    statuses.download()

    assert statuses[SALTMARSH]["checked_at"] == before


def test_the_error_of_one_campus_is_not_that_of_the_others(world: World, statuses: Statuses):
    world.sandbox.fail("order", "refuse=campus", di_code=SALTMARSH)

    with pytest.raises(AirflowFailException):  # nothing has landed
        statuses.download([SALTMARSH, EMBERWICK])

    assert statuses.errors(SALTMARSH) == {"APScoresDownloadOperator": "CampusRefused"}
    assert "checked_at" not in statuses[SALTMARSH]
    assert statuses.errors(EMBERWICK) == {}
    assert "checked_at" in statuses[EMBERWICK]


def test_a_record_that_is_not_approved_is_no_error(world: World, statuses: Statuses):
    reference = statuses.download(record=False)
    before = statuses[SALTMARSH]

    with pytest.raises(AirflowSkipException):
        statuses.run(APScoresRecordDownloadOperator, download=reference, approval={"chosen_options": ["Reject"]})

    assert statuses[SALTMARSH] == before


def test_a_refused_login_is_the_error_of_all_campuses(world: World, statuses: Statuses):
    """
    The first task of a DAG logs in for all of them.
    """
    campuses = [SALTMARSH, QUILLFEATHER]
    with DAG("refused", schedule=None, start_date=datetime(2026, 1, 1)):
        task = check_login(campuses).operator
    told = context("check_login", asset_state_store=statuses.states, task=task)
    world.sandbox.fail("login", "refuse=locked")

    with pytest.raises(AirflowFailException):
        task.python_callable(campuses, **told)
    assert [list(statuses.errors(each).values()) for each in campuses] == [["CredentialsRefused"]] * 2

    task.python_callable(campuses, **told)
    assert [statuses.errors(each) for each in campuses] == [{}] * 2


def test_campuses_have_one_key_each(world: World, statuses: Statuses):
    statuses.download()
    before = statuses[SALTMARSH]

    statuses.download(QUILLFEATHER)

    assert statuses[SALTMARSH] == before
    assert statuses[QUILLFEATHER]["records"] == 5


def test_a_store_that_fails_fails_no_task(world: World, caplog: pytest.LogCaptureFixture):
    task = APScoresDownloadOperator(
        task_id="task", di_code=SALTMARSH, destination=str(world.destination), inlets=[assets.status()]
    )

    assert task.execute(context("task", asset_state_store=States()))["recorded"] is True
    assert f"The status of campus {SALTMARSH} was not stored: KeyError." in caplog.text


def test_a_task_without_the_inlet_stores_nothing(world: World):
    states = States(assets.status())
    task = APScoresDownloadOperator(task_id="task", di_code=SALTMARSH, destination=str(world.destination))

    task.execute(context("task", asset_state_store=states))

    assert states[assets.status()] == {}


def test_of_several_campuses_only_the_one_in_trouble_has_an_error(world: World, statuses: Statuses):
    world.sandbox.fail("order", "refuse=campus", times=None, di_code=QUILLFEATHER)

    statuses.download([SALTMARSH, QUILLFEATHER])

    assert statuses[SALTMARSH]["records"] == 12
    assert statuses.errors(SALTMARSH) == {}
    assert statuses.errors(QUILLFEATHER) == {"APScoresDownloadOperator": "CampusRefused"}

    world.sandbox.clear_faults()
    statuses.download([SALTMARSH, QUILLFEATHER])

    assert statuses.errors(QUILLFEATHER) == {}

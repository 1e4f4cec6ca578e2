"""Ready-made parts of DAGs: what they look like, and whole runs against a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.base import APScoresOperator
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.task_groups import check_login, deliver, fail_if_any_campus_failed
from airflow_provider_apscores.testing import apscores_run_dag, apscores_sandbox
from airflow_provider_apscores.testing.dag_run import FinishedRun
from tests.provider.deployment import AIRFLOW, PROJECT
from tests.test_docs import blocks

SALTMARSH, QUILLFEATHER, EMBERWICK = "0901", "9120", "9377"
CAMPUSES = (Campus(SALTMARSH, "Saltmarsh", 12), Campus(QUILLFEATHER, "Quillfeather", 5), Campus(EMBERWICK, "Emberwick"))
BOTH = pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "list"])


def dag(**more: Any) -> DAG:
    arguments = {"schedule": None, "start_date": datetime(2026, 7, 1), "default_args": {"retries": 1}}
    return DAG("ap_scores", **arguments | more)


@task
def to_warehouse(tables: dict[str, Any]) -> list[str]:
    return tables["di_codes"]


@task
def all_but_saltmarsh(tables: dict[str, Any]) -> list[str]:
    if tables["di_codes"] == [SALTMARSH]:
        raise ValueError("The warehouse refuses this campus.")
    return tables["di_codes"]


@task
def clean_up() -> None:
    pass


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with apscores_sandbox(campuses=CAMPUSES) as sandbox:
        yield sandbox


def delivered(folder: Path, load: Callable[..., Any] | None = to_warehouse, **arguments: Any) -> FinishedRun:
    with dag() as ap_scores:
        deliver(data=str(folder), load=load, **arguments)
    return apscores_run_dag(ap_scores)


# Structure


@pytest.mark.parametrize(
    ("arguments", "tasks"),
    [
        ({}, ["all_campuses_delivered", "campus.download", "campus.parse", "campus.record", "check_login"]),
        ({"record": False}, ["all_campuses_delivered", "campus.download", "campus.parse", "check_login"]),
        (
            {"load": to_warehouse, "mapped": False},
            ["all_campuses_delivered", "campus.load.to_warehouse", "campus.parse", "campus.record", "download"],
        ),
    ],
    ids=["mapped", "not recorded", "list with a load"],
)
def test_the_tasks_of_the_group(arguments: dict[str, Any], tasks: list[str]):
    with dag() as ap_scores:
        deliver(data="/srv/ap", **arguments)

    assert sorted(ap_scores.task_ids) == [f"deliver.{name}" for name in tasks]


@BOTH
def test_tasks_before_and_after_the_group(mapped: bool):
    with dag() as ap_scores:
        before, after = (task(lambda: None).override(task_id=name)() for name in ("before", "after"))
        before >> deliver(data="/srv/ap", mapped=mapped) >> after

    first = "deliver.check_login" if mapped else "deliver.download"
    assert ap_scores.get_task("before").downstream_task_ids == {first}
    assert ap_scores.get_task("after").upstream_task_ids == {"deliver.all_campuses_delivered"}


@BOTH
def test_every_task_of_this_provider_has_the_status_and_the_events(mapped: bool):
    with dag() as ap_scores:
        deliver(data="/srv/ap", mapped=mapped)

    ours = [each for each in ap_scores.tasks if isinstance(each, APScoresOperator)]
    assert len(ours) == 3
    for each in ours:
        assert (each.inlets, each.outlets) == ([status()], [events()])


def test_two_groups_in_one_dag():
    with dag() as ap_scores:
        for name in ("east", "west"):
            deliver(data="/srv/ap", group_id=name, apscores_conn_id=f"apscores_{name}", campuses=["4866"])

    assert ap_scores.get_task("west.campus.record").apscores_conn_id == "apscores_west"


def test_further_arguments_of_the_operators():
    with dag() as ap_scores:
        deliver(
            data="/srv/ap", download={"file_format": "CSV", "pool": "ap"}, parse={"formats": ("csv",), "pool": "ap"}
        )

    assert ap_scores.get_task("deliver.campus.download").file_format == "CSV"
    assert ap_scores.get_task("deliver.campus.parse").formats == ("csv",)
    assert {ap_scores.get_task(f"deliver.campus.{name}").pool for name in ("download", "parse")} == {"ap"}


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"load": "warehouse"}, ValueError, "load must be a function"),
        ({"load": lambda tables: None}, ValueError, "load created no task"),
        ({"approval": True, "record": False}, ValueError, "approval=True needs record=True"),
        ({"download": {"record": True}}, TypeError, "multiple values"),
        ({"parse": {"output": "/elsewhere"}}, TypeError, "multiple values"),
    ],
)
def test_wrong_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], error: Any, said: str):
    with dag(), pytest.raises(error, match=said):
        deliver(data="/srv/ap", **arguments)


@pytest.mark.parametrize("trigger_rule", ["all_done", "one_failed", "always"])
def test_a_load_that_may_succeed_after_a_failure_is_refused(trigger_rule: str):
    """Such a task would be the last one of the load, and a download that was not loaded would be recorded."""
    rule = clean_up.override(trigger_rule=trigger_rule)

    with dag(), pytest.raises(ValueError, match=rf"clean_up of load has the trigger rule {trigger_rule}.*teardown"):
        deliver(data="/srv/ap", load=lambda tables: to_warehouse(tables) >> rule())


def test_a_load_may_end_with_a_teardown():
    with dag() as ap_scores:
        deliver(data="/srv/ap", load=lambda tables: to_warehouse(tables) >> clean_up().as_teardown())

    group = "deliver.campus"
    upstream = ap_scores.get_task(f"{group}.record").upstream_task_ids
    assert upstream == {f"{group}.download", f"{group}.load.to_warehouse"}


@pytest.mark.skipif(AIRFLOW >= (3, 1), reason="has approvals")
def test_an_approval_before_airflow_3_1_is_refused_when_the_dag_is_parsed():
    with dag(), pytest.raises(ValueError, match="needs Airflow"):
        deliver(data="/srv/ap", approval=True)


@pytest.mark.skipif(AIRFLOW < (3, 1), reason="has no approvals")
def test_an_approval_comes_after_the_load_and_before_the_record():
    with dag() as ap_scores:
        deliver(
            data="/srv/ap", load=to_warehouse, approval={"response_timeout": timedelta(hours=8)}, group_id="ap_scores"
        )

    approve = ap_scores.get_task("ap_scores.campus.approve")
    assert approve.response_timeout == timedelta(hours=8)
    assert approve.upstream_task_ids == {"ap_scores.campus.load.to_warehouse"}
    assert approve.downstream_task_ids == {"ap_scores.campus.record"}
    assert "ap_scores.campus.parse" in approve.body


# Runs


@BOTH
def test_new_reports_of_all_campuses_are_loaded_and_recorded(sandbox: Sandbox, tmp_path: Path, mapped: bool):
    run = delivered(tmp_path, mapped=mapped)

    assert run.state == "success", run.tasks
    assert sorted(run.returned["deliver.campus.load.to_warehouse"]) == [[SALTMARSH], [QUILLFEATHER]]
    assert sandbox.audit().recorded_reports == sandbox.audit().all_reports
    # One for the first task of the run, and one for each task that talks to College Board after it.
    assert sandbox.counts["login"] == (1 + 3 + 2 if mapped else 1 + 2)
    assert len(list(tmp_path.glob("tables/exam_scores/*.parquet"))) == 2


@BOTH
def test_a_dag_with_native_rendering(sandbox: Sandbox, tmp_path: Path, mapped: bool):
    """There, a label that looks like a number becomes one, and an empty one becomes None: Airflow fails on both."""
    with dag(render_template_as_native_obj=True, params={"one": QUILLFEATHER}) as ap_scores:
        deliver(data=str(tmp_path), campuses="{{ params.one }}", mapped=mapped)

    run = apscores_run_dag(ap_scores)

    assert run.state == "success", run.tasks
    assert {report[:4] for report in sandbox.audit().recorded_reports} == {QUILLFEATHER}


@BOTH
def test_a_run_without_news_is_skipped_and_does_not_fail(sandbox: Sandbox, tmp_path: Path, mapped: bool):
    run = delivered(tmp_path, campuses=[EMBERWICK], mapped=mapped)

    assert run.state == "success"
    assert run.tasks["deliver.campus.download" if mapped else "deliver.download"] in ("skipped", ["skipped"])
    assert sandbox.counts["record"] == 0


@BOTH
def test_a_campus_in_trouble_fails_the_run_and_not_the_others(sandbox: Sandbox, tmp_path: Path, mapped: bool):
    sandbox.fail("order", "refuse=campus", times=None, di_code=QUILLFEATHER)

    run = delivered(tmp_path, mapped=mapped)

    assert run.state == "failed"
    assert run.tasks["deliver.all_campuses_delivered"] == ("upstream_failed" if mapped else "failed")
    assert run.tries["deliver.all_campuses_delivered"] in (0, 1)
    assert {report[:4] for report in sandbox.audit().recorded_reports} == {SALTMARSH}


@BOTH
def test_reports_that_were_not_loaded_are_not_recorded(sandbox: Sandbox, tmp_path: Path, mapped: bool):
    run = delivered(tmp_path, load=all_but_saltmarsh, mapped=mapped)

    assert run.state == "failed"
    assert {report[:4] for report in sandbox.audit().recorded_reports} == {QUILLFEATHER}


def test_a_load_can_hand_the_files_on(sandbox: Sandbox, tmp_path: Path):
    """A load gets the output of the parse task only, which leads to the file of its campus."""

    def to_slate(tables: Any) -> None:
        APScoresHandOffOperator(task_id="slate", download=tables, to=str(tmp_path / "slate"))

    run = delivered(tmp_path, load=to_slate)

    assert run.state == "success", run.tasks
    assert sorted(path.name[:18] for path in tmp_path.glob("slate/*")) == [
        f"AP_HED_Scores_{SALTMARSH}",
        f"AP_HED_Scores_{QUILLFEATHER}",
    ]


def test_without_a_record_reports_stay_new(sandbox: Sandbox, tmp_path: Path):
    assert delivered(tmp_path, record=False, load=None).state == "success"

    assert sandbox.audit().recorded == []


@pytest.mark.parametrize(
    ("mapped", "campuses", "used"),
    [
        (True, "{{ params.di_codes or 'connection' }}", {SALTMARSH, QUILLFEATHER}),
        (False, "{{ params.di_codes or 'connection' }}", {SALTMARSH, QUILLFEATHER}),
        (False, "{{ [params.one] }}", {SALTMARSH}),
    ],
    ids=["mapped", "list", "list of one"],
)
def test_campuses_may_be_a_template(sandbox: Sandbox, tmp_path: Path, mapped: bool, campuses: str, used: set[str]):
    with dag(params={"di_codes": [], "one": SALTMARSH}) as ap_scores:
        deliver(data=str(tmp_path), campuses=campuses, mapped=mapped)

    assert apscores_run_dag(ap_scores).state == "success"

    assert {report[:4] for report in sandbox.audit().recorded_reports} == used


def test_campuses_may_come_from_a_task(sandbox: Sandbox, tmp_path: Path):
    @task
    def announced() -> list[str]:
        return [QUILLFEATHER]

    with dag() as ap_scores:
        deliver(data=str(tmp_path), campuses=announced(), mapped=False)

    assert apscores_run_dag(ap_scores).state == "success"
    assert {report[:4] for report in sandbox.audit().recorded_reports} == {QUILLFEATHER}


@BOTH
def test_an_expired_password_is_sent_once_for_twenty_campuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool
):
    campuses = [Campus(f"{1000 + number}", f"College {number}", 1) for number in range(20)]
    with Sandbox(campuses=campuses) as sandbox:
        connection = json.loads(sandbox.airflow_connection) | {"password": "expired"}
        connection["extra"]["verify"] = "false"
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

        run = delivered(tmp_path, mapped=mapped)

        assert sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}
    assert run.state == "failed"


@pytest.mark.parametrize("dag_id", ["ap_scores_delivered", "ap_scores_in_one_load"])
def test_the_documented_dags_work(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/scores.db"}))
    (code,) = [each.code for each in blocks(PROJECT / "docs/how-to/many-campuses.md") if each.test == f"dag {dag_id}"]
    (tmp_path / "documented.py").write_text(code.replace("s3://college-ap-scores", str(tmp_path)))

    run = apscores_run_dag(tmp_path / "documented.py")

    assert run.state == "success", run.tasks
    assert sandbox.audit().recorded_reports == sandbox.audit().all_reports
    assert (tmp_path / "scores.db").exists() is (dag_id == "ap_scores_delivered")


def test_the_last_task_reports_errors_of_mapped_lists(sandbox: Sandbox, tmp_path: Path):
    """A DAG that is composed by hand may map the download over several lists."""
    from airflow_provider_apscores.operators.download import APScoresDownloadOperator

    sandbox.fail("order", "refuse=campus", times=None, di_code=QUILLFEATHER)
    with dag() as ap_scores:
        download = APScoresDownloadOperator.partial(task_id="download", destination=str(tmp_path)).expand(
            di_code=[[SALTMARSH, QUILLFEATHER], [EMBERWICK]]
        )
        check_login() >> download
        fail_if_any_campus_failed(download)

    run = apscores_run_dag(ap_scores)

    assert run.tasks["download"] == ["success", "skipped"]
    assert (run.state, run.tasks["all_campuses_delivered"]) == ("failed", "failed")

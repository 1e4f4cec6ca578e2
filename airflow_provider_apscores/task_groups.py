"""Ready-made parts of DAGs: the daily job for all campuses, its first task and its last one.

:func:`deliver` is the whole job. DAGs that are composed by hand use :func:`check_login` as their first task and
:func:`fail_if_any_campus_failed` as their last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import TaskGroup, task, task_group

from airflow_provider_apscores.assets import DEFAULT_CONNECTION, events, status
from airflow_provider_apscores.operators.campuses import OF_CONNECTION, failure_of, pull_errors, read_campuses
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

#: What an approval shows: counts only. The task named PARSE returned them for the campus.
_TABLES = "{% set tables = ti.xcom_pull(task_ids='PARSE', map_indexes=ti.map_index) %}"
_SUBJECT = "Record the AP scores of campus {{ tables.di_codes | join(', ') }}?"
_BODY = """\
After *Approve*, College Board will not send these reports as new again. After *Reject*, they stay new.

| | count |
|---|---|
| student records | {{ tables.records }} |
{% for table, rows in tables.rows.items() %}| rows of {{ table }} | {{ rows }} |
{% endfor %}| lines in quarantine | {{ tables.rejected_lines }} |
"""

#: A task of a load with another rule may run, and succeed, after a task before it failed.
_AFTER_SUCCESS = ("all_success", "none_failed", "none_failed_min_one_success")


def deliver(
    *,
    data: str,
    campuses: str | Sequence[str] | XComArg = OF_CONNECTION,
    load: Callable[[XComArg], Any] | None = None,
    record: bool = True,
    approval: bool | Mapping[str, Any] = False,
    mapped: bool = True,
    download: Mapping[str, Any] | None = None,
    parse: Mapping[str, Any] | None = None,
    group_id: str = "deliver",
    apscores_conn_id: str = DEFAULT_CONNECTION,
) -> TaskGroup:
    """
    Return a task group that delivers the new reports of all campuses: download, parse, your load, record.

    ::

        with DAG("ap_scores", schedule="@daily", ..., default_args={"retries": 3}):
            deliver(data="s3://college-ap-scores", load=load_into_warehouse)

    One login decides first: if it is refused, the run fails there and no campus starts. Each campus has a mapped task
    group of its own. A campus with nothing new is skipped, and a failure of one does not stop the others. The last task
    fails the run if any campus failed.

    :param data: the folder for ``files`` and ``tables``: a local path or any ``ObjectStoragePath`` URI. It may be a
        template.
    :param campuses: ``connection`` for all campuses of the connection, a list of DI codes, the output of a task that
        returns one, or a template of its text.
    :param load: called once, while the DAG is parsed, with the output of the parse task. Create your tasks in it: they
        run after *parse* and before *record*, for each campus. Make a task that cleans up a teardown: one with a
        trigger rule like ``all_done`` is refused. None for no load.
    :param record: whether to record each download after the load. With False, College Board sends the same reports
        again in each run: for trials.
    :param approval: whether a person must approve each record. The request shows counts. A campus that is not approved
        is not recorded, and its reports stay new. A dict has further arguments of ``ApprovalOperator``, for instance
        ``response_timeout``. Needs Airflow 3.1.
    :param mapped: True for one download task for each campus; False for one task that orders up to ten campuses at
        once, with one login.
    :param download: further arguments of ``APScoresDownloadOperator``.
    :param parse: further arguments of ``APScoresParseOperator``.
    :param group_id: the name of the group. Groups in one DAG need different names.
    :param apscores_conn_id: the connection to use.
    :raises ValueError: an argument is wrong, or this Airflow has no approvals.
    """
    if load is not None and not callable(load):
        raise ValueError("load must be a function that gets the output of the parse task and creates tasks.")
    if approval and not record:
        raise ValueError("approval=True needs record=True: an approval decides about the record.")
    ask = _approval_operator() if approval else None
    lineage: dict[str, Any] = {"inlets": [status()], "outlets": [events()]}

    def download_of(di_code: Any) -> XComArg:
        return APScoresDownloadOperator(
            task_id="download",
            di_code=di_code,
            destination=f"{data}/files",
            record=False,
            apscores_conn_id=apscores_conn_id,
            **lineage,
            **(download or {}),
        ).output

    def after_download(landed: Any) -> None:
        parsed = APScoresParseOperator(
            task_id="parse", source=landed, output=f"{data}/tables", **lineage, **(parse or {})
        )
        last: Any = parsed
        if load is not None:
            last = _load_group(load, parsed)
        answer: dict[str, Any] = {}
        if ask is not None:
            tables = _TABLES.replace("PARSE", parsed.task_id)
            further = approval if isinstance(approval, Mapping) else {}
            approve = ask(task_id="approve", subject=tables + _SUBJECT, body=tables + _BODY, **further)
            answer = {"approval": approve.output}
            last >> approve
            last = approve
        if record:
            last >> APScoresRecordDownloadOperator(
                task_id="record", download=landed, apscores_conn_id=apscores_conn_id, **lineage, **answer
            )

    with TaskGroup(group_id) as group:
        if mapped:

            @task_group
            def campus(di_code: str) -> None:
                after_download(download_of(di_code))

            each = campus.expand(di_code=check_login(campuses, apscores_conn_id=apscores_conn_id))
            fail_if_any_campus_failed(each)
        else:

            @task_group
            def campus(landed: Mapping[str, Any]) -> None:
                after_download(landed)

            downloaded = download_of([campuses])
            each = campus.expand(landed=downloaded)
            fail_if_any_campus_failed(downloaded, each)
    return group


def check_login(
    campuses: str | Sequence[str] | XComArg = OF_CONNECTION, *, apscores_conn_id: str = DEFAULT_CONNECTION
) -> XComArg:
    """
    Return a task that logs in once and returns the campuses: the first task of a DAG that fans out over campuses.

    Each mapped task logs in for itself. After a password change, twenty of them would send twenty refused logins, and
    College Board locks an account after a few. A refused login fails this task, once, and the others do not start::

        campus.expand(di_code=check_login())

    :param campuses: as for :func:`deliver`.
    :param apscores_conn_id: the connection to use.
    """

    @task(task_id="check_login", inlets=[status()])
    def log_in(campuses: Any, **context: Any) -> list[str]:
        from airflow_provider_apscores.hooks.apscores import APScoresHook
        from airflow_provider_apscores.operators.status import reporting

        hook = APScoresHook(apscores_conn_id)
        di_codes: list[str] = []
        with reporting(context, context["task"], lambda: di_codes):  # type: ignore[arg-type]
            di_codes += read_campuses(campuses, hook)
            hook.check_login()
        return di_codes

    return log_in(campuses)


def fail_if_any_campus_failed(*ends: Any) -> XComArg:
    """
    Return a task that fails the run if any campus failed: the last task of a DAG.

    It runs when *ends* have ended without a failure; else it gets the state *upstream failed*, and so the run fails.
    A task that works on several campuses at once succeeds if one of them did. This task then fails with the errors of
    the others.

    :param ends: the tasks and groups to wait for. Name each task that has a list of campuses.
    """

    @task(task_id="all_campuses_delivered", trigger_rule="none_failed")
    def all_campuses_delivered(**context: Any) -> None:
        from airflow.providers.common.compat.sdk import AirflowFailException

        errors = {task_id: pull_errors(context["ti"], task_id) for task_id in context["task"].upstream_task_ids}
        if any(errors.values()):
            raise AirflowFailException(failure_of(errors))

    last = all_campuses_delivered()
    for end in ends:
        end >> last
    return last


def _load_group(load: Callable[[XComArg], Any], parsed: APScoresParseOperator) -> TaskGroup:
    with TaskGroup("load") as loading:
        load(parsed.output)
    if not loading.children:
        raise ValueError("load created no task. Create the tasks of your load in it, or leave it out.")
    for each in loading.iter_tasks():
        if not each.is_teardown and each.trigger_rule not in _AFTER_SUCCESS:
            raise ValueError(
                f"Task {each.task_id} of load has the trigger rule {each.trigger_rule.value}, so a download could be "
                "recorded although its load failed. Make a task that cleans up a teardown, and report failures by "
                "on_failure_callback."
            )
    parsed >> loading
    return loading


def _approval_operator() -> Any:
    from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator
    except (ImportError, AirflowOptionalProviderFeatureException):
        raise ValueError("approval=True needs Airflow 3.1 or later.") from None
    return ApprovalOperator

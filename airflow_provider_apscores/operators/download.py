"""Download the score file of a campus: order it, land it, check it, record it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.arguments import check_argument, read_boolean, read_integer
from airflow_provider_apscores.operators.base import APScoresOperator
from airflow_provider_apscores.operators.records_downloads import RecordsDownloads

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.operators.campus_download import CampusDownload

_ON_NO_NEW_REPORTS = ("skip", "succeed", "fail")


class APScoresDownloadOperator(RecordsDownloads, APScoresOperator):
    """
    Download the score file of a campus without loss, or those of several campuses.

    The operator orders the file, streams it to *destination* under a key of this DAG run, task and campus, checks it
    (length, whole records, the right campus), publishes it with a manifest, and then records the download. A retry, a
    cleared task or another worker continues from the manifest and orders nothing twice.

    With a list of campuses, the task logs in once and works on up to ten of them at the same time. Each lands by
    itself. A campus that fails does not fail the others: the task returns what has landed, and pushes the errors as the
    XCom ``errors``. Put ``fail_if_any_campus_failed`` at the end of the DAG. If no campus has landed a file, the task
    fails with the errors.

    :param di_code: the campus: a DI code of four digits. For several campuses: a list of DI codes or its text, or
        ``connection`` for all campuses of the connection. (templated)
    :param destination: the folder for files and manifests: a local path or any ``ObjectStoragePath`` URI. It must be
        the same for every try and on every worker, or a retry does not find the landed file. (templated)
    :param file_format: ``TXT`` or ``CSV``. (templated)
    :param download_type: ``new`` for the reports since the last recorded download, ``full`` for the whole reporting
        year. (templated)
    :param record: whether to record the download at College Board, after which these reports are no longer new. None
        means True for ``new`` and False for ``full``. With False, put ``APScoresRecordDownloadOperator`` after your own
        load. (templated)
    :param on_no_new_reports: ``skip`` the task, let it ``succeed`` (it returns None), or ``fail`` it.
    :param force: order again although this DAG run has landed a file. Retries continue from what was landed since the
        task was last cleared. Use it for single runs: if every try was killed after the record, clear the task without
        ``force`` to hand on the delivery. (templated)
    :param expect_min_records: fewer student records than this are an error; the file goes to quarantine. (templated)
    :param max_bytes: a larger file is an error. None means 2 GiB, about two million student records. (templated)
    :param apscores_conn_id: the connection to use. (templated)
    :param do_xcom_push: must be True. Without the reference, the tasks that parse and record are skipped.
    :return: a small dict without personal data: ``di_code, download_id, file_format, download_type, uri,
        manifest_uri, file_name, records, bytes, sha256, recorded, duplicate_of``. For a list of campuses: a list of
        them, one for each landed file, so that tasks and task groups can be mapped over it.
    :raises AirflowFailException: College Board refused the login or the campus, or an argument or the file is wrong.
        Its ``__cause__`` is the error, of a class in ``airflow_provider_apscores.errors``.
    :raises APScoresError: with ``transient`` true: College Board, the network or the storage is in trouble; retry.
    """

    template_fields: Sequence[str] = (
        "di_code",
        "destination",
        "file_format",
        "download_type",
        "record",
        "force",
        "expect_min_records",
        "max_bytes",
        "apscores_conn_id",
    )
    ui_color = "#cfe2f3"
    _unshared = ""

    def __init__(
        self,
        *,
        di_code: str | Sequence[str],
        destination: str,
        file_format: str = "TXT",
        download_type: str = "new",
        record: bool | str | None = None,
        on_no_new_reports: str = "skip",
        force: bool | str = False,
        expect_min_records: int | str | None = None,
        max_bytes: int | str | None = None,
        apscores_conn_id: str = APScoresHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_no_new_reports not in _ON_NO_NEW_REPORTS:
            raise ValueError(f"on_no_new_reports must be one of {', '.join(_ON_NO_NEW_REPORTS)}.")
        _check_xcom(self.do_xcom_push)
        self.di_code = di_code
        self.destination = destination
        self.file_format = file_format
        self.download_type = download_type
        self.record = check_argument(read_boolean, record, "record")
        self.on_no_new_reports = on_no_new_reports
        self.force = check_argument(read_boolean, force, "force")
        self.expect_min_records = check_argument(read_integer, expect_min_records, "expect_min_records")
        self.max_bytes = check_argument(read_integer, max_bytes, "max_bytes", least=1)
        self.apscores_conn_id = apscores_conn_id

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Map the operator. Airflow creates a mapped operator in the worker only, so its arguments are checked here."""
        mapped = super().partial(**kwargs)
        # Airflow 2.11 applies default_args in the worker, too.
        places = (mapped.kwargs.get("dag"), mapped.kwargs.get("task_group"))
        defaults = {key: value for each in places if each for key, value in (each.default_args or {}).items()}
        _check_xcom((defaults | mapped.kwargs).get("do_xcom_push", True))
        return mapped

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]] | None:
        """Land the campus's file, or continue where an earlier try ended."""
        from airflow_provider_apscores.operators.campuses import OF_CONNECTION, finished, is_list, report_errors
        from airflow_provider_apscores.operators.events import emit_file_event, emit_recorded
        from airflow_provider_apscores.operators.status import store_checked

        several = is_list(self.di_code) or str(self.di_code).strip() == OF_CONNECTION
        with self.reporting(context):
            campuses = self._campuses(context, several)
            self._deliver(campuses, several)
        for each in campuses:
            if each.checked_at:
                store_checked(context, self, each.di_code, each.checked_at)
        if several:
            report_errors(context, self, campuses)
        unchanged = [each.di_code for each in campuses if each.delivery is None and each.error is None]
        deliveries = finished(campuses)
        if not deliveries:
            self._nothing_new(unchanged)
        elif unchanged:
            self.log.info("College Board has no new score reports for %s.", _named(unchanged))
        for delivery in deliveries:
            emit_file_event(context, self, delivery)
            emit_recorded(context, self, delivery)
        references = [delivery.reference() for delivery in deliveries]
        if several:
            return references
        return references[0] if references else None

    def _campuses(self, context: Context, several: bool) -> list[CampusDownload]:
        """Read the arguments."""
        from airflow_provider_apscores.delivery import Landing
        from airflow_provider_apscores.operators.campus_download import CampusDownload
        from airflow_provider_apscores.operators.campuses import read_campuses
        from airflow_provider_apscores.operators.references import airflow_path, this_run
        from airflow_provider_apscores.operators.shared_folders import unshared_folder
        from airflow_provider_apscores.storage import folder
        from airflow_provider_apscores.webservice import MAX_FILE_BYTES, FileOrder

        # With native rendering, a template turns "4866" into a number.
        codes = [str(self.di_code).strip()]
        if several:
            self.di_code = codes = read_campuses(self.di_code, APScoresHook(self.apscores_conn_id))
        destination = airflow_path(self.destination, "destination")
        self._unshared = unshared_folder(destination, self)
        if self._unshared:
            self.log.warning(self._unshared)
        record = read_boolean(self.record, "record", self.download_type == "new")
        return [
            CampusDownload(
                di_code=order.di_code,
                order=order,
                destination=destination,
                landing=Landing(
                    folder(destination),
                    di_code=order.di_code,
                    file_format=order.file_format,
                    download_type=order.download_type,
                    run=this_run(context, self),
                    force=read_boolean(self.force, "force", False),
                ),
                record=self.record_delivery if record else None,
                expect_min_records=read_integer(self.expect_min_records, "expect_min_records", 0),
                max_bytes=read_integer(self.max_bytes, "max_bytes", MAX_FILE_BYTES, least=1),
            )
            for order in (FileOrder(code, self.file_format, self.download_type) for code in codes)
        ]

    def _deliver(self, campuses: list[CampusDownload], several: bool) -> None:
        from airflow_provider_apscores.operators.campuses import for_each, for_one

        run = for_each if several else for_one
        run(lambda each: each.resume(), campuses)
        waiting = [each for each in campuses if each.error is None and not each.is_finished]
        if waiting:
            with APScoresHook(self.apscores_conn_id).get_conn() as client:
                if several or waiting[0].delivery is not None:
                    client.log_in()  # a refused login, or a stop during it, orders nothing and begins no record
                run(lambda each: each.finish(client), waiting)
        run(lambda each: each.warn_of_pending(), campuses)

    def _nothing_new(self, di_codes: list[str]) -> None:
        message = f"College Board has no new score reports for {_named(di_codes)}."
        if self._unshared:
            message += f" An earlier try may have landed and recorded them on another machine: {self._unshared}"
        if self.on_no_new_reports == "skip":
            skip(message)
        if self.on_no_new_reports == "fail":
            from airflow_provider_apscores.errors import NoNewReports

            raise NoNewReports(message)
        self.log.info(message)


def _named(di_codes: list[str]) -> str:
    return f"campus {di_codes[0]}" if len(di_codes) == 1 else f"the campuses {', '.join(di_codes) or '(none named)'}"


def _check_xcom(do_xcom_push: Any) -> None:
    if not do_xcom_push:
        raise ValueError(
            "The download operator needs do_xcom_push=True: without its reference, the tasks that parse and record the "
            "download are skipped (apache/airflow#22954). Perhaps default_args sets it to False."
        )

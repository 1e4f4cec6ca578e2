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

    from airflow_provider_apscores.delivery import Delivery, Landing
    from airflow_provider_apscores.webservice import Client, FileOrder

_ON_NO_NEW_REPORTS = ("skip", "succeed", "fail")


class APScoresDownloadOperator(RecordsDownloads, APScoresOperator):
    """
    Download the score file of a campus without loss.

    The operator orders the file, streams it to *destination* under a key of this DAG run, task and campus, checks it
    (length, whole records, the right campus), publishes it with a manifest, and then records the download. A retry, a
    cleared task or another worker continues from the manifest and orders nothing twice.

    :param di_code: the campus: a DI code of four digits. (templated)
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
        manifest_uri, file_name, records, bytes, sha256, recorded, duplicate_of``.
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
        di_code: str,
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

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Land the campus's file, or continue where an earlier try ended."""
        from airflow_provider_apscores.operators.events import emit_file_event, emit_recorded

        with self.reporting(context):
            delivery = self._deliver(context)
            self._warn_of_pending(delivery)
        if delivery is None:
            self._nothing_new()
            return None
        emit_file_event(context, self, delivery)
        emit_recorded(context, self, delivery)
        return delivery.reference()

    def _deliver(self, context: Context) -> Delivery | None:
        from airflow_provider_apscores.delivery import Landing
        from airflow_provider_apscores.operators.references import airflow_path, this_run
        from airflow_provider_apscores.operators.shared_folders import unshared_folder
        from airflow_provider_apscores.storage import folder
        from airflow_provider_apscores.webservice import FileOrder

        # With native rendering, a template turns "4866" into a number.
        order = FileOrder(str(self.di_code).strip(), self.file_format, self.download_type)
        destination = airflow_path(self.destination, "destination")
        self._unshared = unshared_folder(destination, self)
        if self._unshared:
            self.log.warning(self._unshared)
        landing = Landing(
            folder(destination),
            di_code=order.di_code,
            file_format=order.file_format,
            download_type=order.download_type,
            run=this_run(context, self),
            force=read_boolean(self.force, "force", False),
        )
        record = read_boolean(self.record, "record", order.download_type == "new")
        delivery = landing.find()
        if delivery is not None:
            self.log.info("This DAG run has landed %s already; it is not ordered again.", delivery.uri)
            landing.cleanup()
            if delivery.manifest.recorded or not record:
                return delivery
        with APScoresHook(self.apscores_conn_id).get_conn() as client:
            if delivery is None:
                delivery = self._order(client, order, landing)
            else:
                client.log_in()  # a refused login, or a stop during it, begins no record
            if delivery is not None and record and not delivery.manifest.recorded:
                delivery = self.record_delivery(client, delivery)
        return delivery

    def _order(self, client: Client, order: FileOrder, landing: Landing) -> Delivery | None:
        from airflow_provider_apscores.errors import ScoreFileMalformed

        try:
            return self._land(client, order, landing)
        except ScoreFileMalformed as defect:
            # A file that was cut on its way, together with its announced length, looks the same.
            self.log.warning("%s Ordering it once more.", defect)
        return self._land(client, order, landing)

    def _land(self, client: Client, order: FileOrder, landing: Landing) -> Delivery | None:
        from airflow_provider_apscores.webservice import MAX_FILE_BYTES

        # Before the order: a wrong argument costs no download.
        expect_min_records = read_integer(self.expect_min_records, "expect_min_records", 0)
        max_bytes = read_integer(self.max_bytes, "max_bytes", MAX_FILE_BYTES, least=1)
        landing.check_writable()
        generated = client.order(order.di_code, file_format=order.file_format, download_type=order.download_type)
        # A try that Airflow considers dead may have landed and recorded the reports since: then they are not new.
        delivery = landing.find(nothing_new=generated is None)
        if delivery is not None or generated is None:
            landing.cleanup()
            return delivery
        self.log.info(
            "College Board generated %s: %s, download %s.", generated.order, generated.file_name, generated.download_id
        )
        with landing.begin() as incoming:
            transfer = client.download(generated, incoming, max_bytes=max_bytes)
            self.log.info("Downloaded %s bytes in %.1f seconds.", f"{transfer.bytes:,}", transfer.seconds)
            delivery = incoming.publish(
                download_id=transfer.generated.download_id,
                file_name=transfer.generated.file_name,
                size=transfer.bytes,
                sha256=transfer.sha256,
                expect_min_records=expect_min_records,
            )
        self.log.info("Landed %s.", delivery.uri)
        if delivery.manifest.duplicate_of is not None:
            self.log.warning("The same content was landed before: %s.", delivery.manifest.duplicate_of)
        return delivery

    def _warn_of_pending(self, landed: Delivery | None) -> None:
        """Warn of earlier deliveries that are perhaps recorded, so that *landed* does not have their reports."""
        from airflow_provider_apscores.delivery import APScoresLedger
        from airflow_provider_apscores.errors import APScoresError
        from airflow_provider_apscores.operators.references import airflow_path

        if self.download_type != "new":
            return
        try:
            ledger = APScoresLedger(airflow_path(self.destination, "destination"))
            pending = ledger.recently_pending(str(self.di_code).strip())
        except APScoresError as error:
            self.log.warning("The earlier deliveries of campus %s were not checked: %s", self.di_code, error)
            return
        for delivery in pending:
            manifest = delivery.manifest
            if landed is None or (manifest.record_began_at and delivery.uri != landed.uri):
                self.log.warning(
                    "%s has no noted record, and College Board did not send its reports again. Perhaps a task was "
                    "killed between the record and its note. Clear the unfinished tasks of run %s of DAG %s: otherwise "
                    "these reports are not handed on.",
                    *(delivery.uri, manifest.run_id, manifest.dag_id),
                )

    def _nothing_new(self) -> None:
        message = f"College Board has no new score reports for campus {self.di_code}."
        if self._unshared:
            message += f" An earlier try may have landed and recorded them on another machine: {self._unshared}"
        if self.on_no_new_reports == "skip":
            skip(message)
        if self.on_no_new_reports == "fail":
            from airflow_provider_apscores.errors import NoNewReports

            raise NoNewReports(message)
        self.log.info(message)


def _check_xcom(do_xcom_push: Any) -> None:
    if not do_xcom_push:
        raise ValueError(
            "The download operator needs do_xcom_push=True: without its reference, the tasks that parse and record the "
            "download are skipped (apache/airflow#22954). Perhaps default_args sets it to False."
        )

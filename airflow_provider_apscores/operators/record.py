"""Record a download: tell College Board that a score file has arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.base import APScoresOperator
from airflow_provider_apscores.operators.records_downloads import RecordsDownloads

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.operators.campus_record import CampusRecord

#: The option of ``ApprovalOperator`` that lets a task record.
APPROVE = "Approve"


class APScoresRecordDownloadOperator(RecordsDownloads, APScoresOperator):
    """
    Tell College Board that a score file has arrived safely.

    This commits a delivery: a later ``new`` file starts where the last recorded one ended. Put it after the task that
    loaded the file, never before. The operator first compares the landed file with its manifest, and records nothing if
    the file is gone or changed. A retry does not record twice.

    With a list, the task logs in once and records up to ten downloads at the same time. One that fails does not fail
    the others: the task returns what is recorded, and pushes the errors as the XCom ``errors``. Put
    ``fail_if_any_campus_failed`` at the end of the DAG. If nothing is recorded, the task fails with the errors.

    :param download: the reference that ``APScoresDownloadOperator`` returned, the URI of its manifest, or a list of
        these. If it is None or empty, the task is skipped. (templated)
    :param approval: what ``ApprovalOperator`` returned. The task is skipped unless the chosen option is ``Approve``. A
        rejected ``ApprovalOperator`` in a mapped task group skips nothing by itself. The default records without an
        approval. (templated)
    :param apscores_conn_id: the connection to use: the account that ordered the file. (templated)
    :return: the same reference, or the list of them, with ``recorded`` true.
    :raises AirflowFailException: College Board declined, or the landed file is gone or changed.
    :raises APScoresError: with ``transient`` true: College Board, the network or the storage is in trouble; retry.
    """

    template_fields: Sequence[str] = ("download", "approval", "apscores_conn_id")
    ui_color = "#d9ead3"
    campus_from = "download"

    def __init__(
        self,
        *,
        download: Any,
        approval: Any = APPROVE,
        apscores_conn_id: str = APScoresHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.download = download
        self.approval = approval
        self.apscores_conn_id = apscores_conn_id

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Record the download, and note it in the manifest."""
        from airflow_provider_apscores.operators.campuses import finished, is_list, report_errors
        from airflow_provider_apscores.operators.events import emit_recorded

        several = is_list(self.download)
        with self.reporting(context):
            downloads = self._downloads(several)
            if not downloads:
                skip("There is no download to record.")
            if not _is_approved(self.approval):
                skip("The record was not approved, so these reports stay new at College Board.")
            self._record(downloads, several)
        if several:
            report_errors(context, self, downloads)
        deliveries = finished(downloads)
        for delivery in deliveries:
            emit_recorded(context, self, delivery)
        references = [delivery.reference() for delivery in deliveries]
        return references if several else references[0]

    def _downloads(self, several: bool) -> list[CampusRecord]:
        from airflow_provider_apscores.operators.campus_record import CampusRecord
        from airflow_provider_apscores.operators.campuses import read_list
        from airflow_provider_apscores.operators.references import read_reference

        if several:
            self.download = read_list(self.download, "The list of downloads")
        given = self.download if several else [self.download]
        return [CampusRecord(reference=each) for each in map(read_reference, given) if each is not None]

    def _record(self, downloads: list[CampusRecord], several: bool) -> None:
        from airflow_provider_apscores.operators.campuses import for_each, for_one

        run = for_each if several else for_one
        run(lambda each: each.open(), downloads)
        waiting = [each for each in downloads if each.error is None and not each.is_recorded]
        if waiting:
            with APScoresHook(self.apscores_conn_id).get_conn() as client:
                client.log_in()  # a refused login, or a stop during it, begins no record
                run(lambda each: each.record(client, self.record_delivery), waiting)


def _is_approved(answer: Any) -> bool:
    chosen = answer.get("chosen_options") if isinstance(answer, Mapping) else [answer]
    return chosen == [APPROVE]

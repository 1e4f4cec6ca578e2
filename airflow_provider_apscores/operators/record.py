"""Record a download: tell College Board that a score file has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.base import APScoresOperator
from airflow_provider_apscores.operators.records_downloads import RecordsDownloads

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class APScoresRecordDownloadOperator(RecordsDownloads, APScoresOperator):
    """
    Tell College Board that a score file has arrived safely.

    This commits a delivery: a later ``new`` file starts where the last recorded one ended. Put it after the task that
    loaded the file, never before. The operator first compares the landed file with its manifest, and records nothing if
    the file is gone or changed. A retry does not record twice.

    :param download: the reference that ``APScoresDownloadOperator`` returned, or the URI of its manifest. If it is
        None, the task is skipped. (templated)
    :param apscores_conn_id: the connection to use: the account that ordered the file. (templated)
    :return: the same reference, with ``recorded`` true.
    :raises AirflowFailException: College Board declined, or the landed file is gone or changed.
    :raises APScoresError: with ``transient`` true: College Board, the network or the storage is in trouble; retry.
    """

    template_fields: Sequence[str] = ("download", "apscores_conn_id")
    ui_color = "#d9ead3"
    campus_from = "download"

    def __init__(
        self,
        *,
        download: Any,
        apscores_conn_id: str = APScoresHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.download = download
        self.apscores_conn_id = apscores_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Record the download, and note it in the manifest."""
        from airflow_provider_apscores.operators.events import emit_recorded
        from airflow_provider_apscores.operators.references import open_reference, read_reference

        with self.reporting(context):
            reference = read_reference(self.download)
            if reference is None:
                skip("There is no download to record.")
            delivery = open_reference(reference)
            manifest = delivery.manifest
            if manifest.recorded:
                self.log.info("%s was recorded at %s.", delivery.uri, manifest.recorded_at)
            else:
                delivery.check()
                self.log.info("Verified %s: it is as it was landed.", delivery.uri)
                with APScoresHook(self.apscores_conn_id).get_conn() as client:
                    client.log_in()  # a refused login, or a stop during it, begins no record
                    delivery = self.record_delivery(client, delivery)
        emit_recorded(context, self, delivery)
        return delivery.reference()

"""The commit: record a landed delivery at College Board, and note that in its manifest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import CampusRefused, CredentialsRefused, RequestRefused

if TYPE_CHECKING:
    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.webservice import Client

log = logging.getLogger(__name__)


class RecordsDownloads:
    """
    A task that records downloads, but not after Airflow has told it to stop.

    On SIGTERM, Airflow 3 calls ``on_kill`` and lets the task go on until it is killed. Airflow 2.11 also raises an
    exception in the task.
    """

    _told_to_stop = False

    def on_kill(self) -> None:
        """Prevent a record that has not begun."""
        self._told_to_stop = True

    def record_delivery(self, client: Client, delivery: Delivery) -> Delivery:
        """
        Record a landed delivery, and note it in its manifest. The client is logged in already.

        If College Board declines, an interrupted try may have recorded the delivery before (the reference does not say
        how a second record is answered). An order tells: if nothing is new, these reports are not new either.

        :raises AirflowException: Airflow has told the task to stop. Nothing was recorded.
        :raises RequestRefused: College Board declined, and has something new for this campus.
        """
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_apscores.delivery import utc_now

        if self._told_to_stop:
            raise AirflowException(
                f"Airflow told the task to stop, so it did not record {delivery.uri}. The next try records it."
            )
        if delivery.manifest.record_began_at is None:
            # Otherwise, nothing could tell a delivery whose record was not noted from one that was not recorded.
            delivery = delivery.mark_record_began(utc_now())
        manifest = delivery.manifest
        try:
            client.record(manifest.download_id, manifest.file_format)
        except (CredentialsRefused, CampusRefused):
            raise
        except RequestRefused as refusal:
            if client.order(manifest.di_code, file_format=manifest.file_format) is not None:
                raise
            log.warning("%s But nothing is new for campus %s, so it is recorded already.", refusal, manifest.di_code)
        delivery = delivery.mark_recorded(utc_now())
        log.info(
            "Recorded download %s of campus %s: College Board will not send these %s reports as new again.",
            *(manifest.download_id, manifest.di_code, f"{manifest.records:,}"),
        )
        return delivery

"""The download of one campus: find what an earlier try landed, order, land, record."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.campuses import Campus

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_apscores.delivery import Delivery, Landing
    from airflow_provider_apscores.webservice import Client, FileOrder

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class CampusDownload(Campus):
    """The download of one campus in one try of a task.

    Attributes:
        order: What to order.
        destination: The folder of all campuses.
        landing: Where it lands.
        record: Records a landed delivery and returns it, or None.
        expect_min_records: Fewer student records than this are an error.
        max_bytes: A larger file is an error.
        checked_at: When College Board answered the order, ISO 8601 in UTC; "" before.
    """

    order: FileOrder
    destination: Any
    landing: Landing
    record: Callable[[Client, Delivery], Delivery] | None
    expect_min_records: int
    max_bytes: int
    checked_at: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to ask College Board."""
        return self.delivery is not None and (self.record is None or self.delivery.manifest.recorded)

    def resume(self) -> None:
        """Find what an earlier try of the task landed. Otherwise, check that the destination can be written."""
        self.delivery = self.landing.find()
        if self.delivery is None:
            self.landing.check_writable()
            return
        log.info("This DAG run has landed %s already; it is not ordered again.", self.delivery.uri)
        self.landing.cleanup()

    def finish(self, client: Client) -> None:
        """Order and land what is new, unless that is done, and record it. The client is logged in."""
        from airflow_provider_apscores.errors import ScoreFileMalformed

        if self.delivery is None:
            try:
                self.delivery = self._land(client)
            except ScoreFileMalformed as defect:
                # A file that was cut on its way, together with its announced length, looks the same.
                log.warning("%s Ordering it once more.", defect)
                self.delivery = self._land(client)
        if self.delivery is not None and self.record is not None and not self.delivery.manifest.recorded:
            self.delivery = self.record(client, self.delivery)

    def _land(self, client: Client) -> Delivery | None:
        from airflow_provider_apscores.delivery import utc_now

        order, landing = self.order, self.landing
        generated = client.order(order.di_code, file_format=order.file_format, download_type=order.download_type)
        self.checked_at = utc_now()
        # A try that Airflow considers dead may have landed and recorded the reports since: then they are not new.
        delivery = landing.find(nothing_new=generated is None)
        if delivery is not None or generated is None:
            landing.cleanup()
            return delivery
        log.info(
            "College Board generated %s: %s, download %s.", generated.order, generated.file_name, generated.download_id
        )
        with landing.begin() as incoming:
            transfer = client.download(generated, incoming, max_bytes=self.max_bytes)
            log.info(
                "Downloaded %s bytes in %.1f seconds for campus %s.",
                *(f"{transfer.bytes:,}", transfer.seconds, self.di_code),
            )
            delivery = incoming.publish(
                download_id=transfer.generated.download_id,
                file_name=transfer.generated.file_name,
                size=transfer.bytes,
                sha256=transfer.sha256,
                expect_min_records=self.expect_min_records,
            )
        log.info("Landed %s.", delivery.uri)
        if delivery.manifest.duplicate_of is not None:
            log.warning("The same content was landed before: %s.", delivery.manifest.duplicate_of)
        return delivery

    def warn_of_pending(self) -> None:
        """Warn of earlier deliveries that are perhaps recorded, so that this one does not have their reports."""
        from airflow_provider_apscores.delivery import APScoresLedger
        from airflow_provider_apscores.errors import APScoresError

        if self.order.download_type != "new":
            return
        try:
            pending = APScoresLedger(self.destination).recently_pending(self.di_code)
        except APScoresError as error:
            log.warning("The earlier deliveries of campus %s were not checked: %s", self.di_code, error)
            return
        for earlier in pending:
            manifest = earlier.manifest
            if self.delivery is None or (manifest.record_began_at and earlier.uri != self.delivery.uri):
                log.warning(
                    "%s has no noted record, and College Board did not send its reports again. Perhaps a task was "
                    "killed between the record and its note. Clear the unfinished tasks of run %s of DAG %s: otherwise "
                    "these reports are not handed on.",
                    *(earlier.uri, manifest.run_id, manifest.dag_id),
                )

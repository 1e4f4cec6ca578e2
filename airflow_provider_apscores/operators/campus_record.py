"""The record of one download: compare the landed file with its manifest, and record it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.campuses import Campus

if TYPE_CHECKING:
    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.webservice import Client

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class CampusRecord(Campus):
    """The record of one download in one try of a task.

    Attributes:
        reference: What the download operator returned, or the URI of its manifest.
    """

    di_code: str = ""
    reference: Mapping[str, Any] | str

    def __post_init__(self) -> None:
        of_mapping = self.reference.get("di_code") if isinstance(self.reference, Mapping) else None
        self.di_code = str(of_mapping or self.reference)

    @property
    def is_recorded(self) -> bool:
        """Whether the manifest notes a record."""
        return self.delivery is not None and self.delivery.manifest.recorded

    def open(self) -> None:
        """Read the manifest. Unless it notes a record, compare the landed file with it."""
        from airflow_provider_apscores.operators.references import open_reference

        self.delivery = open_reference(self.reference)
        self.di_code = self.delivery.manifest.di_code
        if self.is_recorded:
            log.info("%s was recorded at %s.", self.delivery.uri, self.delivery.manifest.recorded_at)
        else:
            self.delivery.check()
            log.info("Verified %s: it is as it was landed.", self.delivery.uri)

    def record(self, client: Client, record: Callable[[Client, Delivery], Delivery]) -> None:
        """Record the download by *record*. The client is logged in."""
        if self.delivery is not None:
            self.delivery = record(client, self.delivery)

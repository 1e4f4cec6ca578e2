"""The ledger: what has been landed under a destination, read from the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_apscores.delivery.manifest import SUFFIX, Delivery, load_delivery
from airflow_provider_apscores.storage import folder


class APScoresLedger:
    """The deliveries under a destination, for people, audits and tests.

    Args:
        destination: What was given to the download operator: a local path, a URI, or a path object such as
            Airflow's ``ObjectStoragePath``.

    Example:
        >>> for delivery in APScoresLedger("s3://scores/ap").unrecorded():  # doctest: +SKIP
        ...     print(delivery.manifest.di_code, delivery.uri)
    """

    def __init__(self, destination: Any) -> None:
        self._destination = folder(destination)

    def deliveries(self, di_code: str | None = None) -> Iterator[Delivery]:
        """Every delivery, campus by campus and then in the order of landing.

        Args:
            di_code: One campus only.

        Raises:
            ManifestNotUnderstood: A manifest is damaged or of a newer version. It is named; nothing is passed over.
            StorageUnavailable: The destination can't be read now.
        """
        campuses = [di_code] if di_code else [name for name in self._destination.names() if _is_campus(name)]
        for campus in campuses:
            place = self._destination.child(campus)
            found = [
                load_delivery(run, name)
                for run in (place.child(each) for each in place.names() if not each.startswith("."))
                for name in run.names()
                if name.endswith(SUFFIX)
            ]
            yield from sorted(found, key=lambda each: (each.manifest.landed_at, each.manifest.file))

    def unrecorded(self, di_code: str | None = None) -> list[Delivery]:
        """Deliveries that are landed, but that College Board was not told of. It will send their reports again."""
        return [each for each in self.deliveries(di_code) if not each.manifest.recorded]


def _is_campus(name: str) -> bool:
    return len(name) == 4 and name.isdigit()

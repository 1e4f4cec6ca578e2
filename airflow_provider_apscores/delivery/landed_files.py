"""Open the score files of a destination, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import ScoreFileMalformed

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_apscores.delivery.ledger import APScoresLedger
    from airflow_provider_apscores.delivery.manifest import Delivery
    from airflow_provider_apscores.scorefile import ScoreFile


class LandedFiles:
    """The score files of a campus that were landed since a day, each content once.

    Iteration opens them in the order of landing, and closes each before it opens the next.

    Args:
        ledger: The ledger of the destination.
        di_code: The campus.
        since: The first day, in UTC.

    Attributes:
        count: The number of deliveries, without purged ones.
        damaged: Addresses of files that are gone or changed. Iteration skips them.
    """

    def __init__(self, ledger: APScoresLedger, di_code: str, since: date) -> None:
        self._deliveries = [
            each
            for each in ledger.deliveries(di_code)
            if each.manifest.landed_time.date() >= since and not each.manifest.purged
        ]
        self.count = len(self._deliveries)
        self.damaged: list[str] = []

    def __iter__(self) -> Iterator[ScoreFile]:
        seen: set[str] = set()
        for delivery in self._deliveries:
            try:
                file = _opened(delivery)
            except ScoreFileMalformed:
                file = None
            if file is None or file.sha256 != delivery.manifest.sha256:
                self.damaged.append(delivery.uri)
            elif file.sha256 not in seen:
                seen.add(file.sha256)
                with file:
                    yield file


def _opened(delivery: Delivery) -> ScoreFile | None:
    """The score file of a delivery, or None if it is gone."""
    from airflow_provider_apscores.scorefile import read_score_file
    from airflow_provider_apscores.storage import LocalFolder

    folder, name = delivery.folder, delivery.manifest.file
    if folder.size(name) is None:
        return None
    if isinstance(folder, LocalFolder):
        return read_score_file(folder.path / name)
    with folder.open(name) as content:
        return read_score_file(content)  # has a copy

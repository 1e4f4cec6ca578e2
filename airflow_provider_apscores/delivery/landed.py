"""Open the score files of a destination, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import ScoreFileMalformed

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_apscores.delivery.ledger import APScoresLedger
    from airflow_provider_apscores.scorefile import ScoreFile


class LandedFiles:
    """The score files of a campus that were landed since a day, each content once.

    Iteration opens them in the order of landing, and closes each before it opens the next.

    Args:
        ledger: The ledger of the destination.
        di_code: The campus.
        since: The first day, in UTC.

    Attributes:
        count: The number of deliveries.
        damaged: Addresses of files that are gone or changed. Iteration skips them.
    """

    def __init__(self, ledger: APScoresLedger, di_code: str, since: date) -> None:
        self._deliveries = [each for each in ledger.deliveries(di_code) if each.manifest.landed_time.date() >= since]
        self.count = len(self._deliveries)
        self.damaged: list[str] = []

    def __iter__(self) -> Iterator[ScoreFile]:
        from airflow_provider_apscores.scorefile import read_score_file

        seen: set[str] = set()
        for delivery in self._deliveries:
            manifest = delivery.manifest
            if delivery.folder.size(manifest.file) is None:
                self.damaged.append(delivery.uri)
                continue
            with delivery.folder.open(manifest.file) as content:
                try:
                    file = read_score_file(content)
                except ScoreFileMalformed:
                    self.damaged.append(delivery.uri)
                    continue
                if file.sha256 != manifest.sha256:
                    self.damaged.append(delivery.uri)
                elif file.sha256 not in seen:
                    seen.add(file.sha256)
                    yield file

"""The score files that lie at a destination, opened one after the other."""

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

    Iterating opens them in the order of landing; each is closed when the next one is asked for.

    Args:
        ledger: Where they are.
        di_code: The campus.
        since: The day.

    Attributes:
        count: How many deliveries there are.
        damaged: Addresses of files that turned out to be gone or changed. They are passed over.
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

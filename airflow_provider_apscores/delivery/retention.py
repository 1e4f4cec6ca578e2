"""Delete score files, their tables and quarantined files when they are no longer needed; manifests and receipts stay.

For each delivery the manifest notes the intent, the files are deleted, and the manifest notes the end. A purge that is
interrupted goes on when it is run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.delivery.landing import utc_now
from airflow_provider_apscores.delivery.manifest import Delivery
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import check_tables, drop_score_files, own_digest
from airflow_provider_apscores.storage import Folder, StoredFile, folder

if TYPE_CHECKING:
    from pendulum import DateTime

#: Folders of the parse step that hold files of one score file each.
_TABLE_FOLDERS = ("deliveries", "students", "exam_scores", "awards", "problems", "rejected")


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge deleted, or would delete. It holds no personal data.

    Attributes:
        deliveries: URIs of the manifests of purged deliveries.
        deleted: URIs of the deleted files: score files, tables, rejected lines, quarantined files.
        rewritten: URIs of compacted table files that were written anew without the rows of purged files.
        kept: URIs of manifests that are old enough but were kept: they note no record.
        sha256: Digests of which no delivery is left. Their rows in databases can be deleted: every table has
            ``file_sha256``.
    """

    deliveries: tuple[str, ...]
    deleted: tuple[str, ...]
    rewritten: tuple[str, ...]
    kept: tuple[str, ...]
    sha256: tuple[str, ...]


def purge(
    deliveries: list[Delivery],
    destination: Folder,
    quarantined: Iterable[StoredFile],
    before: date,
    *,
    dry_run: bool,
    tables: Any,
) -> Purge:
    """See :meth:`~airflow_provider_apscores.delivery.APScoresLedger.purge`.

    Args:
        deliveries: All deliveries of the ledger.
        destination: Its folder.
        quarantined: Quarantined files of that folder; those that are old enough are deleted.
        before: As there.
        dry_run: As there.
        tables: As there.
    """
    limit = _moment(before)
    if limit > reporting_year_start():
        raise ConfigurationError(
            "before must not be later than the beginning of the reporting year (1 July): reconciliation needs the "
            "files of the current one."
        )
    old = [each for each in deliveries if each.manifest.landed_time < limit]
    kept = [each for each in old if not each.manifest.recorded and each.manifest.download_type == "new"]
    gone = [each for each in old if each not in kept]
    left = {each.manifest.sha256 for each in deliveries if each not in gone}
    digests = sorted({each.manifest.sha256 for each in gone} - left)
    unfinished = [each for each in gone if each.manifest.purged_at is None]
    if tables is not None and unfinished:
        check_tables(folder(tables))
    deleted: list[str] = []
    rewritten: list[str] = []

    def delete(files: Iterable[tuple[Folder, str]]) -> None:
        for place, name in list(files):
            deleted.append(place.uri(name))
            if not dry_run:
                place.remove(name)

    noted = unfinished if dry_run else [_noted(each, purge_began_at=utc_now()) for each in unfinished]
    if tables is not None:
        delete(_table_files(folder(tables), digests))
        rewritten = drop_score_files(folder(tables), digests, dry_run=dry_run)
    delete((destination, file.name) for file in quarantined if file.modified < limit)
    for delivery in noted:
        delete([(delivery.folder, delivery.manifest.file)])
        if not dry_run:
            _noted(delivery, purged_at=utc_now())
    return Purge(
        deliveries=tuple(each.manifest_uri for each in unfinished),
        deleted=tuple(deleted),
        rewritten=tuple(rewritten),
        kept=tuple(each.manifest_uri for each in kept),
        sha256=tuple(digests),
    )


def reporting_year_start() -> DateTime:
    """The latest 1 July, in UTC. College Board says that the reporting year usually begins then."""
    import pendulum

    now = pendulum.now("UTC")
    return pendulum.datetime(now.year if now.month >= 7 else now.year - 1, 7, 1)


def _noted(delivery: Delivery, **moment: str) -> Delivery:
    noted = Delivery(delivery.folder, replace(delivery.manifest, **moment))  # type: ignore[arg-type]
    noted.store()
    return noted


def _table_files(place: Folder, digests: list[str]) -> Iterator[tuple[Folder, str]]:
    """The files that the parse step named after one of *digests*."""
    beginnings = {digest[:12] for digest in digests}
    for name in _TABLE_FOLDERS:
        child = place.child(name)
        for file in child.tree() if digests else ():
            if own_digest(file.name) in beginnings:
                yield child, file.name


def _moment(before: date) -> datetime:
    if isinstance(before, datetime):
        return before if before.tzinfo else before.replace(tzinfo=UTC)
    return datetime(before.year, before.month, before.day, tzinfo=UTC)

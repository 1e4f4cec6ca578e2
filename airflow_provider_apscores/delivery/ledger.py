"""The ledger: what has been landed under a destination, read from the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from airflow_provider_apscores.delivery.manifest import SUFFIX, Delivery, load_delivery
from airflow_provider_apscores.delivery.retention import Purge, purge
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage import Folder, folder


class APScoresLedger:
    """The deliveries under a destination, for operators of a deployment, audits and tests.

    Args:
        destination: What was given to the download operator: a local path, a URI, or a path object such as
            Airflow's ``ObjectStoragePath``.

    Example:
        >>> for delivery in APScoresLedger("s3://scores/ap").unrecorded():  # doctest: +SKIP
        ...     print(delivery.manifest.di_code, delivery.uri)
    """

    def __init__(self, destination: Any) -> None:
        self._destination = folder(destination)

    def check(self) -> None:
        """Check that this is a destination: a wrong folder, or a disk that is not mounted, has no deliveries either.

        Raises:
            ConfigurationError: It holds other files or folders, but none of a campus.
            StorageUnavailable: It does not exist, or can't be read.
        """
        names = [name for name in self._destination.listed(missing_ok=False) if not name.startswith(".")]
        if names and "quarantine" not in names and not self._campuses(None):
            raise ConfigurationError(
                f"{self._destination.uri()} holds other files or folders ({len(names)}), but no folder of a campus. Is "
                "it the destination of the download tasks?"
            )

    def deliveries(self, di_code: str | None = None) -> Iterator[Delivery]:
        """Every delivery, campus by campus and then in the order of landing.

        Args:
            di_code: One campus only.

        Raises:
            ManifestNotUnderstood: A manifest is damaged or of a newer version. The message names it.
            StorageUnavailable: The destination can't be read now.
        """
        for campus in self._campuses(di_code):
            found = [
                load_delivery(run, name)
                for run in _folders_in(self._destination.child(campus))
                for name in run.names()
                if name.endswith(SUFFIX)
            ]
            yield from sorted(found, key=lambda each: (each.manifest.landed_time, each.manifest.file))

    def manifest_uris(self, di_code: str | None = None) -> list[str]:
        """The manifest of each delivery whose score file is still there, in the order of :meth:`deliveries`.

        Map ``APScoresParseOperator`` over them to parse all landed files again. Purged deliveries are left out.

        Args:
            di_code: One campus only.

        Raises:
            ManifestNotUnderstood: A manifest is damaged or of a newer version. The message names it.
            StorageUnavailable: The destination can't be read now.
        """
        return [each.manifest_uri for each in self.deliveries(di_code) if not each.manifest.purged]

    def unrecorded(self, di_code: str | None = None) -> list[Delivery]:
        """Deliveries whose manifests note no record. ``full`` ones are usually not recorded."""
        return [each for each in self.deliveries(di_code) if not each.manifest.recorded]

    def pending(self, di_code: str | None = None) -> list[Delivery]:
        """``new`` deliveries without a noted record: their reports may never have been handed on.

        If the record of a delivery never began, College Board sends its reports again, so the delivery is not pending
        once a later one of the campus is recorded. If it began, a task may have been killed between the record and its
        note, and the reports may never come again. Clear the unfinished tasks of the run that landed the delivery: a
        second record does no harm.
        """
        pending: dict[str, list[Delivery]] = {}
        for delivery in self.deliveries(di_code):
            waiting = pending.setdefault(delivery.manifest.di_code, [])
            if delivery.manifest.recorded:
                waiting[:] = [each for each in waiting if each.manifest.record_began_at]
            elif delivery.manifest.download_type == "new":
                waiting.append(delivery)
        return [delivery for waiting in pending.values() for delivery in waiting]

    def orphans(self, di_code: str | None = None) -> list[str]:
        """Addresses of score files without a manifest.

        A try that was killed between the two leaves one behind. Nothing was recorded for it, and the next try orders
        again. Delete it when no task is running here.
        """
        found = []
        for campus in self._campuses(di_code):
            for run in _folders_in(self._destination.child(campus)):
                names = run.names()
                known = {load_delivery(run, name).manifest.file for name in names if name.endswith(SUFFIX)}
                files = [name for name in names if name.startswith("scores-") and not name.endswith(SUFFIX)]
                found += [run.uri(name) for name in files if name not in known]
        return found

    def unfinished(self, di_code: str | None = None) -> list[str]:
        """Addresses of parts: files that are being written now, or that interrupted tries left behind.

        A part of a score file holds student records. The next try in its folder deletes it. If there is none, delete it
        when no task is running here.
        """
        found = []
        for campus in self._campuses(di_code):
            place = self._destination.child(campus)
            for run in (place.child(".digests"), *_folders_in(place)):
                found += [run.uri(name) for name in run.parts()]
        return found

    def quarantined(self, di_code: str | None = None) -> list[str]:
        """Addresses of files that were set aside: neither published nor recorded."""
        return [place.uri(name) for place, name in self.quarantined_files(di_code)]

    def quarantined_files(self, di_code: str | None = None) -> Iterator[tuple[Folder, str]]:
        """The same, as folders and names."""
        aside = self._destination.child("quarantine")
        for campus in [di_code] if di_code else aside.names():
            for run in _folders_in(aside.child(campus)):
                for name in run.names():
                    yield run, name

    def purge(self, before: date, *, dry_run: bool = True, tables: Any = None, quarantine: bool = False) -> Purge:
        """Delete the score files that landed before a day, and what was made of them. Manifests and receipts stay.

        Deliveries of ``new`` files without a noted record are kept. Tables are deleted when no delivery of the same
        content is left. Repeating a purge deletes nothing else.

        Args:
            before: A day or moment, in UTC; at the latest the beginning of the reporting year.
            dry_run: Only say what would be deleted.
            tables: The folder of the parsed tables, to delete their files and their rejected lines as well.
            quarantine: Delete quarantined files that were set aside before that day as well.

        Raises:
            ConfigurationError: *before* is in the current reporting year, whose files reconciliation needs.
            ManifestNotUnderstood: A manifest is damaged or of a newer version. Nothing was deleted.
            StorageUnavailable: A folder can't be used now. Run it again.
        """
        set_aside = self.quarantined_files() if quarantine else ()
        return purge(list(self.deliveries()), set_aside, before, dry_run=dry_run, tables=tables)

    def _campuses(self, di_code: str | None) -> list[str]:
        names = [di_code] if di_code else self._destination.names()
        return [name for name in names if len(name) == 4 and name.isdigit()]


def _folders_in(place: Folder) -> list[Folder]:
    return [place.child(name) for name in place.names() if not name.startswith(".")]

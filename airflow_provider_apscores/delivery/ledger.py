"""The ledger: what has been landed under a destination, read from the manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from airflow_provider_apscores.delivery.manifest import SUFFIX, Delivery, load_deliveries
from airflow_provider_apscores.delivery.retention import Purge, purge
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage import Folder, StoredFile, folder, is_part

#: Deliveries of a campus that :meth:`APScoresLedger.recently_pending` reads.
_RECENT = 20


class APScoresLedger:
    """The deliveries under a destination, for operators of a deployment, audits and tests.

    Each method lists the destination anew. :meth:`snapshot` answers several questions from one listing.

    Args:
        destination: What was given to the download operator: a local path, a URI, or a path object such as
            Airflow's ``ObjectStoragePath``.

    Example:
        >>> for delivery in APScoresLedger("s3://scores/ap").pending():  # doctest: +SKIP
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
        if names and "quarantine" not in names and not any(map(_is_campus, names)):
            raise ConfigurationError(
                f"{self._destination.uri()} holds other files or folders ({len(names)}), but no folder of a campus. Is "
                "it the destination of the download tasks?"
            )

    def snapshot(self, di_code: str | None = None) -> LedgerSnapshot:
        """List the destination once: on an object store, one request per thousand files.

        Args:
            di_code: One campus only.

        Raises:
            StorageUnavailable: The destination can't be read now.
        """
        return LedgerSnapshot(self._destination, di_code)

    def deliveries(self, di_code: str | None = None) -> Iterator[Delivery]:
        """Every delivery, campus by campus and then in the order of landing.

        Args:
            di_code: One campus only.

        Raises:
            ManifestNotUnderstood: A manifest is damaged or of a newer version. The message names it.
            StorageUnavailable: The destination can't be read now.
        """
        yield from self.snapshot(di_code).deliveries

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

    def pending(self, di_code: str | None = None) -> list[Delivery]:
        """See :attr:`LedgerSnapshot.pending`."""
        return self.snapshot(di_code).pending

    def recently_pending(self, di_code: str) -> list[Delivery]:
        """The pending deliveries among the latest twenty of a campus; older manifests are not read.

        A delivery whose record began long ago is in :meth:`pending` only.
        """
        return _pending(self.snapshot(di_code).latest(_RECENT))

    def orphans(self, di_code: str | None = None) -> list[str]:
        """See :attr:`LedgerSnapshot.orphans`."""
        return self.snapshot(di_code).orphans

    def unfinished(self, di_code: str | None = None) -> list[str]:
        """See :attr:`LedgerSnapshot.unfinished`."""
        return self.snapshot(di_code).unfinished

    def quarantined(self, di_code: str | None = None) -> list[str]:
        """See :attr:`LedgerSnapshot.quarantined`."""
        return self.snapshot(di_code).quarantined

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
            ConfigurationError: *before* is in the current reporting year, whose files reconciliation needs; or *tables*
                holds other files, but no table. Nothing was deleted.
            ManifestNotUnderstood: A manifest is damaged or of a newer version. Nothing was deleted.
            StorageUnavailable: A folder can't be used now. Run it again.
        """
        snapshot = self.snapshot()
        set_aside = snapshot.quarantined_files if quarantine else ()
        return purge(snapshot.deliveries, self._destination, set_aside, before, dry_run=dry_run, tables=tables)


class LedgerSnapshot:
    """What one listing of a destination found. Manifests are read once, when they are needed, several at once.

    Args:
        destination: The destination.
        di_code: One campus only, or None.

    Raises:
        StorageUnavailable: The destination can't be read now.
    """

    def __init__(self, destination: Folder, di_code: str | None) -> None:
        self._destination = destination
        self._files: list[StoredFile] = []
        for place in (f"{di_code}/", f"quarantine/{di_code}/") if di_code else ("",):
            listed = destination.child(place[:-1]) if place else destination
            self._files += [replace(file, name=place + file.name) for file in listed.tree()]
        names = {file.name for file in self._files if _is_of_delivery(file.name)}
        self._manifests = sorted(name for name in names if name.endswith(SUFFIX))
        self._score_files = sorted(name for name in names if not name.endswith(SUFFIX))

    @cached_property
    def deliveries(self) -> list[Delivery]:
        """Every delivery, campus by campus and then in the order of landing.

        Raises:
            ManifestNotUnderstood: A manifest is damaged or of a newer version. The message names it.
            StorageUnavailable: The destination can't be read now.
        """
        return self._load(self._manifests)

    def latest(self, count: int) -> list[Delivery]:
        """The last *count* deliveries by the time of their score files, in the order of :attr:`deliveries`.

        Those whose score files are gone are left out. Raises the same errors.
        """
        manifests = set(self._manifests)
        files = sorted((file for file in self._files if file.name in set(self._score_files)), key=_modified)
        names = [name for file in files if (name := _manifest_of(file.name)) in manifests]
        return self._load(names[-count:])

    @property
    def pending(self) -> list[Delivery]:
        """``new`` deliveries without a noted record: their reports may never have been handed on.

        If the record of a delivery never began, College Board sends its reports again, so the delivery is not pending
        once a later one of the campus is recorded. If it began, a task may have been killed between the record and its
        note, and the reports may never come again. Clear the unfinished tasks of the run that landed the delivery: a
        second record does no harm.
        """
        return _pending(self.deliveries)

    @property
    def changed(self) -> list[Delivery]:
        """Deliveries whose score file is gone or has another length, without purged ones. Nothing is read for it."""
        sizes = {self._destination.uri(file.name): file.size for file in self._files}
        kept = [each for each in self.deliveries if not each.manifest.purged]
        return [each for each in kept if sizes.get(each.uri) != each.manifest.bytes]

    @property
    def orphans(self) -> list[str]:
        """Addresses of score files without a manifest.

        A try that was killed between the two leaves one behind. Nothing was recorded for it, and the next try orders
        again. Delete it when no task is running here.
        """
        manifests = set(self._manifests)
        return [self._destination.uri(name) for name in self._score_files if _manifest_of(name) not in manifests]

    @property
    def unfinished(self) -> list[str]:
        """Addresses of parts: files that are being written now, or that interrupted tries left behind.

        A part of a score file holds student records. The next try in its folder deletes it. If there is none, delete it
        when no task is running here.
        """
        return [
            self._destination.uri(file.name)
            for file in self._files
            if _is_campus(file.name.partition("/")[0]) and is_part(file.name.rpartition("/")[2])
        ]

    @property
    def quarantined(self) -> list[str]:
        """Addresses of files that were set aside: neither published nor recorded."""
        return [self._destination.uri(file.name) for file in self.quarantined_files]

    @property
    def quarantined_files(self) -> list[StoredFile]:
        """The same, as files of the destination."""
        return [
            file
            for file in self._files
            if re.fullmatch(r"quarantine/[^/]+/[^./][^/]*/[^/]+", file.name)
            and not is_part(file.name.rpartition("/")[2])
        ]

    def _load(self, manifests: Iterable[str]) -> list[Delivery]:
        found = load_deliveries(self._destination, manifests)
        return sorted(found, key=lambda each: (each.manifest.di_code, each.manifest.landed_time, each.manifest.file))


def _is_campus(name: str) -> bool:
    return len(name) == 4 and name.isdigit()


def _is_of_delivery(name: str) -> bool:
    """Whether *name* is a score file or a manifest: ``4866/<run>-<key>/scores-<delivery>.txt``."""
    return re.fullmatch(r"\d{4}/[^./][^/]*/scores-[^/]+", name) is not None


def _manifest_of(score_file: str) -> str:
    return score_file.rpartition(".")[0] + SUFFIX


def _modified(file: StoredFile) -> datetime:
    return file.modified


def _pending(deliveries: Iterable[Delivery]) -> list[Delivery]:
    pending: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        waiting = pending.setdefault(delivery.manifest.di_code, [])
        if delivery.manifest.recorded:
            waiting[:] = [each for each in waiting if each.manifest.record_began_at]
        elif delivery.manifest.download_type == "new":
            waiting.append(delivery)
    return [delivery for waiting in pending.values() for delivery in waiting]

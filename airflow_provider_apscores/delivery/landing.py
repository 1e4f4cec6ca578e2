"""Land one score file: write a part, check it, publish it, write the manifest.

The folder of a delivery is named after the DAG run, the task and the campus, so every try of the task, on any worker,
uses the same folder::

    <destination>/4866/<run>-<key>/scores-<delivery>.txt
    <destination>/4866/<run>-<key>/scores-<delivery>.manifest.json

*delivery* is derived from College Board's download id and the content. Two processes that work on one delivery (a
retry while the first try still runs somewhere) never overwrite each other's reports: at worst both files stay. The
second one checks again after its order and before it publishes, and continues with the delivery of the first: it may
be recorded already, and then no order brings those reports again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_provider_apscores.delivery.checked_file import CheckedFile
from airflow_provider_apscores.delivery.manifest import SUFFIX, Delivery, Manifest, load_deliveries
from airflow_provider_apscores.errors import (
    DeliveryDamaged,
    ScoreFileError,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from airflow_provider_apscores.storage import Folder

log = logging.getLogger(__name__)

#: Bytes of a refused file that are kept in quarantine: enough to see what it is.
_QUARANTINED = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """The task of a DAG run that a delivery belongs to.

    Attributes:
        dag_id: The DAG.
        task_id: The task.
        run_id: The DAG run.
        map_index: -1 if the task is not mapped. It is not part of the key: the campus distinguishes mapped tasks, also
            when the list of campuses changes.
        try_number: Counted from 1. Clearing the task does not reset it.
        first_try: The first try after the task was last cleared; 1 if it never was.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    try_number: int = 1
    first_try: int = 1


class Landing:
    """The folder of one campus's delivery in one DAG run.

    Args:
        destination: The folder that the user named.
        di_code: The campus, four digits.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new`` or ``full``.
        run: The task and DAG run.
        force: Ignore what was landed before the task was last cleared.
    """

    def __init__(
        self,
        destination: Folder,
        *,
        di_code: str,
        file_format: str,
        download_type: str,
        run: Run,
        force: bool = False,
    ) -> None:
        self.destination = destination
        self.di_code = di_code
        self.file_format = file_format
        self.download_type = download_type
        self.run = run
        self.force = force
        identity = "\n".join((run.dag_id, run.task_id, run.run_id, di_code, file_format, download_type))
        key = hashlib.sha256(identity.encode()).hexdigest()[:10]
        self.name = f"{di_code}/{run_slug(run.run_id)}-{key}"
        self.folder = destination.child(self.name)

    def find(self, *, nothing_new: bool = False) -> Delivery | None:
        """Return the whole delivery that an earlier try of this task landed, or None.

        A recorded delivery takes precedence: its reports will not be sent as new again.

        Args:
            nothing_new: An order found nothing new, so there will be no other delivery. Deliveries from before the task
                was last cleared then count also with *force*.

        Raises:
            DeliveryDamaged: A delivery's file is gone or changed, and its reports will not be sent again.
            ManifestNotUnderstood: A manifest here was written by a newer version, or is damaged.
        """
        manifests = [name for name in self.folder.names() if name.endswith(SUFFIX)]
        deliveries = list(load_deliveries(self.folder, manifests))
        if self.force and not nothing_new:
            tries = range(self.run.first_try, self.run.try_number)
            deliveries = [each for each in deliveries if each.manifest.try_number in tries]
        deliveries.sort(key=lambda each: (each.manifest.recorded, each.manifest.landed_time), reverse=True)
        damaged = None
        for delivery in deliveries:
            try:
                delivery.check()
            except DeliveryDamaged:
                if delivery.manifest.recorded:
                    raise
                damaged = delivery
                log.warning("%s is gone or changed and has no noted record; it is ignored.", delivery.uri)
            else:
                return delivery
        if damaged is not None and nothing_new:
            # Recorded by a try that was killed before the note, or by another run.
            raise DeliveryDamaged(
                f"{damaged.uri} is gone or changed, and College Board has nothing new for campus {self.di_code}. "
                "Another run may have landed these reports. If not, order them with download_type='full'."
            )
        return None

    def check_writable(self) -> None:
        """Check that the destination can be written, before anything is ordered for it.

        Raises:
            StorageUnavailable: It can't.
        """
        self.destination.child(self.di_code).check_writable()

    def begin(self) -> Incoming:
        """Start to receive a file. Parts of this task's interrupted tries are deleted first."""
        # The folder belongs to one task of one DAG run, so its parts are this task's own.
        self.folder.remove_stale_parts(older_than=0)
        return Incoming(self)

    def cleanup(self) -> None:
        """Delete the parts of this task's interrupted tries when there is nothing to receive.

        They may hold student records. It is no error if they can't be deleted now: the ledger lists them.
        """
        with suppress(StorageUnavailable):
            self.folder.remove_stale_parts(older_than=0)


class Incoming(CheckedFile):
    """A sink for the download of a score file, which checks the bytes and lands them.

    A context manager: leaving it without :meth:`publish` leaves nothing behind, but for the first megabyte of a refused
    file under ``quarantine/``.
    """

    def __init__(self, landing: Landing) -> None:
        self._part = landing.destination.open_part(f"{landing.name}/incoming")
        super().__init__(self._part, landing.file_format, landing.di_code)
        self._landing = landing

    def publish(
        self, *, download_id: str, file_name: str, size: int, sha256: str, expect_min_records: int = 0
    ) -> Delivery:
        """Check the file as a whole, make it visible, and then its manifest.

        If another try of this task has landed a delivery meanwhile, that delivery is returned and this file is dropped.

        Args:
            download_id: College Board's number for the file.
            file_name: The name that College Board gave it.
            size: Bytes that came.
            sha256: Their digest, 64 hexadecimal digits.
            expect_min_records: Fewer student records than this are a defect.

        Raises:
            WrongCampusInFile: It has records of another campus. Its first megabyte is kept under ``quarantine/``.
            ScoreFileMalformed: Its records are not whole, or too few. Its first megabyte is kept likewise.
            StorageUnavailable: It can't be stored now.
        """
        from airflow_provider_apscores import __version__

        landing = self._landing
        inspection = self.inspect(at_least=expect_min_records)
        log.info(
            "Verified %s student records: each is whole and of campus %s.",
            *(f"{inspection.records:,}", landing.di_code),
        )
        earlier = landing.find()
        if earlier is not None:
            return earlier

        delivery_id = hashlib.sha256(f"{download_id}\n{sha256}".encode()).hexdigest()[:12]
        manifest = Manifest(
            di_code=landing.di_code,
            file_format=landing.file_format,
            download_type=landing.download_type,
            download_id=download_id,
            file_name=file_name,
            file=f"scores-{delivery_id}.{landing.file_format.lower()}",
            bytes=size,
            sha256=sha256,
            records=inspection.records,
            layout=inspection.layout,
            landed_at=utc_now(),
            dag_id=landing.run.dag_id,
            task_id=landing.run.task_id,
            run_id=landing.run.run_id,
            map_index=landing.run.map_index,
            try_number=landing.run.try_number,
            provider_version=__version__,
        )
        delivery = Delivery(landing.folder, manifest)
        delivery = _compared_with_earlier(landing.destination, delivery, f"{landing.name}/{manifest.name}")
        self._part.publish(f"{landing.name}/{manifest.file}")
        stored = landing.folder.size(manifest.file)
        if stored != size:
            raise StorageUnavailable(f"{delivery.uri} has {stored} bytes, but {size} were written.")
        delivery.store()
        return delivery

    def write(self, data: bytes | memoryview, /) -> int:
        """See :meth:`CheckedFile.write`."""
        self._head.update(data[: max(0, _QUARANTINED - self._received)])
        self._received += len(data)
        return super().write(data)

    def _begin(self) -> None:
        super()._begin()
        self._received = 0
        self._head = hashlib.sha256()  # of the bytes that quarantine would keep

    def _refused(self, defect: ScoreFileError) -> ScoreFileError:
        """Move the beginning of the file to ``quarantine/``, named after its digest."""
        landing = self._landing
        self._part.truncate(min(self._received, _QUARANTINED))
        uri = self._part.publish(
            f"quarantine/{landing.name}/{self._head.hexdigest()[:12]}.{landing.file_format.lower()}"
        )
        what = "The file" if self._received <= _QUARANTINED else "The first megabyte of the file"
        return type(defect)(f"{defect} {what} was set aside as {uri}; it was not published and not recorded.")

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._part.discard()


def _compared_with_earlier(destination: Folder, delivery: Delivery, manifest_name: str) -> Delivery:
    """Mark a delivery whose content was landed before, and write a mark for later ones.

    The mark, ``<campus>/.digests/<sha256>``, names the manifest of the first delivery with that content. It is written
    before that manifest, so a mark without its manifest comes from an interrupted try and is replaced.
    """
    from dataclasses import replace

    manifest = delivery.manifest
    marks = destination.child(f"{manifest.di_code}/.digests")
    mark = marks.read(manifest.sha256)
    if mark is not None:
        earlier = mark.decode("utf-8", "replace").strip()
        # A mark that was cut or emptied, by a full disk for instance, names nothing.
        is_manifest = re.fullmatch(rf"{manifest.di_code}/[^/\0]+/scores-[^/\0]+{re.escape(SUFFIX)}", earlier)
        if is_manifest and earlier != manifest_name and destination.size(earlier) is not None:
            return Delivery(delivery.folder, replace(manifest, duplicate_of=destination.uri(earlier)))
    marks.write(manifest.sha256, manifest_name.encode())
    return delivery


def run_slug(run_id: str) -> str:
    """Return a DAG run's id as part of a path, for people. It is shortened, so two runs may share one."""
    return re.sub(r"[^0-9A-Za-z._-]+", "", run_id.replace("+00:00", "Z"))[:60].strip(".") or "run"


def utc_now() -> str:
    """Return the current time, ISO 8601 in UTC."""
    import pendulum

    return pendulum.now("UTC").to_iso8601_string()

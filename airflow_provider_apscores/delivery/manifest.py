"""The manifest: what is known about one delivery, as a small JSON file beside the score file.

It is written last, so a score file with a manifest is whole. When a task is killed after *record* and before Airflow
stores the success, the manifest is what remains.

It holds nothing about students. The schema has a version; older versions are read, newer ones are refused.
"""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import DeliveryDamaged, ManifestNotUnderstood
from airflow_provider_apscores.storage import Folder, locate

if TYPE_CHECKING:
    from pendulum import DateTime

#: Version 2 added what retention notes.
VERSION = 2
SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known about one delivery.

    Attributes:
        di_code: The campus, four digits.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new`` or ``full``.
        download_id: College Board's number for the generated file, as text. What *record* names.
        file_name: The name that College Board gave the file. For people, never a key: it holds the minute of
            generation, so a retry gets another one and two files of one minute share one.
        file: The name of the score file in the manifest's folder.
        bytes: Length of the score file.
        sha256: Digest of the score file, 64 hexadecimal digits.
        records: Student records in the score file.
        layout: The layout that the records were checked against, for instance ``950``.
        landed_at: When the file was whole at its destination, ISO 8601 in UTC.
        record_began_at: When a task first began to record the download at College Board, ISO 8601 in UTC, or None. If
            *recorded_at* is None, the download is perhaps recorded: a task may have been killed before it noted that.
        recorded_at: When the download was recorded, ISO 8601 in UTC, or None.
        duplicate_of: URI of the manifest of an earlier delivery with the same content, or None.
        dag_id: The DAG whose run landed the file.
        task_id: Its task.
        run_id: Its DAG run.
        map_index: The task's map index, -1 when it is not mapped.
        try_number: Which try of the task landed the file.
        provider_version: The version of this package that landed the file.
        purge_began_at: When retention began to delete the score file, ISO 8601 in UTC, or None.
        purged_at: When it had deleted the file and what was made of it, or None.
    """

    di_code: str
    file_format: str
    download_type: str
    download_id: str
    file_name: str
    file: str
    bytes: int
    sha256: str
    records: int
    layout: str
    landed_at: str
    record_began_at: str | None = None
    recorded_at: str | None = None
    duplicate_of: str | None = None
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int
    provider_version: str
    purge_began_at: str | None = None
    purged_at: str | None = None

    @property
    def purged(self) -> bool:
        """Whether retention has deleted the score file, or has begun to."""
        return self.purge_began_at is not None

    @property
    def recorded(self) -> bool:
        """Whether the manifest notes that the download was recorded at College Board."""
        return self.recorded_at is not None

    @property
    def landed_time(self) -> DateTime:
        """*landed_at* as a time."""
        return _time(self.landed_at)

    @property
    def recorded_time(self) -> DateTime | None:
        """*recorded_at* as a time, or None."""
        return None if self.recorded_at is None else _time(self.recorded_at)

    def may_repeat(self, earlier: Manifest) -> bool:
        """Whether reports of *earlier* may have come again: it was not recorded before this delivery landed."""
        return earlier.recorded_time is None or earlier.recorded_time > self.landed_time

    @property
    def name(self) -> str:
        """The manifest's own file name: the score file's, with another ending."""
        return self.file.rpartition(".")[0] + SUFFIX

    def to_json(self) -> builtins.bytes:
        """The manifest as it is stored."""
        return json.dumps({"manifest_version": VERSION, **asdict(self)}, indent=2).encode() + b"\n"


def read_manifest(data: bytes, uri: str) -> Manifest:
    """Read a stored manifest.

    Args:
        data: The manifest's bytes.
        uri: Where they came from, for messages.

    Raises:
        ManifestNotUnderstood: Not a manifest, a damaged one, or one of a newer version.
    """
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        raise ManifestNotUnderstood(f"{uri} is not JSON, so it is no manifest of a delivery.") from None
    version = stored.pop("manifest_version", None) if isinstance(stored, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ManifestNotUnderstood(f"{uri} names no manifest version, so it is no manifest of a delivery.")
    if version > VERSION:
        raise ManifestNotUnderstood(
            f"{uri} has manifest version {version}, written by a newer airflow-provider-apscores; this one understands "
            f"versions up to {VERSION}. Upgrade the provider here."
        )
    known = {field.name: field for field in fields(Manifest)}
    for name, value in stored.items():
        if name not in known:
            raise ManifestNotUnderstood(f"{uri} has a field {name!r}, which manifest version {version} does not know.")
        if not _CHECKS[str(known[name].type)](value):
            raise ManifestNotUnderstood(f"{uri} is damaged: its field {name!r} should hold {known[name].type}.")
    try:
        manifest = Manifest(**stored)
    except TypeError:
        missing = sorted(name for name in known.keys() - stored.keys() if known[name].default is MISSING)
        raise ManifestNotUnderstood(f"{uri} is damaged: it lacks {', '.join(missing)}.") from None
    if "/" in manifest.file or not manifest.file:
        raise ManifestNotUnderstood(f"{uri} is damaged: its field 'file' should be a plain file name.")
    for name in ("landed_at", "record_began_at", "recorded_at", "purge_began_at", "purged_at"):
        moment = getattr(manifest, name)
        try:
            _ = moment is None or _time(moment)
        except ValueError:
            raise ManifestNotUnderstood(f"{uri} is damaged: its field {name!r} should be a time.") from None
    return manifest


def _time(text: str) -> DateTime:
    """Read a time, ISO 8601. Raises ValueError for anything else."""
    import pendulum

    try:
        moment = pendulum.parse(text, exact=True)
        if isinstance(moment, pendulum.DateTime) and text != "now":
            return moment.in_timezone("UTC")
    except (OverflowError, AttributeError, TypeError):  # the last two from intervals
        pass
    raise ValueError


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= -1,
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A manifest and the folder that it and its score file are in."""

    folder: Folder
    manifest: Manifest

    @property
    def uri(self) -> str:
        """Where the score file is."""
        return self.folder.uri(self.manifest.file)

    @property
    def manifest_uri(self) -> str:
        """Where the manifest is."""
        return self.folder.uri(self.manifest.name)

    def check(self) -> None:
        """Compare the score file with its manifest, byte for byte.

        Raises:
            DeliveryDamaged: The file is gone or is another one.
            StorageUnavailable: It can't be read now.
        """
        if self.manifest.purged:
            raise DeliveryDamaged(f"{self.uri} was purged by retention at {self.manifest.purge_began_at}.")
        size = self.folder.size(self.manifest.file)
        if size is None:
            raise DeliveryDamaged(
                f"{self.uri} is gone, though {self.manifest_uri} says that it was landed.{self._help}"
                f"{_other_worker(self.uri)}"
            )
        digest = hashlib.sha256()
        if size == self.manifest.bytes:
            for chunk in self.folder.chunks(self.manifest.file):
                digest.update(chunk)
        if digest.hexdigest() != self.manifest.sha256:
            raise DeliveryDamaged(f"{self.uri} is not the file that {self.manifest_uri} describes.{self._help}")

    @property
    def _help(self) -> str:
        if self.manifest.recorded:
            return " Restore it from a backup, or order the campus's reports again with download_type='full'."
        return (
            " No record is noted. Clear the download task: it orders the reports again if they are still new. If not, "
            "restore the file from a backup, or use download_type='full'."
        )

    def mark_record_began(self, moment: str) -> Delivery:
        """Note in the manifest that the download is being recorded; *moment* is ISO 8601 in UTC."""
        return self._note(record_began_at=moment)

    def mark_recorded(self, moment: str) -> Delivery:
        """Note in the manifest when the download was recorded; *moment* is ISO 8601 in UTC."""
        return self._note(recorded_at=moment)

    def _note(self, **changes: Any) -> Delivery:
        noted = Delivery(self.folder, replace(self.manifest, **changes))
        noted.store()
        return noted

    def store(self) -> None:
        """Write the manifest."""
        self.folder.write(self.manifest.name, self.manifest.to_json())

    def reference(self) -> dict[str, Any]:
        """What tasks pass to each other: a small JSON dict without personal data."""
        manifest = self.manifest
        return {
            "di_code": manifest.di_code,
            "download_id": manifest.download_id,
            "file_format": manifest.file_format,
            "download_type": manifest.download_type,
            "uri": self.uri,
            "manifest_uri": self.manifest_uri,
            "file_name": manifest.file_name,
            "records": manifest.records,
            "bytes": manifest.bytes,
            "sha256": manifest.sha256,
            "recorded": manifest.recorded,
            "duplicate_of": manifest.duplicate_of,
        }


def load_delivery(folder: Folder, name: str) -> Delivery:
    """Read the manifest *name* of *folder*.

    Raises:
        DeliveryDamaged: There is no such manifest.
        ManifestNotUnderstood: See :func:`read_manifest`.
        StorageUnavailable: It can't be read now.
    """
    (delivery,) = load_deliveries(folder, [name])
    return delivery


def load_deliveries(folder: Folder, names: Iterable[str]) -> Iterator[Delivery]:
    """Read the manifests *names* below *folder*, several at once. Raises the errors of :func:`load_delivery`."""
    for name, data in folder.read_many(names):
        parent, _, file = name.rpartition("/")
        yield _delivery(folder.child(parent) if parent else folder, file, data)


def _delivery(folder: Folder, name: str, data: bytes | None) -> Delivery:
    if data is None:
        raise DeliveryDamaged(
            f"There is no manifest {folder.uri(name)}. Restore it, or give the URI that the download task returned. If "
            "the delivery is lost, clear the download task: it orders the reports again unless they were recorded."
            f"{_other_worker(folder.uri(name))}"
        )
    return Delivery(folder, read_manifest(data, folder.uri(name)))


def open_delivery(place: Any) -> Delivery:
    """Read the manifest at *place*: a path, a URI, or a path object.

    Raises:
        DeliveryDamaged: There is no such manifest.
        ManifestNotUnderstood: See :func:`read_manifest`.
        StorageUnavailable: It can't be read now.
    """
    return load_delivery(*locate(place))


def _other_worker(uri: str) -> str:
    """Name the usual cause of a missing local file on deployments with several workers."""
    if not uri.startswith("file://"):
        return ""
    return (
        " If your tasks run on several machines, the file may be on the disk of another one: let the destination be a "
        "folder that all of them mount, or a URI such as s3://bucket/ap-scores."
    )

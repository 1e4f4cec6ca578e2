"""Hand a landed file to a consumer's folder: each content once and whole, or an error that says what to check.

Consumers such as Slate pick files up and move them away, so that a file that is not there proves nothing. A *receipt*
does. There is one for each consumer and content, at ``<campus>/.receipts/<consumer>/<sha256>.json`` under the
destination of the delivery, and it survives retention. Its ``state`` goes on in this order:

1. ``copying``: the claim. It is created exclusively: of two tasks at once, one goes on.
2. ``renaming``: the copy is whole and was compared with its digest; it is about to get its final name.
3. ``done``: it has its final name.

A try that finds ``renaming`` looks at the folder: the file, or its hidden part, shows how far the earlier try came. If
neither is there, the consumer may have taken the file already, so nothing is sent again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_apscores.delivery.landing import Run, utc_now
from airflow_provider_apscores.delivery.manifest import Delivery
from airflow_provider_apscores.errors import (
    ConfigurationError,
    DeliveryDamaged,
    HandOffInProgress,
    HandOffUnclear,
    StorageUnavailable,
)
from airflow_provider_apscores.storage import Folder

DEFAULT_NAME = "AP_HED_Scores_{di_code}_{download_id}.txt"
_COPYING, _RENAMING, _DONE = "copying", "renaming", "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a consumer was given.

    Attributes:
        consumer: Who.
        sha256: The content.
        uri: Where it was put.
        state: ``copying``, ``renaming`` or ``done``.
        at: When the state was noted, ISO 8601 in UTC.
        download_id: College Board's number of the download that was handed on.
        dag_id: The DAG that handed it on.
        task_id: Its task.
        run_id: Its DAG run.
        map_index: The task's map index, -1 when it is not mapped.
        holder: A random number of the try that holds the claim.
    """

    consumer: str
    sha256: str
    uri: str
    state: str
    at: str
    download_id: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    holder: str

    def is_of(self, run: Run) -> bool:
        """Whether another try of the same task made it."""
        mine = (run.dag_id, run.task_id, run.run_id, run.map_index)
        return (self.dag_id, self.task_id, self.run_id, self.map_index) == mine


class HandOff:
    """One delivery for one consumer.

    Args:
        delivery: What was landed.
        campus: The campus's folder under the destination of the delivery; receipts are kept there.
        target: The consumer's folder.
        name: The file's name for the consumer, with placeholders: any field of the manifest.
        consumer: Who gets it: letters, digits, ``_``, ``-`` and ``.``.
        run: Whose task this is.
        replace_existing: Replace another file of that name.
        force: Send again whatever the receipt says.

    Raises:
        ConfigurationError: The consumer's or the file's name has other characters, or an unknown placeholder.
    """

    def __init__(
        self,
        delivery: Delivery,
        campus: Folder,
        target: Folder,
        *,
        name: str = DEFAULT_NAME,
        consumer: str,
        run: Run,
        replace_existing: bool = False,
        force: bool = False,
    ) -> None:
        if not _is_plain(consumer):
            raise ConfigurationError("consumer may have letters, digits, _, - and . only.")
        self._delivery = delivery
        self._target = target
        self._name = file_name(name, delivery)
        self._receipts = campus.child(f".receipts/{consumer}")
        self._receipt_name = f"{delivery.manifest.sha256}.json"
        self._replace_existing = replace_existing
        self._force = force
        self._run = run
        self._mine = Receipt(
            consumer=consumer,
            sha256=delivery.manifest.sha256,
            uri=target.uri(self._name),
            state=_COPYING,
            at=utc_now(),
            download_id=delivery.manifest.download_id,
            dag_id=run.dag_id,
            task_id=run.task_id,
            run_id=run.run_id,
            map_index=run.map_index,
            holder=secrets.token_hex(8),
        )

    def send(self) -> tuple[Receipt, bool]:
        """Give the consumer the file, unless it has it.

        Returns:
            The receipt, and whether this call sent the file or finished sending it.

        Raises:
            DeliveryDamaged: The landed file is gone or changed. Nothing was sent.
            ConfigurationError: Another file has that name at the target.
            HandOffInProgress: Another task is handing on the same content.
            HandOffUnclear: An earlier try ended where nothing shows whether the consumer has the file.
            StorageUnavailable: A folder can't be used now.
        """
        earlier = self._claim()
        if earlier is not None and earlier.state == _DONE:
            return earlier, False
        if earlier is not None and earlier.state == _RENAMING and self._finish(earlier):
            return self._note(_DONE), True
        if earlier is not None:  # what an earlier try has copied in part
            for part in self._parts(self._name):
                self._target.remove(part)
        self._copy()
        return self._note(_DONE), True

    def _claim(self) -> Receipt | None:
        """Take the claim; returns the receipt of an earlier try, or None for a fresh start."""
        if not self._force and self._receipts.create(self._receipt_name, _to_json(self._mine)):
            return None
        earlier = None if self._force else self._stored()
        if earlier is not None and earlier.state == _DONE:
            return earlier
        if earlier is not None and not earlier.is_of(self._run):
            raise HandOffInProgress(
                f"Task {earlier.task_id} of run {earlier.run_id} of {earlier.dag_id} is handing the same content to "
                f"{self._mine.consumer} since {earlier.at}. If it has ended, clear it, or clear this task with "
                "force=True."
            )
        if earlier is not None and earlier.state == _RENAMING:
            self._mine = replace(self._mine, uri=earlier.uri)
        self._store(replace(self._mine, state=earlier.state if earlier else _COPYING))
        return earlier

    def _finish(self, earlier: Receipt) -> bool:
        """Finish the rename of an earlier try; returns False when its copy has to be made again."""
        name = earlier.uri.rpartition("/")[2]
        if self._target.size(name) is not None and self._digest(name) == earlier.sha256:
            return True
        parts = self._parts(name)
        for part in parts:
            if self._digest(part) == earlier.sha256:
                self._check_name_is_free(name)
                self._target.move(part, name)
                return True
        if parts:  # an upload that was not complete: the rename had not begun
            return False
        raise HandOffUnclear(
            f"An earlier try was interrupted while it gave {earlier.uri} its name, and the file is not there now. "
            f"Ask {earlier.consumer} whether it has received the file. If it has, mark this task as success. If it has "
            "not, clear the task with force=True."
        )

    def _copy(self) -> None:
        self._check_name_is_free(self._name)
        part = self._target.open_part(self._name)
        try:
            digest = hashlib.sha256()
            for chunk in self._delivery.folder.chunks(self._delivery.manifest.file):
                digest.update(chunk)
                part.write(chunk)
            if digest.hexdigest() != self._mine.sha256:
                self._delivery.check()
                raise DeliveryDamaged(f"{self._delivery.uri} changed while it was read. Nothing was sent.")
            part.prepare()
            self._note(_RENAMING)
        except BaseException:
            part.discard()
            raise
        # If this fails, the hidden part stays: it shows the next try how far this one came.
        part.publish()

    def _check_name_is_free(self, name: str) -> None:
        if not self._replace_existing and self._target.size(name) is not None:
            raise ConfigurationError(
                f"{self._target.uri(name)} exists, and no receipt says that this task put it there. Move it away, give "
                'another name, or set on_exists="replace".'
            )

    def _note(self, state: str) -> Receipt:
        """Note a state, unless another try has taken the claim."""
        stored = self._stored()
        if stored is not None and stored.holder != self._mine.holder:
            raise HandOffInProgress(f"Another try has taken over handing {self._mine.uri} on.")
        return self._store(replace(self._mine, state=state, at=utc_now()))

    def _store(self, receipt: Receipt) -> Receipt:
        self._receipts.write(self._receipt_name, _to_json(receipt))
        return receipt

    def _stored(self) -> Receipt | None:
        return read_receipt(self._receipts, self._receipt_name)

    def _parts(self, name: str) -> list[str]:
        return [part for part in self._target.parts() if part.startswith(f".{name}.part-")]

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._target.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()


def file_name(template: str, delivery: Delivery) -> str:
    """The name of a delivery's file for a consumer.

    Args:
        template: The name with placeholders such as ``{di_code}``: fields of the manifest. The default name gets the
            ending of the file's format.
        delivery: What was landed.

    Raises:
        ConfigurationError: An unknown placeholder, or characters other than letters, digits, ``_``, ``-`` and ``.``.
    """
    manifest = delivery.manifest
    if template == DEFAULT_NAME:
        template = template.removesuffix("txt") + manifest.file_format.lower()
    values = {name: str(value) for name, value in asdict(manifest).items()}
    unknown = set(re.findall(r"{(.*?)}", template)) - values.keys()
    if unknown:
        raise ConfigurationError(f"name has the unknown placeholders {', '.join(sorted(unknown))}.")
    name = re.sub(r"{(.*?)}", lambda found: values[found[1]], template)
    if not _is_plain(name):
        raise ConfigurationError(
            "name may come to letters, digits, _, - and . only, without a dot in front; with this delivery it does not."
        )
    return name


def read_receipt(folder: Folder, name: str) -> Receipt | None:
    """Read a receipt, or None when there is none.

    Raises:
        StorageUnavailable: It can't be read now, or is damaged.
    """
    data = folder.read(name)
    if data is None:
        return None
    try:
        stored: dict[str, Any] = json.loads(data)
        stored.pop("receipt_version")
        return Receipt(**stored)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StorageUnavailable(
            f"{folder.uri(name)} is no receipt of this version. Restore it, or delete it once the consumer has said "
            "whether it has the file."
        ) from None


def _to_json(receipt: Receipt) -> bytes:
    return json.dumps({"receipt_version": 1, **asdict(receipt)}, indent=2).encode() + b"\n"


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) is not None

"""Give a landed score file to a consumer's folder, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.arguments import check_argument, read_boolean
from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_ON_EXISTS = ("fail", "replace")
#: What stands here too, so that DAG files need not import the delivery package; a test compares both.
_DEFAULT_NAME = "AP_HED_Scores_{di_code}_{download_id}.txt"


class APScoresHandOffOperator(APScoresOperator):
    """
    Put a landed score file, unchanged, where a consumer such as Slate, Banner or PeopleSoft picks it up.

    Each consumer gets each content once, also when it moves files away and when the task is killed and retried. The
    file never stands under its final name before it is whole. A receipt beside the manifests remembers what was given.

    :param download: what ``APScoresDownloadOperator`` returned, what ``APScoresParseOperator`` returned for it, or the
        URI of its manifest. The task is skipped when it is None. (templated)
    :param to: the consumer's folder: any ``ObjectStoragePath`` URI, such as ``sftp://slate@host/incoming``, or an
        absolute local path. (templated)
    :param name: the file's name there, with placeholders in braces: fields of the manifest. The default name ends as
        the file's format. (templated)
    :param consumer: who gets it; its receipts are kept under this name. (templated)
    :param on_exists: ``fail`` when another file has that name, or ``replace`` it.
    :param force: send again whatever the receipt says. Meant for one run, after the consumer has said that it lacks the
        file. (templated)
    :return: ``consumer, uri, sha256, sent``; ``sent`` is false when the consumer had this content already.
    :raises AirflowFailException: an argument is wrong, the landed file is damaged, or it can't be seen whether the
        consumer has the file; the message says what to check.
    :raises APScoresError: with ``transient`` true: a folder can't be used now, or another task hands the same content
        on; retry.
    """

    template_fields: Sequence[str] = ("download", "to", "name", "consumer", "force")
    ui_color = "#ead1dc"
    campus_from = "download"

    def __init__(
        self,
        *,
        download: Any,
        to: str,
        name: str = _DEFAULT_NAME,
        consumer: str = "slate",
        on_exists: str = "fail",
        force: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_exists not in _ON_EXISTS:
            raise ValueError(f"on_exists must be one of {', '.join(_ON_EXISTS)}.")
        self.download = download
        self.to = to
        self.name = name
        self.consumer = consumer
        self.on_exists = on_exists
        self.force = check_argument(read_boolean, force, "force")

    def execute(self, context: Context) -> dict[str, Any]:
        """Give the consumer the file, unless it has it."""
        from airflow_provider_apscores.delivery import HandOff
        from airflow_provider_apscores.operators.events import emit_handed_off
        from airflow_provider_apscores.operators.references import (
            airflow_path,
            open_reference,
            read_reference,
            this_run,
        )
        from airflow_provider_apscores.storage import folder

        with self.reporting(context):
            reference = read_reference(self.download)
            if reference is None:
                skip("There is no download to hand on.")
            delivery = open_reference(reference)
            receipt, sent = HandOff(
                delivery,
                folder(airflow_path(delivery.manifest_uri, "download").parent.parent),
                folder(airflow_path(self.to, "to")),
                name=self.name,
                consumer=self.consumer,
                run=this_run(context, self),
                replace_existing=self.on_exists == "replace",
                force=read_boolean(self.force, "force", False),
            ).send()
        emit_handed_off(context, self, delivery, receipt)
        if sent:
            self.log.info("Handed %s to %s: %s.", delivery.uri, receipt.consumer, receipt.uri)
        else:
            self.log.info("%s got this content at %s as %s.", receipt.consumer, receipt.at, receipt.uri)
        return {"consumer": receipt.consumer, "uri": receipt.uri, "sha256": receipt.sha256, "sent": sent}

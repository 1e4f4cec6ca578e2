"""Delete score files and tables that are no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.arguments import check_argument, read_boolean
from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class APScoresPurgeOperator(APScoresOperator):
    """
    Delete the score files that landed before a day, their tables and their rejected lines. Manifests stay.

    Deliveries of ``new`` files whose record is not noted are kept, and so are the tables of a content of which another
    delivery is left. A retry goes on where the last try ended.

    :param source: the folder that ``APScoresDownloadOperator`` writes to. (templated)
    :param before: a day in UTC such as ``2025-07-01``; at the latest the beginning of the reporting year. (templated)
    :param tables: the folder that ``APScoresParseOperator`` writes to; its files are kept when None. (templated)
    :param quarantine: whether to delete quarantined files that were set aside before that day. (templated)
    :param dry_run: only log and return what would be deleted. (templated)
    :return: ``deliveries`` and ``kept`` (URIs of manifests), ``deleted`` (the number of files), and ``sha256``: digests
        whose rows you can delete from a database.
    :raises AirflowFailException: *before* is no day, or is in the current reporting year.
    """

    template_fields: Sequence[str] = ("source", "before", "tables", "quarantine", "only_show")
    ui_color = "#f4cccc"

    def __init__(
        self,
        *,
        source: str,
        before: Any,
        tables: str | None = None,
        quarantine: bool | str = False,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.before = before
        self.tables = tables
        self.quarantine = check_argument(read_boolean, quarantine, "quarantine")
        # Not "dry_run": that is a method of every operator.
        self.only_show = check_argument(read_boolean, dry_run, "dry_run")

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete, and return what was deleted."""
        from airflow_provider_apscores.delivery import APScoresLedger
        from airflow_provider_apscores.errors import ConfigurationError
        from airflow_provider_apscores.operators.references import airflow_path, read_day

        with self.reporting(context):
            before = read_day(self.before, "before")
            if before is None:
                raise ConfigurationError("before must be a day such as 2025-07-01.")
            only_show = read_boolean(self.only_show, "dry_run", False)
            ledger = APScoresLedger(airflow_path(self.source, "source"))
            ledger.check()
            done = ledger.purge(
                before,
                dry_run=only_show,
                tables=airflow_path(self.tables, "tables") if self.tables else None,
                quarantine=read_boolean(self.quarantine, "quarantine", False),
            )
        verb = "would delete" if only_show else "deleted"
        self.log.info("Purge %s %d files of %d deliveries.", verb, len(done.deleted), len(done.deliveries))
        if done.rewritten:
            self.log.info("Purge %s their rows in %d compacted files.", verb, len(done.rewritten))
        if done.kept:
            self.log.warning("%d deliveries are kept: their record is not noted. See the ledger.", len(done.kept))
        return {
            "deliveries": list(done.deliveries),
            "kept": list(done.kept),
            "deleted": len(done.deleted),
            "sha256": list(done.sha256),
        }

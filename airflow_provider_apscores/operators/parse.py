"""Parse a score file into tables."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.exceptions import skip
from airflow_provider_apscores.operators.arguments import check_argument, read_boolean
from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.scorefile import Origin


class APScoresParseOperator(APScoresOperator):
    """
    Turn a score file into the tables ``students``, ``exam_scores``, ``awards``, ``problems`` and ``deliveries``.

    Files are named after the campus and the content. A retry writes the same names, and several campuses can share one
    *output*, which has one folder for each table.

    :param source: the reference that ``APScoresDownloadOperator`` returned, the URI of a manifest, or the URI or local
        path of one TXT or CSV score file, for instance from the portal. If it is None, the task is skipped. (templated)
    :param output: the folder for the tables: a local path or any ``ObjectStoragePath`` URI. (templated)
    :param formats: one or more of ``parquet``, ``csv``, ``jsonl``.
    :param escape_formulas: in CSV, put an apostrophe before text that begins with ``=``, ``+``, ``-``, ``@``, a tab or
        a carriage return, which spreadsheets run as a formula. Set it if people open the files in a spreadsheet; leave
        it off if a database or a data frame loads them, since the apostrophe becomes part of the value. (templated)
    :param partition_by: ``di_code``, ``reporting_year`` or both, to put the files of a table into folders such as
        ``students/di_code=4866/reporting_year=2026/``. Query engines then read only the campuses and years that a query
        names. Keep it the same for one *output*.
    :param on_problem: what to do with records that can't be read whole: ``quarantine`` writes them to a ``rejected``
        file and continues; ``fail`` fails the task before anything is published.
    :return: the URIs and the number of rows of each table, without personal data; and ``manifest_uri`` if the source is
        a delivery.
    :raises AirflowFailException: the source is no score file, or differs from its manifest.
    """

    # Not "output": every operator has that attribute for its XCom.
    template_fields: Sequence[str] = ("source", "output_uri", "escape_formulas")
    ui_color = "#fff2cc"
    campus_from = "source"

    def __init__(
        self,
        *,
        source: Any,
        output: str,
        formats: str | Sequence[str] = ("parquet",),
        escape_formulas: bool | str = False,
        partition_by: str | Sequence[str] = (),
        on_problem: str = "quarantine",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_problem not in ("quarantine", "fail"):
            raise ValueError("on_problem must be one of quarantine, fail.")
        columns = [partition_by] if isinstance(partition_by, str) else list(partition_by)
        if not set(columns) <= {"di_code", "reporting_year"}:
            raise ValueError("partition_by takes di_code, reporting_year, or a list of both.")
        self.source = source
        self.output_uri = output
        self.formats = formats
        self.escape_formulas = check_argument(read_boolean, escape_formulas, "escape_formulas")
        self.partition_by = columns
        self.on_problem = on_problem

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the tables and return their addresses."""
        from airflow_provider_apscores.errors import ScoreFileError, StorageUnavailable
        from airflow_provider_apscores.operators.events import emit_tables_event
        from airflow_provider_apscores.operators.published_counts import published_score_counts
        from airflow_provider_apscores.operators.references import (
            MANIFEST,
            airflow_path,
            open_reference,
            read_reference,
        )
        from airflow_provider_apscores.operators.shared_folders import unshared_folder
        from airflow_provider_apscores.scorefile import write_tables
        from airflow_provider_apscores.scores.score_counts import ExamScoreTally

        tally = ExamScoreTally()
        with self.reporting(context):
            reference = read_reference(self.source)
            if reference is None:
                skip("There is no score file to parse.")
            if isinstance(reference, str) and not reference.endswith(MANIFEST):
                uri, delivery = reference, None
            else:
                delivery = open_reference(reference)
                uri = delivery.uri
            output = airflow_path(self.output_uri, "output")
            if unshared := unshared_folder(output, self):
                self.log.warning(unshared)
            try:
                written = write_tables(
                    airflow_path(uri, "source"),
                    output,
                    formats=self.formats,
                    escape_formulas=read_boolean(self.escape_formulas, "escape_formulas", False),
                    partition_by=self.partition_by,
                    on_problem="fail" if self.on_problem == "fail" else "quarantine",
                    sha256=None if delivery is None else delivery.manifest.sha256,
                    origin=None if delivery is None else _origin(delivery),
                    tally=tally,
                )
            except (ScoreFileError, StorageUnavailable):
                # If the file is gone or changed, its manifest tells so.
                if delivery is not None:
                    delivery.check()
                raise
        rows = ", ".join(f"{count} {table}" for table, count in written.rows.items())
        self.log.info("Parsed %s: %d student records; rows: %s.", uri, written.records, rows)
        if written.rejected_uri is not None:
            self.log.warning("%d lines could not be read whole: %s.", written.rejected_lines, written.rejected_uri)
        if written.unread_columns:
            self.log.warning(
                "%d columns of the CSV file have unknown names and are in no table. apscores summary FILE lists them.",
                written.unread_columns,
            )
        result = written.to_dict()
        if delivery is not None:
            # So a task that gets only the tables can also hand on the file they come from.
            result["manifest_uri"] = delivery.manifest_uri
        counts = {"statuses": dict(tally.statuses), "score_counts": published_score_counts(tally, delivery)}
        emit_tables_event(context, self, uri, delivery, result, counts)
        return result


def _origin(delivery: Delivery) -> Origin:
    """Return what the manifest says, with the landing of the first delivery of the same content."""
    from airflow_provider_apscores.delivery import open_delivery
    from airflow_provider_apscores.errors import DeliveryError
    from airflow_provider_apscores.operators.references import airflow_path
    from airflow_provider_apscores.scorefile import Origin

    manifest = delivery.manifest
    landed_at = manifest.landed_time
    if manifest.duplicate_of is not None:
        # An earlier manifest that can't be read changes an order of equal contents only.
        with suppress(DeliveryError):
            landed_at = min(
                landed_at, open_delivery(airflow_path(manifest.duplicate_of, "source")).manifest.landed_time
            )
    return Origin(manifest.di_code, manifest.download_id, manifest.download_type, manifest.file_name, landed_at)

"""Compute what counts now from the tables of all score files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class APScoresCurrentStateOperator(APScoresOperator):
    """
    Compute the current exam scores, students and awards of all parsed score files, without a database.

    Reports are cumulative and repeat exams; of each exam score the latest report counts, and one that the latest report
    no longer has is marked ``withdrawn``. The output is replaced as a whole: readers see the old files or the new ones.

    :param source: the folder that ``APScoresParseOperator`` writes to, or a list of such folders. (templated)
    :param output: the folder for ``exam_scores.<format>``, ``students.<format>`` and ``awards.<format>``. It
        keeps no such file of an earlier result, also in other formats. (templated)
    :param di_code: one campus only; all when None. (templated)
    :param since: only files that landed on this day (UTC) or later, as YYYY-MM-DD; all when None. (templated)
    :param formats: one or more of ``parquet``, ``csv``, ``jsonl``.
    :param crosswalk: a CSV or Parquet file with the columns ``ap_id`` and ``person_id`` that says which AP IDs are one
        person. (templated)
    :return: ``uris`` by table and format, and ``counts``: rows by table, ``withdrawn``, and rows without a key. No
        personal data.
    :raises AirflowFailException: an argument, the crosswalk or a table is wrong; a retry would not help.
    """

    # Not "output": that attribute is every operator's own, its XCom as an argument for other tasks.
    template_fields: Sequence[str] = ("source", "output_uri", "di_code", "since", "crosswalk")
    ui_color = "#fce5cd"

    def __init__(
        self,
        *,
        source: Any,
        output: str,
        di_code: str | None = None,
        since: Any = None,
        formats: str | Sequence[str] = ("parquet",),
        crosswalk: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.output_uri = output
        self.di_code = di_code
        self.since = since
        self.formats = formats
        self.crosswalk = crosswalk

    def execute(self, context: Context) -> dict[str, Any]:
        """Read all tables, and replace the output."""
        from airflow_provider_apscores.operators.lineage import Lineage, current_state_data, folder_data
        from airflow_provider_apscores.operators.references import airflow_path, read_day
        from airflow_provider_apscores.scores import current_state, read_crosswalk, write_current_state

        with self.reporting(context):
            sources = [self.source] if isinstance(self.source, str) else list(self.source)
            crosswalk = self.crosswalk or None
            state = current_state(
                [airflow_path(each, "source") for each in sources],
                crosswalk=None if crosswalk is None else read_crosswalk(airflow_path(crosswalk, "crosswalk")),
                di_code=None if self.di_code in (None, "", "None") else str(self.di_code),
                since=read_day(self.since, "since"),
            )
            uris = write_current_state(state, airflow_path(self.output_uri, "output"), formats=self.formats)
        counts = state.counts()
        self.lineage = Lineage(
            [folder_data(f"{each}/{table}") for each in sources for table in uris], current_state_data(uris, counts)
        )
        self.log.info("Current state: %s.", ", ".join(f"{count} {name}" for name, count in counts.items()))
        return {"uris": uris, "counts": counts}

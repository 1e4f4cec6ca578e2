"""Say what each current exam score is worth under a credit policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class APScoresCreditOperator(APScoresOperator):
    """
    Apply an institution's credit policy to the exam scores that count now.

    The policy is a CSV with a row for each rule. If it has a defect, the task fails with all defects and their lines,
    and nothing is written. The result has one row for each current exam score, with a decision, courses, credits and a
    reason; the same scores and policy give the same bytes.

    :param scores: the folder that ``APScoresCurrentStateOperator`` writes to, or the folder of tables that
        ``APScoresParseOperator`` writes to. (templated)
    :param policy: the credit policy, a CSV. (templated)
    :param output: the folder for ``credit.<format>``; files of an earlier result are replaced or removed. (templated)
    :param as_of: a day to write into each row, as YYYY-MM-DD; none when None. (templated)
    :param accept: the statuses whose scores may earn credit. (templated)
    :param entry_dates: a CSV with the columns ``ap_id`` and ``entry_date``, for rules that depend on the day of entry.
        (templated)
    :param crosswalk: a CSV or Parquet file with the columns ``ap_id`` and ``person_id``, where *scores* are parsed
        tables. (templated)
    :param di_code: one campus only; all when None. (templated)
    :param compare: another policy. How many scores it would change, and how, is then written into the output as
        ``credit_comparison.json``. (templated)
    :param formats: one or more of ``parquet``, ``csv``, ``jsonl``.
    :return: ``uris`` by table and format, ``counts`` by decision, ``credits`` in all, ``policy_sha256``, the number of
        ``warnings`` about the policy, and of the scores ``changed`` by another policy, or None. No personal data.
    :raises AirflowFailException: the policy has defects, or an argument is wrong; a retry would not help.
    """

    # Not "output": that attribute is every operator's own, its XCom as an argument for other tasks.
    template_fields: Sequence[str] = (
        "scores", "policy", "output_uri", "as_of", "accept", "entry_dates", "crosswalk", "di_code", "compare",
    )  # fmt: skip
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        scores: str,
        policy: str,
        output: str,
        as_of: Any = None,
        accept: Sequence[str] = ("reported",),
        entry_dates: str | None = None,
        crosswalk: str | None = None,
        di_code: str | None = None,
        compare: str | None = None,
        formats: str | Sequence[str] = ("parquet",),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scores = scores
        self.policy = policy
        self.output_uri = output
        self.as_of = as_of
        self.accept = accept
        self.entry_dates = entry_dates
        self.crosswalk = crosswalk
        self.di_code = di_code
        self.compare = compare
        self.formats = formats

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the policy, evaluate, and replace the output."""
        from airflow_provider_apscores.operators.lineage import Lineage, file_data, folder_data
        from airflow_provider_apscores.operators.references import airflow_path, read_day
        from airflow_provider_apscores.scores import read_crosswalk
        from airflow_provider_apscores.scores.credit import (
            award_credit,
            check_policy,
            compare_credit,
            count_dated,
            credit_counts,
            read_current_scores,
            read_entry_dates,
            total_credits,
            write_credit,
        )

        with self.reporting(context):
            # The policies first: their defects are found before scores are read.
            checked = check_policy(airflow_path(self.policy, "policy"))
            policy = checked.without_defects()
            other = check_policy(airflow_path(self.compare, "compare")).without_defects() if self.compare else None
            as_of = read_day(self.as_of, "as_of")
            given: dict[str, Any] = {
                "entry_dates": read_entry_dates(airflow_path(self.entry_dates, "entry_dates"))
                if self.entry_dates
                else None,
                "accept": [self.accept] if isinstance(self.accept, str) else list(self.accept),
                "as_of": as_of.date() if as_of else None,
            }
            scores = read_current_scores(
                airflow_path(self.scores, "scores"),
                crosswalk=read_crosswalk(airflow_path(self.crosswalk, "crosswalk")) if self.crosswalk else None,
                di_code=None if self.di_code in (None, "", "None") else str(self.di_code),
            )
            credit = award_credit(scores, policy, **given)
            comparison = compare_credit(credit, award_credit(scores, other, **given)) if other else None
            uris = write_credit(
                credit, airflow_path(self.output_uri, "output"), formats=self.formats, comparison=comparison
            )
        written = [file_data(uri, version=policy.sha256, rows=credit.num_rows) for uri in uris.values()]
        self.lineage = Lineage([folder_data(self.scores)], written)
        counts = credit_counts(credit)
        for warning in checked.warnings:
            self.log.warning("Credit policy, %s", warning)
        self.log.info("Credit: %s.", ", ".join(f"{count} {name}" for name, count in counts.items() if count))
        if given["entry_dates"] is not None:
            dated, students = count_dated(scores, given["entry_dates"])
            self.log.info("%d of %d AP IDs have an entry date in %s.", dated, students, self.entry_dates)
        if comparison:
            self.log.info("%s would change %d of %d scores.", self.compare, comparison.changed, comparison.rows)
        return {
            "uris": {"credit": uris},
            "counts": counts,
            "credits": total_credits(credit),
            "policy_sha256": policy.sha256,
            "warnings": len(checked.warnings),
            # Without the list of changes: it has counts of few students.
            "changed": comparison.changed if comparison else None,
        }

"""Compare the reports that College Board has with the landed files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.operators.arguments import check_argument, read_integer
from airflow_provider_apscores.operators.base import APScoresOperator

if TYPE_CHECKING:
    from datetime import date

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.storage import SpoolFile
    from airflow_provider_apscores.webservice import FileOrder

_ON_MISSING = ("fail", "report")


class APScoresReconcileOperator(APScoresOperator):
    """
    Prove that nothing was lost: compare a full order, which is never recorded, with the landed files.

    Exam scores are compared by their key (``ap_id``, ``college_code``, ``admin_year``, ``exam_code``), using the latest
    report of each side. Run it after the downloads of the day: reports that are still new at College Board are in the
    full order and not in storage, so they count as missing.

    :param di_code: the campus: a DI code of four digits. (templated)
    :param source: the destination of the download tasks. (templated)
    :param output: a folder for the table of missing, changed and extra exam scores, which has personal data. If it is
        None, no table is written. (templated)
    :param file_format: ``TXT`` or ``CSV``, of the full order. (templated)
    :param reporting_year_start: the first day of the reporting year, such as ``2026-07-01``. None means the latest
        1 July. Deliveries landed before are left out, and earlier reports never count as extra. (templated)
    :param max_bytes: a larger file is an error. None means 2 GiB, about two million student records. (templated)
    :param on_missing: ``fail`` writes the table and then fails the task if an exam score is missing or changed;
        ``report`` only reports it.
    :param apscores_conn_id: the connection to use. (templated)
    :return: counts and addresses, without personal data: ``di_code, reporting_year_start, deliveries, damaged,
        expected, landed, missing, changed, extra, missing_key, uri``.
    :raises AirflowFailException: exam scores are missing or changed (then its ``__cause__`` is ``ReportsMissing``),
        College Board refused, or an argument or the file is wrong.
    :raises APScoresError: with ``transient`` true: College Board, the network or the storage is in trouble; retry.
    """

    template_fields: Sequence[str] = (
        "di_code",
        "source",
        "output_uri",
        "file_format",
        "reporting_year_start",
        "max_bytes",
        "apscores_conn_id",
    )
    ui_color = "#ead1dc"

    def __init__(
        self,
        *,
        di_code: str,
        source: str,
        output: str | None = None,
        file_format: str = "TXT",
        reporting_year_start: str | date | None = None,
        max_bytes: int | str | None = None,
        on_missing: str = "fail",
        apscores_conn_id: str = APScoresHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_missing not in _ON_MISSING:
            raise ValueError(f"on_missing must be one of {', '.join(_ON_MISSING)}.")
        self.di_code = di_code
        self.source = source
        # Not "output": every operator has that attribute for its XCom.
        self.output_uri = output
        self.file_format = file_format
        self.reporting_year_start = reporting_year_start
        self.max_bytes = check_argument(read_integer, max_bytes, "max_bytes", least=1)
        self.on_missing = on_missing
        self.apscores_conn_id = apscores_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Order, compare, and return the counts."""
        from airflow_provider_apscores.errors import ReportsMissing
        from airflow_provider_apscores.operators.lineage import Lineage, campus_data, file_data, folder_data
        from airflow_provider_apscores.webservice import FileOrder

        with self.reporting(context):
            order = FileOrder(str(self.di_code).strip(), self.file_format, "full")
            found = self._reconcile(order, context)
            self.lineage = Lineage(
                [campus_data(order.di_code, "full"), folder_data(f"{self.source}/{order.di_code}")],
                [file_data(found["uri"])] if found["uri"] else [],
            )
            self.log.info(
                "Campus %s: of %s exam scores that College Board has, %s are missing here and %s differ; %s are extra.",
                *(found[name] for name in ("di_code", "expected", "missing", "changed", "extra")),
            )
            if self.on_missing == "fail" and (found["missing"] or found["changed"]):
                where = f"They are listed in {found['uri']}." if found["uri"] else "Set output to have them listed."
                if not (found["deliveries"] or found["damaged"]):
                    where = "No delivery of the year was found. Is source the destination of the downloads? " + where
                raise ReportsMissing(
                    f"Campus {found['di_code']}: of {found['expected']} exam scores that College Board has for the "
                    f"reporting year, {found['missing']} are missing below {self.source} and {found['changed']} "
                    f"differ. {where} If the day's download has run, order them with download_type='full'."
                )
            return found

    def _reconcile(self, order: FileOrder, context: Context) -> dict[str, Any]:
        from airflow_provider_apscores.delivery import APScoresLedger, LandedFiles, reporting_year_start, run_slug
        from airflow_provider_apscores.operators.references import airflow_path, read_day
        from airflow_provider_apscores.operators.shared_folders import unshared_folder
        from airflow_provider_apscores.scorefile import compare_exam_scores, read_score_file
        from airflow_provider_apscores.storage import SpoolFile, folder

        given = read_day(self.reporting_year_start, "reporting_year_start")
        begin = (given or reporting_year_start()).date()
        source = airflow_path(self.source, "source")
        if unshared := unshared_folder(source, self):
            self.log.warning(unshared)
        landed = LandedFiles(APScoresLedger(source), order.di_code, begin)
        output = folder(airflow_path(self.output_uri, "output")) if self.output_uri else None
        # An unnamed file is never mistaken for a delivery, and disappears even if this process is killed.
        with closing(SpoolFile()) as file:
            full = [read_score_file(file)] if self._fetch(order, file) else []
            comparison = compare_exam_scores(full, landed, extra_since=begin)
        for each in landed.damaged:
            self.log.warning("%s is gone or changed and does not count as landed.", each)
        name = f"reconciliation/{order.di_code}-{run_slug(_run_id(context))}.parquet"
        return {
            "di_code": order.di_code,
            "reporting_year_start": begin.isoformat(),
            "deliveries": landed.count,
            "damaged": landed.damaged,
            "expected": comparison.expected,
            "landed": comparison.landed,
            "missing": comparison.missing,
            "changed": comparison.changed,
            "extra": comparison.extra,
            "missing_key": comparison.missing_key,
            "uri": None if output is None else output.write(name, comparison.parquet()),
        }

    def _fetch(self, order: FileOrder, file: SpoolFile) -> bool:
        """Fetch the full order into *file*, with the checks of a delivery; False if College Board has nothing."""
        from airflow_provider_apscores.delivery import CheckedFile
        from airflow_provider_apscores.webservice import MAX_FILE_BYTES

        max_bytes = read_integer(self.max_bytes, "max_bytes", MAX_FILE_BYTES, least=1)
        checked = CheckedFile(file, order.file_format, order.di_code)
        with APScoresHook(self.apscores_conn_id).get_conn() as client:
            generated = client.order(order.di_code, file_format=order.file_format, download_type=order.download_type)
            if generated is None:
                return False
            client.download(generated, checked, max_bytes=max_bytes)
        checked.inspect()
        return True


def _run_id(context: Context) -> str:
    ti = context.get("ti")
    return "by-hand" if ti is None else str(ti.run_id)

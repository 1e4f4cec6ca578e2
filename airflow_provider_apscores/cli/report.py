"""Write a page about the deliveries under a destination: counts only, no names.

The page is one HTML file that needs nothing else. It shows each campus with its deliveries of the last year. With
--tables it also shows the statuses, the problems and the distribution of the scores. Scores of small groups are left
out: docs/how-to/page.md says how.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.cli.arguments import FOLDER, di_code
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.cli.output import print_json
from airflow_provider_apscores.delivery import APScoresLedger, Delivery, LedgerSnapshot, Manifest
from airflow_provider_apscores.report import Campus, Landed, Report, render

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_apscores.scores.score_counts import ExamScoreTally

EXAMPLES = """\
  apscores report /srv/ap-scores/files --html report.html
  apscores report /srv/ap-scores/files --tables /srv/ap-scores/tables --html report.html
  apscores report s3://conn_id@bucket/files --json
"""

#: The time that the page shows.
_HISTORY = timedelta(days=365)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores report``."""
    parser.add_argument(
        "destination", metavar="DESTINATION", help=f"the folder that the download tasks write to: {FOLDER}"
    )
    parser.add_argument("--tables", metavar="FOLDER", help="the folder that the parse tasks write Parquet files to")
    parser.add_argument("--di-code", type=di_code, metavar="CODE", help="one campus only")
    output = parser.add_mutually_exclusive_group(required=True)
    output.add_argument("--html", type=Path, metavar="FILE", help="write the page to this file")
    output.add_argument("--json", action="store_true", help="print what the page shows as a JSON object")


def run(given: argparse.Namespace) -> int:
    """Write the page. The exit code is 1 if a campus needs attention."""
    ledger = APScoresLedger(location(given.destination))
    ledger.check()
    tables = None
    if given.tables is not None:
        tables = _Tables(location(given.tables))
    report = make_report(ledger.snapshot(given.di_code), tables, datetime.now(UTC))
    if given.json:
        print_json(_plain(asdict(report)))
    else:
        given.html.write_text(render(report), encoding="utf-8")
        print(f"Wrote {given.html}.")
    return 1 if any(map(report.needs_attention, report.campuses)) else 0


def make_report(ledger: LedgerSnapshot, tables: _Tables | None, now: datetime) -> Report:
    """Return what the page shows of a ledger."""
    since = now - _HISTORY
    set_aside = Counter(file.name.split("/")[1] for file in ledger.quarantined_files)
    campuses: dict[str, list[Delivery]] = {code: [] for code in set_aside}
    for each in ledger.deliveries:
        campuses.setdefault(each.manifest.di_code, []).append(each)
    pending: dict[str, datetime] = {}
    for each in ledger.pending:
        pending.setdefault(each.manifest.di_code, _time(each.manifest.landed_time))
    found = (
        replace(
            _campus(code, deliveries, tables, since), pending_since=pending.get(code), set_aside=set_aside.get(code, 0)
        )
        for code, deliveries in sorted(campuses.items())
    )
    return Report(now, since, tuple(found), None)


class _Tables:
    """The Parquet files of a folder of tables, found by the content that they were made of.

    Raises:
        ConfigurationError: It holds other files or folders, but no table.
        StorageUnavailable: It does not exist, or can't be read.
    """

    def __init__(self, place: Any) -> None:
        from airflow_provider_apscores.scorefile import check_tables, table_files
        from airflow_provider_apscores.storage import folder

        self._folder = folder(place)
        check_tables(self._folder)
        self._files = {name: table_files(self._folder, name) for name in ("exam_scores", "problems")}

    def problems(self, sha256: str) -> int:
        """The number of problems of a score file; 0 if it was not parsed."""
        rows = self._rows("problems", sha256, ["file_sha256"])
        return 0 if rows is None else int(rows.num_rows)

    def tally(self, sha256: str) -> ExamScoreTally:
        """The counts of the exam scores of a score file; none if it was not parsed."""
        from airflow_provider_apscores.scores.score_counts import ExamScoreTally

        tally = ExamScoreTally()
        rows = self._rows("exam_scores", sha256, list(ExamScoreTally.COLUMNS))
        if rows is not None:
            tally.add(rows)
        return tally

    def _rows(self, table: str, sha256: str, columns: list[str]) -> pa.Table | None:
        """The rows of a score file, from its own file, or else from the newest of the compacted files that has some."""
        import pyarrow.parquet as pq

        from airflow_provider_apscores.scorefile import own_digest

        rows = None
        for each in self._files[table]:
            digest = own_digest(each.name)
            if digest is None or sha256.startswith(digest):
                with self._folder.open(each.name) as file:
                    rows = pq.read_table(file, columns=columns, filters=[("file_sha256", "=", sha256)])
                if digest is not None or rows.num_rows:
                    break
        return rows


def _campus(code: str, deliveries: Sequence[Delivery], tables: _Tables | None, since: datetime) -> Campus:
    manifests = [each.manifest for each in deliveries]
    landed = [_landed(each) for each in manifests if each.landed_time >= since]
    campus = Campus(code, tuple(landed))
    if tables is None or not landed:
        return campus

    last = manifests[-1].sha256
    scores, scores_at = _scores(deliveries, tables, since)
    statuses, problems = dict(tables.tally(last).statuses), tables.problems(last)
    is_parsed = bool(statuses or problems)
    return replace(
        campus, problems=problems if is_parsed else None, statuses=statuses, scores=scores, scores_at=scores_at
    )


def _landed(manifest: Manifest) -> Landed:
    recorded_at = None if manifest.recorded_time is None else _time(manifest.recorded_time)
    return Landed(_time(manifest.landed_time), manifest.records, manifest.download_type, recorded_at)


def _scores(
    deliveries: Sequence[Delivery], tables: _Tables, since: datetime
) -> tuple[dict[str, dict[str, Any]], datetime | None]:
    """The score counts of the last delivery that may be published, and when it landed.

    The rule is that of the parse task: no report of the delivery may be in an earlier one that was not recorded, since
    the difference of the two could be the scores of one student.
    """
    from airflow_provider_apscores.scores.score_counts import suppress

    new = [each.manifest for each in deliveries if each.manifest.download_type == "new"]
    for at in range(len(new) - 1, -1, -1):
        manifest, earlier = new[at], new[at - 1] if at else None
        repeats = earlier is not None and manifest.may_repeat(earlier)
        if manifest.landed_time < since:
            break
        if not repeats and (published := suppress(tables.tally(manifest.sha256).scores)):
            return published, _time(manifest.landed_time)
    return {}, None


def _time(moment: datetime) -> datetime:
    """A time of pendulum as one of the standard library, whose differences can be divided."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _plain(value: Any) -> Any:
    """Times as text, in nested values."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value

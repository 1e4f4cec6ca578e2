"""Count the students, exam scores, awards and problems of score files. The output contains no names."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from typing import Any

from airflow_provider_apscores.cli.arguments import add_files, open_source
from airflow_provider_apscores.cli.output import for_each, print_json, print_table, progress
from airflow_provider_apscores.scorefile import STATUSES, ScoreFile, read_score_file

EXAMPLES = """\
  apscores summary scores.txt
  apscores summary 2025/*.txt s3://conn_id@bucket/scores.csv --json
  unzip -p scores.zip | apscores summary -
"""

_SCORES = (5, 4, 3, 2, 1, None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores summary``."""
    add_files(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each file")


def run(given: argparse.Namespace) -> int:
    """Print the summaries. The exit code is 1 if a value or a line of a file can't be read."""
    found: list[dict[str, Any]] = []

    def count(name: str) -> int:
        with read_score_file(open_source(name)) as file:
            summary = {"file": name, **summarize(file, name)}
        if not given.json:
            _print(summary, first=not found)
        found.append(summary)
        errors = any(each["severity"] == "error" for each in summary["problems"])
        return 1 if errors or summary["rejected"] else 0

    code = for_each(given.files, count)
    if given.json:
        print_json(found)
    return code


def summarize(file: ScoreFile, title: str) -> dict[str, Any]:
    """Return the counts of a score file, as ``--json`` prints them. *title* stands at the progress bar."""
    campuses: dict[str, Counter[str]] = {}
    exams: dict[tuple[str, str | None], Counter[int | None]] = {}
    statuses: Counter[str] = Counter()
    problems: Counter[tuple[str, str]] = Counter()
    rejected = 0
    with progress(title) as show:
        for batch in file.batches():
            for table in ("students", "exam_scores", "awards"):
                for (code,), count in _counted(batch.table(table), "di_code"):
                    campuses.setdefault(code or "-", Counter())[table] += count
            for (code, title, score), count in _counted(batch.exam_scores, "exam_code", "exam_title", "score"):
                exams.setdefault((code or "-", title), Counter())[score] += count
            for (status,), count in _counted(batch.exam_scores, "status"):
                statuses[status] += count
            for (kind, severity), count in _counted(batch.problems, "kind", "severity"):
                problems[kind, severity] += count
            rejected += len(batch.rejected)
            show(file.position, file.size)
    return {
        "records": file.records,
        "layout": file.layout,
        "sha256": file.sha256,
        "campuses": [
            {"di_code": code, **{table: counts[table] for table in ("students", "exam_scores", "awards")}}
            for code, counts in sorted(campuses.items())
        ],
        "exams": [
            {
                "exam_code": code,
                "exam_title": title,
                "scores": {"none" if score is None else str(score): counts[score] for score in _SCORES},
            }
            for (code, title), counts in sorted(exams.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ],
        "statuses": {status: statuses[status] for status in STATUSES if statuses[status]},
        "problems": [
            {"kind": kind, "severity": severity, "count": count} for (kind, severity), count in sorted(problems.items())
        ],
        "rejected": rejected,
        "unread_columns": list(file.unread_columns),
    }


def _print(summary: dict[str, Any], *, first: bool) -> None:
    layout = "CSV" if summary["layout"] == "csv" else f"TXT, {summary['layout']} characters a record"
    print(f"{'' if first else chr(10)}{summary['file']}: {summary['records']:,} student records ({layout})")
    print(f"SHA-256 {summary['sha256']}\n")
    print_table(("campus", "students", "exam scores", "awards"), [tuple(each.values()) for each in summary["campuses"]])
    print()
    print_table(
        ("exam", "title", "5", "4", "3", "2", "1", "none"),
        [
            (each["exam_code"], each["exam_title"] or "(not known)", *each["scores"].values())
            for each in summary["exams"]
        ],
    )
    statuses = ", ".join(f"{name} {count:,}" for name, count in summary["statuses"].items())
    problems = ", ".join(f"{each['kind']} {each['count']:,} ({each['severity']})" for each in summary["problems"])
    print(f"\nstatus      {statuses or 'none'}")
    print(f"problems    {problems or 'none'}")
    print(f"rejected    {summary['rejected']:,} lines")
    if names := summary["unread_columns"]:
        print(f"not read    {len(names)} columns: {', '.join(names)}")


def _counted(rows: Any, *names: str) -> Iterable[tuple[tuple[Any, ...], int]]:
    """Yield each combination of values in some columns, and how often it occurs."""
    import pyarrow as pa

    if not rows.num_rows:
        return []
    groups = pa.Table.from_batches([rows]).select(names).group_by(list(names)).aggregate([([], "count_all")])
    return [(tuple(row[name] for name in names), row["count_all"]) for row in groups.to_pylist()]

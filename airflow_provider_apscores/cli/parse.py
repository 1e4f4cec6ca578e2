"""Convert score files to tables: students, exam_scores, awards, problems and deliveries."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_provider_apscores.cli.arguments import FOLDER, add_files, open_source
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.cli.output import for_each, print_json, print_table, progress
from airflow_provider_apscores.scorefile import FORMATS, PARTITIONS, PROBLEM_KINDS, WrittenTables, write_tables

EXAMPLES = """\
  apscores parse scores.txt --to tables
  apscores parse files/*/*/scores-*.txt --to s3://conn_id@bucket/tables
  apscores parse scores.csv --to tables --format csv --escape-formulas
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores parse``."""
    add_files(parser)
    parser.add_argument("--to", metavar="DIR", required=True, help=f"folder of the tables: {FOLDER}")
    parser.add_argument(
        "--format",
        action="append",
        choices=FORMATS,
        help="format of the tables; may be repeated (default: parquet)",
    )
    parser.add_argument(
        "--stem", help="name of the table files without ending, for a single FILE (default: campus and digest)"
    )
    parser.add_argument(
        "--partition-by",
        action="append",
        choices=PARTITIONS,
        help="put the files of a table into folders, as di_code=4866/reporting_year=2026; may be repeated",
    )
    parser.add_argument(
        "--escape-formulas",
        action="store_true",
        help="in CSV, put an apostrophe before text that a spreadsheet would run as a formula",
    )
    parser.add_argument(
        "--on-problem",
        choices=("quarantine", "fail"),
        default="quarantine",
        help="quarantine: set aside what can't be read; fail: write no tables of a file with an error "
        "(default: quarantine)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each file")


def run(given: argparse.Namespace) -> int:
    """Write the tables. The exit code is 1 if a value or a line of a file can't be read."""
    if not given.to:
        given.parser.error("--to is empty; say where to write the tables")
    if given.stem and len(given.files) > 1:
        given.parser.error("--stem names the tables of a single file; leave it out for several files")
    if given.escape_formulas and "csv" not in (given.format or ()):
        given.parser.error("--escape-formulas changes CSV files only; add --format csv")
    output = location(given.to)
    found: list[dict[str, Any]] = []

    def write(name: str) -> int:
        with progress(name) as show:
            written = write_tables(
                open_source(name),
                output,
                formats=given.format or ["parquet"],
                stem=given.stem,
                partition_by=given.partition_by or (),
                on_problem=given.on_problem,
                escape_formulas=given.escape_formulas,
                progress=show,
            )
        if not given.json:
            _print(name, written, first=not found)
        found.append({"file": name, **written.to_dict()})
        errors = any(PROBLEM_KINDS[kind][0] == "error" for kind in written.problems)
        return 1 if errors or written.rejected_lines else 0

    code = for_each(given.files, write)
    if given.json:
        print_json(found)
    return code


def _print(name: str, written: WrittenTables, *, first: bool) -> None:
    print(f"{'' if first else chr(10)}{name}: {written.records:,} student records")
    rows = [(table, written.rows[table], uri) for table, formats in written.uris.items() for uri in formats.values()]
    if written.rejected_uri:
        rows.append(("rejected", written.rejected_lines, written.rejected_uri))
    print_table(("table", "rows", "file"), rows)
    if written.problems:
        print("problems: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(written.problems.items())))
    if written.unread_columns:
        print(f"{written.unread_columns} columns were not read; apscores summary names them.")

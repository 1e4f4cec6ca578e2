"""Merge the Parquet files of each table into one: one in each partition, or one in all.

A year of daily files is slow to query, since each file is opened by itself. Rows stay as they are; CSV and JSON Lines
files are not merged. A run that was interrupted loses nothing: run it again.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import timedelta

from airflow_provider_apscores.cli.arguments import FOLDER
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.cli.output import print_json
from airflow_provider_apscores.scorefile import OLDER_THAN, compact_tables

EXAMPLES = """\
  apscores compact /srv/ap-scores/tables
  apscores compact s3://conn_id@bucket/tables --older-than 30
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores compact``."""
    parser.add_argument("tables", metavar="TABLES", help=f"the folder that the parse tasks write to: {FOLDER}")
    parser.add_argument(
        "--older-than",
        type=_days,
        default=OLDER_THAN,
        metavar="DAYS",
        help="leave files of the last DAYS days as they are, since tasks of recent runs may still load them "
        f"(default: {OLDER_THAN.days})",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object: written, replaced")


def run(given: argparse.Namespace) -> int:
    """Merge the files, and print what was done."""
    done = compact_tables(location(given.tables), older_than=given.older_than)
    if given.json:
        print_json(asdict(done))
    else:
        print(f"Merged {len(done.replaced):,} files into {len(done.written):,}.")
    return 0


def _days(text: str) -> timedelta:
    """Read the argument of ``--older-than``.

    Raises:
        argparse.ArgumentTypeError: It is no number of days.
    """
    if not text.isdigit() or len(text) > 5:
        raise argparse.ArgumentTypeError(f"a number of days, such as 7, not {text!r}")
    return timedelta(days=int(text))

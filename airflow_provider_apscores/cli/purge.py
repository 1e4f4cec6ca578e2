"""Delete the score files that landed before a day, and the tables made of them. Manifests stay.

Without --delete, the command only prints what it would delete. New reports whose record is not noted are kept.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime

from airflow_provider_apscores.cli.arguments import FOLDER
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.cli.output import print_json
from airflow_provider_apscores.delivery import APScoresLedger

EXAMPLES = """\
  apscores purge /srv/ap-scores/files --before 2024-07-01 --tables /srv/ap-scores/tables
  apscores purge s3://conn_id@bucket/files --before 2024-07-01 --quarantine --delete
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores purge``."""
    parser.add_argument(
        "destination", metavar="DESTINATION", help=f"the folder that the download tasks write to: {FOLDER}"
    )
    parser.add_argument(
        "--before",
        type=_day,
        required=True,
        metavar="DAY",
        help="a day in UTC, as 2024-07-01; at the latest the beginning of the reporting year",
    )
    parser.add_argument("--tables", metavar="DIR", help="also delete the tables of these files from this folder")
    parser.add_argument("--quarantine", action="store_true", help="also delete files that were quarantined before DAY")
    parser.add_argument("--delete", action="store_true", help="delete; without it, only print")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object: dry_run, deliveries, deleted, rewritten, kept, sha256"
    )


def run(given: argparse.Namespace) -> int:
    """Delete, or print what would be deleted. The exit code is 1 if old deliveries are kept."""
    ledger = APScoresLedger(location(given.destination))
    ledger.check()
    done = ledger.purge(
        given.before,
        dry_run=not given.delete,
        tables=location(given.tables) if given.tables else None,
        quarantine=given.quarantine,
    )
    if given.json:
        print_json({"dry_run": not given.delete, **asdict(done)})
    else:
        verb = "Deleted" if given.delete else "Would delete"
        print(f"{verb} {len(done.deleted)} files of {len(done.deliveries)} deliveries.", *done.deleted, sep="\n  ")
        if done.rewritten:
            print(f"\n{verb} their rows in:", *done.rewritten, sep="\n  ")
        if done.kept:
            print("\nKept, since no record is noted; see apscores ledger:", *done.kept, sep="\n  ")
        if done.deleted and not given.delete:
            print("\nNothing was deleted. Add --delete to delete these files.")
    return 1 if done.kept else 0


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a day is written as 2024-07-01, not {text!r}") from None

"""Show the deliveries under a destination, and then the findings that need attention.

Findings are deliveries whose record is not noted, score files that are gone or changed, files without a manifest,
unfinished files, and files in quarantine. docs/explanation/delivery.md says what to do about each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from airflow_provider_apscores.cli.arguments import FOLDER, di_code
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.cli.output import Progress, print_json, print_table, progress
from airflow_provider_apscores.delivery import APScoresLedger, Delivery
from airflow_provider_apscores.errors import DeliveryDamaged

EXAMPLES = """\
  apscores ledger /srv/ap-scores/files
  apscores ledger s3://conn_id@bucket/files --di-code 4866
  apscores ledger /srv/ap-scores/files --check --json
"""

_MINUTE = "YYYY-MM-DD HH:mm"
_HEADER = ("campus", "landed (UTC)", "order", "records", "recorded (UTC)", "duplicate", "run", "file")
_TITLES = {
    "pending": "Landed, no record noted; perhaps recorded. Unless it is a pull, clear the unfinished tasks of the run",
    "damaged": "Gone or changed since they were landed",
    "orphans": "Without a manifest, left by interrupted tries. Delete them when no task is running",
    "unfinished": "Unfinished, left by interrupted tries or being written now. Delete them when no task is running",
    "quarantined": "In quarantine: neither published nor recorded",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores ledger``."""
    parser.add_argument(
        "destination", metavar="DESTINATION", help=f"the folder that the download tasks write to: {FOLDER}"
    )
    parser.add_argument("--di-code", type=di_code, metavar="CODE", help="one campus only")
    parser.add_argument(
        "--check",
        action="store_true",
        help="read every score file and compare it with its manifest, not only its length",
    )
    parser.add_argument("--json", action="store_true", help=f"print a JSON object: deliveries, {', '.join(_TITLES)}")


def run(given: argparse.Namespace) -> int:
    """Print the deliveries and the findings. The exit code is 1 if there are findings."""
    ledger = APScoresLedger(location(given.destination))
    ledger.check()
    snapshot = ledger.snapshot(given.di_code)
    deliveries = snapshot.deliveries
    with progress("score files") as show:
        damaged = [each.uri for each in (_damaged(deliveries, show) if given.check else snapshot.changed)]
    findings = {
        "pending": [each.manifest_uri for each in snapshot.pending],
        "damaged": damaged,
        "orphans": snapshot.orphans,
        "unfinished": snapshot.unfinished,
        "quarantined": snapshot.quarantined,
    }
    if given.json:
        shown = [asdict(each.manifest) | {"uri": each.uri, "manifest_uri": each.manifest_uri} for each in deliveries]
        print_json({"deliveries": shown, **findings})
    else:
        campus = f"of campus {given.di_code} " if given.di_code else ""
        _print(f"{campus}under {given.destination}", deliveries, findings)
    return 1 if any(findings.values()) else 0


def _damaged(deliveries: list[Delivery], show: Progress) -> Iterator[Delivery]:
    expected = [each for each in deliveries if not each.manifest.purged]
    size, done = sum(each.manifest.bytes for each in expected), 0
    for each in expected:
        try:
            each.check()
        except DeliveryDamaged:
            yield each
        done += each.manifest.bytes
        show(done, size)


def _print(place: str, deliveries: list[Delivery], findings: dict[str, list[str]]) -> None:
    if deliveries:
        print_table(_HEADER, [_row(each) for each in deliveries])
        count = sum(each.manifest.recorded for each in deliveries)
        noun = "delivery" if len(deliveries) == 1 else "deliveries"
        print(f"\n{len(deliveries)} {noun}, {count} of them recorded.")
    else:
        print(f"No deliveries {place}.")
    for kind, uris in findings.items():
        if uris:
            print(f"\n{_TITLES[kind]}:", *uris, sep="\n  ")


def _row(delivery: Delivery) -> tuple[str | int | None, ...]:
    manifest = delivery.manifest
    return (
        manifest.di_code,
        manifest.landed_time.format(_MINUTE),
        f"{manifest.download_type} {manifest.file_format}",
        manifest.records,
        manifest.recorded_time.format(_MINUTE) if manifest.recorded_time else None,
        "yes" if manifest.duplicate_of else None,
        manifest.run_id,
        f"purged {manifest.purged_at or ''}".strip() if manifest.purged else delivery.uri,
    )

"""The ledger on the command line: ``python -m airflow_provider_apscores.delivery DESTINATION``.

Prints the deliveries under a destination, and then the findings that need attention: deliveries without a noted
record, files that are gone or changed (``--check``), files without a manifest, unfinished files, files in quarantine.

Exits 0 if there are no findings, 1 if there are, and 2 if the destination or a manifest can't be read or nothing can
be printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from airflow_provider_apscores.delivery.ledger import APScoresLedger
from airflow_provider_apscores.delivery.manifest import Delivery
from airflow_provider_apscores.errors import APScoresError, DeliveryDamaged
from airflow_provider_apscores.hooks.paths import command_path

_MINUTE = "YYYY-MM-DD HH:mm"
_HEADER = ("campus", "landed (UTC)", "order", "records", "recorded (UTC)", "duplicate", "run", "file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_apscores.delivery",
        description="Show the deliveries under a destination, and then the findings that need attention.",
        epilog="Exits 0 if there are no findings, 1 if there are, 2 if something can't be read.",
    )
    parser.add_argument(
        "destination", help="the folder or URI that the download tasks write to, as s3://conn_id@bucket/ap too"
    )
    parser.add_argument("--di-code", metavar="CODE", help="one campus only")
    parser.add_argument("--check", action="store_true", help="read every score file and compare it with its manifest")
    parser.add_argument(
        "--json", action="store_true", help="print JSON: deliveries, pending, damaged, orphans, unfinished, quarantined"
    )
    given = parser.parse_args(arguments)
    try:
        ledger = APScoresLedger(command_path(given.destination))
        ledger.check()
        deliveries = list(ledger.deliveries(given.di_code))
        findings = {
            "pending": [each.manifest_uri for each in ledger.pending(given.di_code)],
            "damaged": [each.uri for each in deliveries if given.check and _is_damaged(each)],
            "orphans": ledger.orphans(given.di_code),
            "unfinished": ledger.unfinished(given.di_code),
            "quarantined": ledger.quarantined(given.di_code),
        }
    except APScoresError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        shown = [asdict(each.manifest) | {"uri": each.uri, "manifest_uri": each.manifest_uri} for each in deliveries]
        print(json.dumps({"deliveries": shown, **findings}, indent=2))
    else:
        campus = f"of campus {given.di_code} " if given.di_code else ""
        _show(f"{campus}under {given.destination}", deliveries, findings)
    return 1 if any(findings.values()) else 0


def _is_damaged(delivery: Delivery) -> bool:
    if delivery.manifest.purged:
        return False
    try:
        delivery.check()
    except DeliveryDamaged:
        return True
    return False


_TITLES = {
    "pending": "Landed, no record noted; perhaps recorded. Clear the unfinished tasks of the run",
    "damaged": "Gone or changed since they were landed",
    "orphans": "Without a manifest, left by interrupted tries. Delete them when no task is running",
    "unfinished": "Unfinished, left by interrupted tries or being written now. Delete them when no task is running",
    "quarantined": "In quarantine: neither published nor recorded",
}


def _show(place: str, deliveries: list[Delivery], findings: dict[str, list[str]]) -> None:
    if deliveries:
        _show_table(deliveries)
    else:
        print(f"No deliveries {place}.")
    for kind, uris in findings.items():
        if uris:
            print(f"\n{_TITLES[kind]}:")
            _list(uris)


def _show_table(deliveries: list[Delivery]) -> None:
    rows = [_HEADER, *(_row(each) for each in deliveries)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    count = sum(each.manifest.recorded for each in deliveries)
    noun = "delivery" if len(deliveries) == 1 else "deliveries"
    print(f"\n{len(deliveries)} {noun}, {count} of them recorded.")


def _list(uris: Iterable[str]) -> None:
    for uri in uris:
        print(f"  {uri}")


def _row(delivery: Delivery) -> tuple[str, ...]:
    manifest = delivery.manifest
    return (
        manifest.di_code,
        manifest.landed_time.format(_MINUTE),
        f"{manifest.download_type} {manifest.file_format}",
        str(manifest.records),
        manifest.recorded_time.format(_MINUTE) if manifest.recorded_time else "-",
        "yes" if manifest.duplicate_of else "-",
        manifest.run_id,
        f"purged {delivery.manifest.purged_at or ''}".strip() if delivery.manifest.purged else delivery.uri,
    )


if __name__ == "__main__":
    try:
        status = main()
        if sys.stdout:  # none where it was closed
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has ended
        os._exit(2)
    except OSError as error:
        print(f"Can't write to standard output: {error.strerror}.", file=sys.stderr)
        os._exit(2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        os._exit(130)
    sys.exit(status)

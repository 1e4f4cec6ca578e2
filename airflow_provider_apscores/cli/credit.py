"""Say what each current exam score is worth under a credit policy. The output of the command contains no names."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.cli.arguments import FOLDER, di_code
from airflow_provider_apscores.cli.connection import location, log_lines
from airflow_provider_apscores.cli.output import print_json, print_table
from airflow_provider_apscores.scorefile import FORMATS, STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_apscores.scores.credit import CreditComparison

EXAMPLES = """\
  apscores credit --check policy.csv
  apscores credit scores.txt --policy policy.csv
  apscores credit /srv/ap/tables --policy policy.csv --output /srv/ap/credit --format csv
  apscores credit scores.txt --policy policy.csv --compare next_year.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores credit``."""
    parser.add_argument(
        "scores",
        nargs="*",
        metavar="SCORES",
        help="score files (TXT or CSV), a folder of parsed tables, or a folder of the current state",
    )
    parser.add_argument("--policy", metavar="FILE", help="the credit policy, a CSV")
    parser.add_argument("--check", metavar="FILE", help="check a policy and list its defects; reads no scores")
    parser.add_argument("--compare", metavar="FILE", help="another policy: count what it would change")
    parser.add_argument("--output", metavar="DIR", help=f"write credit.<format> into this folder; {FOLDER}")
    parser.add_argument(
        "--format", action="append", choices=FORMATS, help="format of --output, may be repeated (parquet)"
    )
    parser.add_argument("--entry-dates", metavar="FILE", help="a CSV with the columns ap_id and entry_date")
    parser.add_argument("--crosswalk", metavar="FILE", help="a CSV with the columns ap_id and person_id")
    parser.add_argument("--di-code", type=di_code, metavar="CODE", help="one campus only")
    parser.add_argument(
        "--accept", action="append", choices=STATUSES, help="a status that may earn credit, may be repeated (reported)"
    )
    parser.add_argument("--as-of", type=_day, metavar="YYYY-MM-DD", help="a day to write into each row of --output")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a day such as 2026-08-24: {text!r}") from None


def run(given: argparse.Namespace) -> int:
    """Check a policy, or apply it. The exit code is 1 if the policy has defects, or scores could not be read."""
    if given.check:
        if given.scores or given.policy:
            given.parser.error("--check reads one policy and no scores")
        return _check(given)
    if not given.scores or not given.policy:
        given.parser.error("give SCORES and --policy FILE, or --check FILE")
    if given.format and not given.output:
        given.parser.error("--format is about the files of --output; say where to write them")
    return _apply(given)


def _check(given: argparse.Namespace) -> int:
    from airflow_provider_apscores.scores.credit import check_policy

    checked = check_policy(location(given.check))
    if given.json:
        print_json(
            {
                "rules": len(checked.policy.rules) if checked.policy else None,
                "policy_sha256": checked.policy.sha256 if checked.policy else None,
                "defects": [_finding(each) for each in checked.defects],
                "warnings": [_finding(each) for each in checked.warnings],
            }
        )
    else:
        for kind, findings in (("defect", checked.defects), ("warning", checked.warnings)):
            for each in findings:
                print(f"{kind}: {each}")
        if checked.policy:
            print(f"{len(checked.policy.rules)} rules, no defects. SHA-256 of the rules: {checked.policy.sha256}")
        else:
            count = f"{len(checked.defects)} defect{'' if len(checked.defects) == 1 else 's'}"
            print(f"{count}. Correct the file, and check again.")
    return 0 if checked.policy else 1


def _finding(each: Any) -> dict[str, Any]:
    return {"line": each.line, "column": each.column, "text": each.text}


def _apply(given: argparse.Namespace) -> int:
    from airflow_provider_apscores.scores import read_crosswalk
    from airflow_provider_apscores.scores.credit import (
        award_credit,
        compare_credit,
        count_dated,
        read_current_scores,
        read_entry_dates,
        write_credit,
    )

    # Policies first: a defect is found before the scores are read.
    policies = [_readable(file) for file in (given.policy, given.compare) if file]
    crosswalk = read_crosswalk(location(given.crosswalk)) if given.crosswalk else None
    dates = read_entry_dates(location(given.entry_dates)) if given.entry_dates else None
    with log_lines() as log:
        sources = [location(each) for each in given.scores]
        scores = read_current_scores(sources, crosswalk=crosswalk, di_code=given.di_code)
    credit, *other = (
        award_credit(scores, each, entry_dates=dates, accept=given.accept or ("reported",), as_of=given.as_of)
        for each in policies
    )
    comparison = compare_credit(credit, other[0]) if other else None
    uris = {}
    if given.output:
        formats = given.format or "parquet"
        uris = write_credit(credit, location(given.output), formats=formats, comparison=comparison)
    _show(given, credit, comparison, uris)
    if dates is not None:
        dated, students = count_dated(scores, dates)
        print(f"{dated:,} of {students:,} AP IDs have an entry date in {given.entry_dates}.", file=sys.stderr)
    return 1 if log.warnings else 0


def _readable(file: str) -> Any:
    from airflow_provider_apscores.scores.credit import check_policy

    checked = check_policy(location(file))
    for warning in checked.warnings:
        print(f"{file}, warning: {warning}", file=sys.stderr)
    return checked.without_defects()


def _show(
    given: argparse.Namespace, credit: pa.Table, comparison: CreditComparison | None, uris: dict[str, str]
) -> None:
    from airflow_provider_apscores.scores.credit import credit_counts, total_credits

    counts = credit_counts(credit)
    if given.json:
        shown = {"rows": credit.num_rows, "decisions": counts, "credits": total_credits(credit), "uris": uris}
        print_json(shown | ({"comparison": comparison.to_dict()} if comparison else {}))
        return
    print_table(("decision", "scores"), list(counts.items()))
    print(f"\n{_number(total_credits(credit))} credits for {credit.num_rows:,} scores")
    for uri in uris.values():
        print(uri)
    if comparison:
        print(f"\n{given.compare} changes {comparison.changed:,} scores of {comparison.people:,} students;")
        print(f"credits go from {_number(comparison.credits_before)} to {_number(comparison.credits_after)}")
    if comparison and comparison.changes:
        print()
        print_table(
            ("exam", "now", f"with {given.compare}", "scores"),
            [(each.exam_code, each.before, each.after, each.rows) for each in comparison.changes],
        )


def _number(credits: float) -> str:
    return f"{credits:,.3f}".rstrip("0").rstrip(".")

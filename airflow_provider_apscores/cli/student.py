"""Write a report about students for print, one page for each. It is personal data; only its owner can read the file."""

from __future__ import annotations

import argparse

from airflow_provider_apscores.cli.arguments import FOLDER
from airflow_provider_apscores.cli.connection import location, log_lines

EXAMPLES = """\
  apscores student scores.txt --ap-id 12345678 --html student.html
  apscores student /srv/ap/tables --ap-id 12345678 --ap-id 87654321 --html students.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores student``."""
    add_sources(parser)
    parser.add_argument("--ap-id", action="append", required=True, metavar="ID", help="the AP ID; may be repeated")
    parser.add_argument("--html", required=True, metavar="OUT", help="the file to write")
    parser.add_argument("--crosswalk", metavar="FILE", help="a CSV with the columns ap_id and person_id")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``sources``: score files and folders of tables."""
    parser.add_argument(
        "sources", nargs="+", metavar="FILE", help=f"score file (TXT or CSV), or a folder of parsed tables: {FOLDER}"
    )


def run(given: argparse.Namespace) -> int:
    """Write the report. Nothing about the students is printed. The exit code is 1 if scores could not be read."""
    from airflow_provider_apscores.scores import read_crosswalk, student_report
    from airflow_provider_apscores.storage import locate

    crosswalk = read_crosswalk(location(given.crosswalk)) if given.crosswalk else None
    sources = [location(each) for each in given.sources]
    with log_lines() as log:
        page = student_report(sources, given.ap_id, crosswalk=crosswalk)
    place, name = locate(location(given.html))
    place.write(name, page.encode())
    print(f"Wrote {given.html}. It holds personal data; it is no official College Board score report.")
    return 1 if log.warnings else 0

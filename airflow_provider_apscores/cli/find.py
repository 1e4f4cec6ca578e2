"""Find students by name. The result is personal data: it is shown on a terminal, never written to a file or pipe."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_apscores.cli.connection import location, log_lines
from airflow_provider_apscores.cli.output import is_terminal, print_table
from airflow_provider_apscores.cli.student import add_sources
from airflow_provider_apscores.errors import ConfigurationError

EXAMPLES = """\
  apscores find scores.txt --name "garcia maria"
  apscores find /srv/ap/tables --name "o'brien"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores find``."""
    add_sources(parser)
    parser.add_argument(
        "--name",
        required=True,
        help="beginnings of the last and first name, in any order; case and accents do not count",
    )


def run(given: argparse.Namespace) -> int:
    """Show who was found. The exit code is 1 if there is no such student, or records could not be read."""
    from airflow_provider_apscores.scores import find_students

    if not is_terminal(sys.stdout):
        raise ConfigurationError(
            "The result is personal data. Run this command on a terminal, without a pipe or a file."
        )
    with log_lines() as log:
        found = find_students([location(each) for each in given.sources], given.name)
    rows = [(each.ap_id, each.name, each.birth_date, each.di_code, each.report_date, each.exams) for each in found]
    if rows:
        print_table(("AP ID", "name", "birth date", "campus", "latest report", "exams"), rows)
    print(f"{len(found)} found.")
    return 1 if log.warnings or not found else 0

"""Print the SQL for collected scores: tables, indexes and the views of the current state.

With --load, print the statements that load one file from staging tables instead. docs/how-to/database.md shows how to
use both; the load operator does all of it.
"""

from __future__ import annotations

import argparse

from airflow_provider_apscores.scores import DIALECTS, sql_for

EXAMPLES = """\
  apscores sql postgres --schema registrar | psql
  apscores sql snowflake > tables.sql
  apscores sql bigquery --schema registrar --load
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores sql``."""
    parser.add_argument("dialect", choices=DIALECTS, metavar="DIALECT", help=f"one of {', '.join(DIALECTS)}")
    parser.add_argument("--schema", help="schema (BigQuery: dataset) of the tables (default: the connection's own)")
    parser.add_argument("--prefix", default="ap_", help="beginning of the names of tables and views (default: ap_)")
    parser.add_argument("--load", action="store_true", help="the load of one file, to be run in one transaction")


def run(given: argparse.Namespace) -> int:
    """Print the statements."""
    print(sql_for(given.dialect, schema=given.schema, prefix=given.prefix).script(load=given.load).rstrip())
    return 0

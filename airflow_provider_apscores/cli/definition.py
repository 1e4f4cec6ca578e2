"""``airflow apscores``: the same command as a command of Airflow, on Airflow 3.2 and later.

Airflow imports this module whenever one of its commands runs, so it imports nothing else of Airflow.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_provider_apscores.cli import COMMANDS, EXIT_CODES


def get_apscores_cli_commands() -> list[Any]:
    """Return the command for Airflow's parser. It passes the arguments on: ``apscores`` has its own parser."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {line}" for name, line in COMMANDS.items())
    return [
        ActionCommand(
            name="apscores",
            help="Work with the College Board's AP score reports",
            description="Work with the College Board's AP Higher Education score reports.",
            epilog=f"commands:\n{lines}\n\n`airflow apscores COMMAND --help` lists its options.\n\n{EXIT_CODES}",
            func=run,
            args=[
                Arg(
                    ("arguments",),
                    nargs=argparse.PARSER,
                    choices=[*COMMANDS],
                    metavar="COMMAND",
                    help="a command and its arguments",
                )
            ],
        )
    ]


def run(given: argparse.Namespace) -> None:
    """Run ``apscores`` with the arguments that Airflow's parser passes on, and exit as it does."""
    from airflow_provider_apscores.cli import main

    sys.exit(main(given.arguments, prog="airflow apscores"))

"""Arguments of several commands: score files, folders, campuses."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.errors import ConfigurationError

#: An address of a folder, in ``--help``.
FOLDER = "a path or URI; s3://conn_id@bucket/ap uses that Airflow connection"


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``files``: one or more score files."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="score file (TXT or CSV, gzip or not): a path or URI, which may name an Airflow connection as in "
        "s3://conn_id@bucket/scores.txt; - is standard input",
    )


def di_code(text: str) -> str:
    """Read the argument of ``--di-code``.

    Raises:
        argparse.ArgumentTypeError: It is no DI code.
    """
    if not re.fullmatch(r"[0-9]{4}", text):
        raise argparse.ArgumentTypeError(f"a DI code has four digits, not {text!r}")
    return text


def open_source(name: str) -> Any:
    """Return what ``read_score_file`` and ``write_tables`` read for the argument *name*.

    Raises:
        ConfigurationError: There is no standard input, or the address can't be used.
    """
    if name != "-":
        return location(name)
    if sys.stdin is None:
        raise ConfigurationError("There is no standard input.")
    return sys.stdin.buffer

"""Airflow connections in a command: found in the environment, in a secrets backend, or in Airflow's database."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.assets import DEFAULT_CONNECTION
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.paths import names_connection, storage_path

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.apscores import APScoresHook


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``--conn-id``."""
    parser.add_argument(
        "--conn-id",
        default=DEFAULT_CONNECTION,
        metavar="ID",
        help="the Airflow connection; the environment variable AIRFLOW_CONN_<ID> counts first "
        f"(default: {DEFAULT_CONNECTION})",
    )


def hook_for(conn_id: str) -> APScoresHook:
    """Return the hook of a connection. It is looked up when the hook is used."""
    use_airflow()
    from airflow_provider_apscores.hooks.apscores import APScoresHook

    return APScoresHook(conn_id)


def location(address: str) -> Any:
    """Return the address of a file or folder, or its ``ObjectStoragePath`` if it names an Airflow connection.

    Other addresses need no Airflow.

    Raises:
        ConfigurationError: See :func:`use_airflow` and :func:`~airflow_provider_apscores.hooks.paths.storage_path`.
    """
    if not names_connection(address):
        return address
    use_airflow()
    return storage_path(address)


def use_airflow() -> None:
    """Import Airflow for a command: it finds connections as Airflow's own commands do, and prints nothing.

    Raises:
        ConfigurationError: The command runs in a task of Airflow 3, where Airflow's database is blocked.
    """
    if os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "").startswith("airflow-db-not-allowed"):
        raise ConfigurationError(
            "In a task of Airflow 3, such as a BashOperator, no command can look up connections. "
            "Use an operator, or the Python API in a @task."
        )
    # Airflow 3 looks into its database only in a process that calls itself a server; `airflow connections` does so.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    import airflow  # noqa: F401 - sets up logging and warnings

    warnings.simplefilter("ignore")
    # Airflow's handlers print to standard output, where the results of a command are.
    logging.getLogger().handlers = [logging.NullHandler()]


@contextmanager
def log_lines() -> Iterator[LogLines]:
    """Print this package's log lines to standard error while the block runs: they say what a delivery does now."""
    log = logging.getLogger("airflow_provider_apscores")
    handler, level = LogLines(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class LogLines(logging.Handler):
    """Prints log lines to standard error.

    Attributes:
        warnings: How many of them were warnings or worse.
    """

    warnings = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        self.warnings += record.levelno >= logging.WARNING
        # sys.stderr is looked up for each line: a progress bar replaces it while it is shown.
        print(self.format(record), file=sys.stderr)

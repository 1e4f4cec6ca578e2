"""Log in with a connection, list its campuses, and say what is wrong and what to do.

With --new, also ask for each campus whether it has new reports. That orders a file as a sensor does; it is not
downloaded and not recorded.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.assets import DEFAULT_CONNECTION
from airflow_provider_apscores.cli.connection import hook_for
from airflow_provider_apscores.cli.output import for_each, print_json, print_table
from airflow_provider_apscores.errors import APScoresError

if TYPE_CHECKING:
    from airflow_provider_apscores.webservice import Client

EXAMPLES = """\
  apscores check
  apscores check apscores_north apscores_south --new
  AIRFLOW_CONN_TRIAL="$(cat connection.json)" apscores check trial --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores check``."""
    parser.add_argument(
        "conn_ids",
        nargs="*",
        default=[DEFAULT_CONNECTION],
        metavar="CONN_ID",
        help="an Airflow connection; the environment variable AIRFLOW_CONN_<CONN_ID> counts first "
        f"(default: {DEFAULT_CONNECTION})",
    )
    parser.add_argument("--new", action="store_true", help="ask whether each campus has new reports")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each connection")


def run(given: argparse.Namespace) -> int:
    """Check the connections. The exit code is 1 if one names no campus, and 2 if one or its campus can't be used."""
    from airflow_provider_apscores.webservice import PRODUCTION_URL

    found: list[dict[str, Any]] = []

    def check(conn_id: str) -> int:
        result: dict[str, Any] = {"conn_id": conn_id, "base_url": None, "error": None, "campuses": []}
        found.append(result)
        try:
            hook = hook_for(conn_id)
            settings = hook.settings()
            result["base_url"] = settings.base_url or PRODUCTION_URL
            with hook.get_conn(settings) as client:
                client.log_in()
                result["campuses"] = [_campus(client, code, new=given.new) for code in settings.di_codes]
        except APScoresError as error:
            result["error"] = f"{type(error).__name__}: {error}"
            raise
        if not given.json:
            _print(result, new=given.new)
        if any(each["error"] for each in result["campuses"]):
            return 2
        return 0 if result["campuses"] else 1

    code = for_each(given.conn_ids, check)
    if given.json:
        print_json(found)
    return code


def _campus(client: Client, di_code: str, *, new: bool) -> dict[str, Any]:
    campus: dict[str, Any] = {"di_code": di_code, "new_reports": None, "error": None}
    if new:
        try:
            campus["new_reports"] = client.order(di_code) is not None
        except APScoresError as error:
            campus["error"] = f"{type(error).__name__}: {error}"
    return campus


def _print(result: dict[str, Any], *, new: bool) -> None:
    print(f"{result['conn_id']}: logged in to {result['base_url']}.")
    if not result["campuses"]:
        print("The connection names no campus: write the DI codes of the account into its field DI codes.")
    elif new:
        texts = {True: "new reports", False: "nothing new", None: ""}
        rows = [(each["di_code"], each["error"] or texts[each["new_reports"]]) for each in result["campuses"]]
        print_table(("campus", "answer"), rows)
    else:
        print(f"Campuses: {', '.join(each['di_code'] for each in result['campuses'])}")

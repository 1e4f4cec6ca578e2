"""Order the score files of campuses, check them, and store each with its manifest, as the download operator does.

Without --record, College Board sends the same reports as new again. With --record it does not: record only what is
stored safely, or leave that to your DAG.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.cli.arguments import FOLDER, di_code
from airflow_provider_apscores.cli.connection import add_connection, hook_for, location, log_lines
from airflow_provider_apscores.cli.output import Progress, for_each, print_json, print_table, progress
from airflow_provider_apscores.delivery import Delivery, Incoming, Landing, Run, utc_now
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage import folder

if TYPE_CHECKING:
    from airflow_provider_apscores.webservice import Client

EXAMPLES = """\
  apscores pull files
  apscores pull s3://conn_id@bucket/files --di-code 4866 --di-code 0417 --record
  apscores pull files --type full --format CSV --conn-id apscores_north
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores pull``."""
    parser.add_argument("destination", metavar="DESTINATION", help=f"where to store the files: {FOLDER}")
    parser.add_argument(
        "--di-code",
        type=di_code,
        action="append",
        metavar="CODE",
        help="a campus; may be repeated (default: the campuses of the connection)",
    )
    parser.add_argument(
        "--type",
        choices=("new", "full"),
        default="new",
        help="new: the reports since the last recorded download; full: the whole reporting year (default: new)",
    )
    parser.add_argument("--format", choices=("TXT", "CSV"), default="TXT", help="format of the files (default: TXT)")
    parser.add_argument("--record", action="store_true", help="record each file once it is stored")
    add_connection(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each campus")


def run(given: argparse.Namespace) -> int:
    """Pull the campuses. The exit code is 2 if one could not be pulled; the others are still stored."""
    hook = hook_for(given.conn_id)
    settings = hook.settings()
    campuses = given.di_code or list(settings.di_codes)
    if not campuses:
        raise ConfigurationError(
            f"Connection {given.conn_id!r} names no campus. Give --di-code, or write the DI codes into its field."
        )
    destination = folder(location(given.destination))
    pulled: list[Delivery] = []
    nothing_new: list[str] = []
    run_id = f"pull-{utc_now()[:19]}Z"

    with log_lines(), hook.get_conn(settings) as client:
        client.log_in()  # once, before the campuses: each refused login counts against the account

        def pull(code: str) -> int:
            landing = Landing(
                destination,
                di_code=code,
                file_format=given.format,
                download_type=given.type,
                run=Run("apscores", "pull", run_id),
            )
            delivery = _land(client, landing)
            if delivery is None:
                nothing_new.append(code)
            else:
                pulled.append(_record(client, delivery) if given.record else delivery)
            return 0

        code = for_each(campuses, pull)
    if given.json:
        print_json([each.reference() for each in pulled] + [{"di_code": each, "uri": None} for each in nothing_new])
    else:
        _print(pulled, nothing_new)
    return code


def _land(client: Client, landing: Landing) -> Delivery | None:
    landing.check_writable()
    generated = client.order(landing.di_code, file_format=landing.file_format, download_type=landing.download_type)
    if generated is None:
        return None
    with landing.begin() as incoming, progress(f"campus {landing.di_code}") as show:
        transfer = client.download(generated, _Shown(incoming, show))
        return incoming.publish(
            download_id=transfer.generated.download_id,
            file_name=transfer.generated.file_name,
            size=transfer.bytes,
            sha256=transfer.sha256,
        )


def _record(client: Client, delivery: Delivery) -> Delivery:
    from airflow_provider_apscores.operators.records_downloads import RecordsDownloads

    return RecordsDownloads().record_delivery(client, delivery)


class _Shown:
    """A sink that shows how many bytes have come. Their total is not known before the end."""

    def __init__(self, sink: Incoming, show: Progress) -> None:
        self._sink = sink
        self._show = show
        self._received = 0

    def write(self, data: bytes, /) -> int:
        self._received += self._sink.write(data)
        self._show(self._received, 0)
        return len(data)

    def restart(self) -> None:
        self._received = 0
        self._sink.restart()


def _print(pulled: list[Delivery], nothing_new: list[str]) -> None:
    if pulled:
        rows: list[tuple[Any, ...]] = [
            (
                each.manifest.di_code,
                each.manifest.records,
                each.manifest.bytes,
                "yes" if each.manifest.recorded else "no",
                each.uri,
            )
            for each in pulled
        ]
        print_table(("campus", "records", "bytes", "recorded", "file"), rows)
    if nothing_new:
        print(f"Nothing new: {', '.join(nothing_new)}")

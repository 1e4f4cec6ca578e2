"""Run a sandbox of the College Board web service on localhost, with invented students, until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import logging
import shlex
import signal
import sys
import threading
from random import Random

from airflow_provider_apscores.sandbox import (
    CALLS,
    DEFAULT_CAMPUSES,
    DEFAULT_EMAIL,
    DEFAULT_PASSWORD,
    DEFAULT_SEED,
    FAULTS,
    REFUSALS,
    Campus,
    PlannedFault,
    Sandbox,
)

EXAMPLES = """\
  apscores sandbox
  apscores sandbox --campus "0901:Saltmarsh University:12" --state state.json
  apscores sandbox --port 0 --fault order:504:2 --add-every 60
"""

DEFAULT_PORT = 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apscores sandbox``."""
    parser.epilog = f"faults:\n{_faults_help()}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="an IPv4 loopback address (default: 127.0.0.1)")
    add("--port", type=int, default=DEFAULT_PORT, help=f"0 for any free port (default: {DEFAULT_PORT})")
    add("--seed", type=int, default=DEFAULT_SEED, help="the same seed gives the same students")
    add(
        "--campus",
        type=_campus,
        action="append",
        metavar="CODE:NAME:COUNT",
        help="a campus and its number of new reports; repeatable (default: four campuses)",
    )
    add("--students", type=_count, metavar="COUNT", help="this many new reports for each campus that has any")
    add("--email", default=DEFAULT_EMAIL)
    add("--password", default=DEFAULT_PASSWORD)
    add("--state", metavar="FILE", help="keep the state in this file, and continue from it")
    add(
        "--url-lifetime",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="lifetime of download addresses (default: 300)",
    )
    add("--token-lifetime", type=float, default=3600.0, metavar="SECONDS", help="lifetime of tokens (default: 3600)")
    add("--generation-seconds", type=float, default=0.0, metavar="SECONDS", help="how long it takes to generate a file")
    add(
        "--gateway-seconds",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long an order waits before it gets a 504",
    )
    add("--text-ids", action="store_true", help="download ids as strings instead of numbers")
    add("--add-every", type=_seconds, metavar="SECONDS", help="issue a few reports to a random campus at this interval")
    add("--fault", type=_fault, action="append", default=[], metavar="CALL:FAULT[:TIMES]", help="see below")
    add("--chaos-seed", type=int, metavar="SEED", help="inject random faults; the same seed gives the same faults")
    add("--chaos-rate", type=_share, default=0.3, metavar="SHARE", help="share of the calls that fail (default: 0.3)")


def run(given: argparse.Namespace) -> int:
    """Run the sandbox until it is stopped by a signal."""
    campuses = given.campus or DEFAULT_CAMPUSES
    if given.students is not None:
        # A campus without reports stays without reports.
        campuses = [Campus(campus.di_code, campus.name, given.students if campus.reports else 0) for campus in campuses]
    try:
        sandbox = Sandbox(
            seed=given.seed,
            campuses=campuses,
            email=given.email,
            password=given.password,
            host=given.host,
            port=given.port,
            state=given.state,
            url_lifetime=given.url_lifetime,
            token_lifetime=given.token_lifetime,
            generation_seconds=given.generation_seconds,
            gateway_seconds=given.gateway_seconds,
            text_ids=given.text_ids,
        )
    except (OSError, ValueError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        given.parser.error(
            f"port {given.port} is in use; choose another with --port, or --port 0 for any free port"
            if taken
            else str(error)
        )
    for planned in given.fault:
        sandbox.faults.add(planned)
    if given.chaos_seed is not None:
        sandbox.chaos(given.chaos_seed, given.chaos_rate)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", level=logging.INFO, stream=sys.stdout)
    with sandbox:
        print(welcome(sandbox), flush=True)
        _wait(sandbox, stop, given.add_every, Random(given.seed))  # noqa: S311 - not a secret
    print("Stopped.", flush=True)
    return 0


def welcome(sandbox: Sandbox) -> str:
    """Return what is printed at the start: addresses, account, campuses, and the Airflow connection."""
    lines = [
        f"Sandbox listening on {sandbox.origin}. Every student in it is invented.",
        "",
        f"  base URL  {sandbox.base_url}",
        f"  e-mail    {sandbox.email}",
        f"  password  {sandbox.password}",
        f"  control   {sandbox.origin}/_sandbox",
        "",
        "  campus  new reports  college",
    ]
    for campus in sandbox.ledger.campuses:
        waiting = sandbox.ledger.waiting(campus.di_code, sandbox.email)
        lines.append(f"  {campus.di_code}    {waiting:>11}  {campus.name}")
    if sandbox.faults.planned:
        lines += ["", f"  faults    {', '.join(sandbox.faults.planned)}"]
    lines += ["", "For Airflow:", "", f"export AIRFLOW_CONN_APSCORES_DEFAULT={shlex.quote(sandbox.airflow_connection)}"]
    return "\n".join([*lines, "", "Each call is logged below. Stop with Ctrl-C."])


def _wait(sandbox: Sandbox, stop: threading.Event, add_every: float | None, random: Random) -> None:
    """Wait for the stop; every *add_every* seconds, issue reports to a random campus."""
    while not stop.wait(add_every):
        di_code = random.choice(sandbox.di_codes)
        reports = sandbox.add_reports(di_code, random.randint(1, 3))
        print(f"{len(reports)} new reports for campus {di_code}", flush=True)


def _faults_help() -> str:
    lines = [
        "  write a fault as CALL[@CAMPUS][+PASSED]:FAULT[=ARGUMENT][:TIMES], for example order:504:2,",
        "  download:truncate, order@9120:refuse=mfa:*. A call is "
        + ", ".join(CALLS)
        + " or any; a number is a status.",
        "",
    ]
    for name, kind in FAULTS.items():
        default = f"={kind.default}" if kind.default else ""
        lines.append(f"  {name + default:<28} {kind.summary}")
    return "\n".join([*lines, "", "  refusals: " + ", ".join(REFUSALS)])


def _campus(text: str) -> Campus:
    code, _, rest = text.partition(":")
    name, _, count = rest.rpartition(":")
    if not name or not count.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} does not have the form CODE:NAME:COUNT")
    try:
        return Campus(code, name, int(count))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fault(text: str) -> PlannedFault:
    try:
        return PlannedFault.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a number of reports")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return share

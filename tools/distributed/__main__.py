"""``python tools/distributed``: eight scenarios on Celery, Redis, PostgreSQL and S3, and what each of them lost.

All servers come from PyPI, in an environment of its own below ``.distributed/``. The machines are processes with their
own home and temporary folder; the S3 server is the only storage that they share. The command prints a table in
Markdown, and exits 1 if a scenario lost a report or did not end.

The College Board is the sandbox. ``--service second`` runs the scenarios on an implementation of the web service that
shares no code of the protocol with it, second_service.py. ``--service URL`` takes any other, if it has the sandbox's
control address (docs/how-to/sandbox.md), from which the faults and the counts come.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".distributed"
VENV = FOLDER / "venv"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tools/distributed", description=__doc__.split("\n\n")[0])
    parser.add_argument("scenario", nargs="*", help="scenarios to run; all of them by default")
    parser.add_argument(
        "--service", metavar="SERVICE", default="sandbox",
        help="sandbox, second, or the base URL of another implementation of the web service",
    )  # fmt: skip
    parser.add_argument("--email", help="account of the service at a URL")
    parser.add_argument("--password", help="its password")
    parser.add_argument("--python", help="run in this Python, which has everything, instead of an own environment")
    given = parser.parse_args()
    if not (given.python or os.environ.get("APSCORES_DISTRIBUTED")):
        install()
    if not os.environ.get("APSCORES_DISTRIBUTED"):
        python = given.python or str(VENV / "bin" / "python")
        env = os.environ | {"APSCORES_DISTRIBUTED": "1", "PYTHONPATH": str(PROJECT)}
        return subprocess.run([python, *sys.argv], env=env, check=False).returncode

    from scenarios import run_all

    return run_all(given.scenario, FOLDER / "run", given.service, given.email, given.password)


def install() -> None:
    if (VENV / ".ready").exists():
        return
    print(f"Installing into {VENV} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    constraints = ["--constraint", str(PROJECT / "constraints" / "airflow-3.3.txt")]
    requirements = ["--requirement", str(Path(__file__).with_name("requirements.txt"))]
    subprocess.run([*pip, *constraints, *requirements, "--editable", str(PROJECT)], check=True)
    (VENV / ".ready").touch()


if __name__ == "__main__":
    sys.exit(main())

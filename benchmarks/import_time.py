"""What importing a provider adds to a DAG file: ``make bench``.

Each measurement is a fresh Python that first imports what every DAG file has anyway (Airflow's SDK and the names of
common-compat) and then, timed, every operator, sensor and hook of one provider. The median of several is shown.
Peers are measured where they are installed, which they are not by default: install for instance
``apache-airflow-providers-http apache-airflow-providers-sftp`` into the environment to see them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile

from airflow_provider_apscores.get_provider_info import get_provider_info

TARGET_MS = 5.0

FLOOR = """
from airflow.providers.common.compat.sdk import (
    DAG, AirflowException, AirflowFailException, AirflowSkipException, BaseHook, BaseOperator, BaseOperatorLink,
    BaseSensorOperator, Context, ObjectStoragePath, PokeReturnValue, TaskDeferred, conf, mask_secret, task, timezone)
"""

MEASURE = """
import importlib, sys, time
before, started = len(sys.modules), time.perf_counter()
for name in {modules!r}:
    importlib.import_module(name)
print((time.perf_counter() - started) * 1000, len(sys.modules) - before)
"""


def own_modules() -> list[str]:
    info = get_provider_info()
    return [
        module
        for kind in ("operators", "sensors", "hooks")
        for group in info.get(kind, [])
        for module in group["python-modules"]
    ]


def peers() -> dict[str, list[str]]:
    known = {
        "http": ["http.operators.http", "http.sensors.http", "http.hooks.http"],
        "sftp": ["sftp.operators.sftp", "sftp.sensors.sftp", "sftp.hooks.sftp"],
        "airbyte": ["airbyte.operators.airbyte", "airbyte.sensors.airbyte", "airbyte.hooks.airbyte"],
        "imap": ["imap.sensors.imap_attachment", "imap.hooks.imap"],
        "smtp": ["smtp.operators.smtp", "smtp.hooks.smtp"],
        "standard": ["standard.operators.python", "standard.sensors.time", "standard.hooks.filesystem"],
    }
    return {
        f"{name} provider": [f"airflow.providers.{module}" for module in modules]
        for name, modules in known.items()
        if importlib.util.find_spec("airflow.providers") and installed(f"airflow.providers.{name}")
    }


def installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def measure(modules: list[str], repeat: int) -> tuple[float, int]:
    """The median of the milliseconds, and how many modules came in."""
    times, count = [], 0
    for _ in range(repeat):
        code = FLOOR + MEASURE.format(modules=modules)
        printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        milliseconds, added = printed.splitlines()[-1].split()
        times.append(float(milliseconds))
        count = int(added)
    return statistics.median(times), count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="measurements of each (default: 7)")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home  # Airflow writes its settings on import; not into somebody's home
        return compare(repeat)


def compare(repeat: int) -> int:
    own, own_count = measure(own_modules(), repeat)
    print(f"Importing all operators, sensors and hooks, beyond Airflow's SDK and common-compat (median of {repeat}):\n")
    print(f"{'':<22}{'ms':>8}{'modules':>10}{'ratio':>8}")
    print(f"{'apscores':<22}{own:>8.1f}{own_count:>10}{1:>8.1f}")
    for name, modules in peers().items():
        milliseconds, count = measure(modules, repeat)
        print(f"{name:<22}{milliseconds:>8.1f}{count:>10}{milliseconds / own:>8.1f}")
    print(f"\nThe target is {TARGET_MS:.0f} ms at most: {'met' if own <= TARGET_MS else 'MISSED'}.")
    return 0 if own <= TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())

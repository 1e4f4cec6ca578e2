"""Measure the time that importing a provider adds to a DAG file: ``make bench``.

Each measurement starts a new Python. It imports what every DAG file needs (Airflow's SDK and the names of
common-compat), then measures the import of all operators and hooks (and sensors) of one provider, compiled beforehand
as pip does on installation. It shows the median CPU time, which a busy machine changes little. Other providers are
measured if they are installed, for example ``apache-airflow-providers-http apache-airflow-providers-sftp``.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import airflow_provider_apscores
from airflow_provider_apscores.get_provider_info import get_provider_info

TARGET_MS = 5.0

FLOOR = """
from airflow.providers.common.compat.sdk import (
    DAG, AirflowException, AirflowFailException, AirflowSkipException, BaseHook, BaseOperator, BaseOperatorLink,
    BaseSensorOperator, Context, ObjectStoragePath, PokeReturnValue, TaskDeferred, conf, mask_secret, task, timezone)
"""

MEASURE = """
import gc, importlib, sys, time
gc.collect()
gc.disable()  # a collection of Airflow's objects would count as import time
before, started = len(sys.modules), time.process_time()
for name in {modules!r}:
    importlib.import_module(name)
print((time.process_time() - started) * 1000, len(sys.modules) - before)
"""


def own_modules(*kinds: str) -> list[str]:
    info = get_provider_info()
    return [module for kind in kinds for group in info.get(kind, []) for module in group["python-modules"]]


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
    """Return the median in milliseconds, and the number of imported modules."""
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
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each (default: 5)")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home  # Airflow writes its settings on import: not into the user's home
        return compare(repeat)


def compare(repeat: int) -> int:
    compileall.compile_dir(Path(airflow_provider_apscores.__file__).parent, quiet=1)
    own, own_count = measure(own_modules("operators", "hooks"), repeat)
    print(f"CPU time of the import, beyond Airflow's SDK and common-compat (median of {repeat}):\n")
    print(f"{'':<32}{'ms':>8}{'modules':>10}{'ratio':>8}")
    rows = {"apscores, with sensors": own_modules("operators", "hooks", "sensors"), **peers()}
    print(f"{'apscores, operators and hooks':<32}{own:>8.1f}{own_count:>10}{1:>8.1f}")
    for name, modules in rows.items():
        milliseconds, count = measure(modules, repeat)
        print(f"{name:<32}{milliseconds:>8.1f}{count:>10}{milliseconds / own:>8.1f}")
    verdict = "met" if own <= TARGET_MS else "MISSED"
    print(f"\nThe target for operators and hooks is {TARGET_MS:.0f} ms at most: {verdict}.")
    return 0 if own <= TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())

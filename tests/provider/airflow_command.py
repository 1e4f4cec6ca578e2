"""Airflow's command in processes that are forked from one that has imported Airflow, so that each starts at once.

Half of the time of `airflow dags test` is the import of Airflow, and the start of its API in the process.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from tests.provider.deployment import clean_environment

#: What the commands import. Not every version has all of them.
MODULES = (
    "airflow.__main__",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.db_command",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.api_fastapi.execution_api.app",
    "airflow_provider_apscores.operators.download",
    "airflow_provider_apscores.scorefile.reader",
    "airflow_provider_apscores.webservice.client",
    "pyarrow.parquet",
)


class AirflowCommand:
    """The process that has imported Airflow for one Airflow home.

    Attributes:
        home: The Airflow home, which is also the working folder of the commands.
    """

    def __init__(self, home: Path, process: subprocess.Popen[str]) -> None:
        self.home = home
        self._process = process

    def run(self, *command: str, env: dict[str, str] | None = None, seconds: float = 400) -> str:
        """Run a command of Airflow and return what it printed.

        Args:
            command: Its arguments, such as ``("dags", "test", "a_dag")``.
            env: Variables of its environment, such as connections.
            seconds: The time after which it is ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = self.home / "command.txt"
        guard = threading.Timer(seconds, self._process.kill)
        guard.start()
        try:
            self._process.stdin.write(json.dumps({"command": command, "env": env or {}, "output": str(output)}) + "\n")
            self._process.stdin.flush()
            ended = self._process.stdout.readline()
        finally:
            guard.cancel()
        said = output.read_text(errors="replace")
        output.unlink()
        assert ended, f"{' '.join(command)} did not end: {said[-3000:]}"
        return said


@contextmanager
def airflow_command(home: Path, env: dict[str, str] | None = None) -> Iterator[AirflowCommand]:
    """Start the process for an Airflow home, and create the metadata database there.

    Args:
        home: The Airflow home; its DAGs are in ``dags/``.
        env: Variables for all commands.
    """
    env = clean_environment() | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"} | (env or {})
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home, env=env
    ) as process:
        try:
            airflow = AirflowCommand(home, process)
            airflow.run("db", "migrate")
            yield airflow
        finally:
            process.kill()


# In the process


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Airflow prints while it is imported
    for name in MODULES:
        with suppress(ImportError):
            importlib.import_module(name)
    with suppress(ImportError):
        # A FastAPI application of 50 routes; nothing runs in it yet.
        _ = importlib.import_module("airflow.sdk.execution_time.supervisor").in_process_api_server().app
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _run(command: list[str], env: dict[str, str], output: str) -> NoReturn:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(env)
    sys.argv = ["airflow", *command]
    try:
        importlib.import_module("airflow.__main__").main()
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    _serve()

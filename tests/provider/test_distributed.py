"""Workloads on machines that share nothing but an S3 server, as with the Celery and the Kubernetes executor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_apscores.sandbox import Campus, Sandbox, reports_in
from tests.provider.deployment import clean_environment
from tests.provider.s3_environment import s3_environment
from tests.s3_server import s3_server

#: One try of a task. It prints what the task returned.
WORKLOAD = """
import json, sys

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from tests.provider.world import task_instance

name, try_number, arguments = json.loads(sys.argv[1])
operator = {"download": APScoresDownloadOperator, "parse": APScoresParseOperator}[name]
task = operator(task_id=name, retries=3, **arguments)
print(json.dumps(task.execute({"ti": task_instance(name, "day-1", try_number)})))
"""


@dataclass
class Machines:
    """Starts each workload on a new machine: a process with an empty home, temporary and working folder.

    Where the system allows it, the machine has its own mount namespace, in which the test's folder is empty.
    """

    folder: Path
    env: dict[str, str]
    homes: list[Path] = field(default_factory=list)

    def start(self, name: str, try_number: int, **arguments: Any) -> subprocess.Popen[str]:
        home = self.folder / f"machine-{len(self.homes) + 1}"
        home.mkdir()
        self.homes.append(home)
        env = self.env | {"AIRFLOW_HOME": str(home / "airflow"), "TMPDIR": str(home), "HOME": str(home)}
        command = [sys.executable, "-c", WORKLOAD, json.dumps([name, try_number, arguments])]
        if has_namespaces():
            mount = 'mount -t tmpfs tmpfs "$0" && mkdir "$1" && cd "$1" && shift && exec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, self.folder, home, *command]
        return subprocess.Popen(command, cwd=home, env=env, stdout=subprocess.PIPE, text=True)

    def run(self, name: str, try_number: int, **arguments: Any) -> Any:
        """Run a workload to its end, and return what the task returned."""
        process = self.start(name, try_number, **arguments)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        return json.loads(said.splitlines()[-1])


def has_namespaces() -> bool:
    """Whether this user may create a mount namespace."""
    command = ["unshare", "--map-root-user", "--mount", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, check=False).returncode == 0


def kill_during(process: subprocess.Popen[str], sandbox: Sandbox, call: str) -> None:
    """Kill a workload while the service answers its *call*."""
    deadline = time.monotonic() + 120
    while sandbox.counts[call] == 0:
        assert process.poll() is None, "the workload ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    process.kill()
    process.communicate()


def test_another_machine_goes_on_where_a_killed_one_stopped(tmp_path: Path):
    """
    The first machine dies during the transfer, the second during the record, and the third completes the task. The
    fourth parses the file.
    """
    with Sandbox(campuses=[Campus("4866", "Saltmarsh University", 30)]) as sandbox, s3_server() as server:
        store = server.store()
        connection = json.loads(sandbox.airflow_connection)
        connection["extra"]["verify"] = "false"
        env = clean_environment() | s3_environment(tmp_path / "provider", server.address)
        (tmp_path / "machines").mkdir()
        machines = Machines(tmp_path / "machines", env | {"AIRFLOW_CONN_APSCORES_DEFAULT": json.dumps(connection)})
        arguments = {"di_code": "4866", "destination": "s3://scores/files"}
        sandbox.fail("download", "stall=60")
        sandbox.fail("record", "slow=60")

        kill_during(machines.start("download", 1, **arguments), sandbox, "download")
        kill_during(machines.start("download", 2, **arguments), sandbox, "record")
        download = machines.run("download", 3, **arguments)
        tables = machines.run("parse", 1, source=download, output="s3://scores/tables")

        audit = sandbox.audit()
        (landed,) = store.glob("scores/files/4866/*/scores-*.txt")
        assert set(reports_in(store.cat_file(landed))) == audit.all_reports == audit.recorded_reports
        assert download["recorded"]
        assert audit.calls["order"] == 2, "the second machine orders again; the third finds the delivery"
        assert tables["rows"]["students"] == 30

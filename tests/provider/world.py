"""Support for the tests of the operators: a sandbox, a destination, tasks of invented DAG runs, and a naive reader.

The reader knows only the reference (two columns by position, one by name) and the layout of the folders, nothing of the
package. So it tells independently which reports are in storage.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sandbox import Campus, Sandbox

SALTMARSH, QUILLFEATHER, EMBERWICK = "0901", "9120", "9377"
CAMPUSES = (
    Campus(SALTMARSH, "Saltmarsh University", 12),
    Campus(QUILLFEATHER, "Quillfeather College", 5),
    Campus(EMBERWICK, "Emberwick College of Arts"),
)


def task_instance(
    task_id: str, run: str = "day-1", try_number: int = 1, max_tries: int = 3, **more: Any
) -> SimpleNamespace:
    """The attributes of Airflow's task instance that operators read; the same in both major versions."""
    return SimpleNamespace(
        **{
            "dag_id": "ap",
            "task_id": task_id,
            "run_id": run,
            "map_index": -1,
            "try_number": try_number,
            "max_tries": max_tries,
            "xcom_push": lambda *, key, value: None,
            **more,
        }
    )


@contextmanager
def fails_permanently(
    kind: type[Exception], match: str | None = None
) -> Iterator[pytest.ExceptionInfo[AirflowFailException]]:
    """Expect that a task fails without a retry, and that the cause is an error of *kind*."""
    with pytest.raises(AirflowFailException, match=match) as caught:
        yield caught
    assert type(caught.value.__cause__) is kind, repr(caught.value.__cause__)


@dataclass
class World:
    """A sandbox College Board and a destination."""

    sandbox: Sandbox
    destination: Path
    #: What the last task pushed besides its result.
    xcoms: dict[str, Any] = field(default_factory=dict)

    def download(
        self, di_code: Any = SALTMARSH, *, run: str = "day-1", try_number: int = 1, max_tries: int = 3, **arguments: Any
    ) -> Any:
        """Run a download task as one try of one DAG run."""
        arguments = {"destination": str(self.destination), "retries": 3} | arguments
        task = APScoresDownloadOperator(task_id="download", di_code=di_code, **arguments)
        return task.execute({"ti": task_instance("download", run, try_number, max_tries, xcom_push=self._push)})

    def record(self, download: Any, *, run: str = "day-1", try_number: int = 1, **arguments: Any) -> Any:
        """Run a record task."""
        task = APScoresRecordDownloadOperator(task_id="record", download=download, **arguments)
        return task.execute({"ti": task_instance("record", run, try_number, xcom_push=self._push)})

    def _push(self, *, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def files(self) -> list[Path]:
        """The score files at the destination, found by the layout of the folders."""
        return [path for path in naive_files(self.destination) if path.name.startswith("scores-")]

    def landed(self) -> set[str]:
        """The reports in storage, by the ids of the sandbox."""
        return {report for path in self.files() for report in reports_in(path)}

    def manifests(self) -> list[dict[str, Any]]:
        """The manifests at the destination."""
        paths = naive_files(self.destination, "*.manifest.json")
        return [json.loads(path.read_text()) for path in paths]

    def everything(self) -> list[Path]:
        """Every file below the destination, including hidden ones."""
        return [path for path in self.destination.rglob("*") if path.is_file()]

    @property
    def connection(self) -> str:
        """The sandbox as an Airflow connection, for workers: without certificates, which load slowly."""
        connection = json.loads(self.sandbox.airflow_connection)
        connection["extra"]["verify"] = "false"
        return json.dumps(connection)

    def assert_nothing_is_lost(self) -> None:
        """
        Every report is in storage or still new, and every record that a manifest notes was made.
        """
        audit = self.sandbox.audit()
        lost = audit.passed_reports(self.sandbox.email) - self.landed()
        assert not lost, f"{len(lost)} reports are neither new nor in storage"
        noted = {each["download_id"] for each in self.manifests() if each["recorded_at"]}
        assert noted <= set(audit.recorded), "a manifest notes a record that was never made"
        assert audit.recorded_but_never_sent == []
        assert audit.leaks == []

    def assert_all_is_well(self) -> None:
        """
        After the last run, every report is in storage and recorded.
        """
        self.assert_nothing_is_lost()
        audit = self.sandbox.audit()
        assert self.landed() == audit.all_reports
        assert audit.passed_reports(self.sandbox.email) == audit.all_reports
        for path in self.files():
            manifests = [each for each in self.manifests() if each["file"] == path.name]
            for manifest in manifests:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest["sha256"]
                assert len(reports_in(path)) == manifest["records"]

    def assert_nothing_was_recorded(self) -> None:
        """No download was recorded."""
        audit = self.sandbox.audit()
        assert audit.recorded == []
        assert audit.cursors == {}


@contextmanager
def worlds(destination: Path, **sandbox: Any) -> Iterator[World]:
    """Yield a world with a sandbox of three campuses."""
    with Sandbox(**{"campuses": CAMPUSES} | sandbox) as running:
        yield World(running, destination)


def naive_files(destination: Path, name: str = "scores-*.[tc][xs][tv]") -> list[Path]:
    """Files in ``<destination>/<four digits>/<run>/``."""
    return sorted(destination.glob(f"[0-9][0-9][0-9][0-9]/*/{name}"))


def reports_in(path: Path) -> set[str]:
    """The reports in a score file: campus and ordering institution key, which the sandbox uses as a number."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="ascii") as file:
            rows = list(csv.DictReader(file))
        return {f"{row['College Code'][-4:]}-{row['Ordering Institution Key']}" for row in rows}
    lines = path.read_bytes().decode("ascii").splitlines()
    assert all(len(line) == 950 for line in lines), f"{path.name} has a record that is not whole"
    return {f"{line[377:381]}-{line[892:900]}" for line in lines}

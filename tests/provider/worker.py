"""A worker: a real process that runs tries of tasks and can be killed at any point of the package's code.

A profiling hook counts points: each call of a function of the package and each return from one. At a chosen point, by
number or by name, the process kills itself with SIGKILL, holds until the test lets it continue, or lets new reports
arrive at College Board. So tests can interleave two workers, and the same seed gives the same sequence.

A server that has imported Airflow forks the processes, so a new one takes milliseconds.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from types import FrameType
from typing import Any

import numpy  # noqa: F401 - loaded before the fork
import pendulum  # noqa: F401 - likewise
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseHook,
    ObjectStoragePath,
    mask_secret,
)

import airflow_provider_apscores.delivery
import airflow_provider_apscores.scorefile
import airflow_provider_apscores.webservice.client
from airflow_provider_apscores.errors import APScoresError
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sandbox.control import RemoteSandbox
from tests.provider.world import task_instance

_PACKAGE = Path(airflow_provider_apscores.__file__).parent
#: Code with points. Reading a record or a header has no effect outside the process.
WATCHED = tuple(str(_PACKAGE / name) for name in ("operators", "hooks", "webservice", "delivery", "storage"))
OPERATORS = {"download": APScoresDownloadOperator, "record": APScoresRecordDownloadOperator}

KILL, HOLD = "kill", "hold"


@dataclass(frozen=True)
class Point:
    """A call of a function of the package, or the return from it.

    *name* is its qualified name, or that of a built-in that the package calls (``posix.replace`` for ``os.replace``).
    """

    name: str
    when: str = "before"
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.name} {self.number}"


@dataclass(frozen=True)
class Try:
    """One try of a task.

    Attributes:
        task: ``download`` or ``record``.
        arguments: The operator's.
        run: The DAG run.
        try_number: Counted from 1.
        max_tries: As Airflow counts it: it grows when the task is cleared.
        at: Actions by point (a name, or the number of a point counted from 1).
        retries: The retries of the task.
    """

    task: str
    arguments: dict[str, Any]
    run: str = "day-1"
    try_number: int = 1
    max_tries: int = 3
    at: dict[Point | int, str] = field(default_factory=dict)
    retries: int = 3


@dataclass(frozen=True)
class Outcome:
    """The outcome of a try: ``returned``, ``skipped``, ``failed``, ``killed`` or ``holds``."""

    state: str
    value: Any = None
    error: str = ""
    final: bool = False


#: Starting a process polls all others, and an exit code can be read only once.
_one_at_a_time = threading.Lock()


class Worker:
    """The process, seen from the test."""

    def __init__(self, connection: str, log: Path, home: Path | None = None) -> None:
        """Fork the process; *connection* is Airflow's, *home* is its working folder, and its output goes to *log*."""
        context = multiprocessing.get_context("forkserver")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, connection, str(log), home and str(home)), daemon=True
        )
        with _one_at_a_time:
            _serve_forks()
            self._process.start()
        theirs.close()

    def run(self, attempt: Try) -> Outcome:
        """Run a try until it ends, or until the process is dead or holds."""
        self._pipe.send(attempt)
        return self._outcome()

    def go_on(self) -> Outcome:
        """Let a worker that holds continue."""
        self._pipe.send("go on")
        return self._outcome()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        with _one_at_a_time:
            self._process.kill()
            self._process.join()
            self._process.close()

    def _outcome(self) -> Outcome:
        try:
            return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            with _one_at_a_time:
                self._process.join()
            assert self._process.exitcode == -signal.SIGKILL, f"the worker ended with {self._process.exitcode}"
            return Outcome("killed")


@functools.cache
def _serve_forks() -> None:
    """Start the server of forks with this module loaded; Python 3.11 hands it no ``sys.path``."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        multiprocessing.set_forkserver_preload([__name__])
        ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


# In the process


def _work(pipe: Connection, connection: str, log: str, home: str | None) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["AIRFLOW_CONN_APSCORES_DEFAULT"] = connection
    if home is not None:
        os.environ["TMPDIR"] = home
        os.chdir(home)
    # No real waits: tests of the web service cover them.
    time.sleep = lambda seconds: None
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(_try(pipe.recv(), pipe, connection))


def _try(attempt: Try, pipe: Connection, connection: str) -> Outcome:
    task = OPERATORS[attempt.task](task_id=attempt.task, retries=attempt.retries, **attempt.arguments)
    ti = task_instance(attempt.task, attempt.run, attempt.try_number, attempt.max_tries)
    try:
        with _Points(attempt.at, pipe, connection) if attempt.at else contextlib.nullcontext():
            return Outcome("returned", task.execute({"ti": ti}))
    except AirflowSkipException as skip:
        return Outcome("skipped", error=str(skip))
    except AirflowFailException as error:
        return Outcome("failed", type(error.__cause__).__name__, str(error), True)
    except APScoresError as error:
        return Outcome("failed", type(error).__name__, str(error))


class _Points:
    """Counts the points that the process passes, and acts at the chosen ones."""

    def __init__(self, at: dict[Point | int, str], pipe: Connection, connection: str) -> None:
        self._passed = 0
        self._at = at
        self._pipe = pipe
        self._connection = connection
        self._named: Counter[tuple[str, str]] = Counter()
        self._wanted = {(point.name, point.when) for point in at if isinstance(point, Point)}

    def __enter__(self) -> _Points:
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _see(self, frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(WATCHED):
            return
        when = "before" if event.endswith("call") else "after"
        name = f"{arg.__module__}.{arg.__name__}" if event.startswith("c_") else code.co_qualname
        if not event.startswith("c_"):
            self._passed += 1
            self._do(self._at.get(self._passed))
        if (name, when) in self._wanted:
            self._named[name, when] += 1
            self._do(self._at.get(Point(name, when, self._named[name, when])))

    def _do(self, what: str | None) -> None:
        if what is None:
            return
        if what == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == HOLD:
            self._pipe.send(Outcome("holds"))
            self._pipe.recv()
        if what.startswith("reports for "):
            import json

            RemoteSandbox(json.loads(self._connection)["host"]).add_reports(what.removeprefix("reports for "), 1)


def _warm_up() -> None:
    """Load once, before the fork, what Airflow loads at its first use."""
    os.environ["AIRFLOW_CONN_WARM_UP"] = '{"conn_type": "apscores"}'
    BaseHook.get_connection("warm_up")
    del os.environ["AIRFLOW_CONN_WARM_UP"]
    mask_secret("warmed up")
    _ = ObjectStoragePath("/tmp").fs
    get_hook_lineage_collector()  # loads the plugins
    # Loaded objects stay shared with the forks if the collector does not touch them.
    gc.freeze()


_warm_up()

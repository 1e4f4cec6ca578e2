"""A worker: a real process that runs tries of tasks and can be killed at any point of our code.

Points are counted by a profiling hook: each call of and return from a function of the package is one. At a point that
was chosen, by number or by name, the process kills itself with SIGKILL, holds until it is told to go on, or lets new
reports arrive at College Board. So two workers can be interleaved at will, and the same seed does the same again.

Processes are forked by a server that has imported Airflow, which makes one a matter of milliseconds.
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

import numpy  # noqa: F401 - so that it is there before the fork
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
#: Where points are. Reading a record or a header is nothing that the outside could notice.
WATCHED = tuple(str(_PACKAGE / name) for name in ("operators", "hooks", "webservice", "delivery", "storage"))
OPERATORS = {"download": APScoresDownloadOperator, "record": APScoresRecordDownloadOperator}

KILL, HOLD = "kill", "hold"


@dataclass(frozen=True)
class Point:
    """A call of a function of the package, or the return from it.

    *name* is its qualified name, or that of a built-in that our code calls (``posix.replace`` for ``os.replace``).
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
        max_tries: As Airflow counts it: more after the task was cleared.
        at: What happens at which points (a name, or the number of a point counted from 1).
        retries: Of the task.
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
    """What became of a try: ``returned``, ``skipped``, ``failed``, ``killed`` or ``holds``."""

    state: str
    value: Any = None
    error: str = ""
    final: bool = False


#: Starting a process asks after all others, and an exit code can be read once.
_one_at_a_time = threading.Lock()


class Worker:
    """The process, seen from the test."""

    def __init__(self, connection: str, log: Path, home: Path | None = None) -> None:
        """Fork it; *connection* is Airflow's, *home* its working folder, *log* takes all that it prints."""
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
        """Run a try until it is over, or the process is dead or holds."""
        self._pipe.send(attempt)
        return self._outcome()

    def go_on(self) -> Outcome:
        """Let a worker that holds go on."""
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
    # Nobody waits for real here; how long waits are is the web service room's affair.
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
    """Counts the points that are passed, and does what is to be done at them."""

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
    """What Airflow loads when it is first needed: once, before the fork."""
    os.environ["AIRFLOW_CONN_WARM_UP"] = '{"conn_type": "apscores"}'
    BaseHook.get_connection("warm_up")
    del os.environ["AIRFLOW_CONN_WARM_UP"]
    mask_secret("warmed up")
    _ = ObjectStoragePath("/tmp").fs
    get_hook_lineage_collector()  # loads the plugins
    # What was loaded stays shared with the forks: the collector shall not touch it.
    gc.freeze()


_warm_up()

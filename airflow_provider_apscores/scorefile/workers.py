"""Threads: make the next item while the last one is used, and write files while further rows are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

Item = TypeVar("Item")

#: Seconds that a worker may take to finish its current call.
_EXIT_TIMEOUT = 5.0


class Worker:
    """One thread that runs calls in order. A context manager: leaving it ends the thread.

    Unlike an executor of the standard library, leaving it does not wait for a call that hangs: a store that has stopped
    answering must not keep a task beyond its ``execution_timeout``, nor a process from ending.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, action: Callable[..., Item], *arguments: Any) -> Future[Item]:
        """Queue a call. The future's ``result`` gives what it returns, or raises what it raises."""
        future: Future[Item] = Future()
        self._jobs.put((future, lambda: action(*arguments)))
        return future

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.put(None)
        self._thread.join(_EXIT_TIMEOUT)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, action = job
            try:
                future.set_result(action())
            except BaseException as error:
                future.set_exception(error)
            del job, future, action  # a waiting thread keeps nothing alive


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items; each is made in another thread while the caller uses the one before.

    It pays where both release the interpreter's lock, as pyarrow and NumPy do. An exception is raised here.
    """
    end = object()
    with Worker() as worker:
        following = worker.submit(next, items, end)
        while (item := following.result()) is not end:
            following = worker.submit(next, items, end)
            yield cast("Item", item)

"""Several hands: the next item is made while the last one is used, and written while others are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

Item = TypeVar("Item")

#: Seconds that a hand may take to end what it is at.
_PATIENCE = 5.0


class Worker:
    """One thread that does what it is handed, in order. A context manager: leaving it ends the thread.

    Unlike an executor of the standard library, it is left alone when it does not end in time: a store that has
    stopped answering must keep neither a task beyond its ``execution_timeout`` nor a process from ending.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, action: Callable[..., Item], *arguments: Any) -> Future[Item]:
        """Worker over a call; whatever it raises is raised by the future's ``result``."""
        future: Future[Item] = Future()
        self._jobs.put((future, lambda: action(*arguments)))
        return future

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.put(None)
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, action = job
            try:
                future.set_result(action())
            except BaseException as error:
                future.set_exception(error)
            del job, future, action  # a thread that waits keeps nothing alive


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; each is made in another thread while the caller works on the one before.

    It pays where making and using both leave the interpreter's lock, as pyarrow and NumPy do. Whatever making raises
    is raised here.
    """
    end = object()
    with Worker() as hand:
        following = hand.submit(next, items, end)
        while (item := following.result()) is not end:
            following = hand.submit(next, items, end)
            yield cast("Item", item)

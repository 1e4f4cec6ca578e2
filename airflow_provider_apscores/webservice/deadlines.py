"""Time limits of exchanges, without any I/O.

A time-out for each read does not limit a reply: a server that sends a byte every few seconds never exceeds it. So each
exchange has a :class:`Deadline`. The blocking transport limits every read to the time that is left, and
:class:`AsyncTimeLimit` cancels an awaited exchange.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

#: Bytes a second below which the transfer of a file counts as stalled.
MIN_RATE = 1024


class Deadline:
    """The time limit of one exchange.

    The headers must arrive within *seconds*, and so must the body unless it is a file. A file has no total limit: its
    bytes must keep arriving at :data:`MIN_RATE`, measured over windows of *seconds*.

    Args:
        seconds: From now.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._received = 0
        self._is_file = False
        self.restart()

    @property
    def left(self) -> float:
        """Seconds until the limit; 0 or less when it is over."""
        return self._at - self._clock()

    @property
    def reason(self) -> str:
        """The reason for a failure when no time is left."""
        if self._is_file:
            return f"fewer than {MIN_RATE} bytes a second came for {self.seconds:g} s"
        return f"no complete answer within {self.seconds:.1f} s"

    def restart(self) -> None:
        """Start a new window: after the headers of a file, and after waiting for the sink."""
        self._at = self._clock() + self.seconds
        self._received = 0

    def start_file(self) -> None:
        """Switch from the limit of a reply to the rate of a file."""
        self._is_file = True
        self.restart()

    def receive(self, count: int) -> None:
        """Count bytes of a body. A file that keeps the rate gets a new window."""
        self._received += count
        if self._is_file and self._received >= MIN_RATE * self.seconds:
            self.restart()


class DeadlineOver(Exception):
    """An awaited exchange exceeded its deadline."""


class AsyncTimeLimit:
    """Cancels what is awaited inside when *deadline* is exceeded, and raises :class:`DeadlineOver`."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        self._scope = asyncio.timeout(self._deadline.left)
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:  # raised by the scope; a TimeoutError from inside is not caught here
            raise DeadlineOver from None

    def pause(self) -> None:
        """Suspend the limit until :meth:`update`."""
        self._scope.reschedule(None)

    def update(self) -> None:
        """Apply the deadline as it is now."""
        self._scope.reschedule(asyncio.get_running_loop().time() + self._deadline.left)

"""Time limits of exchanges, with a clock that only the test moves."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_apscores.webservice.deadlines import MIN_RATE, AsyncTimeLimit, Deadline, DeadlineOver


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_reply_has_one_limit_from_the_start(clock):
    deadline = Deadline(6.0, clock=clock)
    for _ in range(5):
        clock.now += 1.0
        deadline.receive(10_000_000)
    assert deadline.left == 1.0
    assert deadline.reason == "no complete answer within 6.0 s"


def test_a_file_that_keeps_its_rate_has_no_total_limit(clock):
    deadline = Deadline(6.0, clock=clock)
    clock.now += 5.0
    deadline.start_file()
    for _ in range(1000):
        clock.now += 5.0
        deadline.receive(6 * MIN_RATE)
        assert deadline.left == 6.0


def test_a_file_below_the_rate_ends_with_the_window(clock):
    deadline = Deadline(6.0, clock=clock)
    deadline.start_file()
    for _ in range(6):
        clock.now += 1.0
        deadline.receive(MIN_RATE - 1)
    assert deadline.left == 0.0
    assert deadline.reason == "fewer than 1024 bytes a second came for 6 s"


def test_many_small_pieces_count_together(clock):
    deadline = Deadline(6.0, clock=clock)
    deadline.start_file()
    clock.now += 5.0
    for _ in range(6 * MIN_RATE):
        deadline.receive(1)
    assert deadline.left == 6.0


async def test_a_limit_cancels_what_is_awaited():
    with pytest.raises(DeadlineOver):
        async with AsyncTimeLimit(Deadline(0.01)):
            await asyncio.sleep(30)


async def test_a_paused_limit_cancels_nothing():
    async with AsyncTimeLimit(Deadline(0.01)) as limit:
        limit.pause()
        await asyncio.sleep(0.05)


async def test_an_updated_limit_counts_again():
    async def wait():
        async with AsyncTimeLimit(Deadline(0.01)) as limit:
            limit.pause()
            limit.update()
            await asyncio.sleep(30)

    with pytest.raises(DeadlineOver):
        await wait()


async def test_a_time_out_from_inside_is_no_deadline():
    with pytest.raises(TimeoutError):
        async with AsyncTimeLimit(Deadline(30.0)):
            raise TimeoutError

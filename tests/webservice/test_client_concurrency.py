"""Many calls of one client at the same time."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest

from airflow_provider_apscores.errors import (
    CredentialsRefused,
    ServiceUnavailable,
)
from airflow_provider_apscores.sandbox import DEFAULT_EMAIL, DEFAULT_PASSWORD
from airflow_provider_apscores.webservice import AsyncClient, Client, Credentials, Session
from tests.webservice.raw_server import LOGIN, NOTHING_NEW, RawServer, http, offer

FILE = b"".join(b"%-950d\n" % number for number in range(60))
CAMPUS = "0901"


def session_for(base_url, password=DEFAULT_PASSWORD):
    return Session(Credentials(DEFAULT_EMAIL, password), base_url=base_url)


async def test_many_awaited_orders_run_at_once_and_share_one_login():
    campuses = [f"{number:04}" for number in range(20)]
    all_are_here = threading.Barrier(20)

    def answer(connection):
        all_are_here.wait(10)  # breaks when fewer than 20 orders are under way
        connection.sendall(NOTHING_NEW)

    with RawServer(LOGIN, answer) as server:
        async with AsyncClient(session_for(server.base_url)) as client:
            assert await asyncio.gather(*(client.order(campus) for campus in campuses)) == [None] * 20
    assert [seen.target for seen in server.seen].count("/api/webServiceAuth") == 1


async def test_many_awaited_orders_renew_a_lost_token_once(sandbox):
    async with AsyncClient(session_for(sandbox.base_url)) as client:
        await client.log_in()
        sandbox.expire_tokens()
        await asyncio.gather(*(client.order(CAMPUS) for _ in range(20)))
    assert sandbox.counts["login"] == 2


async def test_many_awaited_orders_send_a_bad_password_once(sandbox):
    async with AsyncClient(session_for(sandbox.base_url, "wr0ng")) as client:
        outcomes = await asyncio.gather(*(client.order(CAMPUS) for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {CredentialsRefused}
    assert sandbox.counts["login"] == 1


@pytest.mark.parametrize(("fault", "logins"), [("drop", 4), ("500", 1)])
async def test_many_awaited_orders_share_the_tries_of_a_broken_login(sandbox, fault, logins):
    async def at_once(seconds):
        await asyncio.sleep(0)

    sandbox.fail("login", fault, times=None)
    async with AsyncClient(session_for(sandbox.base_url), sleep=at_once) as client:
        outcomes = await asyncio.gather(*(client.order(CAMPUS) for _ in range(10)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ServiceUnavailable}
    assert sandbox.counts["login"] == logins


def test_threads_may_share_a_client(sandbox):
    found = []
    with Client(session_for(sandbox.base_url)) as client:
        threads = [threading.Thread(target=lambda: found.append(client.order(CAMPUS))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert sandbox.counts["login"] == 1


async def test_a_slow_sink_does_not_block_the_event_loop(sandbox):
    class Blocked(io.BytesIO):
        go_on = threading.Event()
        loop_ran = False

        def write(self, data):
            loop.call_soon_threadsafe(self.go_on.set)
            self.loop_ran = self.go_on.wait(5)
            return super().write(data)

    loop, sink = asyncio.get_running_loop(), Blocked()
    async with AsyncClient(session_for(sandbox.base_url)) as client:
        await client.download(await client.order(CAMPUS), sink)
    assert sink.loop_ran


async def test_a_cancelled_download_leaves_the_client_usable():
    stalled, left = threading.Event(), threading.Event()

    def stall(connection):
        connection.sendall(http(FILE[:-1], length=len(FILE)))
        stalled.set()
        left.wait(5)

    with RawServer() as server:
        server.scripts = [LOGIN, offer(f"{server.origin}/files/1"), stall, http(FILE)]
        async with AsyncClient(session_for(server.base_url)) as client:
            generated = await client.order(CAMPUS)
            download = asyncio.create_task(client.download(generated, io.BytesIO()))
            await asyncio.to_thread(stalled.wait, 5)
            download.cancel()
            with pytest.raises(asyncio.CancelledError):
                await download
            left.set()
            sink = io.BytesIO()
            await client.download(generated, sink)
    assert sink.getvalue() == FILE

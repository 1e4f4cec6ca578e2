"""One client test, two runs: every test that takes ``client_of`` runs with the blocking and the awaiting client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_apscores.sandbox import DEFAULT_EMAIL, DEFAULT_PASSWORD, Sandbox
from airflow_provider_apscores.webservice import AsyncClient, Client, Credentials, Session


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


class Awaited:
    """An :class:`AsyncClient` whose calls are made as those of a :class:`Client` are."""

    def __init__(self, session: Session, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = AsyncClient(session, **settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            return await method(*arguments, **named)

        return lambda *arguments, **named: self._runner.run(call(*arguments, **named))

    def __repr__(self) -> str:
        return repr(self.client)

    def close(self) -> None:
        self._runner.run(self.client.aclose())
        self._runner.close()


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def __call__(self) -> float:
        return sum(self.waited)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def waited(time: Time) -> list[float]:
    return time.waited


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=[Client, Awaited], ids=["blocking", "awaiting"])
def client_of(request: pytest.FixtureRequest, time: Time) -> Iterator[Callable[..., Any]]:
    """Make a client for a base URL, with the sandbox's account; it waits for nothing and is closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(
            base_url: str,
            *,
            password: str = DEFAULT_PASSWORD,
            patience: float = 600.0,
            di_codes: tuple[str, ...] = (),
            **settings: Any,
        ) -> Any:
            session = Session(
                Credentials(DEFAULT_EMAIL, password),
                base_url=base_url,
                di_codes=di_codes,
                patience=patience,
                clock=time,
                random=lambda: 0.0,
            )
            client = request.param(session, sleep=time.sleep, **{"timeout": 5.0, **settings})
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(sandbox: Sandbox, client_of: Callable[..., Any]) -> Any:
    """A client of the sandbox."""
    return client_of(sandbox.base_url, timeout=2.0)

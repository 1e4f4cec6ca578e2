"""Fixtures of other areas, and the state of the process that a command changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.delivery.conftest import land, landing, place
from tests.provider.conftest import world
from tests.sandbox.conftest import make_client

__all__ = ["land", "landing", "make_client", "place", "world"]


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command changes in its process when it uses Airflow."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers = handlers

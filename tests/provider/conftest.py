"""A sandbox College Board, a destination, and tasks of invented DAG runs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from world import World, worlds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Three campuses with 12, 5 and no reports, an empty destination, and no patience for real pauses."""
    monkeypatch.setattr("airflow_provider_apscores.webservice.client.time.sleep", lambda seconds: None)
    with worlds(tmp_path / "ap") as world:
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.sandbox.airflow_connection)
        yield world

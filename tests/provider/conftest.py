"""A sandbox College Board, a destination, and tasks of invented DAG runs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.provider.world import World, worlds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Iterator[World]:
    """Three campuses with 12, 5 and no reports, an empty destination, and a client that does not wait."""
    mocker.patch("airflow_provider_apscores.webservice.client.time.sleep")
    with worlds(tmp_path / "ap") as world:
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", world.connection)
        yield world


@pytest.fixture(autouse=True)
def _no_masks() -> None:
    """Remove the secrets of earlier tests from Airflow's masker: it compiles all of them again with each new one."""
    for name, module in list(sys.modules.items()):
        if name.startswith("airflow.") and name.endswith("secrets_masker") and hasattr(module, "_secrets_masker"):
            masker = module._secrets_masker()
            masker.patterns, masker.replacer = set(), None

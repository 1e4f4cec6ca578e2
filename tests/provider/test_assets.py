"""Assets: their URIs, what Airflow makes of them, and what tasks tell about them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import airflow
import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_apscores import assets
from airflow_provider_apscores.assets import create_asset, new_reports, score_files, score_tables
from airflow_provider_apscores.get_provider_info import get_provider_info

INSTALLED = any(
    entry.module.startswith("airflow_provider_apscores") for entry in entry_points(group="apache_airflow_provider")
)
PROJECT = str(Path(__file__).parents[2])
AIRFLOW_2 = airflow.__version__.startswith("2.")


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("apscores://4866/new", "apscores://4866/new"),
        ("apscores://4866", "apscores://4866/new"),
        ("apscores://4866/", "apscores://4866/new"),
        ("APSCORES://4866/new/", "apscores://4866/new"),
        ("apscores://0417/full#part", "apscores://0417/full"),
        ("apscores://0417/files?b=2&a=1", "apscores://0417/files?a=1&b=2"),
        ("apscores://0417/tables", "apscores://0417/tables"),
    ],
)
def test_a_uri_has_one_form(given: str, uri: str):
    """
    Through Airflow itself, which finds the sanitiser in the provider's metadata.
    """
    if not INSTALLED:
        pytest.skip("Airflow finds installed providers only")
    assert Asset(given).uri == uri


@pytest.mark.parametrize(
    "given",
    ["apscores://486/new", "apscores://48667/new", "apscores://me@4866/new", "apscores://4866:80/new", "apscores://4866/old"],
)  # fmt: skip
def test_a_uri_that_names_nothing_is_refused(given: str):
    with pytest.raises(ValueError, match="apscores"):
        assets.sanitize_uri(urlsplit(given))
    if INSTALLED and not AIRFLOW_2:  # which warns, and drops a user by itself
        with pytest.raises(ValueError, match="apscores"):
            Asset(given)


def test_the_metadata_names_what_exists():
    info = get_provider_info()

    assert info["asset-uris"] == info["dataset-uris"]
    (entry,) = info["asset-uris"]
    for key in ("handler", "factory", "to_openlineage_converter"):
        module, _, name = entry[key].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
    for kind in ("sensors", "triggers"):
        for group in info[kind]:
            for module in group["python-modules"]:
                importlib.import_module(module)


def test_assets_of_a_campus():
    assert score_files("4866").uri == "apscores://4866/files"
    assert score_tables("4866").uri == "apscores://4866/tables"
    assert create_asset(di_code="4866", account="second account").uri == "apscores://4866/new?account=second+account"
    assert create_asset(di_code="4866", what="full", extra={"a": 1}).extra == {"a": 1}
    assert assets.is_new_reports(create_asset(di_code="4866", account="second").uri, "4866")
    assert not assets.is_new_reports(score_files("4866").uri, "4866")
    assert not assets.is_new_reports(create_asset(di_code="0417").uri, "4866")


def test_openlineage_sees_the_campus_as_a_namespace():
    pytest.importorskip("openlineage")
    dataset = assets.convert_asset_to_openlineage(create_asset(di_code="4866", what="full"), None)

    assert (dataset.namespace, dataset.name) == ("apscores://4866", "full")


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2.11 has no watchers")
def test_new_reports_are_watched():
    asset = new_reports("4866", poke_interval=timedelta(hours=2), remind_after=None, apscores_conn_id="second")
    (watcher,) = asset.watchers

    assert (asset.uri, asset.name) == ("apscores://4866/new?account=second",) * 2
    path, kwargs = watcher.trigger.serialize()
    assert path == "airflow_provider_apscores.triggers.news_event.APScoresNewReportsEventTrigger"
    assert kwargs == {
        "di_code": "4866",
        "asset_name": asset.name,
        "poke_interval": 7200.0,
        "minimum_interval": 300.0,
        "remind_after": None,
        "file_format": "TXT",
        "apscores_conn_id": "second",
    }
    # Airflow compares watchers by what they serialise to: the same at each parse.
    assert watcher.trigger.hash(path, kwargs) == watcher.trigger.hash(*watcher.trigger.serialize())
    assert json.loads(json.dumps(kwargs)) == kwargs


@pytest.mark.skipif(not AIRFLOW_2, reason="of Airflow 2.11")
def test_new_reports_are_a_plain_dataset():
    assert new_reports("4866").uri == "apscores://4866/new"


@pytest.mark.parametrize(
    "arguments", [{"di_code": "486"}, {"file_format": "PDF"}, {"poke_interval": -1}, {"remind_after": timedelta(-1)}]
)
def test_arguments_that_make_no_sense_are_seen_when_the_dag_is_parsed(arguments: dict[str, Any]):
    if AIRFLOW_2 and not {"di_code", "file_format"} & set(arguments):
        pytest.skip("nothing is watched")
    with pytest.raises(ValueError, match=r"."):
        new_reports(**{"di_code": "4866", **arguments})


def test_a_dag_file_pays_for_nothing_but_the_standard_library():
    code = "import sys, airflow_provider_apscores.assets; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({PROJECT!r}); {code}"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip

    ours = {"airflow_provider_apscores", "__main__"}
    assert {name for name in loaded if not name.startswith("_")} - set(sys.stdlib_module_names) - ours == set()
    assert "airflow_provider_apscores" in loaded

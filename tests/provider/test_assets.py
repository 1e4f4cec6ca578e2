"""Assets: their URIs, how Airflow reads them, and the events of tasks."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_apscores import assets
from airflow_provider_apscores.assets import create_asset, new_reports, score_files, score_tables
from airflow_provider_apscores.get_provider_info import get_provider_info
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.triggers.new_reports_event import RECORDED
from tests.provider.contexts import States, context
from tests.provider.deployment import AIRFLOW, AIRFLOW_2
from tests.provider.world import QUILLFEATHER, SALTMARSH, World, task_instance

INSTALLED = any(
    entry.module.startswith("airflow_provider_apscores") for entry in entry_points(group="apache_airflow_provider")
)
PROJECT = str(Path(__file__).parents[2])


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
        ("apscores://0417/recorded/", "apscores://0417/recorded"),
        ("apscores://all/status", "apscores://all/status"),
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
    ["apscores://486/new", "apscores://48667/new", "apscores://me@4866/new", "apscores://4866:80/new", "apscores://4866/old",
     "apscores://all/new", "apscores://all", "apscores://4866/status"],
)  # fmt: skip
def test_an_invalid_uri_is_refused(given: str):
    with pytest.raises(ValueError, match="apscores"):
        assets.sanitize_uri(urlsplit(given))
    # Airflow 2.11 only warns; 3.0 drops a user by itself.
    if INSTALLED and not AIRFLOW_2 and (AIRFLOW > (3, 0) or "@" not in given):
        with pytest.raises(ValueError, match="apscores"):
            Asset(given)


def test_the_metadata_names_what_exists():
    info = get_provider_info()

    assert info["asset-uris"] == info["dataset-uris"]
    (entry,) = info["asset-uris"]
    for key in ("handler", "factory", "to_openlineage_converter"):
        module, _, name = entry[key].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
    for path in info["extra-links"]:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)().name
    for kind in ("sensors", "triggers"):
        for group in info[kind]:
            for module in group["python-modules"]:
                importlib.import_module(module)


def test_assets_of_a_campus():
    assert score_files("4866").uri == "apscores://4866/files"
    assert score_tables("4866").uri == "apscores://4866/tables"
    assert assets.recorded("4866").uri == "apscores://4866/recorded"
    assert assets.status().uri == "apscores://all/status"
    assert create_asset(di_code="4866", account="second account").uri == "apscores://4866/new?account=second+account"
    assert create_asset(di_code="4866", what="full", extra={"a": 1}).extra == {"a": 1}
    assert assets.is_new_reports(create_asset(di_code="4866", account="second").uri, "4866")
    assert not assets.is_new_reports(score_files("4866").uri, "4866")
    assert not assets.is_new_reports(create_asset(di_code="0417").uri, "4866")


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2.11 has no groups of assets")
def test_the_assets_are_one_group():
    every = (new_reports("4866"), score_files("4866"), score_tables("4866"), assets.recorded("4866"), assets.status())

    assert {asset.group for asset in every} == {"apscores"}


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
    assert path == "airflow_provider_apscores.triggers.new_reports_event.APScoresNewReportsEventTrigger"
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
def test_invalid_arguments_fail_when_the_dag_is_parsed(arguments: dict[str, Any]):
    if AIRFLOW_2 and not {"di_code", "file_format"} & set(arguments):
        pytest.skip("nothing is watched")
    with pytest.raises(ValueError, match=r"."):
        new_reports(**{"di_code": "4866", **arguments})


def test_importing_assets_loads_only_the_standard_library():
    code = "import sys, airflow_provider_apscores.assets; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({PROJECT!r}); {code}"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip

    ours = {"airflow_provider_apscores", "__main__"}
    assert {name for name in loaded if not name.startswith("_")} - set(sys.stdlib_module_names) - ours == set()
    assert "airflow_provider_apscores" in loaded


# Events of tasks


def download(world: World, **arguments: Any) -> APScoresDownloadOperator:
    return APScoresDownloadOperator(
        task_id="download", di_code=SALTMARSH, destination=str(world.destination), **arguments
    )


def test_a_landed_file_has_an_event_for_alias_and_asset(world: World):
    alias, asset = AssetAlias("files"), Asset(f"apscores://{SALTMARSH}/files")
    task = download(world, outlets=[alias, asset], record=False)
    told = context("download")

    reference = task.execute(told)

    ((uri, extra),) = told["outlet_events"][alias].added
    assert uri == asset.uri
    assert extra == told["outlet_events"][asset].extra
    assert extra == {
        name: reference[name]
        for name in (
            "di_code", "download_id", "file_format", "download_type", "records", "bytes", "uri", "manifest_uri",
            "recorded",
        )
    } | {"landed_at": world.manifests()[0]["landed_at"]}  # fmt: skip
    assert extra["records"] == 12


@pytest.mark.parametrize("how", ["download", "record"])
def test_a_record_has_an_event_of_its_own_kind(how: str, world: World):
    """
    The record task emits no event of new or landed reports: their consumers would run twice.
    """
    alias, asset = assets.events(), assets.recorded(SALTMARSH)
    told = context("record")
    if how == "download":
        files = score_files(SALTMARSH)
        reference = download(world, outlets=[alias, files, asset]).execute(told)
        assert "recorded_at" not in told["outlet_events"][files].extra
    else:
        reference = world.download(record=False)
        APScoresRecordDownloadOperator(task_id="record", download=reference, outlets=[alias, asset]).execute(told)

    (manifest,) = world.manifests()
    *files, (uri, extra) = told["outlet_events"][alias].added
    assert [uri for uri, _ in files] == ([score_files(SALTMARSH).uri] if how == "download" else [])
    assert uri == asset.uri
    assert extra == told["outlet_events"][asset].extra
    assert (extra["recorded"], extra["recorded_at"]) == (True, manifest["recorded_at"])
    assert {name: extra[name] for name in ("di_code", "bytes", "landed_at", "manifest_uri")} == {
        **{name: manifest[name] for name in ("di_code", "bytes", "landed_at")},
        "manifest_uri": reference["manifest_uri"],
    }


def test_a_delivery_that_is_not_recorded_has_no_such_event(world: World):
    alias, asset = assets.events(), assets.recorded(SALTMARSH)
    told = context("download")

    download(world, record=False, outlets=[alias, asset]).execute(told)

    assert [uri for uri, _ in told["outlet_events"][alias].added] == [score_files(SALTMARSH).uri]
    assert asset.uri not in told["outlet_events"]


def test_the_event_of_tables_names_their_download(world: World, tmp_path: Path):
    alias = AssetAlias("tables")
    reference = world.download()
    task = APScoresParseOperator(task_id="parse", source=reference, output=str(tmp_path / "tables"), outlets=[alias])
    told = context("parse")

    result = task.execute(told)

    ((uri, extra),) = told["outlet_events"][alias].added
    assert uri == score_tables(SALTMARSH).uri
    assert (extra["download_id"], extra["manifest_uri"]) == (reference["download_id"], reference["manifest_uri"])
    assert (extra["di_codes"], extra["records"], extra["students_rows"]) == (SALTMARSH, 12, 12)
    assert (extra["problems"], extra["quarantined"]) == (0, 0)
    assert {name: extra[f"{name}_rows"] for name in result["rows"]} == result["rows"]
    assert extra["exam_scores_parquet"] == result["uris"]["exam_scores"]["parquet"]


def test_events_have_no_personal_data(world: World, tmp_path: Path):
    alias = AssetAlias("all")
    told = context("download")
    reference = download(world, outlets=[alias]).execute(told)
    parse = APScoresParseOperator(task_id="parse", source=reference, output=str(tmp_path), outlets=[alias])
    parse.execute(told)

    text = json.dumps(told["outlet_events"][alias].added)
    personal = {
        value
        for student in world.sandbox.records(SALTMARSH)
        for name, value in student.items()
        if name in ("last_name", "first_name", "ap_id", "date_of_birth", "street_address_1") and len(value) > 3
    }
    assert personal
    assert not {value for value in personal if value in text}


def test_a_task_without_outlets_or_outside_of_airflow_emits_nothing(world: World):
    told = context("download")
    assert download(world).execute(told)["records"] == 12
    assert told["outlet_events"] == {}
    again = download(world, outlets=[AssetAlias("x")]).execute({"ti": task_instance("download")})
    assert again["records"] == 12


@pytest.mark.parametrize("how", ["download", "record"])
def test_the_time_of_a_record_is_stored_for_the_watcher_of_that_campus(how: str, world: World):
    mine, other = create_asset(di_code=SALTMARSH), create_asset(di_code=QUILLFEATHER)
    states = States(mine, other)
    before = int(time.time())
    if how == "download":
        download(world, inlets=[mine, other]).execute(context("download", asset_state_store=states))
    else:
        reference = download(world, record=False, inlets=[mine]).execute(context("download", asset_state_store=states))
        assert states[mine] == {}
        task = APScoresRecordDownloadOperator(task_id="record", download=reference, inlets=[mine, other])
        task.execute(context("record", asset_state_store=states))

    assert before <= states[mine][RECORDED] <= time.time()
    assert states[other] == {}
    if how == "record":  # a retry stores the same time, and never replaces a later one
        task.execute(context("record", asset_state_store=states))
        assert states[mine][RECORDED] <= time.time()
        states[mine][RECORDED] = later = time.time() + 60
        task.execute(context("record", asset_state_store=states))
        assert states[mine][RECORDED] == later


def test_a_failing_store_does_not_fail_the_task(world: World, caplog: pytest.LogCaptureFixture):
    task = download(world, inlets=[create_asset(di_code=SALTMARSH)])

    assert task.execute(context("download", asset_state_store=States()))["recorded"] is True
    assert "was not notified: KeyError" in caplog.text

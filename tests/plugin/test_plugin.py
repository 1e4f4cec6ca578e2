"""The plugin costs a task almost nothing, and Airflow 2.11 ignores it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_apscores.operators.links import CampusPageLink
from airflow_provider_apscores.plugin import APScoresPlugin
from airflow_provider_apscores.report import Campus, Report, render

pytestmark = pytest.mark.airflow
PROJECT = Path(__file__).parents[2]


def test_a_process_imports_one_module_for_the_plugin():
    script = """
import sys
try:
    import airflow.sdk.execution_time.task_runner
except ImportError:
    import airflow.plugins_manager
import airflow_provider_apscores
before = set(sys.modules)
import airflow_provider_apscores.plugin
print(*sorted(set(sys.modules) - before))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert run.stdout.split()[-1:] == ["airflow_provider_apscores.plugin"]
    assert len(run.stdout.splitlines()[-1].split()) <= 3


def test_the_plugin_defines_nothing_that_needs_flask():
    for name in ("flask_blueprints", "appbuilder_views", "appbuilder_menu_items", "admin_views", "menu_links"):
        assert getattr(APScoresPlugin, name, []) == []


def test_the_plugin_is_an_entry_point():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["airflow.plugins"] == {
        "apscores": f"{APScoresPlugin.__module__}:{APScoresPlugin.__name__}"
    }


def test_the_link_of_a_task_leads_to_its_campus_on_the_page():
    page = render(Report(datetime.now(UTC), datetime.now(UTC), (Campus("0901"),)))

    address = CampusPageLink().get_link(SimpleNamespace(campuses=["0901"]), ti_key=None)

    assert f' id="{address.partition("#")[2]}"' in page


def test_addresses_are_relative_so_that_a_base_url_with_a_path_works():
    (view,) = APScoresPlugin.external_views
    (app,) = APScoresPlugin.fastapi_apps

    assert view["href"] == app["url_prefix"].removeprefix("/") + "/"
    assert not view["icon"].startswith("/")

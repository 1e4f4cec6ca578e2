"""The page in a real API server, and in a real browser: who may see it, and what it looks like there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import airflow
import pytest

from airflow_provider_apscores.scores.score_counts import OTHER
from tests.plugin.browser import CHROMIUM, browser
from tests.plugin.events import LARGE, Writer
from tests.plugin.server import Server, migrated, server

pytestmark = pytest.mark.skipif(
    tuple(int(number) for number in airflow.__version__.split(".")[:2]) < (3, 1), reason="before Airflow 3.1"
)

PUBLISHED = {"66": LARGE, "07": dict.fromkeys("12345"), "20": dict.fromkeys("12345"), OTHER: LARGE}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the events of two campuses."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    env = migrated(tmp_path_factory.mktemp("page") / "airflow")
    engine = create_engine(env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    now = datetime.now(UTC)
    with Session(engine) as session:
        writer = Writer(session)
        writer.day("0901", now - timedelta(days=30), 1234, PUBLISHED)
        writer.landed("9120", now - timedelta(days=2), 34)
        session.commit()
    engine.dispose()
    with server(env) as running:
        yield running


def test_an_anonymous_visitor_sees_nothing(running: Server):
    for path in ("/apscores/", "/apscores/icon.svg"):
        status, text, _ = running.get(path)

        assert status == 401
        assert "0901" not in text


@pytest.mark.parametrize("cookie", [True, False], ids=["cookie", "bearer"])
def test_a_viewer_sees_counts_and_no_path_or_name(running: Server, cookie: bool):
    status, text, headers = running.get("/apscores/", "viewer", cookie=cookie)

    assert status == 200
    assert "1,234 student records" in text
    assert "Pending" in text
    assert not re.search("Wickerez|/srv|parquet|manifest", text)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"


def test_there_are_no_other_pages(running: Server):
    for path in ("/apscores/docs", "/apscores/redoc", "/apscores/openapi.json"):
        assert running.get(path, "viewer")[0] == 404


def test_the_icon_is_an_image(running: Server):
    status, _, headers = running.get("/apscores/icon.svg", "viewer", cookie=True)

    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_stands_in_the_airflow_ui_in_light_and_dark(running: Server, tmp_path: Path):
    frame = "document.querySelector('iframe').contentDocument"
    with browser(tmp_path) as tab:
        tab.size(1400, 1000)
        tab.log_in(running.address, running.tokens["viewer"])
        tab.open(f"{running.address}/plugin/apscores")

        assert "1,234 student records" in tab.wait(f"{frame}.querySelector('section.card').innerText")
        assert tab.run(f"{frame}.location.pathname") == "/college/airflow/apscores/"
        colors = {}
        for scheme in ("light", "dark"):
            tab.emulate(prefers_color_scheme=scheme)
            colors[scheme] = tab.run(f"getComputedStyle({frame}.body).backgroundColor")
            tab.screenshot(tmp_path / f"{scheme}.png")
        assert colors == {"light": "rgb(246, 247, 249)", "dark": "rgb(17, 22, 29)"}


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_fits_a_narrow_window_and_paper(running: Server, tmp_path: Path):
    with browser(tmp_path) as tab:
        tab.log_in(running.address, running.tokens["viewer"])
        tab.size(400, 900)
        tab.open(f"{running.address}/apscores/")
        tab.wait("document.querySelector('section.card').innerText")

        assert tab.run("document.documentElement.scrollWidth") <= 400
        tab.emulate(media="print")
        assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.run("getComputedStyle(document.querySelector('details')).display") == "none"

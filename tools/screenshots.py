"""Make the pictures of the documentation from the running product.

``PYTHONPATH=. .venv/bin/python tools/screenshots.py [page|log|form|run]...`` needs Chromium. It runs the demo in an
empty ``.demo/``, with more reports, and writes PNG files into ``docs/images/``. Look at each picture before you
commit it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import demo

from tests.plugin.browser import Browser, browser

IMAGES = demo.PROJECT / "docs" / "images"
#: Width and height of the window in CSS pixels.
WIDE = (1280, 860)


def main() -> int:
    # A place that says nothing about this machine: the log shows it.
    demo.DATA = Path(tempfile.gettempdir(), "ap-scores")
    for folder in (demo.DEMO, demo.DATA):
        shutil.rmtree(folder, ignore_errors=True)
    demo.HOME.mkdir(parents=True)
    with demo.sandbox() as connection, demo.airflow(connection) as api:
        demo.add_reports(json.loads(connection))
        demo.follow(api)
        with browser(demo.DEMO) as tab:
            tab.log_in(api.address, api.token)
            for take in (page, log, form, run):  # the graph of run stays switched on
                if take.__name__ in (sys.argv[1:] or [take.__name__]):
                    tab.size(*WIDE)
                    take(tab, api)
    return 0


def page(tab: Browser, api: demo.Api) -> None:
    """The page AP Scores, light and dark."""
    for theme in ("light", "dark"):
        tab.emulate(prefers_color_scheme=theme)
        tab.open(f"{api.address}/plugin/apscores")
        shoot(tab, "page" if theme == "light" else "page-dark", "document.querySelector('iframe')", settle=6)
    tab.emulate(prefers_color_scheme="light")


def run(tab: Browser, api: demo.Api) -> None:
    """The graph of the run."""
    tab.open(f"{api.address}/dags/{demo.DAG_ID}/runs/{run_id(api)}")
    tab.wait("document.body.innerText.includes('deliver')", 60)
    click(tab, "[aria-label='Expand all task groups']")
    tab.call("Input.dispatchKeyEvent", type="keyDown", key="g", code="KeyG", text="g", windowsVirtualKeyCode=71)
    shoot(tab, "run", "document.querySelector('.react-flow__node')", settle=8)


def log(tab: Browser, api: demo.Api) -> None:
    """The log of a download."""
    path = f"/dags/{demo.DAG_ID}/dagRuns/{run_id(api)}/taskInstances"
    download = next(
        each
        for each in api.get(path)["task_instances"]
        if each["task_id"].endswith("download") and each["state"] == "success"
    )
    tab.open(
        f"{api.address}/dags/{demo.DAG_ID}/runs/{run_id(api)}/tasks/{download['task_id']}"
        f"/mapped/{download['map_index']}"
    )
    tab.size(WIDE[0], 700)
    shoot(tab, "log", "document.body.innerText.includes('Landed')", settle=2)


def form(tab: Browser, api: demo.Api) -> None:
    """The form of a new connection of this type: its standard and its extra fields."""
    tab.open(f"{api.address}/connections")
    button = "[...document.querySelectorAll('button')].find(each => each.innerText.includes('Add Connection'))"
    tab.wait(f"!!{button}")
    tab.run(f"{button}.click()")
    field = "[role=dialog] input[role=combobox]"
    tab.wait(f"!!document.querySelector('{field}')")
    tab.run(f"document.querySelector('{field}').focus()")
    tab.call("Input.insertText", text="College Board")
    click(tab, "[role=option]")
    tab.size(WIDE[0], 940)
    shoot(tab, "form", "document.body.innerText.includes('Base URL')", settle=2)
    press(tab, "[...document.querySelectorAll('[role=dialog] button')].find(each => each.innerText == 'Extra Fields')")
    tab.size(WIDE[0], 1290)
    shoot(tab, "form-extra", "document.body.innerText.includes('Campuses (DI codes)')", settle=2)


def click(tab: Browser, selector: str) -> None:
    tab.wait(f'!!document.querySelector("{selector}")')
    tab.run(f'document.querySelector("{selector}").click()')


def press(tab: Browser, element: str) -> None:
    """Click with the mouse: some parts of the form ignore ``click()``."""
    box = tab.run(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({element}.getBoundingClientRect())")
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)


def run_id(api: demo.Api) -> str:
    runs = api.get(f"/dags/{demo.DAG_ID}/dagRuns")["dag_runs"]
    return urllib.parse.quote(runs[-1]["dag_run_id"], safe="")


def shoot(tab: Browser, name: str, shown: str, *, settle: float) -> None:
    """Take a picture *settle* seconds after the JavaScript expression *shown* is true: until then charts are drawn."""
    tab.wait(f"!!({shown})", 120)
    time.sleep(settle)
    IMAGES.mkdir(exist_ok=True)
    tab.screenshot(IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    sys.exit(main())

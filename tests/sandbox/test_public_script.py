"""A script as institutions run it against the live service; only its base URL and folder differ.

It does what such scripts are known to do: check ``success`` and not only the status, treat the message
"There were no score orders found" as nothing new, retry after a 504 and after a reply without a URL, send the
headers with every call, store under ``fileName``, and record at the end.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from airflow_provider_apscores.sandbox import reports_in

SCRIPT = """
import base64, json, os, sys, time
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

BASE = os.environ["BASE_URL"]
FOLDER = os.environ["FOLDER"]
web = build_opener(ProxyHandler({}))
headers = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "X-CB-Catapult-Authentication-Token": "CBLogin Web Service",
    "X-CB-Catapult-Authorization-Token": "CBLogin",
}


def post(path, payload):
    request = Request(BASE + path, data=json.dumps(payload).encode("utf-8"), headers=headers)
    with web.open(request, timeout=120) as response:
        return json.loads(response.read().decode("utf-8"))


def generate(code):
    for attempt in range(8):
        try:
            reply = post("/fileGeneration", {"diCode": code, "format": "TXT", "downloadType": "new"})
        except HTTPError as error:
            if error.code != 504:
                raise
            time.sleep(0.01)
            continue
        if not reply.get("success"):
            if "There were no score orders found" in reply.get("message", ""):
                return None
            sys.exit("generation failed: " + reply.get("message", ""))
        if reply.get("url"):
            return reply
        time.sleep(0.01)
    sys.exit("no file after eight attempts")


password = base64.b64encode(os.environ["PASSWORD"].encode("utf-8")).decode("ascii")
login = post("/webServiceAuth", {"u": os.environ["EMAIL"], "p": password})
if not login["success"]:
    sys.exit("login failed: " + login["message"])
headers["X-CB-Catapult-Authorization-Token"] = login["authToken"]

for code in sys.argv[1:]:
    reply = generate(code)
    if reply is None:
        print(code, "nothing new")
        continue
    with web.open(Request(reply["url"], headers=headers)) as response:
        data = response.read()
    with open(os.path.join(FOLDER, reply["fileName"]), "wb") as target:
        target.write(data)
    done = post("/webServiceDownloaded", {"downloadId": str(reply["downloadId"]), "format": "TXT"})
    if not done["success"]:
        sys.exit("recording failed: " + done["message"])
    print(code, "stored")
"""


def run(sandbox, folder: Path, *, password: str | None = None) -> subprocess.CompletedProcess[str]:
    settings = {"BASE_URL": sandbox.base_url, "FOLDER": str(folder), "EMAIL": sandbox.email}
    settings["PASSWORD"] = password or sandbox.password
    command = [sys.executable, "-c", SCRIPT, *sandbox.di_codes]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **settings})


def test_it_fetches_stores_and_records(sandbox, tmp_path):
    done = run(sandbox, tmp_path)
    assert done.stdout.splitlines() == ["0901 stored", "9120 stored", "9377 nothing new"], done.stderr
    files = sorted(tmp_path.iterdir())
    assert [file.name[:19] for file in files] == ["AP_HED_Scores_0901_", "AP_HED_Scores_9120_"]
    stored = [report for file in files for report in reports_in(file.read_bytes())]
    audit = sandbox.audit()
    assert set(stored) == audit.all_reports == audit.recorded_reports
    assert audit.calls == {"login": 1, "order": 3, "download": 2, "record": 2}


def test_the_second_run_fetches_only_new_reports(sandbox, tmp_path):
    run(sandbox, tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    news = sandbox.add_reports("9377", 2)
    assert run(sandbox, tmp_path).stdout.splitlines() == ["0901 nothing new", "9120 nothing new", "9377 stored"]
    (file,) = tmp_path.iterdir()
    assert reports_in(file.read_bytes()) == news


def test_it_retries_as_with_the_live_service(sandbox, tmp_path):
    sandbox.fail("order", "504", times=2, di_code="0901")
    sandbox.fail("order", "missing-url", di_code="9120")
    assert "9377 nothing new" in run(sandbox, tmp_path).stdout
    assert sandbox.audit().recorded_reports == sandbox.audit().all_reports


def test_it_fails_as_it_does_with_the_live_service(sandbox, tmp_path):
    done = run(sandbox, tmp_path, password="Wrong-Pa55word")
    assert (done.returncode, done.stderr.strip()) == (1, "login failed: Invalid username or password.")
    assert list(tmp_path.iterdir()) == []


def test_the_script_would_not_pass_with_a_plain_password(sandbox, anonymous):
    """
    The sandbox really checks what the script does correctly.
    """
    assert not anonymous.call("webServiceAuth", u=sandbox.email, p=sandbox.password)["success"]
    assert json.loads(sandbox.airflow_connection)["password"] == sandbox.password
    assert "/" in base64.b64encode(sandbox.password.encode()).decode()

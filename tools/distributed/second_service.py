"""A second implementation of the web service, so that the scenarios do not depend on the sandbox alone.

It implements ``docs/reference/webservice.md`` and shares no code of the protocol with the sandbox. Where the
reference leaves a choice, it chooses otherwise: download ids are text, addresses are signed in S3's newer form, and
each connection carries one request (HTTP/1.0). It has one account and keeps its state in memory.

Of the sandbox's control address it has what the scenarios use: ``audit``, ``calls``, ``reports``, ``clear-faults``, and
``faults`` with one fault, ``download:stall=SECONDS:1``.

``python tools/distributed/second_service.py`` runs it, and prints its connection for Airflow.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_apscores.scorefile import csv_header, encode_csv_record, encode_record

BASE = "/second"
CONTROL = "/_sandbox/"
EMAIL = "registrar@second-service.example"
PASSWORD = "Another-Pa55wörd"
URL_SECONDS = 120
CALLS = {"/webServiceAuth": "login", "/fileGeneration": "order", "/webServiceDownloaded": "record"}


@dataclass
class File:
    """A generated file. Recording it moves the cursor of its campus to *end*."""

    di_code: str
    file_format: str
    reports: list[str]
    end: int
    url: str
    expires: datetime


class SecondService(ThreadingHTTPServer):
    """The server and its state. Hold ``lock`` to use the state."""

    daemon_threads = True

    def __init__(self, di_codes: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.base_url = self.origin + BASE
        self.issued: dict[str, list[str]] = {di_code: [] for di_code in di_codes}
        self.cursors = dict.fromkeys(di_codes, 0)
        self.files: dict[str, File] = {}
        self.recorded: list[str] = []
        self.tokens: set[str] = set()
        self.calls: list[dict[str, Any]] = []
        self.stalls: list[float] = []

    def add_call(self, kind: str, status: int, success: bool, di_code: str | None = None) -> None:
        number = len(self.calls) + 1
        self.calls.append({"number": number, "kind": kind, "di_code": di_code, "status": status, "success": success})

    # The calls of the web service; each returns the fields of its answer.

    def log_in(self, u: str, p: str) -> dict[str, Any]:
        if (u, p) != (EMAIL, base64.b64encode(PASSWORD.encode()).decode()):
            return refuse("The user name or the password is not valid.")
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return {"success": True, "message": "Authenticated.", "authToken": token}

    def order(self, diCode: str, format: str, downloadType: str) -> dict[str, Any]:
        if diCode not in self.issued:
            return refuse("This DI code does not belong to the account.")
        if format not in ("TXT", "CSV") or downloadType not in ("new", "full"):
            return refuse("The format or the download type is not valid.")
        # All reports are of the current reporting year: the state does not outlive the process.
        reports = self.issued[diCode][self.cursors[diCode] if downloadType == "new" else 0 :]
        if not reports:
            return refuse("There were no score orders found for this institution.")
        download_id, now = f"second-{secrets.token_hex(6)}", datetime.now(UTC)
        signed = f"X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={URL_SECONDS}&X-Amz-Signature={secrets.token_hex(16)}"
        url, expires = f"/files/{download_id}?{signed}", now + timedelta(seconds=URL_SECONDS)
        self.files[download_id] = File(diCode, format, reports, len(self.issued[diCode]), url, expires)
        answer = {"success": True, "message": "Generated.", "url": self.origin + url, "downloadId": download_id}
        return answer | {"fileName": f"AP_HED_Scores_{diCode}_{datetime.now():%m%d%Y_%H%M}.{format.lower()}"}

    def record(self, downloadId: str, format: str) -> dict[str, Any]:
        file = self.files.get(downloadId)
        if file is None or file.file_format != format:
            return refuse("There is no such download.")
        self.cursors[file.di_code] = max(self.cursors[file.di_code], file.end)
        if downloadId not in self.recorded:
            self.recorded.append(downloadId)
        return {"success": True, "message": "Recorded."}

    # The control address

    def control(self, what: str, fields: dict[str, Any]) -> dict[str, Any]:
        if what == "audit":
            kinds = [call["kind"] for call in self.calls]
            return {
                "issued": self.issued,
                "generated": {key: asdict(file) for key, file in self.files.items()},
                "recorded": self.recorded,
                "cursors": {EMAIL: self.cursors},
                "calls": {kind: kinds.count(kind) for kind in ("login", "order", "download", "record")},
            }
        if what == "calls":
            return {"calls": self.calls}
        if what == "reports":
            reports, count = self.issued[fields["di_code"]], len(self.issued[fields["di_code"]])
            numbers = range(count + 1, count + 1 + fields["count"])
            reports += [f"{fields['di_code']}-{number:08d}" for number in numbers]
            return {"reports": reports[count:]}
        if what == "faults":
            matches = [re.fullmatch(r"download:stall=([0-9.]+):1", fault) for fault in fields["faults"]]
            self.stalls += [float(match[1]) for match in matches if match]
            if not all(matches):
                raise ValueError("This service has the fault download:stall=SECONDS:1 only.")
        elif what == "clear-faults":
            self.stalls.clear()
        else:
            raise ValueError(f"This service has no {CONTROL}{what}.")
        return {}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: SecondService

    def do_POST(self) -> None:
        try:
            fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with self.server.lock:
                if self.path.startswith(CONTROL):
                    self._answer(200, self.server.control(self.path.removeprefix(CONTROL), fields))
                else:
                    self._call(CALLS[self.path.removeprefix(BASE)], fields)
        except (KeyError, TypeError, ValueError) as error:
            self._answer(400, refuse("The request is not valid.") | {"error": str(error)})

    def do_GET(self) -> None:
        if self.path.startswith(CONTROL):
            with self.server.lock:
                return self._answer(200, self.server.control(self.path.removeprefix(CONTROL), {}))
        with self.server.lock:
            file = next((file for file in self.server.files.values() if file.url == self.path), None)
            if file is None or file.expires < datetime.now(UTC) or not self._has_token():
                self.server.add_call("download", 403, False)
                return self._send(403, "application/xml", b"<Error><Code>AccessDenied</Code></Error>")
            self.server.add_call("download", 200, True, file.di_code)
            stall = self.server.stalls.pop(0) if self.server.stalls else 0.0
        self._send(200, "application/octet-stream", score_file(file), stall)

    def _call(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "login":
            allowed, answer_to = self._has_headers("CBLogin"), self.server.log_in
        else:
            allowed, answer_to = self._has_token(), getattr(self.server, kind)
        status, answer = (200, answer_to(**fields)) if allowed else (401, refuse("The token is not valid."))
        self.server.add_call(kind, status, answer["success"], fields.get("diCode"))
        self._answer(status, answer)

    def _has_token(self) -> bool:
        return any(self._has_headers(token) for token in self.server.tokens)

    def _has_headers(self, token: str) -> bool:
        return (
            self.headers["X-CB-Catapult-Authentication-Token"] == "CBLogin Web Service"
            and self.headers["X-CB-Catapult-Authorization-Token"] == token
        )

    def _answer(self, status: int, fields: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(fields, default=str).encode())

    def _send(self, status: int, content_type: str, content: bytes, stall: float = 0.0) -> None:
        with suppress(ConnectionError):  # a client that was killed
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            time.sleep(stall)
            self.wfile.write(content[half:])


def refuse(message: str) -> dict[str, Any]:
    return {"success": False, "message": message}


def score_file(file: File) -> bytes:
    """Return the content: one invented student for each report, whose number is the ordering institution key."""
    students = [
        {
            "ap_id": f"Z{report[:4]}{report[-3:]}", "last_name": f"INVENTED {report[-5:]}", "first_name": "STUDENT",
            "birth_date": "010108", "college_code": f"00{report[:4]}", "college_name": "SECOND SERVICE COLLEGE",
            "admin_year_01": "26", "exam_code_01": "07", "exam_grade_01": "4",
            "released_date": "070126", "report_date": "070226", "ordering_institution_key": report[-8:],
        }
        for report in file.reports
    ]  # fmt: skip
    if file.file_format == "TXT":
        return b"".join(encode_record(student) + b"\r\n" for student in students)
    return "".join(f"{line}\r\n" for line in (csv_header(), *map(encode_csv_record, students))).encode()


def main() -> None:
    with SecondService(["0417", "9563"]) as service:
        extra = {"di_codes": ",".join(service.issued)}
        connection = {"conn_type": "apscores", "login": EMAIL, "password": PASSWORD, "host": service.base_url}
        text = shlex.quote(json.dumps(connection | {"extra": extra}))
        print(f"export AIRFLOW_CONN_APSCORES_DEFAULT={text}", flush=True)
        service.serve_forever()


if __name__ == "__main__":
    main()

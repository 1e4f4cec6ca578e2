"""A client written from the reference with http.client only, independent of the package."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_apscores.sandbox import DEFAULT_EMAIL, DEFAULT_PASSWORD, Campus, Sandbox

JSON = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "X-CB-Catapult-Authentication-Token": "CBLogin Web Service",
}


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        fields = json.loads(self.body)
        assert isinstance(fields, dict)
        return fields

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass
class Client:
    """The four calls, one connection each."""

    base_url: str
    email: str = DEFAULT_EMAIL
    password: str = DEFAULT_PASSWORD
    token: str = "CBLogin"
    timeout: float = 10.0
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))

    def ask(self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def call(self, name: str, **fields: Any) -> Answer:
        headers = {**self.headers, "X-CB-Catapult-Authorization-Token": self.token}
        return self.ask("POST", f"{self.base_url}/{name}", json.dumps(fields).encode(), headers)

    def log_in(self) -> Answer:
        self.token = "CBLogin"
        encoded = base64.b64encode(self.password.encode()).decode()
        answer = self.call("webServiceAuth", u=self.email, p=encoded)
        if b'"authToken"' in answer.body:
            self.token = answer["authToken"]
        return answer

    def order(self, di_code: str, file_format: str = "TXT", download_type: str = "new") -> Answer:
        return self.call("fileGeneration", diCode=di_code, format=file_format, downloadType=download_type)

    def download(self, url: str) -> Answer:
        return self.ask("GET", url, headers={**self.headers, "X-CB-Catapult-Authorization-Token": self.token})

    def record(self, download_id: object, file_format: str = "TXT") -> Answer:
        return self.call("webServiceDownloaded", downloadId=str(download_id), format=file_format)

    def fetch(self, di_code: str, file_format: str = "TXT", download_type: str = "new") -> tuple[str, bytes]:
        """Order and download; the download id and the file."""
        ordered = self.order(di_code, file_format, download_type)
        assert ordered["success"], ordered.fields
        return str(ordered["downloadId"]), self.download(ordered["url"]).body


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    campuses = (Campus("0901", "Saltmarsh University", 12), Campus("9120", "Quillfeather College", 5))
    with Sandbox(campuses=(*campuses, Campus("9377", "Emberwick College of Arts"))) as running:
        yield running


@pytest.fixture
def make_client() -> Callable[..., Client]:
    """Make a client of a sandbox (or of a base URL), logged in."""

    def client(where: Sandbox | str, **more: str) -> Client:
        made = Client(where if isinstance(where, str) else where.base_url, **more)
        assert made.log_in()["success"]
        return made

    return client


@pytest.fixture
def client(sandbox: Sandbox, make_client: Callable[..., Client]) -> Client:
    return make_client(sandbox)


@pytest.fixture
def anonymous(sandbox: Sandbox) -> Client:
    """A client that is not logged in."""
    return Client(sandbox.base_url)

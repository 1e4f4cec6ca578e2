"""A real API server of Airflow with two users, below a base URL with a path."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from tests.provider.deployment import clean_environment, free_port

#: The path of the base URL.
PATH = "/college/airflow"


@dataclass
class Server:
    """A running server and the tokens of its users.

    Attributes:
        address: Its base URL, without a slash at the end.
        tokens: By user: ``viewer`` and ``root``.
    """

    address: str
    tokens: dict[str, str]

    def get(self, path: str, user: str | None = None, *, cookie: bool = False) -> tuple[int, str, Message]:
        """The status, the text and the headers of a page for a user, or for an anonymous visitor."""
        headers = {}
        if user is not None:
            token = self.tokens[user]
            headers = {"Cookie": f"_token={token}"} if cookie else {"Authorization": f"Bearer {token}"}
        return _request(f"{self.address}{path}", headers=headers)


def _request(
    address: str, data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str, Message]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(address, data, headers or {}), timeout=60) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def migrated(home: Path) -> dict[str, str]:
    """Create a metadata database in *home*; return the environment of its Airflow."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    (home / "dags").mkdir()
    env = clean_environment() | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer,root:admin",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{PATH}",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    with (home / "migrate.log").open("wb") as log:
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=env, stdout=log, stderr=log, check=True)
    return env


@contextmanager
def server(env: dict[str, str]) -> Iterator[Server]:
    """Run the API server of an environment."""
    home = Path(env["AIRFLOW_HOME"])
    output = home / "api-server.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env
        )
    try:
        address = env["AIRFLOW__API__BASE_URL"]
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, output.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, "The API server did not start."
            with suppress(OSError, ValueError, KeyError):
                passwords = json.loads((home / "simple_auth_manager_passwords.json.generated").read_text())
                running = Server(address, {user: _token(address, user, passwords[user]) for user in passwords})
                break
            time.sleep(0.5)
        yield running
    finally:
        process.terminate()
        process.wait(30)


def _token(address: str, user: str, password: str) -> str:
    body = json.dumps({"username": user, "password": password}).encode()
    _, text, _ = _request(f"{address}/auth/token", body, {"Content-Type": "application/json"})
    return str(json.loads(text)["access_token"])

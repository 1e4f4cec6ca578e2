"""A real IMAP server on loopback, in a separate process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOGIN, PASSWORD = "registrar", "invented-Passw0rd"

# Without this, each login takes half a million rounds of hashing.
START = """\
from pysasl.hashing import BuiltinHash; BuiltinHash.__init__.__kwdefaults__['rounds'] = 1000
from pymap.main import main; main()
"""


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """Run pymap with one mailbox in memory; yield its port. It logs to *folder*."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    backend = ["dict", "--demo-user", LOGIN, "--demo-password", PASSWORD]
    log = folder / "pymap.txt"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", START, *arguments, *backend], stdout=output, stderr=output)
    try:
        for _ in range(200):
            assert process.poll() is None, log.read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("pymap did not start")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def mail_connection(port: int) -> str:
    """Return the mailbox as an Airflow connection."""
    connection = {"conn_type": "imap", "host": "127.0.0.1", "port": port, "login": LOGIN, "password": PASSWORD}
    return json.dumps(connection | {"extra": {"use_ssl": False}})

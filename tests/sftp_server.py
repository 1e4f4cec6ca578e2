"""A real SFTP server on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def sftp_server(root: Path) -> Iterator[int]:
    """Serve *root* to any user without a password; gives the port."""
    asyncssh = pytest.importorskip("asyncssh")

    connections = []

    class Open(asyncssh.SSHServer):
        def connection_made(self, connection) -> None:
            connections.append(connection)

        def begin_auth(self, username: str) -> bool:
            return False

    async def serve():
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Open,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root)),
        )

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(30)
    try:
        yield server.get_port()
    finally:
        loop.call_soon_threadsafe(server.close)
        for connection in connections:  # a client of a server that is gone should be told
            loop.call_soon_threadsafe(connection.abort)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)

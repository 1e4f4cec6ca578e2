"""SFTP folders for ``ObjectStoragePath``, by the official SFTP provider alone.

The provider's own file system also needs the package ``sshfs``. This one uses the provider's hook, so that keys,
host key checks and proxies of the Airflow connection count.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.lookup import connection_errors

#: Seconds that one answer of the server may take.
_TIMEOUT = 120.0


def attach_sftp(uri: str) -> None:
    """
    Let ``ObjectStoragePath`` open a URI such as ``sftp://conn_id@host/path`` through the SFTP connection *conn_id*.

    The connection names the server. If the URI names another host, its first use is a
    :class:`~airflow_provider_apscores.errors.ConfigurationError`, so that no file reaches a server that was not meant.
    A URI without a host, ``sftp://conn_id@/path``, takes that of the connection.

    :raises ConfigurationError: the URI names no connection, or the SFTP provider is missing.
    """
    from importlib import import_module

    from airflow.providers.common.compat.sdk import io  # type: ignore[attr-defined]

    address = urlsplit(uri)
    conn_id = address.username or ""
    if not conn_id:
        raise ConfigurationError(
            "An SFTP address names an Airflow connection of type sftp: sftp://conn_id@host/path. The connection has "
            "host, login, and key or password."
        )
    try:
        from airflow.providers.sftp.hooks.sftp import SFTPHook
        from fsspec.implementations.sftp import SFTPFileSystem
    except ImportError:
        raise ConfigurationError(
            "sftp:// needs Airflow's SFTP provider. Install this package with its extra [sftp]."
        ) from None

    class HookSFTPFileSystem(SFTPFileSystem):
        """An SFTP file system that connects through Airflow's hook, and again when the connection is lost."""

        cachable = False
        _sftp: Any = None
        _server = ""

        def __init__(self, host: str) -> None:
            super().__init__(host)
            #: The hosts of all addresses with this connection.
            self.hosts: set[str] = set()

        def _connect(self) -> None:
            """The first use connects, see *ftp*."""

        @property
        def ftp(self) -> Any:
            if not self._server:
                with connection_errors(conn_id, "sftp"):
                    self._server = SFTPHook(ssh_conn_id=conn_id).remote_host.lower()
            for host in self.hosts - {self._server}:
                raise ConfigurationError(
                    f"The address sftp://{conn_id}@{host} names another server than connection {conn_id!r}, which "
                    f"leads to {self._server}. Nothing was sent. Write that host, or none: sftp://{conn_id}@/path."
                )
            if self._sftp is None or not self._sftp.get_channel().get_transport().is_active():
                self._sftp = SFTPHook(ssh_conn_id=conn_id).get_conn()
                # A server that stops answering would otherwise hold the task forever.
                self._sftp.get_channel().settimeout(_TIMEOUT)
            return self._sftp

    # Airflow keeps the first one that is attached to a connection id.
    store = import_module(f"{io.__name__}.store")
    attached = store.attach("sftp", conn_id, fs=HookSFTPFileSystem(conn_id))
    if address.hostname:
        attached.fs.hosts.add(address.hostname)

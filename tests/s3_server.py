"""A real S3 server on loopback that counts its requests: moto behind a list of what was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest


class S3Server:
    """A running server.

    Attributes:
        address: Its URL.
        requests: Method and path of each request since the list was last cleared.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from moto.server import MotoRequestHandler
        from werkzeug.serving import make_server

        backend = DomainDispatcherApplication(create_backend_app)
        self.requests: list[str] = []

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            path = environ["PATH_INFO"]
            if not path.startswith("/moto-api"):
                self.requests.append(f"{environ['REQUEST_METHOD']} {path}?{environ['QUERY_STRING']}")
            return backend(environ, start_response)

        class Quiet(MotoRequestHandler):
            def log_request(self, *_: Any) -> None:
                pass

        self.server = make_server(host, port, application, threaded=True, request_handler=Quiet)
        self.address = f"http://{host}:{self.server.server_port}"

    def clear(self) -> None:
        """Delete all buckets. All servers of one process share them."""
        urlopen(Request(f"{self.address}/moto-api/reset", method="POST")).close()

    def store(self) -> Any:
        """A file system for this server, with the bucket ``scores``."""
        store = s3_file_system(self.address)
        # mkdir() of s3fs names the region, which this one must not be named.
        store.call_s3("create_bucket", Bucket="scores")
        return store


class S3Path:
    """A path object, as Airflow's ``ObjectStoragePath`` is one: ``fs``, ``path``, ``protocol``, the address as text."""

    protocol = "s3"

    def __init__(self, store: Any, path: str) -> None:
        self.fs, self.path = store, path

    def __str__(self) -> str:
        return f"s3://{self.path}"

    @property
    def parent(self) -> S3Path:
        return S3Path(self.fs, self.path.rpartition("/")[0])

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def s3_file_system(address: str) -> Any:
    """A file system for the server at *address*."""
    import s3fs

    return s3fs.S3FileSystem(
        key="invented",
        secret="invented",
        endpoint_url=address,
        client_kwargs={"region_name": "us-east-1"},
        skip_instance_cache=True,
    )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve in a thread of this process."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    server = S3Server()
    threading.Thread(target=server.server.serve_forever, daemon=True).start()
    server.clear()
    try:
        yield server
    finally:
        server.server.shutdown()

"""The web service of College Board's AP Higher Education score reports.

From the data outwards:

* :mod:`~airflow_provider_apscores.webservice.messages`: what is exchanged: credentials, orders, requests, files.
* :mod:`~airflow_provider_apscores.webservice.protocol`: the four calls as pairs ``build_x`` / ``read_x``. Pure.
* :mod:`~airflow_provider_apscores.webservice.session`: the order of calls: login, renewal, asking again. No I/O.
* :mod:`~airflow_provider_apscores.webservice.client`: two drivers, blocking and awaiting, that do the I/O. They stand
  on ``transport`` (httpx), ``response_body`` (where bytes go) and ``deadlines`` (how long they may take).

They are helped by ``secret``, ``addresses``, ``answer`` (what a reply contains), ``error_text`` (what its words mean),
``logins`` and ``retries``. Nothing here knows Airflow or the contents of a score file. Names are loaded when first
used, so that importing this package is cheap.

Example::

    from airflow_provider_apscores.webservice import Client, Credentials, Session

    with Client(Session(Credentials("registrar@college.edu", password))) as college_board:
        generated = college_board.order("4866")
        if generated is not None:
            with open("scores.txt", "wb") as sink:
                transfer = college_board.download(generated, sink)
            college_board.record(transfer.generated.download_id, "TXT")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_apscores.webservice.addresses import PRODUCTION_URL, is_loopback
    from airflow_provider_apscores.webservice.client import AsyncClient, Client
    from airflow_provider_apscores.webservice.messages import (
        Credentials,
        FileOrder,
        GeneratedFile,
        Received,
        Reply,
        Request,
        Transfer,
        Wait,
        lost_zeros,
    )
    from airflow_provider_apscores.webservice.protocol import SERVICE, TOKEN
    from airflow_provider_apscores.webservice.response_body import MAX_FILE_BYTES, Sink
    from airflow_provider_apscores.webservice.secret import Secret
    from airflow_provider_apscores.webservice.session import Session

__all__ = [
    "MAX_FILE_BYTES",
    "PRODUCTION_URL",
    "SERVICE",
    "TOKEN",
    "AsyncClient",
    "Client",
    "Credentials",
    "FileOrder",
    "GeneratedFile",
    "Received",
    "Reply",
    "Request",
    "Secret",
    "Session",
    "Sink",
    "Transfer",
    "Wait",
    "is_loopback",
    "lost_zeros",
]

_HOMES = {
    "addresses": ("PRODUCTION_URL", "is_loopback"),
    "client": ("AsyncClient", "Client"),
    "messages": (
        "Credentials",
        "FileOrder",
        "GeneratedFile",
        "Received",
        "Reply",
        "Request",
        "Transfer",
        "Wait",
        "lost_zeros",
    ),
    "protocol": ("SERVICE", "TOKEN"),
    "response_body": ("MAX_FILE_BYTES", "Sink"),
    "secret": ("Secret",),
    "session": ("Session",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # otherwise a misspelt name would pass type checkers

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)

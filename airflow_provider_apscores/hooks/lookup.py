"""Look up Airflow connections: existence, type, extra."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError


class OpaqueConnection:
    """
    An Airflow connection whose ``repr`` shows no password. That of Airflow 3 does, and error trackers record locals.

    :param connection: the connection.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __repr__(self) -> str:
        return f"<connection {self._connection.conn_id!r}>"


@contextmanager
def connection_errors(conn_id: str, conn_type: str) -> Iterator[None]:
    """
    Turn the error for a missing connection into one that says what to create or correct.

    :raises ConfigurationError: there is no such connection, or its environment variable is malformed.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        yield
    except AirflowNotFoundException:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if variable in os.environ:  # Airflow hides its own error, and says that there is no connection.
            raise ConfigurationError(
                f"Airflow can't read the environment variable {variable}. Correct its JSON: quotes, commas and braces."
            ) from None
        raise ConfigurationError(
            f"There is no connection {conn_id!r}. Create one of type {conn_type}, or correct the id."
        ) from None


def check_type(connection: Any, conn_type: str) -> None:
    """
    Check the type of a connection before its password is sent to a service.

    :raises ConfigurationError: it has another type. A connection without a type, as in an environment variable, passes.
    """
    if (connection.conn_type or conn_type) != conn_type:
        raise ConfigurationError(
            f"Connection {connection.conn_id!r} is of type {connection.conn_type}, not {conn_type}; nothing was sent."
        )


def read_extra(connection: Any) -> dict[str, Any]:
    """
    Read a connection's extra without ``extra_dejson``.

    ``extra_dejson`` masks every value by a blocking call that deadlocks a triggerer before Airflow 3.3.2. The only
    secret here is the proxy's password, which the client masks: the URL of the proxy becomes a ``Secret``.

    :raises ConfigurationError: it is not a JSON object.
    """
    from airflow_provider_apscores.webservice import Secret

    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(f"Connection {connection.conn_id!r}: The extra must be a JSON object.")
    if extra.get("proxy"):
        extra["proxy"] = Secret(str(extra["proxy"]).strip())
    return extra

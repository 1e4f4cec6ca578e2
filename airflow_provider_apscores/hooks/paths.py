"""Addresses of files and folders that may name an Airflow connection, such as ``s3://conn_id@bucket/ap``."""

from __future__ import annotations

from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.sftp import attach_sftp

_SFTP = {"sftp", "ssh"}
# In the addresses of other stores, what comes before the @ may be a container.
_NAMES_CONNECTION = {"s3", "s3a", "gs", "gcs", *_SFTP}


def storage_path(address: str, argument: str = "The address") -> Any:
    """
    Return the ``ObjectStoragePath`` of an address. Airflow looks up the connection that it names.

    :param address: a local path or a URI.
    :param argument: what the address is, for errors.
    :raises ConfigurationError: there is no file system for its scheme, or no such connection.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

    scheme, _, rest = address.partition("://")
    if scheme in _SFTP:
        attach_sftp(address)
    try:
        path = ObjectStoragePath(address)
        _ = path.fs  # now, so that a missing file system is an error about this address
    except AirflowNotFoundException:
        raise ConfigurationError(f"{argument}: There is no connection {rest.partition('@')[0]!r}.") from None
    except ImportError as error:
        # Airflow's own text names the package to install.
        raise ConfigurationError(f"{argument}: The file system for {scheme}:// cannot be loaded. {error}") from error
    except ValueError as error:
        raise ConfigurationError(
            f"{argument}: Airflow has no file system for {scheme}://. Install the provider that supplies it, for "
            "instance apache-airflow-providers-amazon[s3fs] for s3:// or apache-airflow-providers-google for gs://."
        ) from error
    return path


def names_connection(address: str) -> bool:
    """Return whether an address names an Airflow connection, as ``s3://conn_id@bucket/ap`` does."""
    scheme, _, rest = address.partition("://")
    user, at, _ = rest.partition("/")[0].partition("@")
    return scheme in _NAMES_CONNECTION and bool(at) and ":" not in user

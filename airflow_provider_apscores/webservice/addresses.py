"""Which addresses may be talked to, and what a pre-signed one says about itself."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from airflow_provider_apscores.errors import ConfigurationError, InsecureAddress, UnexpectedReply

#: Documented and observed.
PRODUCTION_URL = "https://aposrd-api-gw.collegeboard.org/aposrd-api-prod"


def check_base(base_url: str) -> str:
    """The base URL without a slash at its end.

    Raises:
        ConfigurationError: It is no URL, carries a query or a user name, or is not https (loopback excepted).
    """
    url = base_url.strip().rstrip("/")
    if not url.isprintable() or " " in url or not (host := _host(url)):
        raise ConfigurationError(f"The base URL must be a full address such as {PRODUCTION_URL}.")
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("The base URL must not hold a user name, a query or a fragment.")
    if not _is_secure(url):
        raise ConfigurationError(
            f"The base URL at {host} is not https. The password would travel in the open, so nothing was sent; "
            "only addresses of this machine (localhost, 127.0.0.0/8, ::1) may be http."
        )
    return url


def check(url: str, what: str) -> str:
    """The address, when a token may be sent there.

    Raises:
        InsecureAddress: It is not https (loopback excepted).
        UnexpectedReply: It is no address.
    """
    if not url.isprintable() or " " in url or not _host(url) or "@" in urlsplit(url).netloc:
        raise UnexpectedReply(f"{what} at something that is not an address.")
    if not _is_secure(url):
        raise InsecureAddress(f"{what} at an address that is not https; nothing was sent there.")
    return url


def _host(url: str) -> str:
    """The host of an http or https URL, empty when it is none, or one that two readers may read in two ways."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and not set(parts.netloc) & set("\\%")
        return (parts.hostname or "") if plain and (parts.port is None or parts.port > 0) else ""
    except ValueError:
        return ""


def _is_secure(url: str) -> bool:
    return urlsplit(url).scheme == "https" or is_loopback(_host(url))


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must not change for our headers to go along."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def expiry(url: str) -> datetime | None:
    """When a pre-signed URL stops working (UTC), or None when it does not say. Observed: both forms of S3."""
    query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    try:
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), UTC)
        if "x-amz-date" in query and "x-amz-expires" in query:
            signed = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed + timedelta(seconds=int(query["x-amz-expires"]))
    except (ValueError, OverflowError, OSError):
        pass  # Not a time that we understand: then only the answer to the GET tells.
    return None

"""Which addresses may be used, and what a pre-signed URL says about itself."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from airflow_provider_apscores.errors import ConfigurationError, InsecureAddress, UnexpectedReply
from airflow_provider_apscores.webservice.secret import Secret

#: Documented and observed.
PRODUCTION_URL = "https://aposrd-api-gw.collegeboard.org/aposrd-api-prod"

#: The only IPv6 addresses that IANA assigns to hosts in the internet. Others, such as 64:ff9b::/96, may lead to private
#: IPv4 addresses.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")


def check_base(base_url: str) -> str:
    """The base URL without a slash at its end.

    Raises:
        ConfigurationError: It is no URL, has a query or a user name, or is not https (loopback excepted).
    """
    url = base_url.strip().rstrip("/")
    if not _is_plain(url) or not (host := _host(url)):
        raise ConfigurationError(f"The base URL must be a full address such as {PRODUCTION_URL}.")
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("The base URL must not hold a user name, a query or a fragment.")
    if not _is_secure(url):
        raise ConfigurationError(
            f"The base URL at {host} is not https. The password would travel unencrypted, so nothing was sent. "
            "Use https; only addresses of this machine (localhost, 127.0.0.0/8, ::1) may be http."
        )
    return url


@dataclass(frozen=True, slots=True)
class FileAddresses:
    """The addresses that files may be fetched from.

    The service names the address of each file, and the token goes there. So an address inside a private network is
    refused, unless the service itself is in such a network or the host is listed. Names are not resolved.

    Attributes:
        base_url: The address of the service.
        trusted_hosts: Hosts, without ports, that are allowed although they are IP addresses of a private network.
    """

    base_url: str
    trusted_hosts: Collection[str] = ()

    def check(self, url: Secret, what: str) -> Secret:
        """The address, when the token may be sent there. *what* begins the sentence of an error.

        Raises:
            InsecureAddress: It is not https (loopback excepted), or it is a loopback, link-local or private IP
                address, and neither the service's own address is of that class nor is the host listed.
            UnexpectedReply: It is no address.
        """
        host = _host(url.reveal()) if _is_plain(url.reveal()) else ""
        if not host or "@" in urlsplit(url.reveal()).netloc:
            raise UnexpectedReply(f"{what} at something that is not an address.")
        if not _is_secure(url.reveal()):
            raise InsecureAddress(f"{what} at an address that is not https; nothing was sent there.")
        network = _network(host)
        if network not in ("public", _network(_host(self.base_url))) and host not in self.trusted_hosts:
            raise InsecureAddress(
                f"{what} at {host}, a {network} address, although the service is not at one; nothing was sent there. "
                "If this address is right, add it to trusted_hosts of the connection."
            )
        return url


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _host(url: str) -> str:
    """The host of an http or https URL; empty when it has none, or one that two parsers may read in two ways.

    Errors name the host, also one that the service chose: so it is short and has no other characters than hosts have.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and not set(parts.netloc) & set("\\%")
        host = (parts.hostname or "") if plain and (parts.port is None or parts.port > 0) else ""
    except ValueError:
        return ""
    return host if re.fullmatch(r"[a-z0-9._:-]{1,253}", host) else ""


def _is_secure(url: str) -> bool:
    return urlsplit(url).scheme == "https" or is_loopback(_host(url))


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _network(host: str) -> str:
    """The class of a host: loopback, link-local, private, or public. A name is public, ``localhost`` excepted."""
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    try:
        address = ipaddress.ip_address(_dotted(host))
    except ValueError:
        return "public"
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:  # systems connect 0.0.0.0 to loopback
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.version == 6 and address not in _PUBLIC_IPV6:
        return "private"
    return "public" if address.is_global and not address.is_multicast else "private"


def _dotted(host: str) -> str:
    """An IPv4 address in one of its older forms (``127.1``, ``0x7f000001``, ``2130706433``) as four numbers."""
    if not re.fullmatch(r"[0-9a-fx.]*[0-9][0-9a-fx.]*", host):
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # parses, resolves nothing
    except OSError:
        return host


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. The X-CB headers are sent to the origin they were meant for and to no other."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def expiry(url: Secret) -> datetime | None:
    """When a pre-signed URL stops working (UTC), or None when it does not say. Observed: both forms of S3."""
    query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url.reveal()).query).items()}
    try:
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), UTC)
        if "x-amz-date" in query and "x-amz-expires" in query:
            signed = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed + timedelta(seconds=int(query["x-amz-expires"]))
    except (ValueError, OverflowError, OSError):
        pass  # Not a time that is understood: then only the answer to the GET tells.
    return None

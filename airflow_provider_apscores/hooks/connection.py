"""From the fields of an Airflow connection to settings, without Airflow and without sending anything.

Every value may be text, as forms and environment variables supply it. Airflow's form saves unused fields as null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_apscores.webservice import Credentials, Secret

#: Institutions of one College Board account ("Up to 20 institutions may be added", FAQ).
MOST_CAMPUSES = 20
DEFAULT_TIMEOUT = 120.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Settings:
    """The account and the service of a connection.

    Attributes:
        credentials: E-mail address and password of the account.
        base_url: Base URL of the service; empty for the production service.
        di_codes: The campuses of the account, four digits each, in the order given; may be empty.
        timeout: Seconds to wait for an answer.
        verify: True, False, or the path of a CA bundle.
        proxy: URL of a proxy, or None for that of the environment. It may contain a password.
        trusted_hosts: Hosts of files that are allowed although they are IP addresses of a private network.
    """

    credentials: Credentials
    base_url: str
    di_codes: tuple[str, ...]
    timeout: float
    verify: bool | str
    proxy: Secret | None
    trusted_hosts: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether the service is on this machine, as the sandbox is."""
        return bool(self.base_url) and _is_loopback(urlsplit(self.base_url).netloc)


def read_connection(
    *,
    login: str | None,
    password: Secret | str | None,
    host: str | None = None,
    schema: str | None = None,
    port: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the fields of an Airflow connection.

    Args:
        login: E-mail address of the account.
        password: Its password, as ``extra["encoding"]`` says.
        host: The base URL, or only a host; empty for production.
        schema: ``http`` or ``https`` for a host without a scheme. Any other value is the path of a connection that was
            written as a URI: Airflow stores it there.
        port: For a host without a port. 0, which Airflow's form may save, means none.
        extra: ``encoding, di_codes, timeout, verify, proxy, trusted_hosts``; null and empty mean the default.

    Raises:
        ConfigurationError: A field is missing or wrong. The message names it and says what to do.
    """
    from airflow_provider_apscores.webservice import Credentials, Secret

    password = Secret(password or "")
    given = {key: value for key, value in (extra or {}).items() if value is not None and value != ""}
    if not (login or "").strip():
        raise ConfigurationError("The connection has no login. Enter the e-mail address of the College Board account.")
    if not password:
        raise ConfigurationError("The connection has no password. Enter the one of the College Board account.")
    email = str(login).strip()
    encoding = str(given.get("encoding", "plain")).strip().lower()
    if encoding == "plain":
        credentials = Credentials(email, password)
    elif encoding == "base64":
        credentials = Credentials.from_base64(email, password)
    else:
        raise ConfigurationError(
            "The connection's encoding must be 'plain' (the password as typed, the default) or 'base64'."
        )
    return Settings(
        credentials=credentials,
        base_url=_base_url((host or "").strip(), (schema or "").strip(), port),
        di_codes=read_di_codes(given.get("di_codes", ())),
        timeout=_timeout(given.get("timeout", DEFAULT_TIMEOUT)),
        verify=_verify(given.get("verify", True)),
        proxy=_proxy(Secret(given["proxy"])) if "proxy" in given else None,
        trusted_hosts=_split(given.get("trusted_hosts", ())),
    )


def read_di_codes(value: Any) -> tuple[str, ...]:
    """Read campuses: a list, or text with commas.

    Raises:
        ConfigurationError: A code does not have four digits, or there are more than an account can have.
    """
    from airflow_provider_apscores.webservice import lost_zeros

    codes = _split(value)
    for code in codes:
        if not re.fullmatch(r"[0-9]{4}", code):
            raise ConfigurationError(
                f"{code!r} in the connection's di_codes is no DI code. Enter four digits for each campus, with leading "
                f"zeros, separated by commas, for example 4866, 0417.{lost_zeros(code)}"
            )
    unique = tuple(dict.fromkeys(codes))
    if len(unique) > MOST_CAMPUSES:
        raise ConfigurationError(
            f"The connection's di_codes names {len(unique)} campuses; a College Board account has at most "
            f"{MOST_CAMPUSES}. Create one connection for each account."
        )
    return unique


def _split(value: Any) -> tuple[str, ...]:
    items = re.split(r"[,;\s]+", value) if isinstance(value, str) else list(value) if _is_list(value) else [value]
    return tuple(str(item).strip() for item in items if str(item).strip())


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _base_url(host: str, schema: str, port: int | None) -> str:
    try:
        return _joined(host, schema, port) if host else ""
    except ValueError:  # from urlsplit: brackets without end, a port that is no number
        raise ConfigurationError(
            "The connection's host is no address. Enter the base URL as https://host/path, or leave it empty for the "
            "College Board's production service."
        ) from None


def _joined(host: str, schema: str, port: int | None) -> str:
    path = ""
    if "://" not in host:
        scheme, path = (schema, "") if schema in ("http", "https") else ("", schema)
        # Without a scheme, only a service on this machine is used without encryption.
        host = f"{scheme or ('http' if _is_loopback(host) else 'https')}://{host}"
    parts = urlsplit(host)
    # The default port is left out: it would make another origin of the same address.
    if port and parts.port is None and port != _DEFAULT_PORTS.get(parts.scheme):
        host = parts._replace(netloc=f"{parts.netloc}:{port}").geturl()
    return f"{host}/{path}".rstrip("/")


def _is_loopback(netloc: str) -> bool:
    from airflow_provider_apscores.webservice import is_loopback

    return is_loopback(urlsplit(f"//{netloc}").hostname or "")


def _timeout(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError("The connection's timeout must be a number of seconds above 0, for example 120.")
    return seconds


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() in words:
        return words[text.lower()]
    if not re.search(r"[./\\]", text):
        raise ConfigurationError("The connection's verify must be true, false, or the path of a CA bundle.")
    return text


def _proxy(value: Secret) -> Secret:
    if not _is_proxy(value):
        raise ConfigurationError("The connection's proxy must be an address such as http://proxy.college.edu:3128.")
    return value


def _is_proxy(value: Secret) -> bool:
    try:
        parts = urlsplit(value.reveal())
        return parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

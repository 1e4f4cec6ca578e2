"""Certificates and proxies: the same for both clients."""

from __future__ import annotations

import datetime
import ipaddress
import select
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_apscores.errors import ConfigurationError, ServiceUnavailable
from airflow_provider_apscores.webservice import Client, Credentials, Session
from tests.webservice.raw_server import LOGIN, NOTHING_NEW, Listener, RawServer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "ca.pem", folder / "key.pem"


@pytest.fixture
def over_tls(certificate: tuple[Path, Path]) -> Iterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with RawServer(LOGIN, NOTHING_NEW, tls=context) as server:
        yield server


@pytest.mark.parametrize("as_text", [True, False])
def test_a_ca_bundle_is_trusted(over_tls, client_of, certificate, as_text):
    verify = str(certificate[0]) if as_text else certificate[0]
    assert client_of(over_tls.base_url, verify=verify).order("9377") is None


def test_verification_can_be_switched_off(over_tls, client_of):
    assert client_of(over_tls.base_url, verify=False).order("9377") is None


def test_an_untrusted_certificate_is_an_error_before_anything_is_sent(over_tls, client_of, waited):
    with pytest.raises(ConfigurationError, match=r"certificate of 127\.0\.0\.1.*self.signed.*CA"):
        client_of(over_tls.base_url).order("4866")
    assert (over_tls.seen, waited) == ([], [])


@pytest.mark.parametrize("name", ["missing.pem", "no.pem"])
def test_an_unusable_ca_bundle_is_an_error_at_once(client_of, tmp_path, name):
    (tmp_path / "no.pem").write_text("hello")
    with pytest.raises(ConfigurationError, match=name):
        client_of("https://api.example", verify=str(tmp_path / name))


class Proxy(Listener):
    """A forward proxy: plain requests are passed on, CONNECT makes a tunnel."""

    def __init__(self, refuse_with: int = 0) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.authorizations: list[str] = []
        self._refuse_with = refuse_with

    def serve(self, connection: socket.socket) -> None:
        head = connection.recv(65536)
        if not head:
            return
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        self.seen.append(f"{method} {target}")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"proxy-authorization"):
                self.authorizations.append(line.decode())
        if self._refuse_with:
            connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self._refuse_with)
            return
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with socket.create_connection((place.hostname, place.port)) as far:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = target[target.index("/", 8) :]
                far.sendall(head.replace(target.encode(), path.encode(), 1))
            while True:
                for ready in select.select([connection, far], [], [])[0]:
                    if not (data := ready.recv(65536)):
                        return
                    (far if ready is connection else connection).sendall(data)


def test_all_calls_go_through_a_configured_proxy(sandbox, client_of):
    with Proxy() as proxy:
        client = client_of(sandbox.base_url, proxy=f"http://{proxy.address}")
        assert client.order("9377") is None
    assert proxy.seen[0] == f"POST {sandbox.base_url}/webServiceAuth"
    assert sandbox.counts["order"] == 1


def test_tls_goes_through_the_proxy_in_a_tunnel(over_tls, client_of, certificate):
    with Proxy() as proxy:
        reported: list[str] = []
        address = f"http://user:pr0xy-pw@{proxy.address}"
        client = client_of(
            over_tls.base_url,
            proxy=address,
            verify=certificate[0],
            on_secret=lambda secret: reported.append(secret.reveal()),
        )
        assert client.order("9377") is None
        assert "pr0xy-pw" not in repr(client)
        assert "pr0xy-pw" in reported
    assert set(proxy.seen) == {f"CONNECT {urlsplit(over_tls.origin).netloc}"}
    assert proxy.authorizations


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_from_the_environment_is_used(client_of, monkeypatch, variable, scheme):
    clear_proxies(monkeypatch)
    with Proxy(refuse_with=502) as proxy:
        monkeypatch.setenv(variable, scheme + proxy.address)
        with pytest.raises(ServiceUnavailable, match=r"proxy could not connect to scores\.invalid"):
            client_of("https://scores.invalid/api", patience=0.5).log_in()
    assert proxy.seen == ["CONNECT scores.invalid:443"]


@pytest.mark.parametrize("excluded", ["scores.invalid", ".invalid", "*", "other.example,invalid"])
def test_hosts_excluded_by_the_environment_are_reached_directly(client_of, monkeypatch, excluded):
    clear_proxies(monkeypatch)
    with Proxy(refuse_with=502) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", excluded)
        with pytest.raises(ServiceUnavailable, match="no connection"):
            client_of("https://scores.invalid/api", patience=0.5).log_in()
    assert proxy.seen == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.53"])
def test_a_proxy_from_the_environment_never_gets_the_password_of_a_loopback_service(
    client_of, monkeypatch, variable, host
):
    if host == "127.0.0.53" and sys.platform != "linux":
        pytest.skip("only Linux answers on all of 127.0.0.0/8")
    clear_proxies(monkeypatch)
    address = "127.0.0.1" if host == "localhost" else host
    with Proxy() as proxy, RawServer(LOGIN, NOTHING_NEW, host=address) as server:
        monkeypatch.setenv(variable, f"http://{proxy.address}")
        assert client_of(f"http://{host}:{server.port}/api").order("4866") is None
    assert proxy.seen == []
    assert len(server.seen) == 2


def test_a_proxy_from_the_environment_that_can_not_be_used_is_an_error_at_once(client_of, monkeypatch):
    clear_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "gopher://u:pr0xy-pw@proxy")
    with pytest.raises(ConfigurationError, match="proxy can't be used") as caught:
        client_of("https://scores.invalid/api")
    assert "pr0xy-pw" not in str(caught.value)


def clear_proxies(monkeypatch):
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


@pytest.mark.parametrize(
    ("status", "error"), [(407, ConfigurationError), (403, ConfigurationError), (502, ServiceUnavailable)]
)
def test_a_proxy_that_refuses(over_tls, client_of, certificate, status, error):
    with Proxy(refuse_with=status) as proxy, pytest.raises(error, match="proxy"):
        client_of(over_tls.base_url, proxy=f"http://{proxy.address}", verify=certificate[0]).log_in()


def test_a_proxy_that_does_not_answer(sandbox, client_of, waited):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceUnavailable, match=rf"through the proxy 127\.0\.0\.1:{port} .*no connection") as caught:
        client_of(sandbox.base_url, proxy=f"http://user:pr0xy-pw@127.0.0.1:{port}").log_in()
    assert waited == [1, 2, 4]
    assert "pr0xy-pw" not in str(caught.value)


def test_a_service_that_does_not_answer_is_not_the_proxy(client_of, waited):
    with pytest.raises(ServiceUnavailable) as caught:
        client_of("http://127.0.0.1:9/prod").log_in()
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["proxy.college.edu:3128", "gopher://u:pr0xy-pw@proxy", "http://u:pr0xy-pw@[", "junk"]
)
def test_an_unusable_proxy_is_an_error_at_once(client_of, proxy):
    with pytest.raises(ConfigurationError, match="proxy can't be used") as caught:
        client_of("https://api.example", proxy=proxy)
    assert "pr0xy-pw" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_time_out_must_be_positive(timeout):
    with pytest.raises(ConfigurationError, match="time-out"):
        Client(Session(Credentials("registrar@college.edu", "secret")), timeout=timeout)

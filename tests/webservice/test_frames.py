"""No frame of a traceback holds a secret: error trackers record the local variables of each."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

import airflow_provider_apscores
from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.webservice import Credentials, GeneratedFile, Secret, protocol

PACKAGE = Path(airflow_provider_apscores.__file__).parent


def frames(error: BaseException | None) -> Iterator[FrameType]:
    """The frames of this package in the tracebacks of an error and of the errors behind it."""
    while error is not None:
        for frame, _line in traceback.walk_tb(error.__traceback__):
            if Path(frame.f_code.co_filename).is_relative_to(PACKAGE) or frame.f_code.co_filename == "<string>":
                yield frame
        error = error.__cause__ or error.__context__


def leaks(error: BaseException, secrets: set[str]) -> list[str]:
    """Where a secret stands in a local variable, or in the message of the error."""
    found = [f"message: {error}" for secret in secrets if secret in f"{error!r} {error}"]
    for frame in frames(error):
        for name, value in frame.f_locals.items():
            shown = repr(value)
            found += [f"{frame.f_code.co_qualname}.{name}" for secret in secrets if secret in shown]
    return found


class FullDisk:
    def write(self, data):
        raise OSError("full")


def deliver(client, sandbox, sink=None):
    generated = client.order(sandbox.di_codes[0])
    client.download(generated, sink or io.BytesIO())
    client.record(generated.download_id, "TXT")


@pytest.mark.parametrize(
    "fault",
    [
        *(("login", fault) for fault in ("refuse=password", "500", "html", "redirect", "missing=authToken", "reset")),
        *(("order", fault) for fault in ("refuse=campus", "refuse=mfa", "500", "html", "missing=downloadId", "reset")),
        *(("download", fault) for fault in ("500", "html", "truncate", "reset", "403")),
        *(("record", fault) for fault in ("refuse=download-id", "500", "html", "redirect", "reset")),
    ],
    ids=":".join,
)
def test_a_failed_call_leaves_no_secret_in_a_frame(client_of, sandbox, fault):
    known: set[str] = {sandbox.password}
    client = client_of(
        sandbox.base_url,
        password=sandbox.password,
        on_secret=lambda secret: known.add(secret.reveal()),
    )
    sandbox.fail(*fault, times=None)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error
        deliver(client, sandbox)
    assert len(list(frames(caught.value))) >= 3
    assert leaks(caught.value, known) == []


@pytest.mark.parametrize(
    "crash",
    [
        ("httpx.Client.stream", "httpx.AsyncClient.stream"),
        ("protocol.Request",),
        ("protocol._headers",),
        ("protocol.read_log_in",),
        ("protocol.read_order",),
        ("protocol.read_download",),
        ("protocol.read_record",),
        ("addresses.expiry",),
        ("answer.Answer.text",),
        ("session.urlsplit",),
    ],
    ids=lambda names: names[0],
)
def test_a_crash_leaves_no_secret_in_a_frame(client_of, sandbox, mocker, crash):
    known: set[str] = {sandbox.password}
    client = client_of(
        sandbox.base_url,
        password=sandbox.password,
        on_secret=lambda secret: known.add(secret.reveal()),
    )
    for name in crash:
        where = name if name.startswith("httpx.") else f"airflow_provider_apscores.webservice.{name}"
        mocker.patch(where, side_effect=RuntimeError)
    with pytest.raises(RuntimeError) as caught:
        deliver(client, sandbox)
    assert leaks(caught.value, known) == []


@pytest.mark.parametrize(("failing", "error", "sink"), [(False, OSError, FullDisk()), (True, RuntimeError, None)])
def test_a_failing_sink_or_callback_leaves_no_secret_in_a_frame(client_of, sandbox, failing, error, sink):
    known: set[str] = {sandbox.password}

    def on_secret(secret: Secret) -> None:
        known.add(secret.reveal())
        if failing and len(known) > 2:
            raise RuntimeError

    client = client_of(sandbox.base_url, password=sandbox.password, on_secret=on_secret)
    with pytest.raises(error) as caught:
        deliver(client, sandbox, sink)
    assert leaks(caught.value, known) == []


class Interrupted(BaseException):
    """What Airflow raises in a task that takes too long."""


@pytest.mark.parametrize("calls", [1, 2], ids=["login", "order"])
def test_an_interrupted_call_leaves_no_frame_of_httpx(client_of, sandbox, mocker, calls):
    client = client_of(sandbox.base_url, password=sandbox.password)
    if calls == 2:
        client.log_in()
    mocker.patch("h11.Connection.next_event", side_effect=Interrupted)
    with pytest.raises(Interrupted) as caught:
        client.order(sandbox.di_codes[0])
    error: BaseException | None = caught.value
    while error is not None:
        modules = {frame.f_globals["__name__"].split(".")[0] for frame, _line in traceback.walk_tb(error.__traceback__)}
        assert modules.isdisjoint({"httpx", "httpcore"})
        error = error.__cause__ or error.__context__


SECRET = "s3cret-Pa55word"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Credentials("", Secret(SECRET)),
        lambda: Credentials("a@b.edu", Secret(f"{SECRET}\n")),
        lambda: Credentials("a@b.edu", f"{SECRET}\n"),
        lambda: Credentials.from_base64("a@b.edu", Secret(SECRET)),
        lambda: Credentials.from_base64("a@b.edu", SECRET),
    ],
)
def test_refused_credentials_leave_no_secret_in_a_frame(make):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert leaks(caught.value, {SECRET}) == []


@pytest.mark.parametrize(
    "url",
    [
        f"http://files.example/a?{SECRET}",
        f"https://127.0.0.1/a?{SECRET}",
        f"ftp://files.example/{SECRET}",
        f"https://u:{SECRET}@files.example/",
        f"https://[{SECRET}",
    ],
)
def test_a_refused_address_leaves_no_secret_in_a_frame(url):
    order = protocol.FileOrder("4866")
    files = protocol.FileAddresses("https://api.example")
    offer = json.dumps({"success": True, "downloadId": 1, "url": url}).encode()
    before = protocol.build_download(
        Secret("tok"), GeneratedFile(order, "1", "a", Secret(f"https://files.example/?{SECRET}")), files
    )
    for call in (
        lambda: protocol.read_order(protocol.Reply(200, offer), order, files),
        lambda: protocol.build_download(Secret(SECRET), GeneratedFile(order, "1", "a", Secret(url)), files),
        lambda: protocol.build_redirected_download(before, protocol.Reply(302, b"", {"Location": url}), files),
    ):
        with pytest.raises(protocol.UnexpectedReply) as caught:
            call()
        assert leaks(caught.value, {SECRET}) == []


@pytest.mark.parametrize("proxy", [f"http://u:{SECRET}@[", f"ftp://u:{SECRET}@proxy.example", f"u:{SECRET}"])
def test_an_unusable_proxy_leaves_no_secret_in_a_frame(client_of, proxy):
    with pytest.raises(ConfigurationError) as caught:
        client_of("https://api.example", proxy=proxy)
    assert leaks(caught.value, {SECRET}) == []

"""The four calls over sockets, as the reference describes them."""

from __future__ import annotations

import base64
import re
from http.client import BadStatusLine, HTTPConnection
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_apscores.sandbox import Campus, Sandbox, reports_in


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_login_order_download_record(sandbox, anonymous):
    login = anonymous.log_in()
    assert (login.status, login["success"], sorted(login.fields)) == (200, True, ["authToken", "message", "success"])

    order = anonymous.order("0901")
    assert order.status == 200
    assert sorted(order.fields) == ["downloadId", "fileName", "message", "success", "url"]
    assert re.fullmatch(r"AP_HED_Scores_0901_\d{8}_\d{4}\.txt", order["fileName"])

    file = anonymous.download(order["url"])
    assert file.status == 200
    assert int(file.headers["Content-Length"]) == len(file.body)
    assert reports_in(file.body) == [f"0901-{number:08d}" for number in range(1, 13)]

    recorded = anonymous.record(order["downloadId"])
    assert (recorded.status, sorted(recorded.fields), recorded["success"]) == (200, ["message", "success"], True)

    nothing = anonymous.order("0901")
    assert (nothing.status, nothing["success"]) == (200, False)
    assert "There were no score orders found" in nothing["message"]
    assert sandbox.counts == {"login": 1, "order": 2, "download": 1, "record": 1}


def test_csv_contains_the_same_reports(client):
    _, text = client.fetch("0901")
    _, table = client.fetch("0901", "CSV")
    assert reports_in(table) == reports_in(text)
    assert table.startswith(b'"AP Number / AP ID","Last Name"')
    assert client.order("0901", "CSV")["fileName"].endswith(".csv")


def test_every_line_is_950_ascii_characters_of_the_campus(client):
    _, file = client.fetch("0901")
    lines = file.decode("ascii").splitlines()
    assert [len(line) for line in lines] == [950] * 12
    assert {line[375:381] for line in lines} == {"000901"}


@pytest.mark.parametrize("text_ids", [False, True])
def test_a_download_id_is_a_number_or_a_text_and_recorded_as_text(make_client, text_ids):
    with Sandbox(campuses=[Campus("0901", "A College", 1)], text_ids=text_ids) as sandbox:
        client = make_client(sandbox)
        ordered = client.order("0901")
        assert isinstance(ordered["downloadId"], str if text_ids else int)
        assert client.record(str(ordered["downloadId"]))["success"]


# Logging in


@pytest.mark.parametrize(
    "password",
    [
        "Invented-Pa55?ßword",
        "SW52ZW50ZWQtUGE1NT/Dn3dvcmQ",
        "SW52ZW50ZWQtUGE1NT_Dn3dvcmQ=",
        "SW52ZW50ZWQtUGE1NT/Dn3dvcmQ=\n",
        encoded("Wrong-Pa55word"),
        base64.b64encode("Invented-Pa55?ßword".encode("latin-1")).decode(),
        encoded(encoded("Invented-Pa55?ßword")),
        "",
        None,
        7,
    ],
    ids=["plain", "no padding", "url-safe", "line end", "wrong", "latin-1", "twice", "empty", "null", "number"],
)
def test_only_base64_of_the_utf8_password_opens(sandbox, anonymous, password):
    answer = anonymous.call("webServiceAuth", u=sandbox.email, p=password)
    assert (answer.status, answer["success"]) == (200, False)
    assert "authToken" not in answer.fields
    assert anonymous.call("webServiceAuth", u=sandbox.email, p="SW52ZW50ZWQtUGE1NT/Dn3dvcmQ=")["success"]


def test_an_unknown_address_is_refused_in_the_same_words(sandbox, anonymous):
    wrong = anonymous.call("webServiceAuth", u=sandbox.email, p="")
    unknown = anonymous.call("webServiceAuth", u="someone@else.example", p=encoded(sandbox.password))
    assert unknown["message"] == wrong["message"]


def test_wrong_passwords_lock_the_account(sandbox, anonymous):
    answers = [anonymous.call("webServiceAuth", u=sandbox.email, p=encoded(f"guess {n}")) for n in range(5)]
    assert "locked" not in answers[3]["message"]
    assert "locked" in answers[4]["message"]
    assert "locked" in anonymous.log_in()["message"]
    sandbox.unlock()
    assert anonymous.log_in()["success"]


def test_a_correct_password_resets_the_count_of_wrong_ones(sandbox, anonymous):
    for _ in range(3):
        anonymous.token = "CBLogin"
        for number in range(4):
            anonymous.call("webServiceAuth", u=sandbox.email, p=encoded(f"guess {number}"))
        assert anonymous.log_in()["success"]


# Headers


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("X-CB-Catapult-Authentication-Token", None, 403),
        ("X-CB-Catapult-Authentication-Token", "CBLogin", 403),
        ("Content-Type", None, 415),
        ("Content-Type", "application/x-www-form-urlencoded", 415),
        ("Accept", None, 406),
        ("Accept", "*/*", 406),
        ("Accept", "text/html", 406),
    ],
)
@pytest.mark.parametrize("call", ["webServiceAuth", "fileGeneration", "webServiceDownloaded"])
def test_a_missing_or_wrong_header_is_refused(sandbox, client, call, header, value, status):
    fields = {
        "webServiceAuth": {"u": sandbox.email, "p": encoded(sandbox.password)},
        "fileGeneration": {"diCode": "0901", "format": "TXT", "downloadType": "new"},
        "webServiceDownloaded": {"downloadId": str(client.order("0901")["downloadId"]), "format": "TXT"},
    }[call]
    if call == "webServiceAuth":
        client.token = "CBLogin"
    del client.headers[header]
    if value is not None:
        client.headers[header] = value
    before = sandbox.audit().effects
    answer = client.call(call, **fields)
    assert (answer.status, answer["success"]) == (status, False)
    assert header in answer["message"]
    assert sandbox.audit().effects == before


def test_header_names_have_no_case_and_types_may_have_parameters(client):
    client.headers = {name.lower(): value for name, value in client.headers.items()}
    client.headers["content-type"] = "application/json; charset=utf-8"
    client.headers["accept"] = "application/json, text/plain, */*"
    assert client.order("0901")["success"]


def test_login_needs_cblogin_instead_of_a_token(sandbox, client):
    answer = client.call("webServiceAuth", u=sandbox.email, p=encoded(sandbox.password))
    assert (answer.status, answer["success"]) == (403, False)


@pytest.mark.parametrize("token", ["CBLogin", "", "invented"])
def test_the_other_calls_need_a_token(client, token):
    ordered = client.order("0901")
    client.token = token
    for answer in (client.order("0901"), client.record(ordered["downloadId"]), client.download(ordered["url"])):
        assert (answer.status, answer["success"]) == (401, False)


def test_a_token_expires(make_client, mocker):
    clock = mocker.patch("airflow_provider_apscores.sandbox.authentication.time")
    clock.time.return_value = 1_800_000_000.0
    with Sandbox(campuses=[Campus("0901", "A College", 1)], token_lifetime=60) as sandbox:
        client = make_client(sandbox)
        assert client.order("0901").status == 200
        clock.time.return_value += 60
        assert client.order("0901").status == 401
        client.log_in()
        assert client.order("0901").status == 200


def test_a_second_login_keeps_the_first_token_valid(sandbox, client, make_client):
    make_client(sandbox)
    assert client.order("0901")["success"]


# Orders and records


@pytest.mark.parametrize("di_code", ["4866", "901", "000901", "", "../..", None, 901])
def test_an_unknown_campus_is_refused(client, di_code):
    answer = client.call("fileGeneration", diCode=di_code, format="TXT", downloadType="new")
    assert (answer.status, answer["success"]) == (200, False)
    assert "There were no score orders found" not in answer["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "txt", "downloadType": "new"},
        {"format": "PDF", "downloadType": "new"},
        {"format": ["TXT"], "downloadType": "new"},
        {"format": "TXT", "downloadType": "NEW"},
        {"format": "TXT"},
        {"downloadType": "new"},
    ],
)
def test_an_order_must_name_a_format_and_a_kind(client, fields):
    answer = client.call("fileGeneration", diCode="0901", **fields)
    assert (answer.status, answer["success"], "url" in answer.fields) == (200, False, False)


def test_an_unknown_download_id_is_refused(sandbox, client):
    for wrong in ("1", "", "None", 0, True, None, ["7300001"]):
        answer = client.call("webServiceDownloaded", downloadId=wrong, format="TXT")
        assert (answer.status, answer["success"]) == (200, False)
    ordered = client.order("0901", "CSV")
    assert not client.record(ordered["downloadId"], "TXT")["success"]
    assert sandbox.audit().recorded == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"diCode=0901"])
def test_a_body_that_is_not_a_json_object(client, sandbox, body):
    headers = {**client.headers, "X-CB-Catapult-Authorization-Token": client.token}
    answer = client.ask("POST", f"{sandbox.base_url}/fileGeneration", body, headers)
    assert (answer.status, answer["success"]) == (400, False)


# Addresses of files


def test_an_address_expires(make_client, mocker):
    clock = mocker.patch("airflow_provider_apscores.sandbox.authentication.time")
    clock.time.return_value = 1_800_000_000.5
    with Sandbox(campuses=[Campus("0901", "A College", 1)], url_lifetime=30) as sandbox:
        client = make_client(sandbox)
        url = client.order("0901")["url"]
        query = parse_qs(urlsplit(url).query)
        assert sorted(query) == ["Expires", "Key-Pair-Id", "Signature"]
        assert query["Expires"] == ["1800000030"]
        assert urlsplit(url).path.startswith("/files/")
        assert client.download(url).status == 200
        clock.time.return_value = 1_800_000_030.0
        late = client.download(url)
        assert (late.status, late.headers["Content-Type"]) == (403, "application/xml")
        assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in late.body
        assert client.download(client.order("0901")["url"]).status == 200


def test_a_changed_address_is_refused(client):
    first, second = client.order("0901")["url"], client.order("9120")["url"]
    parts = urlsplit(first)
    expires = parse_qs(parts.query)["Expires"][0]
    for url in (
        first.replace(f"Expires={expires}", f"Expires={int(expires) + 60}"),
        first.replace(f"Expires={expires}", "Expires=never"),
        first.replace("Signature=", "Signature=x"),
        first.partition("?")[0],
        first.replace(parts.path, urlsplit(second).path),
        first.replace(parts.path, "/files/unknown"),
    ):
        answer = client.download(url)
        assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml"), url
    assert client.download(first).status == 200


@pytest.mark.parametrize("header", ["X-CB-Catapult-Authentication-Token", "X-CB-Catapult-Authorization-Token"])
def test_a_download_needs_both_headers(client, header):
    url = client.order("0901")["url"]
    headers = {**client.headers, "X-CB-Catapult-Authorization-Token": client.token}
    del headers[header]
    assert client.ask("GET", url, headers=headers).status == 403
    assert client.download(url).status == 200


def test_an_address_belongs_to_one_account(make_client):
    other = {"bursar@saltmarsh.example": "Another-Pa55word"}
    with Sandbox(campuses=[Campus("0901", "A College", 1)], more_accounts=other) as sandbox:
        mine = make_client(sandbox)
        theirs = make_client(sandbox, email="bursar@saltmarsh.example", password="Another-Pa55word")
        ordered = mine.order("0901")
        assert theirs.download(ordered["url"]).status == 403
        assert not theirs.record(ordered["downloadId"])["success"]
        assert mine.download(ordered["url"]).status == 200


# HTTP


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.7", "::1", "::", "sandbox.example"])
def test_a_sandbox_listens_on_loopback_only(host):
    with pytest.raises(ValueError, match="loopback only"):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.3"])
def test_a_loopback_host_is_accepted(host, make_client):
    with Sandbox(host=host) as sandbox:
        assert sandbox.origin.startswith("http://127.0.0.")
        assert make_client(sandbox).order("0901")["success"]


@pytest.mark.parametrize("path", ["/", "/aposrd-api-prod", "/aposrd-api-prod/fileGenerations", "/webServiceAuth"])
def test_an_unknown_path(client, sandbox, path):
    assert client.ask("GET", f"{sandbox.origin}{path}").status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/aposrd-api-prod/webServiceAuth", "POST"),
        ("PUT", "/aposrd-api-prod/fileGeneration", "POST"),
        ("DELETE", "/aposrd-api-prod/webServiceDownloaded", "POST"),
        ("HEAD", "/files/x", "GET"),
        ("POST", "/files/x", "GET"),
    ],
)
def test_a_wrong_method(client, sandbox, method, path, allowed):
    answer = client.ask(method, f"{sandbox.origin}{path}")
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


def test_one_connection_serves_many_calls(sandbox, client):
    connection = HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    headers = {**client.headers, "X-CB-Catapult-Authorization-Token": client.token}
    sockets = set()
    for di_code in ("0901", "9120", "9377", "0000"):
        body = f'{{"diCode": "{di_code}", "format": "TXT", "downloadType": "new"}}'
        connection.request("POST", "/aposrd-api-prod/fileGeneration", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.version == 11
        sockets.add(connection.sock.getsockname())
    connection.close()
    assert len(sockets) == 1


def test_a_closed_sandbox_closes_kept_alive_connections():
    def ask() -> None:
        connection.request("GET", "/")
        connection.getresponse().read()

    with Sandbox() as sandbox:
        connection = HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
        ask()
    with pytest.raises((ConnectionError, BadStatusLine)):
        ask()
    connection.close()


def test_orders_get_504_until_the_file_is_generated(make_client, mocker):
    """
    Other content has to be generated again.
    """
    clock = mocker.patch("airflow_provider_apscores.sandbox.service.time")
    clock.monotonic.return_value = 100.0
    with Sandbox(campuses=[Campus("0901", "A College", 1)], generation_seconds=30) as sandbox:
        client = make_client(sandbox)
        assert client.order("0901").status == 504
        assert client.order("0901").status == 504
        clock.monotonic.return_value += 30
        assert client.order("0901")["success"]
        assert client.order("0901")["success"]
        sandbox.add_reports("0901")
        assert client.order("0901").status == 504
        assert sandbox.audit().effects["order"] == 2


def test_the_gateway_waits_for_the_file(make_client):
    campuses = [Campus("0901", "A College", 1)]
    with Sandbox(campuses=campuses, generation_seconds=0.3, gateway_seconds=1) as sandbox:
        assert make_client(sandbox).order("0901")["success"]


def test_an_empty_campus_needs_no_generation(make_client):
    with Sandbox(campuses=[Campus("0901", "A College")], generation_seconds=60) as sandbox:
        assert "no score orders" in make_client(sandbox).order("0901")["message"]

"""Controlling a running sandbox over its control address."""

from __future__ import annotations

import json

import pytest

from airflow_provider_apscores.sandbox import RemoteSandbox, reports_in


@pytest.fixture
def remote(sandbox):
    return RemoteSandbox(sandbox.base_url)


def test_reports_are_added_from_another_process(remote, client, sandbox):
    assert remote.add_reports("9377", 2) == ["9377-00000001", "9377-00000002"]
    assert reports_in(client.fetch("9377")[1]) == ["9377-00000001", "9377-00000002"]
    assert remote.status()["campuses"][2] == {"di_code": "9377", "name": "Emberwick College of Arts", "waiting": 2}


def test_faults_are_planned_from_another_process(remote, client, sandbox):
    remote.fail("order", "504", times=2, after=1, di_code="0901")
    assert remote.status()["planned"] == ["order@0901+1:status=504:2"]
    assert [client.order("0901").status for _ in range(4)] == [200, 504, 504, 200]
    assert remote.status()["injected"] == ["order@0901:status=504"] * 2


def test_chaos_starts_and_stops(remote, client, sandbox):
    remote.chaos(1, 1.0, faults=["502"], calls=["order"], in_a_row=9)
    assert client.order("0901").status == 502
    assert client.log_in().status == 200
    remote.clear_faults()
    assert client.order("0901").status == 200


def test_a_remote_sandbox_has_the_same_state(remote, client, sandbox):
    client.record(client.fetch("0901")[0])
    client.order("9377")
    assert remote.audit() == sandbox.audit()
    assert remote.calls == sandbox.calls
    assert remote.counts == sandbox.counts == {"login": 1, "order": 2, "download": 1, "record": 1}


def test_tokens_and_locks(remote, client, sandbox):
    remote.expire_tokens()
    assert client.order("0901").status == 401
    client.password = "Wrong-Pa55word"
    for _ in range(5):
        client.log_in()
    client.password = sandbox.password
    assert "locked" in client.log_in()["message"]
    remote.unlock()
    assert client.log_in()["success"]


def test_control_calls_are_not_counted(remote, sandbox):
    remote.audit()
    remote.add_reports("0901")
    assert sum(sandbox.counts.values()) == 0
    assert sandbox.calls == []


def test_faults_do_not_affect_the_control_address(remote, sandbox):
    sandbox.fail("any", "drop", times=None)
    assert remote.counts["order"] == 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda remote: remote.add_reports("4866"), "no such campus"),
        (lambda remote: remote.add_reports("0901", -1), "count"),
        (lambda remote: remote.chaos(1, 2.0), "rate"),
        (lambda remote: remote.chaos(1, faults=["nonsense"]), "no fault"),
        (lambda remote: remote.fail("order", "nonsense"), "no fault"),
        (lambda remote: remote.fail("record", "wrong-campus"), "does not apply"),
    ],
)
def test_invalid_arguments_raise_value_error(remote, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(remote)


@pytest.mark.parametrize(
    "fault", ["download:wrong-campus=../../escaped", "download:stray-record=../x", "any:wrong-campus=49"]
)
def test_a_campus_that_is_not_a_di_code_is_refused(sandbox, anonymous, fault):
    """
    The campus becomes part of a file name.
    """
    body = json.dumps({"faults": [fault]}).encode()
    answer = anonymous.ask("POST", f"{sandbox.origin}/_sandbox/faults", body, {"Content-Type": "application/json"})
    assert answer.status == 400
    assert "four digits" in answer["error"]
    assert sandbox.faults.planned == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.2:99", 200),
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("rebound.example", 421),
        ("rebound.example:8765", 421),
        ("127.0.0.1.rebound.example", 421),
        ("192.168.1.7", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/_sandbox", "/_sandbox/audit"])
def test_the_host_header_must_name_loopback(sandbox, anonymous, host, status, path):
    assert anonymous.ask("GET", f"{sandbox.origin}{path}", headers={"Host": host}).status == status


def test_a_web_page_cannot_call_the_service_under_its_own_name(sandbox, client):
    client.headers["Host"] = "rebound.example"
    assert client.log_in().status == 421
    assert sandbox.counts["login"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("GET", "/_sandbox/nothing", None, "", 404),
        ("POST", "/_sandbox/audit", b"{}", "application/json", 405),
        ("GET", "/_sandbox/reports", None, "", 405),
        ("POST", "/_sandbox/reports", b"{", "application/json", 400),
        ("POST", "/_sandbox/reports", b"{}", "application/json", 400),
        ("POST", "/_sandbox/clear-faults", b"{}", "text/plain", 400),
        ("POST", "/_sandbox/chaos", b'{"seed": 1, "speed": 9}', "application/json", 400),
        ("POST", "/_sandbox/faults", b'{"faults": ["order:504", "order:nonsense"]}', "application/json", 400),
        ("POST", "/_sandbox/faults", b'{"faults": 7}', "application/json", 400),
    ],
)
def test_bad_requests_change_nothing(sandbox, anonymous, method, path, body, content_type, status):
    answer = anonymous.ask(method, f"{sandbox.origin}{path}", body, {"Content-Type": content_type})
    assert answer.status == status
    assert isinstance(json.loads(answer.body), dict)
    assert sandbox.faults.planned == []

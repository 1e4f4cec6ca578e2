"""Steering a running sandbox over its control address."""

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
    assert remote.status()["played"] == ["order@0901:status=504"] * 2


def test_chaos_starts_and_stops(remote, client, sandbox):
    remote.chaos(1, 1.0, faults=["502"], calls=["order"], in_a_row=9)
    assert client.order("0901").status == 502
    assert client.log_in().status == 200
    remote.clear_faults()
    assert client.order("0901").status == 200


def test_the_books_are_the_same_from_afar(remote, client, sandbox):
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


def test_control_calls_are_no_calls(remote, sandbox):
    remote.audit()
    remote.add_reports("0901")
    assert sum(sandbox.counts.values()) == 0
    assert sandbox.calls == []


def test_the_control_address_stands_without_faults(remote, sandbox):
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
        (lambda remote: remote.fail("record", "wrong-campus"), "can't be played"),
    ],
)
def test_what_makes_no_sense_is_a_value_error_here_too(remote, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(remote)


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

"""Each fault, over sockets: what the client receives, and whether the call took effect."""

from __future__ import annotations

import json
import threading
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import pytest

from airflow_provider_apscores.sandbox import FAULTS, TRANSIENT, Campus, Fault, PlannedFault, Sandbox, reports_in
from airflow_provider_apscores.sandbox.fault_plan import FaultPlan
from airflow_provider_apscores.sandbox.faults import CALLS, REFUSALS

ANSWERED = {
    "status": 500,
    "rate-limit": 429,
    "maintenance": 503,
    "html": 200,
    "bad-json": 200,
    "not-an-object": 200,
    "empty": 200,
    "refuse": 200,
    "redirect": 302,
    "slow": 200,
    "missing": 200,
    "missing-url": 200,
    "null-url": 200,
    "expired-url": 200,
    "evil-name": 200,
    "stall": 200,
    "short": 200,
    "no-length": 200,
    "overrun": 200,
    "wrong-campus": 200,
    "stray-record": 200,
}
BROKEN = (HTTPException, OSError)


def do(client, call):
    """One call of a kind that would go well."""
    if call == "login":
        return client.log_in()
    if call == "order":
        return client.order("0901")
    if call == "download":
        return client.download(client.prepared["url"])
    return client.record(client.prepared["downloadId"])


@pytest.fixture
def ready(client):
    """A client with a file ordered, so that each of the four calls can be made at once."""
    client.prepared = client.order("0901").fields
    return client


@pytest.mark.parametrize(("call", "name"), [(call, name) for name, kind in FAULTS.items() for call in kind.calls])
def test_each_fault_on_each_call(sandbox, ready, call, name):
    """
    It is injected once, gives the expected status, and the call takes effect if the table says so.
    """
    argument = {"slow": "0.05", "stall": "0.05"}.get(name)
    sandbox.fail(call, f"{name}={argument}" if argument else name)
    before = sandbox.audit()
    try:
        answer = do(ready, call)
    except BROKEN:
        assert name in {"drop", "reset", "lost-reply", "truncate", "break"}
    else:
        if name == "expire-token":
            assert answer.status == (200 if call == "login" else 401)
        else:
            assert answer.status == ANSWERED[name]
    after = sandbox.audit()
    done = after.effects[call] - before.effects[call]
    if name == "expire-token":
        assert done == (1 if call == "login" else 0)
    elif call == "download":
        assert done == (1 if name in {"slow", "stall", "no-length"} else 0)
        assert sandbox.calls[-1].success == bool(done)
    else:
        assert done == (1 if FAULTS[name].effect else 0)
    assert after.calls[call] - before.calls[call] == 1
    assert sandbox.calls[-1].fault == str(Fault.parse(f"{name}={argument}" if argument else name))
    assert sandbox.faults.planned == []
    ready.log_in()
    again = do(ready, call)
    assert again.status == 200
    assert call == "download" or again["success"]


# What exactly the client sees


def test_a_gateway_time_out_twice_then_success(sandbox, client):
    sandbox.fail("order", "504", times=2)
    assert [client.order("0901").status for _ in range(3)] == [504, 504, 200]


def test_a_rate_limit_states_its_seconds(sandbox, client):
    sandbox.fail("order", "rate-limit=7")
    answer = client.order("0901")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(("fault", "status"), [("html", 200), ("maintenance", 503)])
def test_a_page_instead_of_json(sandbox, client, fault, status):
    sandbox.fail("order", fault)
    answer = client.order("0901")
    assert (answer.status, answer.headers.get_content_type()) == (status, "text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_bad_json_is_announced_as_json(sandbox, client):
    sandbox.fail("login", "bad-json")
    answer = client.log_in()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


@pytest.mark.parametrize("reason", REFUSALS)
def test_each_refusal(sandbox, client, reason):
    sandbox.fail("order", f"refuse={reason}")
    answer = client.order("0901")
    assert (answer.status, answer["success"], answer["message"]) == (200, False, REFUSALS[reason])


def test_a_refusal_with_another_message(sandbox, client):
    sandbox.fail("record", "refuse=Please call: us.")
    assert client.record("7300001")["message"] == "Please call: us."


def test_forbidden_at_the_store_is_xml(sandbox, ready):
    sandbox.fail("download", "403")
    answer = do(ready, "download")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml")


@pytest.mark.parametrize("fault", ["drop", "lost-reply"])
def test_a_dropped_connection(sandbox, client, fault):
    sandbox.fail("order", fault)
    with pytest.raises(RemoteDisconnected):
        client.order("0901")


@pytest.mark.parametrize("fault", ["reset", "lost-reply=reset"])
def test_a_reset_connection(sandbox, client, fault):
    sandbox.fail("order", fault)
    with pytest.raises(ConnectionResetError) as caught:
        client.order("0901")
    assert not isinstance(caught.value, RemoteDisconnected)


@pytest.mark.parametrize("argument", ["drop", "reset", "504"])
def test_a_record_takes_effect_even_if_its_reply_is_lost(sandbox, ready, argument):
    sandbox.fail("record", f"lost-reply={argument}")
    try:
        assert do(ready, "record").status == 504
    except BROKEN:
        assert argument != "504"
    assert sandbox.audit().recorded == [str(ready.prepared["downloadId"])]
    assert not ready.order("0901")["success"]
    assert do(ready, "record")["success"]


def test_a_slow_call_takes_effect_at_once(sandbox, client):
    """
    The file is generated even if the client stops waiting.
    """
    sandbox.fail("order", "slow=30")
    client.timeout = 0.2
    with pytest.raises(TimeoutError):
        client.order("0901")
    assert sandbox.audit().effects["order"] == 1


def test_a_slow_reply_does_not_delay_the_stop(make_client):
    sandbox = Sandbox().start()
    client = make_client(sandbox)
    sandbox.fail("order", "slow=60")
    threading.Timer(0.2, sandbox.close).start()
    with pytest.raises(BROKEN):
        client.order("0901")


def test_an_answer_without_url_leaves_a_file_generated(sandbox, client):
    sandbox.fail("order", "missing-url")
    sandbox.fail("order", "null-url")
    first, second, third = (client.order("0901").fields for _ in range(3))
    assert first["success"]
    assert "url" not in first
    assert second["url"] is None
    assert third["url"]
    assert len({first["downloadId"], second["downloadId"], third["downloadId"]}) == 3


def test_a_promised_field_is_missing(sandbox, client):
    sandbox.fail("login", "missing=authToken")
    assert "authToken" not in client.log_in().fields
    client.log_in()
    sandbox.fail("order", "missing=downloadId")
    assert sorted(client.order("0901").fields) == ["fileName", "message", "success", "url"]


def test_an_expired_url(sandbox, client):
    sandbox.fail("order", "expired-url")
    ordered = client.order("0901")
    assert client.download(ordered["url"]).status == 403
    assert sandbox.calls[-1].download_id == str(ordered["downloadId"])
    assert client.download(client.order("0901")["url"]).status == 200


def test_an_expired_token(sandbox, client):
    sandbox.fail("download", "expire-token")
    url = client.order("0901")["url"]
    assert client.download(url).status == 401
    assert client.download(url).status == 401
    client.log_in()
    assert client.download(url).status == 200


def test_a_login_whose_token_is_expired_already(sandbox, client):
    sandbox.fail("login", "expire-token")
    assert client.log_in()["success"]
    assert client.order("0901").status == 401


def test_all_tokens_expire(sandbox, client):
    sandbox.expire_tokens()
    assert client.order("0901").status == 401


@pytest.mark.parametrize("fault", ["truncate=0.25", "break=0.25"])
def test_a_body_that_ends_early(sandbox, ready, fault):
    sandbox.fail("download", fault)
    with pytest.raises((IncompleteRead, ConnectionResetError)) as caught:
        do(ready, "download")
    if isinstance(caught.value, IncompleteRead):
        assert len(caught.value.partial) == 12 * 951 // 4
        assert caught.value.expected == 12 * 951 - 12 * 951 // 4
    assert sandbox.audit().generated[str(ready.prepared["downloadId"])]["sent"] == 0


def test_a_short_body_with_a_matching_length(sandbox, ready):
    sandbox.fail("download", "short=0.3")
    answer = do(ready, "download")
    assert int(answer.headers["Content-Length"]) == len(answer.body) == int(12 * 951 * 0.3)


def test_no_length_is_announced(sandbox, ready):
    sandbox.fail("download", "no-length")
    sandbox.fail("download", "no-length=0.5")
    whole, half = do(ready, "download"), do(ready, "download")
    assert "Content-Length" not in whole.headers
    assert (len(whole.body), len(half.body)) == (12 * 951, 12 * 951 // 2)


def test_more_is_sent_than_announced(sandbox, ready):
    sandbox.fail("download", "overrun=0.5")
    answer = do(ready, "download")
    assert int(answer.headers["Content-Length"]) == 12 * 951 // 2


def test_an_empty_file(sandbox, ready):
    sandbox.fail("download", "empty")
    answer = do(ready, "download")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "0", b"")


def test_the_file_of_another_campus(sandbox, ready):
    sandbox.fail("download", "wrong-campus")
    sandbox.fail("download", "wrong-campus=4711")
    first, second = (reports_in(do(ready, "download").body) for _ in range(2))
    assert {report[:4] for report in first} == {"9120"}
    assert {report[:4] for report in second} == {"4711"}
    assert len(first) == len(second) == 12
    assert sandbox.audit().generated[str(ready.prepared["downloadId"])]["sent"] == 0


def test_one_record_of_another_campus(sandbox, ready):
    sandbox.fail("download", "stray-record")
    reports = reports_in(do(ready, "download").body)
    assert [report[:4] for report in reports] == ["0901"] * 6 + ["9120"] + ["0901"] * 6


def test_a_file_name_with_a_path(sandbox, client):
    sandbox.fail("order", "evil-name")
    assert client.order("0901")["fileName"] == "../../escaped.txt"


def test_a_redirect_leads_to_another_origin_that_logs_leaks(sandbox, ready):
    sandbox.fail("download", "redirect")
    moved = do(ready, "download")
    assert moved.status == 302
    assert moved.headers["Location"].startswith("http://127.0.0.1:")
    assert not moved.headers["Location"].startswith(f"{sandbox.origin}/")

    followed = ready.ask("GET", moved.headers["Location"])
    assert (followed.status, len(followed.body)) == (200, 12 * 951)
    assert sandbox.audit().leaks == []

    ready.download(moved.headers["Location"])
    assert sandbox.audit().leaks == ["X-CB-Catapult-Authentication-Token", "X-CB-Catapult-Authorization-Token"]


def test_a_password_that_follows_a_redirect_is_logged_as_a_leak(sandbox, client):
    sandbox.fail("login", "redirect=307")
    address = client.log_in().headers["Location"]
    client.ask("POST", address, b'{"u": "e-mail", "p": "cGFzc3dvcmQ="}')
    assert sandbox.audit().leaks == ["password"]


# Planning


def test_faults_apply_to_their_campus_after_the_passed_calls(sandbox, client):
    sandbox.fail("order", "503", di_code="9120", after=1)
    assert [client.order(code).status for code in ("0901", "9120", "0901", "9120", "9120")] == [200, 200, 200, 503, 200]


def test_faults_are_injected_in_the_order_of_planning(sandbox, client):
    sandbox.fail("order", "500")
    sandbox.fail("any", "502")
    sandbox.fail("order", "503", times=None)
    assert [client.order("0901").status for _ in range(4)] == [500, 502, 503, 503]
    sandbox.clear_faults()
    assert client.order("0901").status == 200


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("order:504:2", PlannedFault("order", Fault("status", "504"), 2)),
        ("order:status=504", PlannedFault("order", Fault("status", "504"))),
        ("order:status:504:2", PlannedFault("order", Fault("status", "504"), 2)),
        ("download:truncate:1", PlannedFault("download", Fault("truncate", "0.5"))),
        ("download:truncate=0.9:3", PlannedFault("download", Fault("truncate", "0.9"), 3)),
        ("any:drop:*", PlannedFault("any", Fault("drop"), None)),
        ("order@9120:refuse=mfa:*", PlannedFault("order", Fault("refuse", "mfa"), None, 0, "9120")),
        ("record+1:lost-reply", PlannedFault("record", Fault("lost-reply", "drop"), 1, 1)),
        ("record@0901+2:lost-reply=504:4", PlannedFault("record", Fault("lost-reply", "504"), 4, 2, "0901")),
        ("order:refuse=Words: with colons.", PlannedFault("order", Fault("refuse", "Words: with colons."))),
    ],
)
def test_the_text_form(text, planned):
    assert PlannedFault.parse(text) == planned
    assert PlannedFault.parse(str(planned)) == planned


@pytest.mark.parametrize(
    "text",
    [
        "", "order", "order:", "order:nonsense", "reorder:504", "order:truncate-me", "record:wrong-campus", "order:99",
        "order:slow=-1", "order:slow=soon", "order:drop=1", "login@0901:504", "order+x:504", "download:missing-url",
        "record:lost-reply=maybe", "order:status=nan", "order:redirect=700",
    ],
)  # fmt: skip
def test_invalid_fault_text(text):
    with pytest.raises(ValueError, match=r"fault|call|campus|\+"):
        PlannedFault.parse(text)


@pytest.mark.parametrize("di_code", ["../../escaped", "/tmp/escaped", "490", "٠٩٠١", "0901\n"])
@pytest.mark.parametrize("name", ["wrong-campus", "stray-record"])
def test_the_campus_of_a_fault_must_be_a_di_code(name, di_code):
    with pytest.raises(ValueError, match="four digits"):
        Fault(name, di_code)


# Chaos


def drawn(seed: int, order: list[tuple[str, str | None]], **more: object) -> dict[tuple[str, str | None], list[str]]:
    faults = FaultPlan()
    faults.chaos(seed, 0.5, **more)
    found: dict[tuple[str, str | None], list[str]] = {}
    for call in order:
        found.setdefault(call, []).append(str(faults.draw(*call)))
    return found


def test_chaos_is_reproducible_in_any_order_of_calls():
    calls = [(call, code) for _ in range(40) for call in CALLS[1:] for code in ("0901", "9120")]
    assert drawn(7, calls) == drawn(7, sorted(calls)) != drawn(8, calls)


def test_chaos_restarts_from_its_seed():
    faults, rounds = FaultPlan(), []
    for _ in range(2):
        faults.chaos(7, 0.5)
        rounds.append([str(faults.draw("order", "0901")) for _ in range(20)])
    assert rounds[0] == rounds[1]


def test_chaos_draws_separately_for_each_campus():
    found = drawn(7, [("order", code) for code in ("0901", "9120")] * 20)
    assert found["order", "0901"] != found["order", "9120"]


def test_chaos_lets_the_third_call_succeed():
    """
    For every seed, the third call succeeds.
    """
    for seed in range(20):
        faults = FaultPlan()
        faults.chaos(seed, 1.0)
        assert [faults.draw("order", "0901") is None for _ in range(6)] == [False, False, True] * 2


def test_chaos_draws_only_the_given_faults_and_calls():
    calls = [("order", "0901"), ("record", "0901")] * 50
    found = drawn(3, calls, faults=["502", "missing-url"], calls=["order"], in_a_row=99)
    assert set(found["order", "0901"]) == {"status=502", "missing-url", "None"}
    assert set(found["record", "0901"]) == {"None"}


@pytest.mark.parametrize("wrong", [{"rate": 1.5}, {"rate": -1}, {"faults": ["nonsense"]}, {"calls": ["reorder"]}])
def test_invalid_chaos_is_refused(sandbox, wrong):
    with pytest.raises(ValueError, match=r"rate|fault|call"):
        sandbox.chaos(1, **wrong)


def test_transient_faults_are_valid():
    assert {Fault.parse(text).name for text in TRANSIENT} <= set(FAULTS)


def test_a_client_that_retries_recovers_from_chaos(make_client):
    """
    With retries, each report arrives and is recorded.
    """
    campuses = [Campus("0901", "A College", 5), Campus("9120", "B College", 3)]
    for seed in range(5):
        with Sandbox(campuses=campuses) as sandbox:
            client = make_client(sandbox)
            sandbox.chaos(seed, 0.6)
            arrived = []
            for di_code in sandbox.di_codes:
                arrived += fetch_with_retries(client, di_code)
            audit = sandbox.audit()
            assert set(arrived) == audit.all_reports == audit.recorded_reports
            assert audit.recorded_but_never_sent == []


def fetch_with_retries(client, di_code: str) -> list[str]:
    for _ in range(100):
        try:
            ordered = client.order(di_code)
            if ordered.status == 401:
                client.log_in()
                continue
            if ordered.status != 200 or "url" not in ordered.fields:
                continue
            file = client.download(ordered["url"])
            if file.status != 200:
                continue
            reports = reports_in(file.body)
            while True:
                try:
                    recorded = client.record(ordered["downloadId"])
                    if recorded.status == 200 and recorded["success"]:
                        return reports
                    if recorded.status == 401:
                        client.log_in()
                except (*BROKEN, ValueError):
                    continue
        except (*BROKEN, ValueError):
            continue
    raise AssertionError("a hundred attempts were not enough")

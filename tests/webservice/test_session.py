"""The order of calls, as conversations: what is answered, what is done next. No I/O anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_apscores.errors import (
    APScoresError,
    CampusRefused,
    ConfigurationError,
    CredentialsRefused,
    DownloadExpired,
    InsecureAddress,
    RequestRefused,
    ServiceUnavailable,
    TransferBroken,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import (
    TOKEN,
    Credentials,
    FileOrder,
    GeneratedFile,
    Received,
    Reply,
    Request,
    Secret,
    Session,
    Wait,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = FileOrder("4866")
URL = "https://files.example/a?Signature=s3cret"
FILE = GeneratedFile(ORDER, "73", "a.txt", Secret(URL))
RECEIVED = Received(951, "ab" * 32)
HTML = Reply(200, b"<html>maintenance</html>")
ARRIVED = Reply(200, b"", {}, RECEIVED)
EXPIRED = Reply(403, b'<?xml version="1.0"?><Error/>')


def yes(**fields: object) -> Reply:
    return Reply(200, json.dumps({"success": True, "message": "ok", **fields}).encode())


def no(message: str = "", status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps({"success": False, "message": message}).encode(), headers)


def offer(download_id: object = 73, url: str = URL) -> Reply:
    return yes(url=url, fileName="a.txt", downloadId=download_id)


LOGIN = yes(authToken="tok")
NOTHING = no("There were no score orders found")


def busy(status: int, **headers: str) -> Reply:
    return Reply(status, b"", {name.replace("_", "-"): value for name, value in headers.items()})


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def session(**settings: Any) -> Session:
    settings = {
        "base_url": "https://api.example",
        "clock": Clock(),
        "now": lambda: NOW,
        "random": lambda: 0.0,
        **settings,
    }
    return Session(Credentials("registrar@college.edu", "secret"), **settings)


def converse(made: Session, conversation: Any, answers: Iterable[Reply | Exception]) -> tuple[list[str | float], Any]:
    """Play *answers* to the requests of *conversation*, letting the clock run while it waits.

    Returns:
        What was done: the kind of each request, the seconds of each wait. And the result, or the error.
    """
    done: list[str | float] = []
    left = list(answers)
    outcome: Any = None
    while True:
        try:
            step = conversation.throw(outcome) if isinstance(outcome, Exception) else conversation.send(outcome)
        except (StopIteration, APScoresError) as end:
            result = end.value if isinstance(end, StopIteration) else end
            break
        if isinstance(step, Wait):
            done.append(step.seconds)
            made._clock.seconds += step.seconds  # type: ignore[attr-defined]
            outcome = None
        else:
            done.append(step.kind)
            assert left, f"asked once too often: {done}"
            outcome = left.pop(0)
    assert not left, f"never asked for {left}, but came to {result!r}"
    return done, result


def logged_in(**settings: Any) -> Session:
    made = session(**settings)
    assert converse(made, made.log_in(), [LOGIN]) == (["login"], None)
    return made


def test_an_expired_token_is_renewed_and_the_order_repeated():
    """
    A 401 in mid-conversation costs one more login; the caller notices nothing.
    """
    conversation = Session(Credentials("registrar@college.edu", "secret")).order(FileOrder(di_code="1234"))

    next(conversation)
    order = conversation.send(yes(authToken="early"))
    login = conversation.send(Reply(401, b""))
    order_again = conversation.send(yes(authToken="late"))

    assert login.url.endswith("/webServiceAuth")
    assert (order.headers[TOKEN], order_again.headers[TOKEN]) == ("early", "late")
    assert order_again.body == order.body


# ------------------------------------------------------------------------------------------------ going well


def test_one_login_serves_many_calls():
    made = session()
    assert converse(made, made.order(ORDER), [LOGIN, offer()]) == (["login", "order"], FILE)
    assert converse(made, made.order(FileOrder("0901")), [NOTHING]) == (["order"], None)
    steps, transfer = converse(made, made.download(FILE), [ARRIVED])
    assert (steps, transfer.generated, transfer.bytes, transfer.sha256) == (["download"], FILE, 951, "ab" * 32)
    assert converse(made, made.record("73", "TXT"), [yes()]) == (["record"], None)


def test_a_campus_outside_di_codes_is_not_ordered():
    made = session(di_codes=("4866", "0901"))
    steps, error = converse(made, made.order(FileOrder("1234")), [])
    assert steps == []
    assert isinstance(error, ConfigurationError)
    assert "1234" in str(error)
    assert "0901" in str(error)
    assert converse(made, made.order(FileOrder("0901")), [LOGIN, NOTHING]) == (["login", "order"], None)


@pytest.mark.parametrize(
    ("download_id", "file_format"),
    [("", "TXT"), ("73", "PDF"), ("7\n3", "TXT"), ("x" * 129, "TXT"), ("\u202e", "TXT")],
)
def test_an_impossible_record_is_not_sent(download_id, file_format):
    made = logged_in()
    steps, error = converse(made, made.record(download_id, file_format), [])
    assert (steps, type(error)) == ([], ConfigurationError)


# ------------------------------------------------------------------------------------------- refused permanently


CALLS: dict[str, Callable[[Session], Any]] = {
    "order": lambda made: made.order(ORDER),
    "download": lambda made: made.download(FILE),
    "record": lambda made: made.record("73", "TXT"),
}


@pytest.mark.parametrize("answer", [no("Invalid password"), no(""), Reply(401, b""), Reply(403, b"<html>")])
@pytest.mark.parametrize("call", CALLS)
def test_a_refused_login_is_never_repeated(call, answer):
    made = session()
    steps, error = converse(made, CALLS[call](made), [answer])
    assert (steps, type(error)) == (["login"], CredentialsRefused)
    for again in (*CALLS.values(), Session.log_in):
        steps, second = converse(made, again(made), [])
        assert (steps, type(second), str(second)) == ([], CredentialsRefused, str(error))


@pytest.mark.parametrize(
    ("call", "answer", "error"),
    [
        ("order", no("no access to this institution"), CampusRefused),
        ("order", no("no access to this institution", 403), CampusRefused),
        ("order", no("odd"), CampusRefused),
        ("order", no("MFA is on"), CredentialsRefused),
        ("order", no("password expired", 401), CredentialsRefused),
        ("record", no("unknown download"), RequestRefused),
        ("record", no("accept the site terms"), CredentialsRefused),
    ],
)
def test_a_refused_call_is_not_repeated(call, answer, error):
    made = logged_in()
    steps, raised = converse(made, CALLS[call](made), [answer])
    assert (steps, type(raised)) == ([call], error)


# --------------------------------------------------------------------------------------------------- renewal


@pytest.mark.parametrize(
    ("call", "lost", "good"),
    [
        ("order", Reply(401, b""), offer()),
        ("order", Reply(403, b""), offer()),
        ("order", no("Your session has expired"), offer()),
        ("download", Reply(401, b""), ARRIVED),
        ("download", no("Invalid token"), ARRIVED),
        ("record", Reply(401, b""), yes()),
        ("record", Reply(403, b""), yes()),
        ("record", no("The token is not valid"), yes()),
    ],
)
def test_a_lost_token_is_renewed_once(call, lost, good):
    made = logged_in()
    steps, result = converse(made, CALLS[call](made), [lost, yes(authToken="late"), good])
    assert steps == [call, "login", call]
    assert not isinstance(result, Exception)


@pytest.mark.parametrize(
    ("call", "answer", "error"),
    [
        ("order", Reply(401, b""), UnexpectedReply),
        ("order", Reply(403, b""), CampusRefused),
        ("order", no("Token expired"), UnexpectedReply),
        ("record", Reply(401, b""), UnexpectedReply),
        ("record", no("Token expired"), UnexpectedReply),
        ("record", Reply(403, b""), RequestRefused),
    ],
)
@pytest.mark.parametrize("token", ["tok", "late"])
def test_there_is_one_renewal_a_call(call, answer, error, token):
    # Also when the service gives the same token again.
    made = logged_in()
    steps, raised = converse(made, CALLS[call](made), [answer, yes(authToken=token), answer])
    assert (steps, type(raised)) == ([call, "login", call], error)


def test_the_next_call_may_renew_again():
    made = logged_in()
    for _ in range(2):
        steps, result = converse(made, made.order(ORDER), [Reply(401, b""), LOGIN, NOTHING])
        assert (steps, result) == (["order", "login", "order"], None)


def test_a_token_that_another_call_renewed_is_used():
    made = logged_in()
    one, other = made.order(ORDER), made.order(FileOrder("0901"))
    next(one), next(other)
    assert one.send(Reply(401, b"")).kind == "login"
    assert one.send(yes(authToken="late")).headers[TOKEN] == "late"
    again = other.send(Reply(401, b""))
    assert (again.kind, again.headers[TOKEN]) == ("order", "late")


def test_a_login_that_another_call_handles_is_not_sent():
    made = session()
    one, other = made.order(ORDER), made.order(FileOrder("0901"))
    assert (next(one).kind, next(other).kind) == ("login", "login")
    one.send(yes(authToken="tok"))
    order = other.send(None)
    assert (order.kind, order.headers[TOKEN]) == ("order", "tok")


def test_a_failed_login_fails_all_calls_that_wait_for_it():
    made = session()
    waiting = made.order(ORDER)
    next(waiting)
    _, error = converse(made, made.log_in(), [busy(503)] * 4)
    with pytest.raises(ServiceUnavailable) as caught:
        waiting.send(None)
    assert str(caught.value) == str(error)


def test_a_failed_login_is_not_repeated_within_a_minute():
    """
    A poll of many campuses sends the password once, not once for each campus.
    """
    made = session()
    _, error = converse(made, made.order(ORDER), [busy(500)])
    for call in (*CALLS.values(), Session.log_in):
        steps, second = converse(made, call(made), [])
        assert (steps, type(second), str(second), second.status) == ([], ServiceUnavailable, str(error), 500)
    made._clock.seconds += 60.0  # type: ignore[attr-defined]
    assert converse(made, made.order(ORDER), [LOGIN, NOTHING])[0] == ["login", "order"]


# ---------------------------------------------------------------------------------------------- asking again


@pytest.mark.parametrize("not_yet", [busy(504), yes(), yes(url=""), yes(url=None)])
def test_a_call_waits_while_a_file_is_generated(not_yet):
    made = logged_in()
    steps, result = converse(made, made.order(ORDER), [not_yet] * 7 + [offer()])
    assert steps == [
        "order", 2, "order", 4, "order", 8, "order", 16, "order", 30, "order", 30, "order", 30, "order",
    ]  # fmt: skip
    assert result == FILE


def test_waiting_for_a_file_ends_with_the_patience():
    made = logged_in(patience=100.0)
    steps, error = converse(made, made.order(ORDER), [busy(504)] * 7)
    assert sum(step for step in steps if not isinstance(step, str)) == 90
    assert type(error) is ServiceUnavailable
    assert "campus 4866" in str(error)
    assert "100 s" in str(error)


def test_every_wait_has_a_reason():
    made = logged_in()
    conversation = made.order(ORDER)
    next(conversation)
    wait = conversation.send(busy(504))
    assert wait == Wait(
        2.0, "College Board is still generating the file for campus 4866 (HTTP 504); asking again in 2 s"
    )
    next(conversation)
    wait = conversation.throw(ServiceUnavailable("No answer from api.example while ordering: it slept."))
    assert wait == Wait(1.0, "No answer from api.example while ordering: it slept; asking again in 1 s")


FAULTS = [
    busy(500),
    busy(502),
    busy(503),
    busy(429),
    busy(503, Retry_After="soon"),
    HTML,
    Reply(200, b""),
    Reply(200, b'{"success": tr'),
    ServiceUnavailable("no answer"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_is_tried_four_times(call, fault):
    made = logged_in()
    steps, error = converse(made, CALLS[call](made), [fault] * 4)
    assert steps == [call, 1, call, 2, call, 4, call]
    assert type(error) in (ServiceUnavailable, UnexpectedReply)
    assert error.transient
    assert "4 tries" in str(error)


@pytest.mark.parametrize(
    ("call", "good", "fault"),
    [
        *((call, good, fault) for call, good in [("order", offer()), ("record", yes())] for fault in FAULTS),
        *(("download", ARRIVED, fault) for fault in [*FAULTS, TransferBroken("it broke")]),
    ],
)
def test_a_call_recovers_from_three_faults(call, good, fault):
    made = logged_in()
    steps, result = converse(made, CALLS[call](made), [fault, fault, fault, good])
    assert steps == [call, 1, call, 2, call, 4, call]
    assert not isinstance(result, Exception)


LOCKED = b'{"success": false, "message": "Your account is locked"}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *(
            (Reply(status, b'{"message": "busy"}'), ServiceUnavailable)
            for status in (408, 425, 429, 500, 502, 503, 504)
        ),
        *((Reply(status, b"<html>"), ServiceUnavailable) for status in (408, 425, 429, 500, 502, 503, 504)),
        *((Reply(status, b""), ServiceUnavailable) for status in (408, 425, 429, 500, 501, 520)),
        *((Reply(status, LOCKED), CredentialsRefused) for status in (200, 400, 403, 423, 429, 500, 503, 504)),
        *((Reply(status, b""), CredentialsRefused) for status in (200, 302, 400, 401, 403, 404, 422, 423, 451)),
        (HTML, CredentialsRefused),
        (Reply(503, b"Account locked"), CredentialsRefused),
        (yes(), UnexpectedReply),
        # The answer began and broke off, or came in an encoding that was not asked for: it may have been a refusal.
        (ServiceUnavailable("The answer broke off.", status=401), ServiceUnavailable),
        (UnexpectedReply("An answer in another encoding."), UnexpectedReply),
    ],
    ids=repr,
)
@pytest.mark.parametrize("call", ["login", *CALLS])
def test_an_answered_login_is_sent_once(call, answer, error):
    made = session()
    steps, raised = converse(made, made.log_in() if call == "login" else CALLS[call](made), [answer])
    assert (steps, type(raised)) == (["login"], error)
    assert raised.transient is (error is not CredentialsRefused)


def test_an_answered_renewal_is_sent_once():
    made = logged_in()
    steps, error = converse(made, made.order(ORDER), [Reply(401, b""), busy(500)])
    assert (steps, type(error)) == (["order", "login"], ServiceUnavailable)


@pytest.mark.parametrize(
    "fault", [ServiceUnavailable("no answer"), busy(502), busy(503), busy(504), Reply(502, b"Bad gateway")], ids=repr
)
def test_a_login_that_the_service_did_not_answer_is_repeated(fault):
    made = session()
    steps, error = converse(made, made.log_in(), [fault] * 4)
    assert (steps, type(error)) == (["login", 1, "login", 2, "login", 4, "login"], ServiceUnavailable)
    assert "4 tries" in str(error)


def test_a_login_is_sent_four_times_at_most_even_if_a_gateway_asks_to_wait():
    made = session()
    steps, error = converse(made, made.log_in(), [busy(503, Retry_After="37")] * 4)
    assert (steps, type(error)) == (["login", 37, "login", 37, "login", 37, "login"], ServiceUnavailable)


def test_a_busy_login_reports_its_retry_after():
    made = session()
    _, error = converse(made, made.log_in(), [busy(429, Retry_After="37")])
    assert (error.retry_after, error.status) == (37.0, 429)


def test_faults_are_counted_from_the_last_good_answer():
    made = logged_in()
    answers = [busy(500), busy(500), busy(504), busy(500), busy(500), busy(500), offer()]
    steps, result = converse(made, made.order(ORDER), answers)
    assert steps == ["order", 1, "order", 2, "order", 2, "order", 1, "order", 2, "order", 4, "order"]
    assert result == FILE


@pytest.mark.parametrize(("call", "status"), list(itertools.product(["order", "record"], [429, 503])))
def test_a_retry_after_is_followed_exactly(call, status):
    made = logged_in(random=lambda: 1.0)
    good = {"order": offer(), "record": yes()}[call]
    steps, result = converse(made, CALLS[call](made), [busy(status, Retry_After="37")] * 5 + [good])
    assert steps == [call, 37, call, 37, call, 37, call, 37, call, 37, call]
    assert not isinstance(result, Exception)


def test_a_retry_after_does_not_count_as_a_failed_try():
    made = logged_in()
    answers = [busy(429, Retry_After="5")] * 6 + [busy(500)] * 3 + [offer()]
    steps, result = converse(made, made.order(ORDER), answers)
    assert steps == ["order", 5] * 6 + ["order", 1, "order", 2, "order", 4, "order"]
    assert result == FILE


@pytest.mark.parametrize(("retry_after", "seconds"), [("1000", 1000.0), ("Thu, 01 Jan 2026 01:00:00 GMT", 3600.0)])
def test_a_retry_after_beyond_the_patience_ends_the_call(retry_after, seconds):
    made = logged_in()
    steps, error = converse(made, made.order(ORDER), [busy(429, Retry_After=retry_after)])
    assert (steps, type(error), error.retry_after) == (["order"], ServiceUnavailable, seconds)
    assert "600 s" in str(error)


def test_retry_after_zero_waits_as_without_it():
    made = logged_in()
    steps, error = converse(made, made.order(ORDER), [busy(503, Retry_After="0")] * 4)
    assert steps == ["order", 1, "order", 2, "order", 4, "order"]
    assert isinstance(error, ServiceUnavailable)


@pytest.mark.parametrize(
    "answer",
    [Reply(404, b"<html>"), Reply(400, b"<html>"), Reply(302, b"", {"Location": "https://x.example"}), Reply(405, b"")],
    ids=repr,
)
def test_a_permanent_answer_is_not_requested_again(answer):
    made = logged_in()
    steps, error = converse(made, made.order(ORDER), [answer])
    assert (steps, type(error)) == (["order"], UnexpectedReply)


def test_the_patience_bounds_faults_too():
    made = logged_in(patience=2.5)
    steps, error = converse(made, made.order(ORDER), [busy(500)] * 2)
    assert (steps, type(error)) == (["order", 1, "order"], ServiceUnavailable)


def test_waits_are_shortened_at_random():
    made = logged_in(random=lambda: 1.0)
    steps, _ = converse(made, made.order(ORDER), [busy(504), busy(504), busy(500), NOTHING])
    assert steps == ["order", 1.5, "order", 3.0, "order", 0.75, "order"]


def test_an_answer_may_not_take_longer_than_the_patience():
    made = logged_in(patience=100.0)
    conversation = made.order(ORDER)
    assert next(conversation).patience == 100.0
    conversation.send(busy(500))
    made._clock.seconds = 98.0  # type: ignore[attr-defined]
    assert next(conversation).patience == 2.0


def test_nothing_is_sent_once_the_patience_is_over():
    made = session(patience=5.0)
    conversation = made.order(ORDER)
    assert next(conversation).kind == "login"
    made._clock.seconds = 5.0  # type: ignore[attr-defined]
    with pytest.raises(ServiceUnavailable, match="patience of 5 s was used up before ordering"):
        conversation.send(LOGIN)


@pytest.mark.parametrize("call", ["log_in", "order", "record"])
def test_a_call_may_name_its_own_patience(call):
    made = session(patience=600.0)
    arguments = {"log_in": (), "order": (ORDER,), "record": ("73", "TXT")}[call]
    assert next(getattr(made, call)(*arguments, patience=6.0)).patience == 6.0


# ------------------------------------------------------------------------------------------------- downloads


UNFRAMED = Reply(200, b"", {}, Received(951, "ab" * 32, framed=False))


def test_a_file_without_a_marked_end_is_transferred_twice():
    made = logged_in()
    conversation = made.download(FILE)
    first = next(conversation)
    second = conversation.send(UNFRAMED)
    assert (first.discard, second.discard, second.url) == (False, True, first.url)
    with pytest.raises(StopIteration) as done:
        conversation.send(UNFRAMED)
    assert (done.value.value.bytes, done.value.value.sha256) == (951, "ab" * 32)


def test_two_transfers_that_differ_are_a_broken_transfer():
    made = logged_in()
    other = Reply(200, b"", {}, Received(1902, "cd" * 32, framed=False))
    steps, error = converse(made, made.download(FILE), [UNFRAMED, other] * 4)
    assert steps == ["download", "download", 1, "download", "download", 2, "download", "download", 4, "download",
                     "download"]  # fmt: skip
    assert type(error) is TransferBroken
    assert "951 and 1902 bytes" in str(error)


def test_the_second_transfer_may_find_that_the_url_has_expired():
    made = logged_in()
    steps, transfer = converse(made, made.download(FILE), [UNFRAMED, EXPIRED, offer(74), ARRIVED])
    assert steps == ["download", "download", "order", "download"]
    assert transfer.generated.download_id == "74"


def test_an_expired_url_costs_a_fresh_order():
    made = logged_in()
    steps, transfer = converse(made, made.download(FILE), [EXPIRED, offer(74), ARRIVED])
    assert steps == ["download", "order", "download"]
    assert transfer.generated.download_id == "74"


def test_a_url_known_to_be_expired_is_not_tried():
    made = logged_in()
    old = GeneratedFile(ORDER, "73", "a.txt", Secret(URL), NOW - timedelta(seconds=1))
    steps, transfer = converse(made, made.download(old), [offer(74), ARRIVED])
    assert (steps, transfer.generated.download_id) == (["order", "download"], "74")


def test_a_fresh_url_that_looks_expired_is_tried_since_clocks_differ():
    made = logged_in()
    old = GeneratedFile(ORDER, "73", "a.txt", Secret(URL), NOW)
    looks_old = offer(74, "https://files.example/b?Expires=1&Signature=s3cret")
    steps, transfer = converse(made, made.download(old), [looks_old, ARRIVED])
    assert (steps, transfer.generated.download_id) == (["order", "download"], "74")


def test_a_file_that_this_session_ordered_is_tried_even_if_it_looks_expired():
    made = logged_in()
    looks_old = offer(74, "https://files.example/b?Expires=1&Signature=s3cret")
    _, generated = converse(made, made.order(ORDER), [looks_old])
    assert generated.expires_at < NOW
    steps, transfer = converse(made, made.download(generated), [ARRIVED])
    assert (steps, transfer.generated) == (["download"], generated)


def test_fresh_orders_are_limited():
    made = logged_in()
    steps, error = converse(made, made.download(FILE), [EXPIRED] + [offer(), EXPIRED] * 3)
    assert steps == ["download"] + ["order", "download"] * 3
    assert (type(error), error.transient) == (DownloadExpired, True)


def test_an_expired_url_of_reports_that_were_recorded_meanwhile():
    made = logged_in()
    steps, error = converse(made, made.download(FILE), [EXPIRED, NOTHING])
    assert (steps, type(error)) == (["download", "order"], DownloadExpired)
    assert "nothing new" in str(error)
    assert "full order" in str(error)


def test_a_fresh_order_waits_for_its_file_and_keeps_the_one_renewal():
    made = logged_in()
    answers = [Reply(401, b""), LOGIN, EXPIRED, busy(504), Reply(401, b"")]
    steps, error = converse(made, made.download(FILE), answers)
    assert steps == ["download", "login", "download", "order", 2, "order"]
    assert (type(error), error.transient) == (UnexpectedReply, True)


def test_redirects_are_followed_without_the_token_at_another_origin():
    made = logged_in()
    conversation = made.download(FILE)
    first = next(conversation)
    second = conversation.send(Reply(302, b"", {"Location": "/b?Signature=2"}))
    third = conversation.send(Reply(307, b"", {"Location": "https://cdn.example/c?Signature=3"}))
    assert [TOKEN in request.headers for request in (first, second, third)] == [True, True, False]
    assert [request.url for request in (second, third)] == [
        "https://files.example/b?Signature=2",
        "https://cdn.example/c?Signature=3",
    ]


def test_redirects_are_limited():
    made = logged_in()
    round_and_round = Reply(302, b"", {"Location": "/a"})
    steps, error = converse(made, made.download(FILE), [round_and_round] * 6 * 4)
    assert steps.count("download") == 24
    assert type(error) is UnexpectedReply
    assert "redirects" in str(error)


def test_a_redirect_to_http_is_not_followed():
    made = logged_in()
    steps, error = converse(made, made.download(FILE), [Reply(302, b"", {"Location": "http://files.example/"})])
    assert (steps, type(error), error.transient) == (["download"], InsecureAddress, False)


def test_a_url_that_is_not_https_is_not_fetched():
    made = logged_in()
    file = GeneratedFile(ORDER, "73", "a.txt", Secret("http://files.example/a?Signature=s3cret"))
    steps, error = converse(made, made.download(file), [])
    assert (steps, type(error), error.transient) == ([], InsecureAddress, False)
    assert "s3cret" not in str(error)


# --------------------------------------------------------------------------------------------------- secrets


def test_new_secrets_are_reported_once_as_soon_as_they_exist():
    made = session()

    def new() -> list[str]:
        return [secret.reveal() for secret in made.pop_new_secrets()]

    assert new() == ["secret", "c2VjcmV0"]
    conversation = made.order(ORDER)
    next(conversation)
    assert new() == []
    conversation.send(yes(authToken="tok"))
    assert new() == ["tok"]
    with pytest.raises(StopIteration):
        conversation.send(offer())
    assert new() == [URL, "Signature=s3cret"]
    conversation = made.download(FILE)
    next(conversation)
    assert new() == []
    conversation.send(Reply(302, b"", {"Location": "https://cdn.example/c?sig=3"}))
    assert new() == ["https://cdn.example/c?sig=3", "sig=3"]


def test_no_error_and_no_repr_shows_a_secret():
    made = logged_in()
    leak = no(f"tok secret c2VjcmV0 registrar@college.edu {URL} Signature=s3cret")
    converse(made, made.order(ORDER), [offer()])
    _, error = converse(made, made.order(ORDER), [leak])
    shown = f"{error} {error!r} {made!r} {next(made.order(ORDER))!r}"
    assert isinstance(error, CampusRefused)
    assert not [word for word in ("secret", "c2VjcmV0", "s3cret", "tok ", "registrar@") if word in shown]


@pytest.mark.parametrize("base_url", ["http://api.example", "api.example", "https://u:p@api.example"])
def test_an_unsafe_base_url_is_refused(base_url):
    with pytest.raises(ConfigurationError):
        session(base_url=base_url)


def test_the_default_base_url_is_production():
    assert session(base_url="").base_url == "https://aposrd-api-gw.collegeboard.org/aposrd-api-prod"
    assert isinstance(next(session().log_in()), Request)

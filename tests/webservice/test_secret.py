from __future__ import annotations

import json
import traceback

import pytest

from airflow_provider_apscores.webservice import Secret


def test_a_secret_shows_nothing():
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", repr([secret]), repr({"p": secret})]
    assert "hunter2" not in "".join(shown)
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_revealed_on_request():
    assert Secret("hunter2").reveal() == Secret(Secret("hunter2")).reveal() == "hunter2"


def test_secrets_are_compared_by_their_text():
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"
    assert [bool(Secret("")), bool(Secret("a"))] == [False, True]


def test_a_secret_is_not_written_as_json_by_accident():
    with pytest.raises(TypeError):
        json.dumps({"p": Secret("hunter2")})


def test_a_traceback_with_locals_does_not_show_a_secret():
    def fail(secret: Secret) -> None:
        raise ValueError

    try:
        fail(Secret("hunter2"))
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "secret = <secret>" in "".join(shown.format())
        assert "hunter2" not in "".join(shown.format()).replace('fail(Secret("hunter2"))', "")

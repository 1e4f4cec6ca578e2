"""The hook: its connection form, its test, its masks."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import traceback

import pytest
from airflow.providers.common.compat import sdk
from airflow.providers.common.compat.sdk import redact
from pytest_mock import MockerFixture

from airflow_provider_apscores.errors import ConfigurationError, CredentialsRefused, ServiceUnavailable
from airflow_provider_apscores.get_provider_info import connection_type, get_provider_info
from airflow_provider_apscores.hooks.apscores import APScoresHook
from tests.provider.world import SALTMARSH, World, fails_permanently


def test_the_metadata_and_the_hook_have_the_same_form():
    """
    Airflow 3.2 and later read the metadata, earlier ones ask the hook.
    """
    (declared,) = get_provider_info()["connection-types"]
    behaviour = APScoresHook.get_ui_field_behaviour()

    assert declared == connection_type()
    assert declared["connection-type"] == APScoresHook.conn_type
    assert declared["hook-name"] == APScoresHook.hook_name
    assert declared["hook-class-name"] == f"{APScoresHook.__module__}.{APScoresHook.__name__}"
    assert {key.replace("_", "-"): value for key, value in behaviour.items()} == declared["ui-field-behaviour"]


def test_the_hook_declares_the_fields_of_the_metadata():
    pytest.importorskip("flask_appbuilder", reason="the form of Airflow 2.11 is made of it")

    assert list(APScoresHook.get_connection_form_widgets()) == list(connection_type()["conn-fields"])


def test_no_default_of_the_form_is_masked_by_airflow():
    """
    Airflow 3 masks prefilled values by the name of their field, and the form saves what it shows.
    """
    connections = pytest.importorskip("airflow.api_fastapi.core_api.services.ui.connections")
    shown = {
        name: redact(field["schema"].get("default"), name) for name, field in connection_type()["conn-fields"].items()
    }
    served = [meta for meta in connections.HookMetaService.hook_meta_data() if meta.connection_type == "apscores"]

    assert "***" not in shown.values()
    assert "***" not in json.dumps([meta.model_dump() for meta in served], default=str)


def test_the_form_shows_the_port_and_hides_the_raw_extra():
    """
    For a hidden port, Airflow 3.3.2 sends 0 and refuses to test a stored connection (apache/airflow#73298).
    """
    form = connection_type()["ui-field-behaviour"]

    assert form["hidden-fields"] == ["schema", "extra"]
    assert form["placeholders"]["port"] == "443"


# The address of a proxy may hold a password, and Airflow masks it.
@pytest.mark.parametrize("name", connection_type()["conn-fields"].keys() - {"proxy"})
def test_every_field_can_be_read_when_the_connection_is_edited(name: str):
    assert redact({name: "value"}) == {name: "value"}


def test_testing_the_connection_logs_in_and_does_nothing_else(world: World):
    ok, said = APScoresHook().test_connection()

    assert (ok, said) == (True, "Logged in to the College Board web service.")
    assert world.sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "S3cret-but-wrong"}, "Invalid username or password"),
        ({"host": "http://127.0.0.1:9"}, "127.0.0.1"),
        ({"login": ""}, "no login"),
        ({"extra": {"di_codes": "1"}}, "no DI code"),
        ({"host": "http://college.edu"}, "The base URL at college.edu is not https"),
        ({"extra": "[]"}, "The extra must be a JSON object"),
    ],
)
def test_testing_a_bad_connection_returns_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, fields: dict, said: str
):
    connection = json.loads(world.sandbox.airflow_connection) | fields
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    ok, message = APScoresHook().test_connection()

    assert ok is False
    assert said in message
    assert "S3cret" not in message
    # The form tests a temporary connection with a random id.
    assert "apscores_default" not in message


def test_a_refused_login_check_fails_permanently(world: World):
    APScoresHook().check_login()
    world.sandbox.fail("login", "refuse=locked", times=None)

    with fails_permanently(CredentialsRefused, match="locked"):
        APScoresHook().check_login()
    with fails_permanently(ConfigurationError, match="There is no connection"):
        APScoresHook("missing").check_login()

    assert world.sandbox.counts == {"login": 2, "order": 0, "download": 0, "record": 0}


def test_a_malformed_environment_variable_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch):
    """
    Airflow says that there is no such connection, although the variable is there.
    """
    monkeypatch.setenv("AIRFLOW_CONN_PASTED", '{"conn_type": "apscores", "password": "S3cret" "login": "ap"}')

    with fails_permanently(ConfigurationError, match="environment variable AIRFLOW_CONN_PASTED") as caught:
        APScoresHook("pasted").check_login()

    assert "S3cret" not in str(caught.value)


def test_a_login_check_during_an_outage_is_left_to_the_retries(world: World):
    world.sandbox.fail("login", "503", times=None)

    with pytest.raises(ServiceUnavailable):
        APScoresHook().check_login()


@pytest.mark.parametrize("conn_type", ["aws", "http", "imap"])
def test_the_password_of_another_system_is_not_sent(world: World, monkeypatch: pytest.MonkeyPatch, conn_type: str):
    connection = json.loads(world.sandbox.airflow_connection) | {"conn_type": conn_type}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_SYSTEM", json.dumps(connection))

    ok, message = APScoresHook("other_system").test_connection()

    assert (ok, message) == (
        False,
        f"Connection 'other_system' is of type {conn_type}, not apscores; nothing was sent.",
    )
    with pytest.raises(ConfigurationError, match="not apscores"):
        asyncio.run(APScoresHook("other_system").async_settings())
    assert world.sandbox.counts["login"] == 0


def test_a_connection_without_a_type_is_accepted(world: World, monkeypatch: pytest.MonkeyPatch):
    connection = json.loads(world.sandbox.airflow_connection) | {"conn_type": ""}
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    assert APScoresHook().test_connection()[0] is True


def test_testing_a_missing_connection_returns_the_reason(monkeypatch: pytest.MonkeyPatch):
    ok, message = APScoresHook("nobody_knows").test_connection()

    assert ok is False
    assert message


def test_secrets_are_masked_as_soon_as_they_exist(world: World, mocker: MockerFixture):
    masked = mocker.spy(sdk, "mask_secret")
    with APScoresHook().get_conn() as client:
        generated = client.order(SALTMARSH)
    assert generated is not None
    encoded = base64.b64encode(world.sandbox.password.encode()).decode()
    secrets = {call.args[0] for call in masked.call_args_list}
    # The password in both forms, the token, the address of the file and its signature.
    assert secrets > {world.sandbox.password, encoded, generated.url.reveal()}
    assert len(secrets) == 5

    shown = redact(" / ".join(secrets))

    assert not [secret for secret in secrets if secret in shown]


async def test_a_triggerer_before_3_3_2_masks_from_a_thread(
    world: World, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
):
    """
    There, masking is a message to another process and waits for the answer. Airflow 3.0 refuses that on the event loop.
    """
    hook = APScoresHook()
    settings = hook.settings()

    def mask(secret: str) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()

    monkeypatch.delattr(sys.modules.get("airflow.sdk.log"), "amask_secret", raising=False)
    masked = mocker.patch.object(sdk, "mask_secret", side_effect=mask)

    async with hook.get_async_conn(settings) as client:
        await client.order(SALTMARSH)

    masked.assert_any_call(world.sandbox.password)
    assert masked.call_count == 5


def test_the_hook_returns_the_campuses_of_the_connection(world: World):
    assert APScoresHook().di_codes == world.sandbox.di_codes


@pytest.mark.parametrize(
    "wrong",
    [
        {"conn_type": "http"},
        {"extra": "no JSON"},
        {"extra": {"timeout": "x"}},
        {"login": ""},
        {"extra": {"timeout": "x", "proxy": "http://user:s3cret-Pa55word@proxy:3128"}},
        {"extra": {"proxy": "ftp://user:s3cret-Pa55word@proxy:3128"}},
    ],
)
def test_a_wrong_connection_leaves_no_password_in_a_frame(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]):
    """
    Error trackers record the local variables of a traceback, and the repr of Airflow's connection shows the password.
    """
    connection = {"conn_type": "apscores", "login": "a@b.edu", "password": "s3cret-Pa55word", **wrong}
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    with pytest.raises(ConfigurationError) as caught:
        APScoresHook().settings()

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "airflow_provider_apscores" in frame.f_code.co_filename]
    assert ours
    assert "s3cret-Pa55word" not in "".join(repr(value) for frame in ours for value in frame.f_locals.values())

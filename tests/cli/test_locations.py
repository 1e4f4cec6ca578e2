"""Addresses that name an Airflow connection, as commands and tasks accept them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_apscores import errors
from airflow_provider_apscores.cli import main
from airflow_provider_apscores.cli.connection import location
from airflow_provider_apscores.hooks.paths import storage_path
from tests.provider.world import World, fails_permanently

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def server_region() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="module")
def bucket(server_region: None) -> Iterator[None]:
    """An S3 server with an empty bucket. Only the connection ``store`` knows where the server is."""
    s3fs = pytest.importorskip("s3fs")
    from airflow.providers.common.compat.sdk import io
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    files = s3fs.S3FileSystem(key="a", secret="b", endpoint_url=address, skip_instance_cache=True)
    if not files.exists("scores"):
        files.mkdir("scores")
    io.attach("s3", conn_id="store", fs=files)  # as the Amazon provider does for a connection
    yield
    server.stop()


def test_the_commands_use_the_connection_of_an_address(world: World, bucket: None, capsys: pytest.CaptureFixture[str]):
    landed = world.download(destination="s3://store@scores/ap")

    assert main(["ledger", "s3://store@scores/ap", "--check"]) == 0
    assert landed["uri"] in capsys.readouterr().out
    assert main(["parse", landed["uri"], "--to", "s3://store@scores/tables"]) == 0
    assert "students       12" in capsys.readouterr().out


def test_a_command_in_a_task_of_airflow_3_says_that_it_can_not_look_up_a_connection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Airflow sets this variable in the process of a task, and the commands of a BashOperator inherit it."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")

    assert main(["ledger", "s3://store@scores/ap"]) == 2
    assert "Use an operator, or the Python API in a @task" in capsys.readouterr().err


def test_a_missing_bucket_fails_permanently_before_anything_is_ordered(world: World, bucket: None):
    with fails_permanently(errors.ConfigurationError, match="There is no bucket scoers"):
        world.download(destination="s3://store@scoers/ap")

    assert world.sandbox.counts["order"] == 0


@pytest.mark.parametrize(
    "address",
    [
        "/srv/ap",
        "sftp://host/ap",
        "sftp://registrar:invented@host/ap",
        "abfs://container@account/ap",
        "s3://bucket/a@b",
        "ap",
    ],
)
def test_other_addresses_name_no_connection(address: str):
    assert location(address) is address


def test_an_sftp_address_of_a_command_names_a_connection():
    """
    As it does in a task. The server is asked when the address is used.
    """
    pytest.importorskip("airflow.providers.sftp")

    assert location("sftp://files@host/ap").protocol == "sftp"


def test_a_command_says_what_is_wrong_with_the_address(capsys: pytest.CaptureFixture[str]):
    assert main(["ledger", "s3:/bucket/ap"]) == 2
    assert "two slashes" in capsys.readouterr().err


def test_a_scheme_without_a_file_system_names_the_argument():
    with pytest.raises(errors.ConfigurationError, match="output: Airflow has no file system for nosuch://"):
        storage_path("nosuch://bucket/ap", "output")

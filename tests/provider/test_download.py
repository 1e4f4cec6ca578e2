"""The download operator against a sandbox: what lands, what is returned, what each kind of trouble becomes."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

from airflow_provider_apscores import errors
from airflow_provider_apscores.delivery import open_delivery
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from tests.provider.world import EMBERWICK, QUILLFEATHER, SALTMARSH, World, fails_permanently, reports_in, task_instance


@pytest.fixture
def connect(world: World, monkeypatch: pytest.MonkeyPatch):
    """Change the connection that the tasks use."""

    def change(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        connection = json.loads(world.connection) | fields
        connection["extra"] |= extra or {}
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))

    return change


def path_of(reference: dict[str, Any] | None) -> Path:
    assert reference is not None
    return Path(reference["uri"].removeprefix("file://"))


# Without faults


@pytest.mark.parametrize("file_format", ["TXT", "CSV"])
@pytest.mark.parametrize("download_type", ["new", "full"])
def test_what_was_ordered_lands_whole(world: World, file_format: str, download_type: str):
    reference = world.download(file_format=file_format, download_type=download_type)

    assert reference == open_delivery(reference["manifest_uri"]).reference()
    assert reports_in(path_of(reference)) == set(world.sandbox.audit().issued[SALTMARSH])
    assert path_of(reference).stat().st_size == reference["bytes"]
    assert (reference["di_code"], reference["records"]) == (SALTMARSH, 12)
    assert (reference["file_format"], reference["download_type"]) == (file_format, download_type)
    # A full order is not recorded unless that is asked for.
    assert reference["recorded"] is (download_type == "new")
    assert world.sandbox.audit().recorded == ([reference["download_id"]] if download_type == "new" else [])
    assert world.sandbox.counts["login"] == world.sandbox.counts["order"] == world.sandbox.counts["download"] == 1


@pytest.mark.parametrize(("record", "recorded"), [(True, True), (False, False)])
@pytest.mark.parametrize("download_type", ["new", "full"])
def test_the_user_chooses_whether_to_record(world: World, download_type: str, record: bool, recorded: bool):
    reference = world.download(download_type=download_type, record=record)

    assert reference["recorded"] is recorded
    assert world.sandbox.counts["record"] == int(recorded)


def test_only_their_owner_can_read_the_files(world: World):
    world.download()

    modes = {stat.S_IMODE(path.stat().st_mode) for path in world.everything()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in world.destination.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


@pytest.mark.parametrize("try_number", [1, 2])
def test_a_second_try_of_a_run_sends_nothing(world: World, try_number: int):
    """
    A retry, a cleared task or another worker finds the delivery of the run.
    """
    first = world.download()
    calls = world.sandbox.counts

    assert world.download(try_number=try_number) == first
    assert world.sandbox.counts == calls


def test_another_run_gets_the_reports_since_then(world: World):
    world.download()
    world.sandbox.add_reports(SALTMARSH, 2)

    second = world.download(run="day-2")

    assert second["records"] == 2
    assert world.landed() == set(world.sandbox.audit().issued[SALTMARSH])


def test_a_campus_of_the_same_task_has_its_own_delivery(world: World):
    world.download(SALTMARSH)

    assert world.download(QUILLFEATHER)["records"] == 5


def test_the_file_name_of_the_service_is_kept_but_never_used(world: World):
    world.sandbox.fail("order", "evil-name=../../../escaped.txt")

    reference = world.download()

    assert path_of(reference).is_relative_to(world.destination)
    assert not list(world.destination.parent.rglob("escaped*"))
    assert "/" not in path_of(reference).name


# Nothing new


@pytest.mark.parametrize(
    ("on_no_new_reports", "outcome"),
    [("skip", AirflowSkipException), ("fail", errors.NoNewReports), ("succeed", None)],
)
def test_the_user_chooses_the_outcome_of_nothing_new(world: World, on_no_new_reports: str, outcome):
    if outcome is None:
        assert world.download(EMBERWICK, on_no_new_reports=on_no_new_reports) is None
    else:
        with pytest.raises(outcome, match="no new score reports for campus 9377"):
            world.download(EMBERWICK, on_no_new_reports=on_no_new_reports)
    assert world.everything() == []


def test_a_run_that_found_nothing_orders_again_when_it_is_cleared(world: World):
    world.download(EMBERWICK, on_no_new_reports="succeed")
    world.sandbox.add_reports(EMBERWICK, 1)

    assert world.download(EMBERWICK, try_number=2)["records"] == 1


def test_an_unknown_outcome_of_nothing_new_is_refused():
    with pytest.raises(ValueError, match="one of skip, succeed, fail"):
        APScoresDownloadOperator(task_id="t", di_code="0901", destination="/d", on_no_new_reports="ignore")


# force


def test_force_orders_again_and_names_the_earlier_delivery(world: World):
    first = world.download(record=False)

    second = world.download(record=False, force=True)

    assert second["download_id"] != first["download_id"]
    assert second["duplicate_of"] == first["manifest_uri"]
    assert world.sandbox.counts["order"] == 2


def test_a_retry_of_a_forced_try_continues_from_it(world: World):
    world.download(record=False)
    # Cleared: Airflow keeps the try number and allows as many more tries.
    forced = world.download(record=False, force=True, try_number=2, max_tries=4)

    assert world.download(record=False, force=True, try_number=3, max_tries=4) == forced
    assert world.sandbox.counts["order"] == 2


def test_force_returns_the_recorded_delivery_when_nothing_new_came_since(world: World):
    """
    Its recorded reports will not be sent again, so this delivery is the only one to hand on.
    """
    first = world.download()

    assert world.download(force=True) == first


# Arguments


@pytest.mark.parametrize("di_code", ["0901", " 0901 "])
def test_blanks_around_a_campus_are_ignored(world: World, di_code: str):
    assert world.download(di_code)["di_code"] == SALTMARSH


def test_native_rendering_turns_a_campus_into_a_number(world: World):
    assert world.download(9120)["di_code"] == QUILLFEATHER


def test_the_arguments_are_templates(world: World):
    task = APScoresDownloadOperator(
        task_id="download",
        di_code="{{ campus }}",
        destination="{{ place }}/ap",
        file_format="{{ kind }}",
        download_type="{{ extent }}",
        apscores_conn_id="{{ connection }}",
    )
    context = {
        "campus": SALTMARSH,
        "place": str(world.destination),
        "kind": "CSV",
        "extent": "full",
        "connection": "apscores_default",
        "ti": task_instance("download"),
    }
    task.render_template_fields(context)

    reference = task.execute(context)

    assert path_of(reference).is_relative_to(world.destination / "ap")
    assert (reference["file_format"], reference["download_type"]) == ("CSV", "full")


# Faults: one clear error each, of the right class. Permanent errors fail the task permanently. Nothing is recorded.


def assert_failure(world: World, kind: type[errors.APScoresError], said: str, **arguments: Any) -> str:
    with pytest.raises(kind, match=said) if kind.transient else fails_permanently(kind, said) as caught:
        world.download(**arguments)
    assert world.sandbox.password not in str(caught.value)
    assert base64.b64encode(world.sandbox.password.encode()).decode() not in str(caught.value)
    world.assert_nothing_was_recorded()
    assert world.files() == []
    assert not [path for path in world.everything() if ".part-" in path.name]
    return str(caught.value)


def test_a_wrong_password_is_sent_once(world: World, connect):
    connect(password="not the one")

    assert_failure(world, errors.CredentialsRefused, "Invalid username or password")
    assert world.sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}


@pytest.mark.parametrize("words", ["mfa", "expired", "terms", "role", "locked"])
def test_a_refused_login_is_sent_once(world: World, words: str):
    world.sandbox.fail("login", f"refuse={words}", times=None)

    assert_failure(world, errors.CredentialsRefused, "College Board")
    assert world.sandbox.counts["login"] == 1


def test_a_refused_campus(world: World, connect):
    connect({"di_codes": ""})

    assert_failure(world, errors.CampusRefused, "do not have access", di_code="4866")
    assert world.sandbox.counts["order"] == 1


def test_a_campus_that_the_connection_does_not_name(world: World):
    assert_failure(world, errors.ConfigurationError, "4866 is not one of this connection's", di_code="4866")
    assert world.sandbox.counts["login"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"di_code": "486"}, "four digits"),
        ({"di_code": 417}, "four digits.*A number loses its zeros: quote it"),
        ({"di_code": 0o417}, "four digits.*A number loses its zeros: quote it"),  # 0417 in YAML
        ({"di_code": "{{ x }}"}, "four digits"),
        ({"file_format": "XML"}, "TXT"),
        ({"download_type": "all"}, "new"),
        ({"destination": ""}, "destination is empty"),
        ({"destination": None}, "destination is empty"),
        ({"destination": "None"}, "destination is None.*that task must have run"),
        ({"destination": "ap-scores"}, "'ap-scores', which is another folder on each worker"),
        ({"destination": "~/ap-scores"}, "another folder on each worker"),
        ({"destination": "file://ap-scores"}, "absolute path such as file:///srv/ap-scores"),
        ({"destination": "nowhere://bucket/x"}, "no file system for nowhere://"),
        ({"destination": "sftp://ap:pass@word@files.college.edu/ap"}, "destination holds a password"),
        ({"destination": "https://files.college.edu/ap?sig=c0ffee"}, "destination is a web address with a query"),
    ],
)
def test_invalid_arguments(world: World, arguments: dict[str, Any], said: str):
    assert_failure(world, errors.ConfigurationError, said, **arguments)
    assert world.sandbox.counts["login"] == 0


def test_a_password_that_is_not_base64(world: World, connect):
    connect({"encoding": "base64"}, password="no base64!")

    assert_failure(world, errors.ConfigurationError, "Base64")
    assert world.sandbox.counts["login"] == 0


def test_a_host_that_is_unreachable(world: World, connect):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        connect(host=f"http://127.0.0.1:{free.getsockname()[1]}")

        assert_failure(world, errors.ServiceUnavailable, "127.0.0.1")


@pytest.mark.parametrize(
    ("call", "fault", "kind"),
    [
        ("login", "503", errors.ServiceUnavailable),
        ("order", "html", errors.UnexpectedReply),
        ("order", "bad-json", errors.UnexpectedReply),
        ("order", "503", errors.ServiceUnavailable),
        ("download", "html", errors.UnexpectedReply),
        ("download", "truncate", errors.TransferBroken),
        ("download", "break", errors.TransferBroken),
        ("download", "drop", errors.WebServiceError),
    ],
)
def test_a_lasting_fault_is_left_to_the_next_try(world: World, call: str, fault: str, kind):
    world.sandbox.fail(call, fault, times=None)

    with pytest.raises(kind) as caught:
        world.download()

    assert caught.value.transient
    assert not isinstance(caught.value, AirflowFailException)
    world.assert_nothing_was_recorded()
    assert world.everything() == []
    # The next try, after the fault.
    world.sandbox.clear_faults()
    assert world.download(try_number=2)["records"] == 12


@pytest.mark.parametrize("fault", ["503", "504", "429", "rate-limit=0"])
def test_a_login_that_was_answered_is_not_repeated_in_the_same_try(world: World, fault: str):
    world.sandbox.fail("login", fault)

    with pytest.raises(errors.ServiceUnavailable):
        world.download()

    assert world.sandbox.counts == {"login": 1, "order": 0, "download": 0, "record": 0}
    assert world.download(try_number=2)["recorded"] is True


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *((call, fault) for call in ("login", "order", "download", "record") for fault in ("drop", "lost-reply")),
        *(
            (call, fault)
            for call in ("order", "download", "record")
            for fault in ("503", "504", "expire-token", "rate-limit=0")
        ),
    ],
)
def test_a_passing_fault_is_handled_within_the_call(world: World, call: str, fault: str):
    world.sandbox.fail(call, fault)

    assert world.download()["recorded"] is True
    assert world.landed() == set(world.sandbox.audit().issued[SALTMARSH])


def test_an_empty_file(world: World):
    world.sandbox.fail("download", "empty", times=None)

    with fails_permanently(errors.ScoreFileMalformed):
        world.download()
    world.assert_nothing_was_recorded()
    assert world.files() == []


@pytest.mark.parametrize("fault", ["wrong-campus", "stray-record"])
def test_records_of_another_campus_are_set_aside(world: World, fault: str):
    """
    A privacy incident: neither published nor recorded, not even ordered again.
    """
    world.sandbox.fail("download", f"{fault}={QUILLFEATHER}")

    said = assert_failure(world, errors.WrongCampusInFile, "campus 9120.*privacy incident")

    (aside,) = (world.destination / "quarantine").rglob("*.txt")
    assert f"file://{aside}" in said
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert world.manifests() == []
    assert world.sandbox.counts["order"] == 1


@pytest.mark.parametrize(
    ("fault", "orders"), [("short=0.51", 2), ("no-length=0.51", 1), (f"no-length={4 * 951 / 11412}", 1)]
)
def test_a_file_whose_last_record_is_cut_is_fetched_once_more(world: World, fault: str, orders: int):
    """
    With a wrong length, only the records tell that a file was cut. Without one, the client compares two transfers.
    """
    world.sandbox.fail("download", fault)

    assert world.download()["records"] == 12
    assert world.sandbox.counts["order"] == orders
    assert len(list((world.destination / "quarantine").rglob("*.txt"))) == orders - 1


@pytest.mark.parametrize("fault", ["short=0.51", "no-length=0.51"])
def test_a_file_that_stays_cut_is_set_aside(world: World, fault: str):
    world.sandbox.fail("download", fault, times=None)

    assert_failure(world, errors.ScoreFileMalformed, "not whole.*set aside as file://")
    assert world.sandbox.counts["order"] == 2


def test_fewer_records_than_expected(world: World):
    assert_failure(world, errors.ScoreFileMalformed, "12 student records.*asks for at least 13", expect_min_records=13)
    assert world.download(expect_min_records=12, try_number=2)["records"] == 12


def test_a_destination_below_a_file(world: World):
    world.destination.parent.joinpath("file").write_text("in the way")

    with fails_permanently(errors.ConfigurationError, "A part of its path is a file"):
        world.download(destination=str(world.destination.parent / "file" / "ap"))

    # Checked first: no try costs an order or a login.
    assert world.sandbox.calls == []


def test_a_missing_connection(world: World):
    with pytest.raises(Exception, match="nobody_knows"):
        world.download(apscores_conn_id="nobody_knows")


# A delivery that was damaged after it landed


def test_a_damaged_file_that_was_not_recorded_is_ordered_again(world: World):
    first = world.download(record=False)
    path_of(first).write_bytes(b"oops")

    second = world.download(record=False, try_number=2)

    assert second["uri"] != first["uri"]
    assert reports_in(path_of(second)) == set(world.sandbox.audit().issued[SALTMARSH])


def test_a_damaged_file_whose_reports_are_no_longer_new_fails_the_task(world: World):
    """
    It was recorded by a try that was killed before the note. Skipping the task would hide the loss.
    """
    first = world.download(record=False)
    world.record(first)
    manifest = Path(first["manifest_uri"].removeprefix("file://"))
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"recorded_at": None}))
    path_of(first).unlink()

    with fails_permanently(errors.DeliveryDamaged, match=r"nothing new for campus 0901.*download_type='full'"):
        world.download(try_number=2)


def test_a_damaged_file_that_was_recorded_fails_the_task(world: World):
    first = world.download()
    path_of(first).unlink()

    with fails_permanently(errors.DeliveryDamaged, match=r"is gone.*Restore it from a backup"):
        world.download(try_number=2)


def test_a_manifest_of_a_newer_version_is_refused(world: World):
    reference = world.download()
    path = Path(reference["manifest_uri"].removeprefix("file://"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"manifest_version": 99}))

    with fails_permanently(errors.ManifestNotUnderstood, match="Upgrade the provider"):
        world.download(try_number=2)


# The same content again


def test_an_earlier_delivery_with_the_same_content_is_named(world: World):
    first = world.download(record=False)

    second = world.download(run="day-2", record=False)
    third = world.download(run="day-3", record=False)

    assert first["duplicate_of"] is None
    assert second["duplicate_of"] == third["duplicate_of"] == first["manifest_uri"]
    assert path_of(second).exists()


@pytest.mark.parametrize("content", [b"", b"\n", b".", b"4866", b"0901/\0/scores-1.manifest.json", b"../../etc/passwd"])
def test_a_damaged_digest_mark_makes_no_duplicate(world: World, content: bytes):
    world.download(record=False)
    (mark,) = world.destination.glob("0901/.digests/*")
    mark.write_bytes(content)

    assert world.download(run="day-2", record=False)["duplicate_of"] is None


# Nothing new, and reports that were perhaps recorded


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What tasks have logged since the last call; the two Airflow majors log in different ways."""

    def read() -> str:
        text = caplog.text + capfd.readouterr().out
        caplog.clear()
        return text

    return read


def test_a_delivery_without_a_noted_record_is_named_when_nothing_is_new(world: World, printed: Callable[[], str]):
    landed = world.download(record=False)
    world.record(landed)
    manifest = Path(landed["manifest_uri"].removeprefix("file://"))
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"recorded_at": None}))

    with pytest.raises(AirflowSkipException):
        world.download(run="day-2")

    said = printed()
    assert f"{landed['uri']} has no noted record" in said
    assert "Clear the unfinished tasks of run day-1 of DAG ap" in said
    # Clearing the task resolves it.
    assert world.record(landed)["recorded"] is True
    with pytest.raises(AirflowSkipException):
        world.download(run="day-3")
    assert "no noted record" not in printed()


def test_earlier_deliveries_that_can_not_be_read_do_not_fail_the_task(world: World, printed: Callable[[], str]):
    landed = world.download()
    Path(landed["manifest_uri"].removeprefix("file://")).write_text("{}")

    with pytest.raises(AirflowSkipException):
        world.download(run="day-2")

    assert "The earlier deliveries of campus 0901 were not checked" in printed()


# Workers with disks of their own

UNSHARED = "is a local folder, and .* runs tasks on several machines"


@pytest.mark.parametrize(
    ("environment", "warned"),
    [
        ({}, False),
        ({"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}, True),
        ({"AIRFLOW__CORE__EXECUTOR": "LocalExecutor,edge:somewhere.EdgeExecutor"}, True),
        ({"AIRFLOW__CORE__EXECUTOR": "LocalExecutor;team=CeleryExecutor"}, True),
        ({"AIRFLOW__CORE__EXECUTOR": "here:airflow.executors.local_executor.LocalExecutor"}, False),
        # The pods of the Kubernetes executor are configured with the local one.
        ({"AIRFLOW_IS_K8S_EXECUTOR_POD": "True"}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("declared", ["", "/srv/other", "/srv/other, {parent}/", "{destination}"])
def test_a_local_destination_on_several_machines_is_warned_of(
    world: World,
    printed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    warned: bool,
    declared: str,
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folders = declared.format(parent=world.destination.parent, destination=world.destination)
    monkeypatch.setenv("AIRFLOW__APSCORES__SHARED_FOLDERS", folders)

    assert world.download()["records"] == 12

    assert bool(re.search(UNSHARED, printed())) is (warned and "{" not in declared)


def test_a_task_that_runs_locally_is_not_warned_of(
    world: World, printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor,LocalExecutor")

    world.download(executor="LocalExecutor")

    assert not re.search(UNSHARED, printed())


def test_a_cleared_task_on_another_disk_says_where_the_reports_may_be(world: World, monkeypatch: pytest.MonkeyPatch):
    world.download()
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    elsewhere = world.destination.with_name("other-machine")

    with pytest.raises(AirflowSkipException, match=f"may have landed .* on another machine: {elsewhere} {UNSHARED}"):
        world.download(destination=str(elsewhere), try_number=2)


# Told to stop


@pytest.mark.parametrize("call", ["order", "download"])
def test_a_task_that_is_told_to_stop_does_not_record(world: World, call: str):
    """
    Airflow 3 calls on_kill from the handler of SIGTERM, and the task goes on.
    """
    task = APScoresDownloadOperator(task_id="download", di_code=SALTMARSH, destination=str(world.destination))
    before = signal.signal(signal.SIGALRM, lambda *_: task.on_kill())
    world.sandbox.fail(call, "slow=0.5")
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(AirflowException, match=r"did not record file://.* The next try records it") as stopped:
            task.execute({"ti": task_instance("download")})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert not isinstance(stopped.value, AirflowFailException)
    world.assert_nothing_was_recorded()
    assert world.download(try_number=2)["recorded"] is True
    assert world.sandbox.counts["order"] == 1


def test_a_file_larger_than_the_limit_is_refused(world: World):
    with fails_permanently(errors.FileTooLarge, match="max_bytes"):
        world.download(max_bytes=2000)
    world.assert_nothing_was_recorded()
    assert world.files() == []
    assert world.download(max_bytes=20_000, try_number=2)["records"] == 12

"""The example DAGs, and the DAGs of the how-to pages, in Airflow with real PostgreSQL, SFTP, SMTP and S3 servers."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem

from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.scorefile import read_score_file
from airflow_provider_apscores.scores import sql_for
from tests.provider.airflow_command import AirflowCommand, airflow_command
from tests.provider.deployment import PROJECT
from tests.provider.s3_environment import s3_environment
from tests.provider.test_load import postgres_connection
from tests.s3_server import S3Server, s3_server
from tests.scores.databases import connected, postgres_uri, query, run
from tests.sftp_server import sftp_server
from tests.smtp_server import smtp_server

CAMPUSES = (Campus("0901", "Saltmarsh University", 12), Campus("9120", "Quillfeather College", 5))
EXAMPLES = sorted((PROJECT / "example_dags").glob("example_apscores_*.py"))


@dataclass
class Consumer:
    """A system that takes files out of its folder as soon as they stand there, as Slate does."""

    inbox: Path
    taken: Path
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Consumer:
        self._thread = threading.Thread(target=self._take)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _take(self) -> None:
        while not self._ended.wait(0.02):
            for path in self.inbox.glob("[!.]*"):
                assert not (self.taken / path.name).exists(), "a file came twice"
                shutil.move(path, self.taken / path.name)


@dataclass
class World:
    """An Airflow home, its servers, and what they got."""

    airflow: AirflowCommand
    sandbox: Sandbox
    data: str
    slate: Consumer
    mails: list[EmailMessage]
    env: dict[str, str]
    s3_address: str

    @property
    def home(self) -> Path:
        return self.airflow.home

    def test(self, dag_id: str, *more: str) -> str:
        """Run a DAG once, and return its output."""
        said = self.airflow.run("dags", "test", dag_id, *more, env=self.env)
        (self.home / f"{dag_id}.txt").write_text(said)
        return said

    def dag(self, name: str, text: str) -> None:
        """Write a DAG file; the SFTP server of the examples is the one of this test."""
        text = re.sub(r"sftp://slate@[\w.]+/", "sftp://slate@127.0.0.1/", text)
        (self.home / "dags" / name).write_text(text)

    def storage(self) -> tuple[AbstractFileSystem, str]:
        """The file system of ``data``, and its path there."""
        import fsspec

        options = {}
        if self.data.startswith("s3"):
            client = {"endpoint_url": self.s3_address}
            options = {"key": "invented", "secret": "invented", "skip_instance_cache": True, "client_kwargs": client}
        return fsspec.url_to_fs(self.data, **options)

    def landed(self) -> dict[str, bytes]:
        """The landed score files by campus."""
        fs, path = self.storage()
        found = fs.glob(f"{path}/files/[0-9][0-9][0-9][0-9]/*/scores-*.txt")
        assert len(found) == len({name.split("/files/")[1][:4] for name in found})
        return {name.split("/files/")[1][:4]: fs.cat_file(name) for name in found}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server | None]:
    """An S3 server; None where Airflow has no S3."""
    try:
        import moto  # noqa: F401
        import s3fs  # noqa: F401
    except ImportError:
        yield None
        return
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, s3: S3Server | None) -> Iterator[AirflowCommand]:
    """Airflow with a database, and with the S3 server."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "home" / "dags").mkdir(parents=True)
    env = s3_environment(folder / "provider", s3.address) if s3 else {}
    with airflow_command(folder / "home", env) as airflow:
        yield airflow


@pytest.fixture
def data(tmp_path: Path, s3: S3Server | None) -> str:
    """An empty bucket; where Airflow has no S3, a local folder."""
    if s3 is None:
        return str(tmp_path / "data")
    s3.clear()
    s3.store()
    return "s3://scores"


@pytest.fixture
def world(airflow: AirflowCommand, tmp_path: Path, data: str, s3: S3Server | None) -> Iterator[World]:
    """Two campuses with new reports, and empty servers."""
    pytest.importorskip("airflow.providers.sftp.hooks.sftp")
    inbox, taken = tmp_path / "sftp" / "incoming", tmp_path / "taken"
    inbox.mkdir(parents=True)
    taken.mkdir()
    with (
        Sandbox(campuses=CAMPUSES) as sandbox,
        sftp_server(tmp_path / "sftp") as sftp_port,
        smtp_server() as (smtp_port, mails),
        connected("postgres", tmp_path),
        Consumer(inbox, taken) as slate,
    ):
        apscores = json.loads(sandbox.airflow_connection)
        apscores["extra"] |= {"di_codes": [each.di_code for each in CAMPUSES], "verify": "false"}
        sftp = {"conn_type": "sftp", "host": "127.0.0.1", "port": sftp_port, "login": "slate", "password": "invented"}
        smtp = {"conn_type": "smtp", "host": "127.0.0.1", "port": smtp_port}
        smtp["extra"] = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@college.edu"}
        connections = {
            "apscores_default": apscores,
            "slate": sftp | {"extra": {"no_host_key_check": True}},
            "smtp_default": smtp,
            "warehouse": postgres_connection(),
        }
        env = {
            "AIRFLOW_VAR_APSCORES_DATA": data,
            "AIRFLOW_VAR_APSCORES_BANNER": str(tmp_path / "banner"),
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()},
        }
        world = World(airflow, sandbox, data, slate, mails, env, s3.address if s3 else "")
        for path in EXAMPLES:
            world.dag(path.name, path.read_text())
        yield world


def database():
    import adbc_driver_postgresql.dbapi as dbapi

    return dbapi.connect(postgres_uri())


def rows(statement: str) -> list[dict[str, object]]:
    with closing(database()) as connection:
        return query(connection, statement)


def text_of(mail: EmailMessage) -> str:
    """Headers and decoded text of a mail."""
    parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    return "\n".join([*map(str, mail.values()), *parts])


def documented(page: str, dag_id: str) -> str:
    """The DAG file that a page shows."""
    text = (PROJECT / "docs" / page).read_text()
    (code,) = re.findall(f"<!-- test: dag {dag_id} -->\n```python\n(.*?)```", text, re.S)
    return code


def test_new_reports_of_all_campuses_reach_postgresql(world: World):
    said = world.test("example_apscores_postgres")

    assert world.sandbox.audit().recorded_reports == world.sandbox.audit().all_reports, said[-3000:]
    assert world.mails == []
    assert sorted(each["di_code"] for each in rows("SELECT * FROM ap_current_students")) == ["0901"] * 12 + ["9120"] * 5
    assert len(rows("SELECT * FROM ap_current_exam_scores")) > 17

    fs, path = world.storage()
    fs.pipe_file(f"{path}/credit_policy.csv", b"rule,exam_code,score_min,award,credits\nAB,66,3,MATH 151,4\n")
    said = world.test("example_apscores_credit")

    assert len(rows("SELECT * FROM ap_credit")) == len(rows("SELECT * FROM ap_current_exam_scores")), said[-3000:]


@pytest.mark.parametrize(
    ("page", "dag_id", "lines"),
    [
        ("how-to/database.md", "ap_scores_to_postgres", 20),
        ("how-to/hand-off.md", "ap_scores_to_slate", 15),
        ("reference/hook.md", "ap_scores_custom", 20),
    ],
)
def test_a_documented_dag_is_short_and_works(world: World, tmp_path: Path, page: str, dag_id: str, lines: int):
    code = documented(page, dag_id)
    assert len([line for line in code.splitlines() if line.strip()]) <= lines
    folder = tmp_path / "ap-scores"
    folder.mkdir()
    code = re.sub("s3://(college-)?ap-scores", world.data, code).replace("4866", "0901")
    world.dag(f"{dag_id}.py", code.replace("/srv/ap-scores", str(folder)))

    said = world.test(dag_id)

    audit = world.sandbox.audit()
    recorded = {report for report in audit.all_reports if report.startswith("0901")}
    assert audit.recorded_reports == recorded, said[-3000:]
    assert len(recorded) == 12
    match dag_id:
        case "ap_scores_to_postgres":
            assert len(rows("SELECT * FROM ap_current_students")) == 12
        case "ap_scores_to_slate":
            assert len(list(world.slate.taken.iterdir())) == 1
        case _:
            assert len(list(folder.iterdir())) == 1


def test_a_load_that_fails_gives_an_alert_and_no_student_reaches_a_log_or_the_metadata_database(
    world: World, tmp_path: Path
):
    narrow = [each.replace("last_name text", "last_name varchar(1)") for each in sql_for("postgres").tables.values()]
    with closing(database()) as connection:
        run(connection, *narrow)

    said = world.test("example_apscores_postgres")

    assert world.sandbox.audit().recorded == []
    assert [each["subject"] for each in world.mails] == ["AP scores: campus.load failed"] * 2, said[-3000:]
    written = {path: path.read_bytes() for path in world.home.rglob("*") if path.is_file()}
    written |= {Path(f"mail-{number}"): text_of(mail).encode() for number, mail in enumerate(world.mails)}
    for searched in ("example_apscores_postgres.txt", "airflow.db", "mail-0"):
        assert [path for path, content in written.items() if path.name == searched and b"campus.load" in content]
    assert b"ap_students: SQLSTATE 22001" in written[world.home / "example_apscores_postgres.txt"]
    assert b"ap_students: SQLSTATE 22001" in written[Path("mail-0")]
    for content in world.landed().values():
        for student in read_score_file(content).students.to_pylist():
            for value in (student["last_name"], student["ap_id"], student["street_1"]):
                assert [path for path, text in written.items() if value.encode() in text] == []
    for table in sql_for("postgres").tables:
        assert rows(f"SELECT * FROM ap_{table}") == []


def test_one_delivery_reaches_three_consumers_and_is_parsed_again(world: World, tmp_path: Path):
    said = world.test("example_apscores_consumers")

    audit = world.sandbox.audit()
    assert audit.recorded_reports == audit.all_reports, said[-3000:]
    landed = world.landed()
    assert len(audit.recorded) == len(landed) == 2
    for folder in (world.slate.taken, tmp_path / "banner"):
        assert sorted(path.read_bytes() for path in folder.iterdir()) == sorted(landed.values())
    before = rows("SELECT * FROM ap_current_exam_scores ORDER BY file_sha256, record_number, position")
    assert before

    with closing(database()) as connection:
        run(connection, "UPDATE ap_deliveries SET parser_version = 'old'", "UPDATE ap_exam_scores SET score = 1")
    said = world.test("example_apscores_reparse")

    assert rows("SELECT * FROM ap_current_exam_scores ORDER BY file_sha256, record_number, position") == before, said
    assert "old" not in [each["parser_version"] for each in rows("SELECT parser_version FROM ap_deliveries")]
    assert world.sandbox.audit().recorded == audit.recorded


def test_new_reports_are_waited_for_and_reach_slate_once(world: World):
    said = world.test("example_apscores_slate")

    audit = world.sandbox.audit()
    assert audit.recorded_reports == audit.all_reports, said[-3000:]
    taken = {path.name: path.read_bytes() for path in world.slate.taken.iterdir()}
    assert sorted(taken.values()) == sorted(world.landed().values())
    assert all(re.fullmatch(r"AP_HED_Scores_\d{4}_[\w.-]+\.txt", name) for name in taken)

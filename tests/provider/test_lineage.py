"""One run of all operators: the events of OpenLineage, the metrics, the labels of mapped tasks, and the links."""

from __future__ import annotations

import json
import socketserver
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.delivery import open_delivery
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.lineage import tables_data
from airflow_provider_apscores.operators.links import LINKS
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.operators.references import campuses_of
from airflow_provider_apscores.scorefile import DELIVERIES, TABLES
from airflow_provider_apscores.scores.definition import COLUMNS
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from tests.provider.deployment import AIRFLOW, clean_environment
from tests.provider.world import EMBERWICK, QUILLFEATHER, SALTMARSH, World, task_instance, worlds

DAG_FILE = """
import os
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG, task_group
from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.current_state import APScoresCurrentStateOperator
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.hand_off import APScoresHandOffOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.reconcile import APScoresReconcileOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator

DATA = os.environ["DATA"]
start = {"retries": 0, "inlets": [status()], "outlets": [events()]}
with DAG("lineage", schedule=None, start_date=datetime(2026, 1, 1), default_args=start):

    @task_group
    def campus(di_code):
        download = APScoresDownloadOperator(
            task_id="download", di_code=di_code, destination=f"{DATA}/files", record=False
        )
        parse = APScoresParseOperator(task_id="parse", source=download.output, output=f"{DATA}/tables")
        load = APScoresLoadOperator(task_id="load", tables=parse.output, conn_id="scores", create=True)
        hand_off = APScoresHandOffOperator(task_id="hand_off", download=download.output, to=f"{DATA}/slate")
        load >> hand_off >> APScoresRecordDownloadOperator(task_id="record", download=download.output)

    reconcile = APScoresReconcileOperator.partial(
        task_id="reconcile", source=f"{DATA}/files", output=f"{DATA}/reconciled"
    ).expand(di_code=["0901"])
    current_state = APScoresCurrentStateOperator(
        task_id="current_state", source=f"{DATA}/tables", output=f"{DATA}/current", trigger_rule="all_done"
    )
    campus.expand(di_code=["0901", "9120", "9377"]) >> current_state >> reconcile
"""


@dataclass
class Finished:
    """A finished run of the DAG."""

    world: World
    data: Path
    home: Path
    metrics: list[str]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return database.execute(sql).fetchall()

    def complete(self, task_id: str, di_code: str = "") -> dict[str, Any]:
        """What the COMPLETE event of a task says about its data, without what OpenLineage adds to each facet."""
        events = map(json.loads, (self.home / "events.jsonl").read_text().splitlines())
        (found,) = [
            event
            for event in events
            if (event["eventType"], event["job"]["name"]) == ("COMPLETE", f"lineage.{task_id}")
            and (di_code in json.dumps(event["inputs"]) if di_code else True)
        ]
        return {"inputs": plain(found["inputs"]), "outputs": plain(found["outputs"])}


@contextmanager
def statsd() -> Iterator[tuple[int, list[str]]]:
    """A StatsD server: its port, and what it has received about this provider."""
    received: list[str] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received.extend(line for line in self.request[0].decode().splitlines() if ".apscores." in line)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1], received
        server.shutdown()
        thread.join()


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if not key.startswith("_") and each not in ({}, [])}
    return value


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    home, data = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("data")
    (home / "dags").mkdir()
    (home / "dags" / "lineage.py").write_text(DAG_FILE)
    transport = {"type": "file", "log_file_path": str(home / "events.jsonl"), "append": True}
    with worlds(data / "files") as world, statsd() as (port, metrics):
        env = clean_environment() | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_PORT": str(port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",  # which writes tags
            "AIRFLOW__API__BASE_URL": "https://airflow.college.edu/scores",
            "AIRFLOW_CONN_APSCORES_DEFAULT": world.connection,
            "AIRFLOW_CONN_SCORES": json.dumps({"conn_type": "sqlite", "host": str(data / "scores.db")}),
            "DATA": str(data),
        }
        # Airflow 2.11 emits no event through an alias that is not in its database.
        for command in ("db migrate", "dags reserialize", "dags test lineage"):
            subprocess.run(
                [sys.executable, "-m", "airflow", *command.split()],
                env=env, capture_output=True, text=True, timeout=300, check=True,
            )  # fmt: skip
        yield Finished(world, data, home, metrics)


def file(path: Path | str) -> dict[str, Any]:
    return {"identifiers": [{"namespace": "file", "name": str(path), "type": "FILE"}]}


def schema(columns: Any) -> dict[str, Any]:
    return {"fields": [{"name": each.name, "type": each.type, "description": each.doc} for each in columns]}


def of_campus(di_code: str, what: str) -> dict[str, Any]:
    return {"namespace": f"apscores://{di_code}", "name": what}


def landed(finished: Finished, di_code: str) -> dict[str, Any]:
    """The dataset of a landed score file, as an input."""
    (path,) = finished.data.glob(f"files/{di_code}/*/*.txt")
    manifest = open_delivery(path.with_suffix(".manifest.json")).manifest
    return {
        "namespace": "file",
        "name": str(finished.data / "files" / di_code),
        "facets": {"symlinks": file(path), "version": {"datasetVersion": manifest.sha256}},
        "inputFacets": {
            "dataQualityMetrics": {"rowCount": manifest.records, "bytes": manifest.bytes, "fileCount": 1},
        },
    }


def as_output(data: dict[str, Any]) -> dict[str, Any]:
    """The same dataset as an output."""
    counted = dict(data["inputFacets"]["dataQualityMetrics"])
    if "bytes" in counted:
        counted["size"] = counted.pop("bytes")
    return {key: each for key, each in data.items() if key != "inputFacets"} | {
        "outputFacets": {"outputStatistics": counted}
    }


def tables(finished: Finished, di_code: str) -> list[dict[str, Any]]:
    """The datasets of the tables of a campus, as inputs."""
    import pyarrow.parquet as pq

    version = landed(finished, di_code)["facets"]["version"]
    found = []
    for table in (*TABLES.values(), DELIVERIES):
        (path,) = finished.data.glob(f"tables/{table.name}/{di_code}-*.parquet")
        found.append(
            {
                "namespace": "file",
                "name": str(finished.data / "tables" / table.name),
                "facets": {"symlinks": file(path), "schema": schema(table.columns), "version": version},
                "inputFacets": {"dataQualityMetrics": {"rowCount": pq.read_metadata(path).num_rows, "fileCount": 1}},
            }
        )
    return found


@pytest.mark.parametrize("di_code", [SALTMARSH, QUILLFEATHER])
def test_download(finished: Finished, di_code: str):
    assert finished.complete("campus.download", di_code) == {
        "inputs": [of_campus(di_code, "new")],
        "outputs": [as_output(landed(finished, di_code))],
    }


def test_parse(finished: Finished):
    assert finished.complete("campus.parse", SALTMARSH) == {
        "inputs": [landed(finished, SALTMARSH)],
        "outputs": [as_output(each) for each in tables(finished, SALTMARSH)],
    }


def test_load(finished: Finished):
    found = finished.complete("campus.load", f"{SALTMARSH}-")
    read = tables(finished, SALTMARSH)

    assert found["inputs"] == read
    assert sorted(found["outputs"], key=lambda each: each["name"]) == sorted(
        (
            {
                "namespace": f"sqlite://{finished.data}/scores.db",
                "name": f"ap_{Path(each['name']).name}",
                "facets": {"schema": each["facets"]["schema"]},
                "outputFacets": {
                    "outputStatistics": {"rowCount": each["inputFacets"]["dataQualityMetrics"]["rowCount"]}
                },
            }
            for each in read
        ),
        key=lambda each: str(each["name"]),
    )


def test_hand_off(finished: Finished):
    given = as_output(landed(finished, SALTMARSH))
    (path,) = finished.data.glob(f"slate/*_{SALTMARSH}_*")
    given |= {"name": str(finished.data / "slate"), "facets": given["facets"] | {"symlinks": file(path)}}

    assert finished.complete("campus.hand_off", SALTMARSH) == {
        "inputs": [landed(finished, SALTMARSH)],
        "outputs": [given],
    }


def test_record(finished: Finished):
    assert finished.complete("campus.record", SALTMARSH) == {
        "inputs": [landed(finished, SALTMARSH)],
        "outputs": [of_campus(SALTMARSH, "recorded")],
    }


def test_reconcile(finished: Finished):
    (path,) = finished.data.glob("reconciled/reconciliation/*.parquet")

    assert finished.complete("reconcile") == {
        "inputs": [
            of_campus(SALTMARSH, "full"),
            {"namespace": "file", "name": str(finished.data / "files" / SALTMARSH)},
        ],
        "outputs": [{"namespace": "file", "name": str(path.parent), "facets": {"symlinks": file(path)}}],
    }


def test_current_state(finished: Finished):
    import pyarrow.parquet as pq

    def output(table: str) -> dict[str, Any]:
        path = finished.data / "current" / f"{table}.parquet"
        return {
            "namespace": "file",
            "name": str(path.with_suffix("")),
            "facets": {"symlinks": file(path), "schema": schema(COLUMNS[table])},
            "outputFacets": {"outputStatistics": {"rowCount": pq.read_metadata(path).num_rows, "fileCount": 1}},
        }

    found = finished.complete("current_state")
    folders = [{"namespace": "file", "name": str(finished.data / "tables" / table)} for table in COLUMNS]
    assert sorted(found["inputs"], key=str) == sorted(folders, key=str)
    assert sorted(found["outputs"], key=str) == sorted(map(output, COLUMNS), key=str)


def test_the_events_have_no_personal_data_and_no_secret(finished: Finished):
    text = (finished.home / "events.jsonl").read_text()
    world = finished.world
    personal = {
        value
        for di_code in (SALTMARSH, QUILLFEATHER)
        for student in world.sandbox.records(di_code)
        for name, value in student.items()
        if name in ("last_name", "first_name", "ap_id", "date_of_birth", "street_address_1") and len(value) > 3
    }
    connection = json.loads(world.connection)

    assert len(personal) > 40
    assert not {value for value in personal | {connection["password"], connection["login"]} if value in text}


def test_metrics_have_the_campus_as_a_tag(finished: Finished):
    sizes = {path.parts[-3]: path.stat().st_size for path in finished.data.glob("files/*/*/*.txt")}
    expected = {
        f"airflow.apscores.{name},di_code={di_code}:{value}|g"
        for di_code, records in ((SALTMARSH, 12), (QUILLFEATHER, 5))
        for name, value in (("records", records), ("bytes", sizes[di_code]), ("problems", 0), ("quarantined", 0))
    }

    assert set(finished.metrics) == expected


def test_a_skipped_download_has_no_data(finished: Finished):
    text = (finished.home / "events.jsonl").read_text()

    assert f'"apscores://{EMBERWICK}"' not in text
    assert '"apscores://all"' not in text


def test_mapped_tasks_are_labelled_with_their_campus(finished: Finished):
    sql = "SELECT task_id, rendered_map_index FROM task_instance WHERE state = 'success' ORDER BY task_id, map_index"

    both = (SALTMARSH, QUILLFEATHER)
    mapped = [(f"campus.{name}", code) for name in ("download", "hand_off", "load", "parse", "record") for code in both]
    assert [(task, label or None) for task, label in finished.query(sql)] == [
        *mapped, ("current_state", None), ("reconcile", SALTMARSH),
    ]  # fmt: skip


@pytest.mark.skipif(AIRFLOW < (3, 1), reason="before 3.1 there is no page, and the web server asks for links itself")
def test_links_lead_to_the_page_of_the_campus_and_to_college_board(finished: Finished):
    sql = "SELECT key, value FROM xcom WHERE key LIKE '_link%' AND task_id = 'campus.record' ORDER BY map_index, key"
    links = [(key, json.loads(value)) for key, value in finished.query(sql)]

    page = "https://airflow.college.edu/scores/apscores/"
    portal = ("_link_CollegeBoardLink", "https://highered.collegeboard.org/")
    assert links == [
        ("_link_CampusPageLink", f"{page}#{SALTMARSH}"), portal,
        ("_link_CampusPageLink", f"{page}#{QUILLFEATHER}"), portal,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "default_args", "label"),
    [
        ({}, {}, "{{ task.map_label(ti.map_index) }}"),
        ({"map_index_template": "mine"}, {}, "mine"),
        ({}, {"map_index_template": "default"}, "default"),
    ],
)
def test_a_label_of_the_dag_takes_precedence(arguments: dict[str, Any], default_args: dict[str, Any], label: str):
    with DAG("labels", schedule=None, start_date=datetime(2026, 1, 1), default_args=default_args):
        task = APScoresRecordDownloadOperator(task_id="task", download=None, **arguments)
        mapped = APScoresRecordDownloadOperator.partial(task_id="mapped", **arguments).expand(download=[None])
        sensors = APScoresNewReportsSensor.partial(task_id="sensors", **arguments).expand(di_codes=["0901"])

    assert [each.map_index_template for each in (task, mapped, sensors)] == [label] * 3


def test_a_list_of_downloads_is_the_lineage_of_one_task(world: World):
    codes = [SALTMARSH, QUILLFEATHER]
    landed = world.download(codes, record=False)
    task = APScoresRecordDownloadOperator(task_id="record", download=landed)
    task.execute({"ti": task_instance("record", xcom_push=lambda **_: None)})

    assert task.lineage is not None
    assert [each.namespace for each in task.lineage.outputs] == [f"apscores://{code}" for code in codes]
    assert [each.files for each in task.lineage.inputs] == [(each["uri"],) for each in landed]


def test_a_download_that_records_itself_reads_only_from_college_board(world: World):
    task = APScoresDownloadOperator(task_id="download", di_code=SALTMARSH, destination=str(world.destination))
    reference = task.execute({"ti": task_instance("download")})

    assert reference["recorded"]
    assert task.lineage is not None
    assert [(each.namespace, each.name) for each in task.lineage.inputs] == [(f"apscores://{SALTMARSH}", "new")]
    assert [each.files for each in task.lineage.outputs] == [(reference["uri"],)]


def test_addresses_have_no_connection_and_no_folder_of_the_partition():
    written = {
        "sha256": "a" * 64,
        "rows": {"students": 3},
        "uris": {
            "students": {"parquet": "s3://lake@college/tables/students/di_code=0901/0901-a.parquet"},
            "awards": {"parquet": "s3://college/mine/prizes.parquet"},
            "problems": {},
        },
    }

    students, awards = tables_data(written)
    assert (students.namespace, students.name, students.rows) == ("s3://college", "tables/students", 3)
    assert (awards.name, awards.rows) == ("mine", None)


def test_every_link_has_an_address():
    assert [link.get_link(object(), ti_key=None) for link in LINKS][-1] == "https://highered.collegeboard.org/"


@pytest.mark.parametrize(
    ("value", "campuses"),
    [
        ("0901", ["0901"]),
        (" 0901 ", ["0901"]),
        ("0901, 9120", ["0901", "9120"]),
        (["0901", "9120", "0901"], ["0901", "9120"]),
        ("['0901', '9120']", ["0901", "9120"]),
        (9120, ["9120"]),
        ({"di_code": "0901", "records": 3}, ["0901"]),
        ("{'di_code': '0901'}", ["0901"]),
        ({"di_codes": ["0901", "9120"]}, ["0901", "9120"]),
        ([{"di_code": "0901"}, {"di_code": "9120"}], ["0901", "9120"]),
        ("s3://scores/files/0901/day-1/scores-a.manifest.json", ["0901"]),
        ("/srv/portal/scores.txt", []),
        ("connection", []),
        ("{{ params.campus }}", []),
        (None, []),
    ],
)
def test_the_campuses_of_an_argument(value: Any, campuses: list[str]):
    assert campuses_of(value) == campuses

"""What a task read and wrote, for OpenLineage.

The tasks keep plain values, and translate them when Airflow asks. That reads no file and no database. The name of a
dataset is that of a folder, so it is the same in each run; the files of the run are its symlinks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.hooks.database import Database
    from airflow_provider_apscores.scorefile import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A dataset that a task read or wrote.

    Attributes:
        namespace: The store, such as ``s3://bucket``.
        name: The folder or the table in it.
        files: The addresses of its files that this task read or wrote.
        columns: Its columns, if it is a table.
        version: SHA-256 of the score file, or "".
        rows: Rows or student records, or None.
        bytes: Length of the files, or None.
    """

    namespace: str
    name: str
    files: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    version: str = ""
    rows: int | None = None
    bytes: int | None = None


@dataclass(slots=True)
class Lineage:
    """What a task read and wrote."""

    inputs: list[Data] = field(default_factory=list)
    outputs: list[Data] = field(default_factory=list)

    def add(self, *, inputs: list[Data], outputs: list[Data]) -> Lineage:
        """Return this lineage with more datasets: a task may handle several campuses."""
        return Lineage([*self.inputs, *inputs], [*self.outputs, *outputs])

    def to_openlineage(self) -> Any:
        """Return the ``OperatorLineage`` of Airflow's OpenLineage provider."""
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import InputDataset, OutputDataset
        from openlineage.client.facet_v2 import data_quality_metrics_input_dataset, output_statistics_output_dataset

        def read(data: Data) -> InputDataset:
            facets: dict[str, Any] = {}
            if data.rows is not None:
                facets["dataQualityMetrics"] = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                    columnMetrics={}, rowCount=data.rows, bytes=data.bytes, fileCount=len(data.files) or None
                )
            return InputDataset(data.namespace, data.name, facets=_facets(data), inputFacets=facets)

        def written(data: Data) -> OutputDataset:
            facets: dict[str, Any] = {}
            if data.rows is not None:
                facets["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=data.rows, size=data.bytes, fileCount=len(data.files) or None
                )
            return OutputDataset(data.namespace, data.name, facets=_facets(data), outputFacets=facets)

        return OperatorLineage(
            inputs=[read(each) for each in self.inputs], outputs=[written(each) for each in self.outputs]
        )


def campus_data(di_code: str, what: str) -> Data:
    """What the College Board has or knows about a campus: ``new``, ``full`` or ``recorded``."""
    return Data(namespace=f"apscores://{di_code}", name=what)


def delivery_data(delivery: Delivery) -> Data:
    """A landed score file: the dataset is the folder of its campus."""
    manifest = delivery.manifest
    namespace, name = _address(delivery.uri.rsplit("/", 2)[0])
    return Data(
        namespace=namespace,
        name=name,
        files=(delivery.uri,),
        version=manifest.sha256,
        rows=manifest.records,
        bytes=manifest.bytes,
    )


def file_data(uri: str, *, version: str = "", rows: int | None = None, bytes: int | None = None) -> Data:
    """A file that no manifest describes: the dataset is its folder."""
    namespace, name = _address(uri.rpartition("/")[0])
    return Data(namespace=namespace, name=name, files=(uri,), version=version, rows=rows, bytes=bytes)


def tables_data(tables: Mapping[str, Any]) -> list[Data]:
    """The tables that the parse operator returned: each dataset is the folder of a table."""
    rows, found = tables.get("rows") or {}, []
    for table, formats in tables["uris"].items():
        files = tuple(formats.values())
        if not files:
            continue
        # Below the folder of a table there may be one for each campus.
        output, is_inside, _ = files[0].rpartition(f"/{table}/")
        namespace, name = _address(f"{output}/{table}" if is_inside else files[0].rpartition("/")[0])
        found.append(
            Data(
                namespace=namespace,
                name=name,
                files=files,
                columns=_columns(table),
                version=tables.get("sha256") or "",
                rows=rows.get(table),
            )
        )
    return found


def database_data(database: Database, schema: str | None, prefix: str, rows: Mapping[str, int]) -> list[Data]:
    """The tables of a database, with the number of rows that were loaded into each."""
    place = [part for part in (database.name, schema) if part]
    return [
        Data(
            namespace=database.namespace,
            name=".".join([*place, f"{prefix}{table}"]),
            columns=_columns(table),
            rows=number,
        )
        for table, number in rows.items()
    ]


def current_state_data(uris: Mapping[str, Mapping[str, str]], counts: Mapping[str, int]) -> list[Data]:
    """The tables of the current state: each dataset is a file, without its ending, since it is replaced as a whole."""
    from airflow_provider_apscores.scores.definition import COLUMNS

    found = []
    for table, formats in uris.items():
        files = tuple(formats.values())
        namespace, name = _address(files[0].rpartition(".")[0])
        columns = COLUMNS[table]
        found.append(Data(namespace=namespace, name=name, files=files, columns=columns, rows=counts.get(table)))
    return found


def folder_data(uri: str) -> Data:
    """A folder, of which the task read many files."""
    namespace, name = _address(uri.rstrip("/"))
    return Data(namespace=namespace, name=name)


def _address(uri: str) -> tuple[str, str]:
    """Return the namespace and the name of an address, as OpenLineage names datasets."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file", "local"):
        return "file", parts.path
    # In front of an @ is the id of an Airflow connection, or a login.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.lstrip("/")


def _columns(table: str) -> tuple[Column, ...]:
    from airflow_provider_apscores.scorefile import DELIVERIES, TABLES

    found = DELIVERIES if table == DELIVERIES.name else TABLES.get(table)
    return () if found is None else found.columns


def _facets(data: Data) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset, symlinks_dataset

    facets: dict[str, Any] = {}
    if data.files:
        places = [symlinks_dataset.Identifier(*_address(uri), type="FILE") for uri in data.files]
        facets["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers=places)
    if data.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=data.version)
    if data.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=column.name, type=column.type, description=column.doc)
                for column in data.columns
            ]
        )
    return facets

"""The current state as files, and the crosswalk as a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import FORMATS, Table, conform, open_encoder, read_formats
from airflow_provider_apscores.scores.current_state import CurrentState
from airflow_provider_apscores.scores.definition import COLUMNS, KEYS
from airflow_provider_apscores.storage import Folder, Staging, folder, locate

if TYPE_CHECKING:
    import pyarrow as pa


def write_current_state(
    state: CurrentState, output: Any, *, formats: str | Sequence[str] = ("parquet",)
) -> dict[str, dict[str, str]]:
    """Write the current state as ``<output>/<table>.<format>``. Files of an earlier result are replaced or removed.

    Args:
        state: What :func:`~airflow_provider_apscores.scores.current_state` returned.
        output: A folder: a local path, a URI or a path object.
        formats: One or more of ``parquet``, ``csv``, ``jsonl``.

    Returns:
        The URIs by table and format.

    Raises:
        ConfigurationError: An unknown format.
        StorageUnavailable: The output can't be written now.
    """
    formats = read_formats(formats)
    place = folder(output)
    uris: dict[str, dict[str, str]] = {}
    with Staging(place) as staging:
        for name in KEYS:
            table = Table(name, f"The current state of {name}.", KEYS[name], COLUMNS[name])
            rows = conform(getattr(state, name), table)
            write_formats(staging, table, rows, formats)
            uris[name] = {each: place.uri(f"{name}.{each}") for each in formats}
        staging.publish()
    for name in KEYS:
        remove_other_formats(place, name, formats)
    return uris


def write_formats(staging: Staging, table: Table, rows: pa.Table, formats: Iterable[str]) -> None:
    """Write *rows* as ``<table>.<format>`` in each format."""
    for each in formats:
        file = staging.open(f"{table.name}.{each}")
        encoder = open_encoder(each, table, file.write, escape_formulas=False)
        for batch in rows.to_batches(max_chunksize=1 << 15):
            encoder.write(batch)
        encoder.close()


def remove_other_formats(place: Folder, table: str, formats: Iterable[str]) -> None:
    """Remove the files of an earlier result that *formats* no longer has: a reader would take them for current."""
    for each in set(FORMATS).difference(formats):
        place.remove(f"{table}.{each}")


def read_crosswalk(source: Any) -> pa.Table:
    """Read which AP IDs are one person from a CSV or Parquet file with the columns ``ap_id`` and ``person_id``.

    Raises:
        ConfigurationError: It is no such file. The message quotes nothing of it.
        StorageUnavailable: It can't be read now.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet

    place, name = locate(source)
    columns = ["ap_id", "person_id"]
    try:
        with place.open(name) as file:
            if name.endswith(".parquet"):
                rows = pyarrow.parquet.read_table(file, columns=columns)
            else:
                # Identifiers are text: they keep their leading zeros.
                options = pyarrow.csv.ConvertOptions(
                    include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True
                )
                rows = pyarrow.csv.read_csv(file, convert_options=options)
        rows = rows.select(columns).cast(pa.schema([(column, pa.string()) for column in columns]))
        return pa.table([pc.utf8_trim_whitespace(rows[column]) for column in columns], names=columns)
    except (pa.ArrowException, KeyError):
        raise ConfigurationError(
            f"{place.uri(name)} is no crosswalk: it must be a CSV or Parquet file with the columns ap_id and person_id."
        ) from None

"""A score file, or a folder of parsed tables, as a source of the current state."""

from __future__ import annotations

from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import DELIVERIES, TABLES, read_score_file
from airflow_provider_apscores.scores.facts import Source
from airflow_provider_apscores.storage import folder, locate


def open_source(place: Any) -> Source:
    """Return what :func:`~airflow_provider_apscores.scores.current_state` takes for *place*.

    Args:
        place: A folder of parsed tables, which is returned as it is, or an AP score file (TXT or CSV, gzip or not),
            which is read. The time of a file's last change stands in for the moment when it landed.

    Raises:
        ConfigurationError: There is nothing at *place*, or it is a folder without tables.
        ScoreFileMalformed: The file is no score file.
        StorageUnavailable: It can't be read now.
    """
    above, name = locate(place)
    if above.size(name) is None or folder(place).names():
        if folder(place).child("exam_scores").names():
            return place
        raise ConfigurationError(f"{above.uri(name)} is neither a score file nor a folder of parsed tables.")
    import pyarrow as pa

    from airflow_provider_apscores import __version__

    with read_score_file(place) as file:
        tables = {name: getattr(file, name) for name in TABLES}
        dates = [day for day in tables["students"]["report_date"].unique().to_pylist() if day]
        delivery = dict.fromkeys(DELIVERIES.schema().names) | {
            "file_sha256": file.sha256,
            "file_format": file.kind,
            "landed_at": above.modified(name),
            "reported_from": min(dates, default=None),
            "reported_to": max(dates, default=None),
            "records": file.records,
            "exam_slots": file.exam_slots,
            "parser_version": __version__,
        }
    return tables | {"deliveries": pa.Table.from_pylist([delivery], DELIVERIES.schema())}

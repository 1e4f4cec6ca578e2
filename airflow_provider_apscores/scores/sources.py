"""A score file, or a folder of parsed tables, as a source of the current state."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed
from airflow_provider_apscores.scorefile import DELIVERIES, TABLES, read_score_file
from airflow_provider_apscores.scores.facts import Source
from airflow_provider_apscores.storage import folder, locate

log = logging.getLogger(__name__)


def open_source(place: Any) -> Source:
    """Return what :func:`~airflow_provider_apscores.scores.current_state` takes for *place*.

    Args:
        place: A folder of parsed tables, which is returned as it is, or an AP score file (TXT or CSV, gzip or not),
            which is read. The time of a file's last change stands in for the moment when it landed. A warning in the
            log counts what could not be read of it.

    Raises:
        ConfigurationError: There is nothing at *place*, or it is a folder without tables.
        ScoreFileMalformed: The file is no score file. The message names it.
        StorageUnavailable: It can't be read now.
    """
    above, name = locate(place)
    uri = above.uri(name)
    inside = folder(place).names()
    if above.size(name) is None or inside:
        if folder(place).child("exam_scores").names():
            return place
        raise ConfigurationError(
            f"{uri} is a folder without parsed tables. Name its score files, or a folder that the parse step wrote to."
            if inside
            else f"{uri} is neither a score file nor a folder of parsed tables: there is no such file."
        )
    import pyarrow as pa

    from airflow_provider_apscores import __version__

    try:
        read = read_score_file(place)
    except ScoreFileMalformed as error:
        raise ScoreFileMalformed(f"{uri}: {error}") from None
    with read as file:
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
    if errors := tables["problems"]["severity"].to_pylist().count("error"):
        log.warning("%s: not read, and not in the result: %d lines or values. See apscores summary.", uri, errors)
    return tables | {"deliveries": pa.Table.from_pylist([delivery], DELIVERIES.schema())}

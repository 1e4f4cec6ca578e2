"""The files around an evaluation: the scores, the entry dates, and the result."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import read_formats
from airflow_provider_apscores.scores.credit.policy import CREDIT
from airflow_provider_apscores.scores.credit.scores import COLUMNS
from airflow_provider_apscores.scores.credit.spreadsheet import spreadsheet_rows
from airflow_provider_apscores.scores.current_state import current_state
from airflow_provider_apscores.scores.files import remove_other_formats, write_formats
from airflow_provider_apscores.scores.sources import open_source
from airflow_provider_apscores.storage import Staging, folder, locate

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_apscores.scores.credit.comparison import CreditComparison

log = logging.getLogger(__name__)

_COMPARISON = "credit_comparison.json"


def read_current_scores(
    source: Any, *, crosswalk: pa.Table | Mapping[str, str] | None = None, di_code: str | None = None
) -> pa.Table:
    """Read the exam scores that count now.

    Args:
        source: A folder that ``APScoresCurrentStateOperator`` writes to, or its ``exam_scores.parquet``; a folder of
            parsed tables; an AP score file, TXT or CSV; or a list of the last two.
        crosswalk: As for :func:`~airflow_provider_apscores.scores.current_state`. The files of the current state have
            it already.
        di_code: One campus only, four digits.

    A warning in the log counts exam scores that are left out, because they could not be read or have no key.

    Raises:
        ConfigurationError: It is none of these; or both a crosswalk and a current state are given.
        ScoreFileMalformed: It is no score file.
        StorageUnavailable: It can't be read now.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if isinstance(source, list | tuple) and len(source) == 1:
        (source,) = source
    ready = None if isinstance(source, list | tuple) else _current_state_file(source)
    if ready is None:
        sources = [open_source(each) for each in (source if isinstance(source, list | tuple) else [source])]
        state = current_state(sources, crosswalk=crosswalk, di_code=di_code)
        if lost := state.without_key["exam_scores"].num_rows:
            log.warning("Exam scores without an AP ID, campus, year or exam code, which get no decision: %d.", lost)
        return state.exam_scores
    if crosswalk is not None:
        raise ConfigurationError("These scores are a current state. Give the crosswalk where it is computed.")
    place, name = ready
    try:
        with place.open(name) as file:
            opened = pq.ParquetFile(file, read_dictionary=["college_code", "exam_code", "status"])
            rows = opened.read([name for name in opened.schema_arrow.names if name in (*COLUMNS, "di_code")])
    except pa.ArrowException:
        raise ConfigurationError(f"{place.uri(name)} is no Parquet file.") from None
    if di_code is not None and "di_code" in rows.column_names:
        rows = rows.filter(pc.equal(rows["di_code"], di_code))
    return rows


def _current_state_file(source: Any) -> tuple[Any, str] | None:
    place, name = locate(source)
    if name.endswith(".parquet"):
        return place, name
    inside = folder(source)
    names = inside.names()
    if "exam_scores.parquet" in names:
        return inside, "exam_scores.parquet"
    if {"exam_scores.csv", "exam_scores.jsonl"}.intersection(names):
        raise ConfigurationError(
            f"{inside.uri()} has no exam_scores.parquet. Write the current state with parquet among its formats."
        )
    return None


def read_entry_dates(source: Any) -> dict[str, date]:
    """Read the day of entry by AP ID from a CSV with the columns ``ap_id`` and ``entry_date`` (YYYY-MM-DD).

    Raises:
        ConfigurationError: It is no such file, a date can't be read, or an AP ID has two dates. The message quotes
            nothing of it but line numbers.
        StorageUnavailable: It can't be read now.
    """
    rows = spreadsheet_rows(source, "file of entry dates", ("ap_id", "entry_date"))
    _, header = next(rows)
    dates: dict[str, date] = {}
    wrong = []
    for line, cells in rows:
        row = dict(zip(header, cells, strict=False))
        ap_id, day = row.get("ap_id", ""), row.get("entry_date", "")
        try:
            if not ap_id or not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
                raise ValueError
            entry = date.fromisoformat(day)
            if dates.setdefault(ap_id, entry) != entry:
                raise ValueError
        except ValueError:
            wrong.append(line)
    if wrong:
        shown = ", ".join(map(str, wrong[:20])) + (f" and {len(wrong) - 20} more" if len(wrong) > 20 else "")
        place, name = locate(source)
        raise ConfigurationError(
            f"{place.uri(name)}: an AP ID is missing or had another date, or a date is not written as 2026-08-24, on "
            f"lines {shown}. In a spreadsheet, give the dates the format yyyy-mm-dd before you save."
        )
    return dates


def count_dated(exam_scores: pa.Table, dates: Mapping[str, date]) -> tuple[int, int]:
    """How many AP IDs of *exam_scores* have an entry date, and how many AP IDs there are."""
    ap_ids = exam_scores["ap_id"].unique().to_pylist()
    return sum(ap_id in dates for ap_id in ap_ids), len(ap_ids)


def write_credit(
    credit: pa.Table,
    output: Any,
    *,
    formats: str | Sequence[str] = ("parquet",),
    comparison: CreditComparison | None = None,
) -> dict[str, str]:
    """Write a result as ``<output>/credit.<format>``. Files of an earlier result are replaced or removed.

    Args:
        credit: What :func:`~airflow_provider_apscores.scores.credit.award_credit` returned.
        output: A folder: a local path, a URI or a path object.
        formats: One or more of ``parquet``, ``csv``, ``jsonl``.
        comparison: A comparison to write beside it, as ``credit_comparison.json``.

    Returns:
        The URIs by format.

    Raises:
        ConfigurationError: An unknown format.
        StorageUnavailable: The output can't be written now.
    """
    formats = read_formats(formats)
    place = folder(output)
    with Staging(place) as staging:
        write_formats(staging, CREDIT, credit, formats)
        if comparison is not None:
            staging.open(_COMPARISON).write(json.dumps(comparison.to_dict(), indent=2).encode())
        staging.publish()
    remove_other_formats(place, CREDIT.name, formats)
    if comparison is None:
        place.remove(_COMPARISON)
    return {each: place.uri(f"{CREDIT.name}.{each}") for each in formats}

"""The current status of each campus, for the page in Airflow's UI.

It is in the asset state store of ``assets.status()`` (Airflow 3.3), one key for each campus. A task stores its part if
that asset is among its inlets or outlets. Nothing here may fail a task, and nothing here has personal data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.assets import status
from airflow_provider_apscores.hooks.exceptions import airflow_exceptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_apscores.delivery import Delivery, Manifest, Receipt
    from airflow_provider_apscores.operators.base import APScoresOperator

log = logging.getLogger(__name__)

#: A status as it is stored: plain JSON values by field.
Status = dict[str, Any]


def store_checked(context: Context, task: BaseOperator, di_code: str, at: str) -> None:
    """Store when College Board last answered an order of a campus, also when it had nothing new."""
    _store(context, task, di_code, lambda stored: {"checked_at": at})


def store_landed(context: Context, task: BaseOperator, delivery: Delivery) -> None:
    """Store the last delivery of a campus, and since when it has reports that are not recorded."""
    manifest = delivery.manifest
    names = ("landed_at", "records", "bytes", "file_format", "download_type", "recorded_at")
    last = {name: getattr(manifest, name) for name in names}

    def change(stored: Status) -> Status | None:
        if not _is_last(manifest, stored):
            return None
        pending = manifest.download_type == "new" and not manifest.recorded
        since = stored.get("pending_since")
        return last | {"pending_since": (since or manifest.landed_at) if pending else since}

    _store(context, task, manifest.di_code, change)


def store_recorded(context: Context, task: BaseOperator, manifest: Manifest) -> None:
    """Store that the last delivery of a campus is recorded."""

    def change(stored: Status) -> Status | None:
        return {"recorded_at": manifest.recorded_at, "pending_since": None} if _is_last(manifest, stored) else None

    _store(context, task, manifest.di_code, change)


def store_parsed(
    context: Context, task: BaseOperator, manifest: Manifest, written: dict[str, Any], counts: dict[str, Any]
) -> None:
    """Store the counts of the last delivery of a campus."""
    parsed = {"problems": written["rows"]["problems"], "quarantined": written["rejected_lines"]}
    parsed |= {name: count for name, count in counts.items() if count}
    if counts["score_counts"]:  # those of an earlier delivery stay otherwise
        parsed["scores_at"] = manifest.landed_at
    _store(context, task, manifest.di_code, lambda stored: parsed if _is_last(manifest, stored) else None)


def store_handed_off(context: Context, task: BaseOperator, manifest: Manifest, receipt: Receipt) -> None:
    """Store when a consumer got a delivery of a campus."""
    given = {receipt.consumer: {"at": receipt.at, "records": manifest.records}}
    _store(context, task, manifest.di_code, lambda stored: {"hand_offs": (stored.get("hand_offs") or {}) | given})


def store_loaded(context: Context, task: APScoresOperator, rows: int) -> None:
    """Store when a file of the task's campuses was loaded into a database, and its rows."""
    from airflow_provider_apscores.delivery import utc_now

    for di_code in task.campuses:
        _store(context, task, di_code, lambda stored: {"loads": {"at": utc_now(), "rows": rows}})


@contextmanager
def reporting(context: Context, task: BaseOperator, campuses: Callable[[], Sequence[str]]) -> Iterator[None]:
    """
    Fail a task as :func:`airflow_exceptions` does, and store the class of its error, or that there is none any more.

    :param campuses: returns the campuses of the task, as far as they are known by then.
    """
    from airflow.providers.common.compat.sdk import AirflowSkipException

    try:
        with airflow_exceptions():
            yield
    except AirflowSkipException:
        raise
    except Exception as error:
        store_error(context, task, error, campuses())
        raise
    _store_success(context, task, campuses())


def store_error(context: Context, task: BaseOperator, error: Exception, di_codes: Sequence[str]) -> None:
    """Store the class of an error of campuses. Its message may be about a file, so it is not stored."""
    from airflow_provider_apscores.delivery import utc_now
    from airflow_provider_apscores.errors import APScoresError

    cause = error.__cause__ if isinstance(error.__cause__, APScoresError) else error
    last = {task.task_type: {"class": type(cause).__name__, "at": utc_now()}}
    for di_code in di_codes:
        _store(context, task, di_code, lambda stored: {"errors": (stored.get("errors") or {}) | last})


def _store_success(context: Context, task: BaseOperator, di_codes: Sequence[str]) -> None:
    """Remove the error of an earlier task of the same operator: what failed then has succeeded now."""

    def change(stored: Status) -> Status | None:
        errors = stored.get("errors") or {}
        others = {operator: error for operator, error in errors.items() if operator != task.task_type}
        return {"errors": others} if others != errors else None

    for di_code in di_codes:
        _store(context, task, di_code, change)


def _is_last(manifest: Manifest, stored: Status) -> bool:
    """Whether a delivery is the last of its campus: old ones may be parsed again."""
    return manifest.landed_at >= (stored.get("landed_at") or "")


def _store(context: Context, task: BaseOperator, di_code: str, change: Callable[[Status], Status | None]) -> None:
    """Set the fields that *change* returns, which gets the stored status; None changes nothing."""
    from airflow_provider_apscores.delivery import utc_now

    stores: Any = context.get("asset_state_store")
    asset = status()
    outside = asset.uri not in {getattr(each, "uri", None) for each in (*(task.inlets or ()), *(task.outlets or ()))}
    if stores is None or outside:  # before Airflow 3.3 there is no store
        return
    try:
        store = stores[asset]
        stored = store.get(di_code) or {}
        fields = change(stored)
        if fields is not None:
            store.set(di_code, stored | fields | {"updated_at": utc_now()})
    except Exception as error:
        log.warning("The status of campus %s was not stored: %s.", di_code, type(error).__name__)

"""Emit asset events and lineage, and the times of records for the watchers of new reports.

Nothing here may fail a task: the file is landed or recorded by then. Nothing here has personal data.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.assets import SCHEME, create_asset, is_new_reports

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_apscores.delivery import Delivery

log = logging.getLogger(__name__)


def emit_file_event(context: Context, task: BaseOperator, delivery: Delivery) -> None:
    """Emit the events and the lineage of a landed score file."""
    manifest = delivery.manifest
    _emit(context, task, "files", [manifest.di_code], _file_extra(delivery))
    source = {"scheme": SCHEME, "asset_kwargs": {"di_code": manifest.di_code, "what": manifest.download_type}}
    _lineage(task, inputs=[source], outputs=[{"uri": delivery.uri}])


def emit_tables_event(
    context: Context,
    task: BaseOperator,
    source_uri: str,
    delivery: Delivery | None,
    written: dict[str, Any],
    counts: dict[str, Any],
) -> None:
    """
    Emit the events and the lineage of tables.

    :param counts: what is published besides, as JSON text: ``statuses`` and ``score_counts``.
    """
    # Airflow 2.11 accepts only plain values in the event of an alias.
    extra: dict[str, Any] = {"di_codes": ",".join(written["di_codes"])}
    extra |= {name: written[name] for name in ("sha256", "records", "rejected_lines")}
    extra |= {"problems": written["rows"]["problems"], "quarantined": written["rejected_lines"]}
    extra |= {name: json.dumps(value) for name, value in counts.items()}
    extra |= {f"{table}_rows": rows for table, rows in written["rows"].items()}
    for table, formats in written["uris"].items():
        extra |= {f"{table}_{name}": uri for name, uri in formats.items()}
    if delivery is not None:
        extra |= {"download_id": delivery.manifest.download_id, "manifest_uri": delivery.manifest_uri}
    _emit(context, task, "tables", written["di_codes"], extra)
    uris = [uri for formats in written["uris"].values() for uri in formats.values()]
    _lineage(task, inputs=[{"uri": source_uri}], outputs=[{"uri": uri} for uri in uris])


def emit_recorded(context: Context, task: BaseOperator, delivery: Delivery) -> None:
    """
    Emit the event of a recorded delivery, and store its time for the watcher whose asset is among the task's inlets.

    The event is of the kind ``recorded`` only: an event of ``new`` or ``files`` would run their consumers again.
    """
    from airflow_provider_apscores.triggers.new_reports_event import RECORDED

    manifest = delivery.manifest
    if manifest.recorded_time is None:
        return
    extra = _file_extra(delivery) | {"recorded_at": manifest.recorded_at}
    _emit(context, task, "recorded", [manifest.di_code], extra)
    recorded_at = manifest.recorded_time.timestamp()
    stores: Any = context.get("asset_state_store")
    if stores is None:  # before Airflow 3.3
        return
    for asset in (*(task.inlets or ()), *(task.outlets or ())):
        if is_new_reports(str(getattr(asset, "uri", "")), manifest.di_code):
            try:
                store = stores[asset]
                # Repeating an old run must not hide a later record.
                store.set(RECORDED, max(recorded_at, float(store.get(RECORDED) or 0)))
            except Exception as error:
                log.warning("The watcher of campus %s was not notified: %s.", manifest.di_code, type(error).__name__)


def _file_extra(delivery: Delivery) -> dict[str, Any]:
    manifest = delivery.manifest
    return {
        "di_code": manifest.di_code,
        "download_id": manifest.download_id,
        "file_format": manifest.file_format,
        "download_type": manifest.download_type,
        "records": manifest.records,
        "bytes": manifest.bytes,
        "landed_at": manifest.landed_at,
        "uri": delivery.uri,
        "manifest_uri": delivery.manifest_uri,
        "recorded": manifest.recorded,
    }


def _emit(context: Context, task: BaseOperator, what: str, di_codes: Iterable[str], extra: dict[str, Any]) -> None:
    """
    Set the *extra* of the outlets' events.

    An outlet that is an asset has one event anyway. It gets the extra, unless it is an asset of this provider for
    something else. An alias gets one event for each campus, with the campus's asset: mapped tasks do not know their
    campuses when the DAG is parsed.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    events: Any = context.get("outlet_events")
    if events is None:
        return
    assets = [create_asset(di_code=di_code, what=what) for di_code in di_codes]
    uris = {asset.uri for asset in assets}
    for outlet in task.outlets or ():
        if isinstance(outlet, AssetAlias):
            for asset in assets:
                events[outlet].add(asset, extra=dict(extra))
        elif isinstance(outlet, Asset) and (outlet.uri in uris or not outlet.uri.startswith(f"{SCHEME}://")):
            events[outlet].extra.update(extra)


def _lineage(task: BaseOperator, *, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        collector: Any = get_hook_lineage_collector()
        for arguments in inputs:
            collector.add_input_asset(context=task, **arguments)
        for arguments in outputs:
            collector.add_output_asset(context=task, **arguments)
    except Exception as error:
        log.warning("The lineage was not reported: %s.", type(error).__name__)

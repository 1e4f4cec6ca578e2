"""Say what a task did: in asset events, lineage, metrics, the status of its campus, and the store of its watcher.

Nothing here may fail a task: the file is landed or recorded by then. Nothing here has personal data.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_apscores.assets import SCHEME, create_asset, is_new_reports
from airflow_provider_apscores.hooks.metrics import gauge
from airflow_provider_apscores.operators.lineage import (
    Lineage,
    campus_data,
    database_data,
    delivery_data,
    file_data,
    tables_data,
)
from airflow_provider_apscores.operators.status import (
    store_handed_off,
    store_landed,
    store_loaded,
    store_parsed,
    store_recorded,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AssetAlias, Context

    from airflow_provider_apscores.delivery import Delivery, Receipt
    from airflow_provider_apscores.hooks.database import Database
    from airflow_provider_apscores.operators.base import APScoresOperator
    from airflow_provider_apscores.operators.load import APScoresLoadOperator

log = logging.getLogger(__name__)


def emit_file_event(context: Context, task: APScoresOperator, delivery: Delivery) -> None:
    """Say that a score file has landed."""
    manifest = delivery.manifest
    _emit(context, task, "files", [manifest.di_code], _file_extra(delivery))
    task.lineage = (task.lineage or Lineage()).add(
        inputs=[campus_data(manifest.di_code, manifest.download_type)], outputs=[delivery_data(delivery)]
    )
    store_landed(context, task, delivery)
    gauge("records", manifest.records, manifest.di_code)
    gauge("bytes", manifest.bytes, manifest.di_code)


def emit_tables_event(
    context: Context,
    task: APScoresOperator,
    source_uri: str,
    delivery: Delivery | None,
    written: dict[str, Any],
    counts: dict[str, Any],
) -> None:
    """
    Say that a score file is parsed.

    :param source_uri: the score file.
    :param delivery: its delivery, or None for a file without a manifest.
    :param written: the result of the parse operator.
    :param counts: what else is published: ``statuses`` and ``score_counts``.
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
    read = (
        file_data(source_uri, version=written["sha256"], rows=written["records"], bytes=written["bytes"])
        if delivery is None
        else delivery_data(delivery)
    )
    task.lineage = Lineage([read], tables_data(written))
    if delivery is not None:
        store_parsed(context, task, delivery.manifest, written, counts)
    if len(written["di_codes"]) == 1:
        for name in ("problems", "quarantined"):
            gauge(name, extra[name], written["di_codes"][0])


def emit_recorded(context: Context, task: APScoresOperator, delivery: Delivery) -> None:
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
    store_recorded(context, task, manifest)
    lineage, landed = task.lineage or Lineage(), delivery_data(delivery)
    if landed not in lineage.outputs:  # else the task downloaded it as well
        task.lineage = lineage.add(inputs=[landed], outputs=[campus_data(manifest.di_code, "recorded")])
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


def emit_loaded(
    context: Context, task: APScoresLoadOperator, tables: Mapping[str, Any], database: Database, rows: dict[str, int]
) -> None:
    """Say that the tables of a score file, or a credit table, are loaded into a database."""
    loaded = database_data(database, task.schema, task.prefix, rows)
    read = {"uris": {table: uris for table, uris in tables["uris"].items() if table in rows}}
    task.lineage = Lineage(tables_data({**tables, **read}), loaded)
    store_loaded(context, task, sum(rows.values()))


def emit_handed_off(context: Context, task: APScoresOperator, delivery: Delivery, receipt: Receipt) -> None:
    """Say that a consumer has a score file."""
    manifest = delivery.manifest
    given = file_data(receipt.uri, version=manifest.sha256, rows=manifest.records, bytes=manifest.bytes)
    task.lineage = Lineage([delivery_data(delivery)], [given])
    store_handed_off(context, task, manifest, receipt)


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


def _emit(context: Context, task: APScoresOperator, what: str, di_codes: Iterable[str], extra: dict[str, Any]) -> None:
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
        if isinstance(outlet, AssetAlias) and _is_known(outlet):
            for asset in assets:
                events[outlet].add(asset, extra=dict(extra))
        elif isinstance(outlet, Asset) and (outlet.uri in uris or not outlet.uri.startswith(f"{SCHEME}://")):
            events[outlet].extra.update(extra)


def _is_known(alias: AssetAlias) -> bool:
    """
    Whether Airflow can store events of an alias.

    Airflow 2.11 fails the task if the alias is not in its database: in ``airflow dags test`` of a DAG that no scheduler
    has read yet.
    """
    if AIRFLOW_V_3_0_PLUS:  # it creates the alias
        return True
    from airflow.models.dataset import DatasetAliasModel
    from airflow.utils.session import create_session

    try:
        with create_session() as session:
            found = session.query(DatasetAliasModel).filter_by(name=alias.name).first() is not None
    except Exception:  # without a database, Airflow reports that itself
        return True
    if not found:
        log.warning(
            "Airflow does not know the alias %r yet, so there are no asset events. Start a scheduler.", alias.name
        )
    return found

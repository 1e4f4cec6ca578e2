"""What Airflow's assets can stand for here, and their URIs: ``apscores://<DI code>/<what>``.

=============================  ===================================================================================
``apscores://4866/new``        reports for campus 4866 that nobody has recorded yet: :func:`new_reports`
``apscores://4866/full``       all reports of the reporting year, as the source of a ``full`` download
``apscores://4866/files``      its landed score files: :func:`score_files`
``apscores://4866/tables``     its tables: :func:`score_tables`
=============================  ===================================================================================

``?account=<connection>`` tells apart what several College Board accounts see, each with a cursor of its own.

Airflow imports this module while it parses the first DAG with an asset in it, so it imports nothing but the standard
library. On Airflow 2.11, where assets are called datasets, it gives datasets.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.providers.common.compat.sdk import Asset

SCHEME = "apscores"
KINDS = ("new", "full", "files", "tables")
DEFAULT_CONNECTION = "apscores_default"


def new_reports(
    di_code: str,
    *,
    poke_interval: timedelta | float = 3600,
    minimum_interval: timedelta | float = 300,
    remind_after: timedelta | float | None = timedelta(days=1),
    file_format: str = "TXT",
    apscores_conn_id: str = DEFAULT_CONNECTION,
) -> Asset:
    """
    Return an asset that has an event when a campus has new reports: ``DAG(schedule=[new_reports("4866")])``.

    On Airflow 3 it is watched: College Board is asked again and again, for all watched campuses of a connection in
    one look. There is one event for each news. There is another when the reports were recorded and newer ones came,
    or after *remind_after* if nobody recorded them. Give it to the downloading task as one of its ``inlets``, so that
    the watcher learns of the record (Airflow 3.3). On Airflow 2.11 nobody watches it.

    :param di_code: the campus: a DI code of four digits.
    :param poke_interval: seconds between looks, or a ``timedelta``.
    :param minimum_interval: seconds between looks at a service that is not on this machine, at least.
    :param remind_after: seconds, or a ``timedelta``, after which the same news is told again; None for never.
    :param file_format: ``TXT`` or ``CSV``: what is ordered to ask.
    :param apscores_conn_id: the connection to use.
    :raises ValueError: *di_code* is none, or another argument makes no sense.
    """
    if file_format not in ("TXT", "CSV"):
        raise ValueError("file_format must be one of TXT, CSV.")
    asset = create_asset(di_code=di_code, account=apscores_conn_id)
    try:
        from airflow.sdk import Asset, AssetWatcher
    except ImportError:  # Airflow 2.11 has no watchers
        return asset

    from airflow_provider_apscores.triggers.new_reports_event import APScoresNewReportsEventTrigger

    trigger = APScoresNewReportsEventTrigger(
        di_code=di_code,
        asset_name=asset.name,
        poke_interval=_seconds(poke_interval),
        minimum_interval=_seconds(minimum_interval),
        remind_after=None if remind_after is None else _seconds(remind_after),
        file_format=file_format,
        apscores_conn_id=apscores_conn_id,
    )
    return Asset(uri=asset.uri, watchers=[AssetWatcher(name=f"new AP score reports for {di_code}", trigger=trigger)])


def score_files(di_code: str) -> Asset:
    """Return the asset of a campus's landed score files, for ``outlets`` and ``schedule``."""
    return create_asset(di_code=di_code, what="files")


def score_tables(di_code: str) -> Asset:
    """Return the asset of a campus's tables, for ``outlets`` and ``schedule``."""
    return create_asset(di_code=di_code, what="tables")


def create_asset(
    *, di_code: str, what: str = "new", account: str = DEFAULT_CONNECTION, extra: dict[str, Any] | None = None
) -> Asset:
    """
    Return the asset of a campus. Airflow's hook lineage makes its assets with this.

    :param di_code: the campus.
    :param what: ``new``, ``full``, ``files`` or ``tables``.
    :param account: the connection of the account that sees them.
    :param extra: whatever shall be kept with the asset.
    :raises ValueError: there is no such campus or kind.
    """
    from airflow.providers.common.compat.sdk import Asset

    query = "" if account == DEFAULT_CONNECTION else f"account={quote(account, safe='')}"
    uri = sanitize_uri(SplitResult(SCHEME, str(di_code), f"/{what}", query, "")).geturl()
    return Asset(uri=uri, extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Bring an ``apscores://`` URI into its one form. Airflow calls this for every such asset.

    :raises ValueError: it names no campus, or something that campuses don't have.
    """
    if not re.fullmatch(r"[0-9]{4}", uri.netloc):
        raise ValueError("The URI of an apscores asset begins with a DI code of four digits: apscores://4866/new.")
    what = uri.path.strip("/") or "new"
    if what not in KINDS:
        raise ValueError(f"An apscores asset is one of {', '.join(KINDS)}: apscores://{uri.netloc}/new.")
    return uri._replace(scheme=SCHEME, path=f"/{what}", fragment="")


def is_new_reports(uri: str, di_code: str) -> bool:
    """Whether *uri* is that of the new reports of a campus, for whichever account."""
    parts = urlsplit(uri)
    return (parts.scheme, parts.netloc, parts.path) == (SCHEME, di_code, "/new")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Translate an asset for OpenLineage: the campus is the namespace."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    parts = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"{SCHEME}://{parts.netloc}", name=parts.path.strip("/"))


def _seconds(time: timedelta | float) -> float:
    seconds = time.total_seconds() if isinstance(time, timedelta) else float(time)
    if seconds < 0:
        raise ValueError("A time must not be negative.")
    return seconds

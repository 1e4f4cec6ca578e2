"""Assets and their URIs, ``apscores://<DI code>/<what>``.

=============================  ===================================================================================
``apscores://4866/new``        reports for campus 4866 that are not recorded yet: :func:`new_reports`
``apscores://4866/full``       all reports of the reporting year, as the source of a ``full`` download
``apscores://4866/files``      its landed score files: :func:`score_files`
``apscores://4866/tables``     its tables: :func:`score_tables`
``apscores://4866/recorded``   its recorded downloads: :func:`recorded`
``apscores://all/status``      the current status of all campuses, one asset: :func:`status`
=============================  ===================================================================================

``?account=<connection>`` distinguishes the new reports of several College Board accounts, each with its own cursor.

Airflow imports this module when it parses the first DAG with such an asset, so it imports the standard library only. On
Airflow 2.11 the functions return datasets.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

SCHEME = "apscores"
KINDS = ("new", "full", "files", "tables", "recorded")
#: The asset of all campuses. It is the only one that belongs to no campus.
ALL, STATUS = "all", "status"
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

    On Airflow 3 a watcher polls College Board, for all watched campuses of a connection in one poll. There is one event
    when reports become new. There is another event when they were recorded and newer ones came, or after *remind_after*
    if they were not recorded. Add the asset to the ``inlets`` of the task that records, so that the watcher learns of
    the record (Airflow 3.3). Airflow 2.11 has no watchers, so there the asset has no events.

    :param di_code: the campus: a DI code of four digits.
    :param poke_interval: seconds between polls, or a ``timedelta``.
    :param minimum_interval: the least number of seconds between polls of a service that is not on this machine.
    :param remind_after: seconds, or a ``timedelta``, after which reports that are still new have another event; None
        for never.
    :param file_format: ``TXT`` or ``CSV``: the format of the orders.
    :param apscores_conn_id: the connection to use.
    :raises ValueError: *di_code* is not a DI code, or another argument is invalid.
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
    watcher = AssetWatcher(name=f"new AP score reports for {di_code}", trigger=trigger)
    return Asset(uri=asset.uri, group=SCHEME, watchers=[watcher])


def score_files(di_code: str) -> Asset:
    """Return the asset of a campus's landed score files, for ``outlets`` and ``schedule``."""
    return create_asset(di_code=di_code, what="files")


def score_tables(di_code: str) -> Asset:
    """Return the asset of a campus's tables, for ``outlets`` and ``schedule``."""
    return create_asset(di_code=di_code, what="tables")


def recorded(di_code: str) -> Asset:
    """Return the asset of a campus's recorded downloads, for ``outlets`` and ``schedule``."""
    return create_asset(di_code=di_code, what="recorded")


def status() -> Asset:
    """
    Return the asset that holds the current status of all campuses, for ``inlets``.

    On Airflow 3.3, tasks of this provider store the status of their campus in it, and the page in Airflow's UI shows
    it. It has no events.
    """
    return create_asset(di_code=ALL, what=STATUS)


def events() -> AssetAlias:
    """
    Return the alias through which tasks emit the events of their campuses, for ``outlets``.

    A mapped task does not know its campuses when the DAG is parsed. Through this alias, download emits events of
    ``files``, parse of ``tables``, and a record of ``recorded``, each with the asset of the campus.
    """
    from airflow.providers.common.compat.sdk import AssetAlias

    return AssetAlias(SCHEME)


def create_asset(
    *, di_code: str, what: str = "new", account: str = DEFAULT_CONNECTION, extra: dict[str, Any] | None = None
) -> Asset:
    """
    Return the asset of a campus. Airflow's hook lineage creates its assets by this function.

    On Airflow 3, the asset is in the group ``apscores``.

    :param di_code: the campus, or ``all`` for the status.
    :param what: ``new``, ``full``, ``files``, ``tables``, ``recorded``, or ``status`` of all campuses.
    :param account: the connection of the College Board account.
    :param extra: the ``extra`` of the asset.
    :raises ValueError: the campus or the kind is invalid.
    """
    from airflow.providers.common.compat.sdk import Asset
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    query = "" if account == DEFAULT_CONNECTION else f"account={quote(account, safe='')}"
    uri = sanitize_uri(SplitResult(SCHEME, str(di_code), f"/{what}", query, "")).geturl()
    group: Any = {"group": SCHEME} if AIRFLOW_V_3_0_PLUS else {}  # a dataset of Airflow 2.11 has no group
    return Asset(uri=uri, extra=extra, **group)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Normalize an ``apscores://`` URI. Airflow calls this for every such asset.

    :raises ValueError: it names no campus, or an unknown kind.
    """
    what = uri.path.strip("/") or "new"
    if (uri.netloc, what) == (ALL, STATUS):
        return uri._replace(scheme=SCHEME, path=f"/{STATUS}", fragment="")
    if not re.fullmatch(r"[0-9]{4}", uri.netloc):
        raise ValueError(
            "The URI of an apscores asset begins with a DI code of four digits: apscores://4866/new. "
            "A number loses its zeros: quote it."
        )
    if what not in KINDS:
        raise ValueError(f"An apscores asset is one of {', '.join(KINDS)}: apscores://{uri.netloc}/new.")
    return uri._replace(scheme=SCHEME, path=f"/{what}", fragment="")


def is_new_reports(uri: str, di_code: str) -> bool:
    """Whether *uri* is that of the new reports of a campus, for any account."""
    parts = urlsplit(uri)
    return (parts.scheme, parts.netloc, parts.path) == (SCHEME, di_code, "/new")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset | None:
    """Translate an asset for OpenLineage: the campus is the namespace. The status of all campuses is no data."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    parts = urlsplit(asset.uri)
    if parts.netloc == ALL:
        return None
    return OpenLineageDataset(namespace=f"{SCHEME}://{parts.netloc}", name=parts.path.strip("/"))


def _seconds(time: timedelta | float) -> float:
    seconds = time.total_seconds() if isinstance(time, timedelta) else float(time)
    if seconds < 0:
        raise ValueError("A time must not be negative.")
    return seconds

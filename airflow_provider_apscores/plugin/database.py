"""The report of the page, from Airflow's metadata database.

The API server need not see the storage of the workers. The history comes from asset events: those of landed files,
their records and their tables. The current status comes from the state store of Airflow 3.3, where tasks and watchers
write it. Each query is bounded by time, and by a number of rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_apscores.assets import ALL, SCHEME, STATUS
from airflow_provider_apscores.plugin.status import LandedEvent, campus_report
from airflow_provider_apscores.report import Campus, Report

#: The time that the page shows.
HISTORY = timedelta(days=365)

#: Events of landed files that are read, the latest first: those of 50 campuses with a delivery each day.
MOST_EVENTS = 20_000


def read_report(session: Any, now: datetime | None = None) -> Report:
    """Return what the page shows.

    Args:
        session: A session of SQLAlchemy.
        now: The present by default.
    """
    now = now or datetime.now(UTC)
    since = now - HISTORY
    assets = _assets(session)
    events = _landed(session, assets["files"], since)
    if len(events) == MOST_EVENTS:  # older ones are not shown
        since = min(event.landed_at for _, event in events)
    landed: dict[str, list[LandedEvent]] = {}
    for di_code, event in reversed(events):
        landed.setdefault(di_code, []).append(event)
    recorded = dict(_latest(session, assets["recorded"], since, by="landed_at"))
    tables = dict(_latest(session, assets["tables"], since))
    stored, polls, has_state = _states(session, assets)
    without_scores = {
        asset: di_code
        for asset, di_code in assets["tables"].items()
        if di_code in landed and not stored.get(di_code, {}).get("score_counts")
    }
    scores = dict(_latest(session, without_scores, since, with_scores=True))
    campuses: list[Campus] = [
        campus_report(
            di_code,
            landed=landed.get(di_code, []),
            recorded=recorded.get(di_code, {}),
            tables=tables.get(di_code, {}),
            scores=scores.get(di_code, {}),
            status=stored.get(di_code),
            polls=polls.get(di_code, []),
        )
        for di_code in sorted({*landed, *stored, *polls})
    ]
    return Report(now, since, tuple(campuses), has_state)


def _assets(session: Any) -> dict[str, dict[int, str]]:
    """The campus of each asset of this provider, by kind and id."""
    from airflow.models.asset import AssetModel
    from sqlalchemy import select

    found: dict[str, dict[int, str]] = {kind: {} for kind in ("new", "files", "tables", "recorded", STATUS)}
    query = select(AssetModel.id, AssetModel.uri).where(AssetModel.uri.startswith(f"{SCHEME}://"))
    for number, uri in session.execute(query):
        parts = urlsplit(uri)
        kind = parts.path.strip("/")
        if kind in found and (parts.netloc == ALL) == (kind == STATUS):
            found[kind][number] = parts.netloc
    return found


def _landed(session: Any, assets: Mapping[int, str], since: datetime) -> list[tuple[str, LandedEvent]]:
    """The campus and the content of the events of landed files since a moment, the latest first."""
    from airflow.models.asset import AssetEvent
    from sqlalchemy import JSON, select, type_coerce

    # The database picks the values: that is faster than to read whole extras. Before 3.3, the column has another type.
    values = [type_coerce(AssetEvent.extra, JSON)[name].as_string() for name in LandedEvent.KEYS]
    query = (
        select(AssetEvent.asset_id, *values)
        .where(AssetEvent.asset_id.in_(assets), AssetEvent.timestamp >= since)
        .order_by(AssetEvent.timestamp.desc())
        .limit(MOST_EVENTS)
    )
    found = ((assets[asset], LandedEvent.read(*texts)) for asset, *texts in session.execute(query))
    return [(di_code, event) for di_code, event in found if event is not None]


def _latest(
    session: Any, assets: Mapping[int, str], since: datetime, *, by: str | None = None, with_scores: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The extra of the latest event of each asset since a moment.

    Args:
        session: A session of SQLAlchemy.
        assets: Campuses by the id of the asset.
        since: The moment.
        by: The key of the time in the extra that counts. By default it is the time of the event. A task of an old run
            that is repeated emits its event again.
        with_scores: Only events with score counts.
    """
    from airflow.models.asset import AssetEvent
    from sqlalchemy import JSON, and_, func, select, type_coerce

    selected = [AssetEvent.asset_id.in_(assets), AssetEvent.timestamp >= since]
    if with_scores:
        selected.append(type_coerce(AssetEvent.extra, JSON)["score_counts"].as_string() != "{}")
    time = AssetEvent.timestamp if by is None else AssetEvent.extra[by].as_string()
    latest = (
        select(AssetEvent.asset_id, func.max(time).label("at"))
        .where(*selected)
        .group_by(AssetEvent.asset_id)
        .subquery()
    )
    query = select(AssetEvent.asset_id, AssetEvent.timestamp, AssetEvent.extra).join(
        latest, and_(AssetEvent.asset_id == latest.c.asset_id, time == latest.c.at)
    )
    for asset, at, extra in session.execute(query):
        yield assets[asset], (extra or {}) | {"at": at}


def _states(
    session: Any, assets: Mapping[str, Mapping[int, str]]
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]], bool]:
    """The status of each campus, the polls of its watchers, and whether this Airflow has a state store."""
    try:
        from airflow.models.asset_state_store import AssetStateStoreModel as State
    except ImportError:  # before Airflow 3.3
        return {}, {}, False
    from sqlalchemy import and_, or_, select

    from airflow_provider_apscores.triggers.new_reports_event import POLL

    query = select(State.asset_id, State.key, State.value).where(
        or_(
            State.asset_id.in_(assets[STATUS]),
            and_(State.asset_id.in_(assets["new"]), State.key == POLL),
        )
    )
    stored: dict[str, dict[str, Any]] = {}
    polls: dict[str, list[dict[str, Any]]] = {}
    for asset, key, value in session.execute(query):
        with suppress(ValueError):
            content = json.loads(value)
            if not isinstance(content, dict):
                continue
            if asset in assets["new"]:
                polls.setdefault(assets["new"][asset], []).append(content)
            elif is_di_code(key):
                stored[key] = content
    return stored, polls, True


def is_di_code(text: str) -> bool:
    """Whether a key of the status asset is a campus."""
    return len(text) == 4 and text.isdigit()

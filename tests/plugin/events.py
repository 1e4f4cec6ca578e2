"""Asset events and stored statuses in a metadata database, as the operators write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

LARGE = {"1": 11, "2": 22, "3": 33, "4": 44, "5": 55}
SECRET = "/srv/registrar/Wickerez"


@contextmanager
def database(path: Path) -> Iterator[Any]:
    """A session of a new SQLite database with the tables of assets and their events."""
    from airflow.models import asset
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    tables = [asset.AssetModel.__table__, asset.AssetEvent.__table__]
    try:
        from airflow.models.asset_state_store import AssetStateStoreModel

        tables.append(AssetStateStoreModel.__table__)
    except ImportError:
        pass
    engine = create_engine(f"sqlite:///{path}")
    asset.AssetModel.metadata.create_all(engine, tables=tables)
    with Session(engine) as session:
        yield session
    engine.dispose()


class Writer:
    """Writes what tasks of a campus would."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.ids: dict[str, int] = {}

    def asset(self, uri: str) -> int:
        """The id of an asset, which is created if there is none."""
        from airflow.models.asset import AssetModel

        if uri not in self.ids:
            model = AssetModel(uri=uri)
            self.session.add(model)
            self.session.flush()
            self.ids[uri] = model.id
        return self.ids[uri]

    def event(self, uri: str, at: datetime, extra: dict[str, Any]) -> None:
        """An event of an asset."""
        from airflow.models.asset import AssetEvent
        from sqlalchemy import insert

        self.session.execute(
            insert(AssetEvent).values(asset_id=self.asset(uri), timestamp=at, extra=extra, source_map_index=-1)
        )

    def landed(self, di_code: str, at: datetime, records: int = 10, **extra: Any) -> dict[str, Any]:
        """The event of a landed file; returns its extra."""
        number = f"{di_code}-{at:%Y%m%d%H%M}"
        extra = {
            "di_code": di_code,
            "download_id": number,
            "file_format": "TXT",
            "download_type": "new",
            "records": records,
            "bytes": records * 951,
            "uri": f"{SECRET}/{number}.txt",
            "manifest_uri": f"{SECRET}/{number}.manifest.json",
            "landed_at": at.isoformat(),
            "recorded": False,
        } | extra
        self.event(f"apscores://{di_code}/files", at, extra)
        return extra

    def recorded(self, landed: dict[str, Any], at: datetime) -> None:
        """The event of a record."""
        extra = landed | {"recorded": True, "recorded_at": at.isoformat()}
        self.event(f"apscores://{landed['di_code']}/recorded", at, extra)

    def tables(self, di_code: str, at: datetime, scores: dict[str, Any] | None = None, **extra: Any) -> None:
        """The event of tables."""
        names = ("students", "exam_scores", "awards", "problems", "deliveries")
        extra = (
            {
                "di_codes": di_code,
                "sha256": "0" * 64,
                "records": 10,
                "rejected_lines": 0,
                "problems": 0,
                "quarantined": 0,
                "statuses": json.dumps({"reported": 60}),
                "score_counts": json.dumps(scores or {}),
            }
            | {f"{name}_rows": 60 for name in names}
            | {f"{name}_parquet": f"{SECRET}/{name}/{at:%Y%m%d}.parquet" for name in names}
            | extra
        )
        self.event(f"apscores://{di_code}/tables", at, extra)

    def day(self, di_code: str, at: datetime, records: int = 10, scores: dict[str, Any] | None = None) -> None:
        """A whole delivery."""
        landed = self.landed(di_code, at, records)
        self.tables(di_code, at + timedelta(seconds=20), scores)
        self.recorded(landed, at + timedelta(seconds=40))

    def store(self, uri: str, key: str, value: Any) -> None:
        """An entry of the state store of an asset."""
        store = pytest.importorskip("airflow.models.asset_state_store", reason="before Airflow 3.3")

        self.session.add(
            store.AssetStateStoreModel(
                asset_id=self.asset(uri), key=key, value=json.dumps(value), updated_at=datetime.now(UTC)
            )
        )
        self.session.flush()

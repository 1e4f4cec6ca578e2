"""The context of a task: its outlet events and asset state stores, as far as operators use them."""

from __future__ import annotations

import json
from typing import Any

from tests.provider.modes import Store
from tests.provider.world import task_instance


class Events(dict[str, Any]):
    """The outlet events of a task's context, as far as operators use them; the same in both majors."""

    class Event:
        def __init__(self) -> None:
            self.extra: dict[str, Any] = {}
            self.added: list[tuple[str, dict[str, Any]]] = []

        def add(self, asset: Any, extra: dict[str, Any]) -> None:
            frozenset(extra.items())  # as Airflow 2.11 does
            self.added.append((asset.uri, json.loads(json.dumps(extra))))

    def __getitem__(self, outlet: Any) -> Event:
        return self.setdefault(getattr(outlet, "uri", None) or outlet.name, self.Event())


def context(task_id: str, **more: Any) -> dict[str, Any]:
    return {"ti": task_instance(task_id), "outlet_events": Events(), **more}


class States(dict[str, Any]):
    """The asset state store of a task: of the assets among its inlets and outlets."""

    def __init__(self, *mine: Any) -> None:
        super().__init__({asset.uri: Store() for asset in mine})

    def __getitem__(self, asset: Any) -> Store:
        return super().__getitem__(asset.uri)

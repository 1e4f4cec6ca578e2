"""A sandbox behind an Airflow connection."""

from __future__ import annotations

import json
import os
from typing import Any, Self

from airflow_provider_apscores.sandbox import Campus, Sandbox


class ConnectedSandbox(Sandbox):
    """A sandbox that an Airflow connection in the environment leads to, from its start to its end."""

    def __init__(self, conn_id: str, **settings: Any) -> None:
        """Create it without a campus, unless *settings* has some."""
        super().__init__(**{"campuses": ()} | settings)
        self._variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        self._before = os.environ.get(self._variable)

    def start(self) -> Self:
        """Start to answer, and set the connection."""
        self._connect()
        return super().start()

    def close(self) -> None:
        """Stop, and restore the environment."""
        super().close()
        if self._before is None:
            os.environ.pop(self._variable, None)
        else:
            os.environ[self._variable] = self._before

    def add_reports(self, di_code: str, count: int = 1) -> list[str]:
        """Issue new reports to a campus, which the first call adds to the account and to the connection.

        Returns:
            Their ids.
        """
        if di_code not in self.di_codes:
            self.add_campus(Campus(di_code, f"College {di_code}"))
            self._connect()
        return super().add_reports(di_code, count)

    def _connect(self) -> None:
        connection = json.loads(self.airflow_connection)
        # The sandbox speaks plain HTTP, and loading certificates takes a while.
        connection["extra"]["verify"] = "false"
        os.environ[self._variable] = json.dumps(connection)

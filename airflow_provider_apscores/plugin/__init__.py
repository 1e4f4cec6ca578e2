"""The page *AP Scores* in the Airflow UI (Airflow 3.1 and later).

Every Airflow process imports plugins, tasks too. So this module imports almost nothing: the page is an ASGI object that
builds the application on its first request. Airflow 2.11 ignores all of it, and 3.0 has no menu entry.
"""

from __future__ import annotations

from typing import Any

# Not from common.compat.sdk, which would be three more modules in each process. Either module here is loaded already.
try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # before Airflow 3.2
    from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]


class _Page:
    """An ASGI application that imports itself when it is first used."""

    _app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from airflow_provider_apscores.plugin.app import build_app

            self._app = build_app()
        await self._app(scope, receive, send)


class APScoresPlugin(AirflowPlugin):
    """The page and its entry in the menu."""

    name = "apscores"
    fastapi_apps: list[Any] = [{"app": _Page(), "url_prefix": "/apscores", "name": "AP Scores"}]  # noqa: RUF012
    # Relative addresses, and a slash at the end: they work below a base URL with a path too.
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "AP Scores",
            "href": "apscores/",
            "destination": "nav",
            "url_route": "apscores",
            "icon": "apscores/icon.svg",
        }
    ]

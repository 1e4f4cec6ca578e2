"""The application behind the page: one page and its icon, for users who may read assets."""

from __future__ import annotations

from typing import Any

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#4a90d9" stroke-width="2" '
    'stroke-linecap="round"><path d="M4 20V12M10 20V5M16 20v-10M22 20H2"/></svg>'
)

#: The page needs its inline style only. It may stand in a frame of this Airflow.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def build_app() -> Any:
    """Return the application. A mounted application has no authentication of its own, so each route asks for it."""
    from airflow.api_fastapi.core_api.security import requires_access_asset
    from fastapi import Depends, FastAPI, Response

    app = FastAPI(
        title="AP Scores",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_asset("GET"))],
    )

    # Not async: FastAPI then runs it in a thread, and the database does not block the server.
    def page() -> Response:
        from airflow.utils.session import create_session

        from airflow_provider_apscores.plugin.database import read_report
        from airflow_provider_apscores.report import render

        with create_session(scoped=False) as session:
            report = read_report(session)
        return Response(render(report), media_type="text/html", headers=_HEADERS)

    def icon() -> Response:
        return Response(_ICON, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})

    app.add_api_route("/", page, response_class=Response)
    app.add_api_route("/icon.svg", icon, response_class=Response)
    return app

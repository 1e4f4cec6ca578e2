"""Links from a task to the page of its campus and to the College Board, in Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class CampusPageLink(BaseOperatorLink):
    """The page *AP Scores* in Airflow's UI, at the campus of the task."""

    name = "AP Scores"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address. Airflow calls this in the worker when the task has ended."""
        from airflow.providers.common.compat.sdk import conf

        base = conf.get("api", "base_url", fallback=None) or "/"
        campuses = getattr(operator, "campuses", [])
        return f"{base.rstrip('/')}/apscores/" + (f"#{campuses[0]}" if len(campuses) == 1 else "")


class CollegeBoardLink(BaseOperatorLink):
    """The site of the College Board for colleges, from which the portal with the score reports is reached."""

    name = "College Board portal"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address."""
        return "https://highered.collegeboard.org/"


#: Before Airflow 3.1, the UI has no page of this provider.
LINKS: tuple[BaseOperatorLink, ...] = (
    (CampusPageLink(), CollegeBoardLink()) if AIRFLOW_V_3_1_PLUS else (CollegeBoardLink(),)
)

"""A page about deliveries, as one HTML text: for the page in Airflow and for ``apscores report``.

It shows counts only, and no names or paths. ``model.py`` is what the page shows, ``page.py`` renders it, ``charts.py``
draws, and ``style.py`` is the style sheet. Nothing here reads files or databases, and the HTML loads nothing.
"""

from __future__ import annotations

from airflow_provider_apscores.report.model import Campus, HandOff, Landed, Report, Status
from airflow_provider_apscores.report.page import render

__all__ = ["Campus", "HandOff", "Landed", "Report", "Status", "render"]

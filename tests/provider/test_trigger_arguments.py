"""The arguments of triggers, which Airflow keeps in its database while they wait."""

from __future__ import annotations

import inspect

import pytest

from airflow_provider_apscores.triggers.base import DataclassTrigger
from airflow_provider_apscores.triggers.new_reports import APScoresNewReportsTrigger
from airflow_provider_apscores.triggers.new_reports_event import APScoresNewReportsEventTrigger
from airflow_provider_apscores.triggers.notification_email import APScoresNotificationEmailTrigger

TRIGGERS = [APScoresNewReportsTrigger, APScoresNewReportsEventTrigger, APScoresNotificationEmailTrigger]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_every_argument_has_a_default_and_survives_the_database(trigger: type[DataclassTrigger]):
    """
    A newer version must be able to start what an older one deferred.
    """
    parameters = inspect.signature(trigger.__init__).parameters
    defaults = {name: each.default for name, each in parameters.items() if name != "self"}
    others = {name: 7 if isinstance(value, int | float) else "x" for name, value in defaults.items()}

    assert inspect.Parameter.empty not in defaults.values()
    assert trigger().serialize() == (f"{trigger.__module__}.{trigger.__name__}", defaults)
    assert trigger(**others).serialize()[1] == others

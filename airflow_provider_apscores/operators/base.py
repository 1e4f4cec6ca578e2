"""What the operators of this provider share: the label of mapped tasks, links, lineage, and the status of campuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_apscores.operators.links import LINKS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.operators.lineage import Lineage

#: The UI shows the campus of a mapped task instance, or its number if the campus is not known.
_LABEL = "{{ task.map_label(ti.map_index) }}"


class LabelledByCampus:
    """A task that shows its campus instead of its map index, unless the DAG sets ``map_index_template``."""

    #: The attribute that names the campus: DI codes, or a reference to a download or to tables.
    campus_from: ClassVar[str] = "di_code"
    map_index_template: str | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.map_index_template is None:  # the task may be in a mapped task group
            self.map_index_template = _LABEL

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Map the task."""
        mapped = super().partial(**kwargs)  # type: ignore[misc]
        if mapped.kwargs.get("map_index_template") is None:
            mapped.kwargs["map_index_template"] = _LABEL
        return mapped

    @property
    def campuses(self) -> list[str]:
        """The DI codes of the task's campuses, as far as its arguments name them."""
        from airflow_provider_apscores.operators.references import campuses_of

        return campuses_of(getattr(self, self.campus_from, None))

    @property
    def campus(self) -> str:
        """The campuses as text, for the UI."""
        return ", ".join(self.campuses)

    def map_label(self, map_index: int) -> str:
        """Return what the UI shows for an instance of the task; nothing if the task is not mapped."""
        text = (self.campus or str(map_index)) if map_index >= 0 else ""
        # A DAG with native rendering reads the label as Python: 4866 would be a number, which Airflow refuses.
        native = self.dag.render_template_as_native_obj  # type: ignore[attr-defined]
        return repr(text) if native else text


class APScoresOperator(LabelledByCampus, BaseOperator):
    """The base class of the operators of this provider."""

    operator_extra_links = LINKS
    #: What the task read and wrote, for OpenLineage. The task sets it when it is done.
    lineage: Lineage | None = None

    @contextmanager
    def reporting(self, context: Context) -> Iterator[None]:
        """
        Fail the task permanently on permanent errors, and keep the class of an error in the status of its campuses.

        :param context: that of the task.
        :raises AirflowFailException: for permanent errors.
        """
        from airflow_provider_apscores.operators.status import reporting

        with reporting(context, self, lambda: self.campuses):
            yield

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what the task read and wrote, as OpenLineage's ``OperatorLineage``. Airflow calls this."""
        from airflow_provider_apscores.operators.lineage import Lineage

        return (self.lineage or Lineage()).to_openlineage()

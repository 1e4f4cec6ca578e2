"""Booleans and numbers as arguments: values, their rendered text, and what is refused when the DAG is parsed."""

from __future__ import annotations

import importlib
import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task, task_group

from airflow_provider_apscores import errors
from airflow_provider_apscores.get_provider_info import get_provider_info
from airflow_provider_apscores.operators.arguments import read_boolean, read_integer, read_seconds
from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from tests.provider.world import World, fails_permanently, task_instance

#: Template fields with another name than their argument.
FIELDS = {"dry_run": "only_show"}
REFUSALS = (ValueError, TypeError, errors.ConfigurationError)
#: What Airflow's own classes take; the sensors check these as well.
INHERITED = {
    "timeout": "float",
    "max_wait": "float",
    "soft_fail": "bool",
    "silent_fail": "bool",
    "never_fail": "bool",
    "exponential_backoff": "bool",
}


def operators() -> list[type]:
    """Every operator and sensor of the provider's metadata."""
    info = get_provider_info()
    names = [name for kind in ("operators", "sensors") for group in info[kind] for name in group["python-modules"]]
    modules = [importlib.import_module(name) for name in names]
    return [
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__ and hasattr(each, "template_fields")
    ]


def arguments(kind: str) -> list[Any]:
    """Every argument of an operator whose annotation names *kind*."""
    found = []
    for operator in operators():
        given = {name: str(each.annotation) for name, each in inspect.signature(operator.__init__).parameters.items()}
        given |= INHERITED if hasattr(operator, "poke") else {}
        found += [
            pytest.param(operator, name, id=f"{operator.__name__}-{name}")
            for name, annotation in given.items()
            if kind in annotation.split(" | ")
        ]
    return found


def create(operator: type, **given: Any) -> Any:
    parameters = inspect.signature(operator.__init__).parameters.values()
    needed = {each.name: "1234" for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty}
    return operator(task_id="task", **needed | given)


def is_templated(operator: Any, name: str) -> bool:
    return FIELDS.get(name, name) in operator.template_fields


@pytest.mark.parametrize(("operator", "name"), arguments("bool"))
def test_a_boolean_is_not_taken_from_any_text(operator: type, name: str):
    for wrong in ("maybe", "2", 2, 0.5):
        with pytest.raises(REFUSALS):
            create(operator, **{name: wrong})
    if is_templated(operator, name):
        assert getattr(create(operator, **{name: "{{ params.x }}"}), FIELDS.get(name, name)) == "{{ params.x }}"
    else:
        with pytest.raises(REFUSALS):
            create(operator, **{name: "{{ params.x }}"})
        if name != "start_from_trigger":  # which has other attributes
            assert getattr(create(operator, **{name: True}), name) is True
            try:
                read = getattr(create(operator, **{name: "False"}), name)
            except REFUSALS:
                return
            assert read is False


@pytest.mark.parametrize(("operator", "name"), [*arguments("int"), *arguments("float")])
def test_a_number_is_not_taken_from_any_text(operator: type, name: str):
    for wrong in ("many", "-1", -1, float("nan"), True):
        with pytest.raises(REFUSALS):
            create(operator, **{name: wrong})
    if is_templated(operator, name):
        assert getattr(create(operator, **{name: "{{ params.x }}"}), FIELDS.get(name, name)) == "{{ params.x }}"
        create(operator, **{name: "5"})
    else:
        with pytest.raises(REFUSALS):
            create(operator, **{name: "{{ params.x }}"})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True), ("True", True), ("true", True), (" TRUE ", True), ("1", True), (1, True), ("yes", True),
        (False, False), ("False", False), ("false", False), ("0", False), (0, False), ("no", False),
        (None, "default"), ("None", "default"), ("", "default"),
    ],
)  # fmt: skip
def test_a_boolean_is_read_from_its_text(value: Any, read: Any):
    assert read_boolean(value, "force", "default") == read


@pytest.mark.parametrize(("value", "read"), [(5, 5), ("5", 5), (" 5\n", 5), ("0", 0), (None, 7), ("", 7), ("None", 7)])
def test_a_number_is_read_from_its_text(value: Any, read: int):
    assert read_integer(value, "expect_min_records", 7) == read


@pytest.mark.parametrize("value", ["five", "5.5", "-5", True, "٥x", [5], 1e400])
def test_another_value_is_no_number(value: Any):
    with pytest.raises(errors.ConfigurationError, match="expect_min_records must be a whole number of at least 0, not"):
        read_integer(value, "expect_min_records", 0)


@pytest.mark.parametrize(
    ("value", "read"), [(timedelta(minutes=1), 60.0), (60, 60.0), ("60", 60.0), ("0.5", 0.5), (None, None)]
)
def test_seconds_are_read(value: Any, read: float | None):
    assert read_seconds(value, "max_age", None) == read


@pytest.mark.parametrize("value", ["soon", -1, "inf", "nan", True, timedelta(seconds=-1)])
def test_other_values_are_no_seconds(value: Any):
    with pytest.raises(errors.ConfigurationError, match="max_age must be a timedelta or a number of seconds"):
        read_seconds(value, "max_age", None)


# As rendered by Airflow


def rendered(world: World, native: bool, **arguments: Any) -> APScoresDownloadOperator:
    with DAG("rendered", schedule=None, render_template_as_native_obj=native):
        download = APScoresDownloadOperator(
            task_id="download", di_code="0901", destination=str(world.destination), **arguments
        )
    download.render_template_fields({"params": {"yes": True, "no": False, "few": 1, "many": 100}})
    return download


@pytest.mark.parametrize("native", [False, True])
def test_rendered_booleans_and_numbers_mean_what_they_say(world: World, native: bool):
    context: Any = {"ti": task_instance("download")}
    first = rendered(world, native, record="{{ params.no }}", expect_min_records="{{ params.few }}").execute(context)
    again = rendered(world, native, force="{{ params.no }}", record="{{ params.no }}").execute(context)
    forced = rendered(world, native, force="{{ params.yes }}", record="{{ params.yes }}").execute(context)

    assert first == again
    assert (first["recorded"], forced["recorded"]) == (False, True)
    assert forced["download_id"] != first["download_id"]


@pytest.mark.parametrize("native", [False, True])
def test_a_rendered_limit_is_a_number(world: World, native: bool):
    context: Any = {"ti": task_instance("download")}

    with fails_permanently(errors.ScoreFileMalformed, match="asks for at least 100"):
        rendered(world, native, expect_min_records="{{ params.many }}").execute(context)
    with fails_permanently(errors.FileTooLarge):
        rendered(world, native, max_bytes="{{ params.many }}").execute(context)


@pytest.mark.parametrize("name", ["record", "force", "expect_min_records", "max_bytes"])
def test_a_wrong_rendered_value_fails_before_anything_is_sent(world: World, name: str):
    download = rendered(world, False, **{name: "{{ 'perhaps' }}"})

    with fails_permanently(errors.ConfigurationError, match=f"{name} must be"):
        download.execute({"ti": task_instance("download")})

    assert world.sandbox.counts["order"] == 0


def test_the_result_of_another_task_is_read_when_the_task_runs():
    with DAG("results", schedule=None):

        @task
        def decide() -> bool:
            return True

        decided = decide()
        download = APScoresDownloadOperator(task_id="download", di_code="0901", destination="/srv/ap", force=decided)

    assert download.force is not True
    assert download.upstream_task_ids == {"decide"}


# do_xcom_push


def test_a_download_without_xcom_is_refused_when_the_dag_is_parsed():
    """
    The parse and record tasks behind it would be skipped, and the run green (apache/airflow#22954).
    """
    with pytest.raises(ValueError, match="needs do_xcom_push=True"):
        APScoresDownloadOperator(task_id="download", di_code="0901", destination="/srv/ap", do_xcom_push=False)
    with DAG("no_xcom", schedule=None, default_args={"do_xcom_push": False}):
        APScoresParseOperator(task_id="parse", source="/srv/ap/scores.txt", output="/srv/tables")
        with pytest.raises(ValueError, match="default_args"):
            APScoresDownloadOperator(task_id="download", di_code="0901", destination="/srv/ap")


def test_a_mapped_download_without_xcom_is_refused_when_the_dag_is_parsed():
    with DAG("mapped", schedule=None):
        with pytest.raises(ValueError, match="needs do_xcom_push=True"):
            APScoresDownloadOperator.partial(task_id="download", destination="/srv/ap", do_xcom_push=False)

        mapped = APScoresDownloadOperator.partial(task_id="download", destination="/srv/ap").expand(di_code=["0901"])

    assert mapped.task_id == "download"


@pytest.mark.parametrize("place", ["dag", "group"])
@pytest.mark.filterwarnings("ignore:.*never mapped")
def test_default_args_reach_a_mapped_download_as_well(place: str):
    off = {"do_xcom_push": False}
    with DAG("mapped", schedule=None, default_args=off if place == "dag" else {}):

        @task_group(default_args=off if place == "group" else {})
        def campuses() -> None:
            APScoresDownloadOperator.partial(task_id="on", destination="/srv/ap", do_xcom_push=True).expand(
                di_code=["0901"]
            )
            with pytest.raises(ValueError, match="default_args"):
                APScoresDownloadOperator.partial(task_id="off", destination="/srv/ap")

        campuses()

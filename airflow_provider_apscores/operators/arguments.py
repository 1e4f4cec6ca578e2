"""Read booleans and numbers that tasks get as arguments, also as text.

Templates render text, and in Python the text "False" is true. An argument that is a template field is checked when the
DAG is parsed, unless it is a template, and read when the task runs. All others are read when the DAG is parsed.

An empty value and None mean the default: templates render what is not set as these.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from airflow_provider_apscores.errors import ConfigurationError

T = TypeVar("T")

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_boolean(value: Any, argument: str, default: T) -> bool | T:
    """
    Return a boolean, of True and False or of their text.

    :param value: the value of the argument.
    :param argument: its name, for the error.
    :param default: what None and empty text mean.
    :raises ConfigurationError: it is something else.
    """
    text = _text(value)
    if not text:
        return default
    if text.lower() not in _BOOLEANS:
        raise ConfigurationError(f"{argument} must be True or False, not {value!r}.")
    return _BOOLEANS[text.lower()]


def read_integer(value: Any, argument: str, default: T, *, least: int = 0) -> int | T:
    """
    Return a whole number of at least *least*, of a number or its text. See :func:`read_boolean`.

    :raises ConfigurationError: it is something else.
    """
    text = _text(value)
    if not text:
        return default
    if isinstance(value, bool) or not text.isdecimal() or int(text) < least:
        raise ConfigurationError(f"{argument} must be a whole number of at least {least}, not {value!r}.")
    return int(text)


def read_seconds(value: Any, argument: str, default: T) -> float | T:
    """
    Return seconds, of a ``timedelta``, a number or its text. See :func:`read_boolean`.

    :raises ConfigurationError: it is something else, negative or infinite.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    text = _text(value)
    if not text:
        return default
    try:
        seconds = float("nan" if isinstance(value, bool) else text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{argument} must be a timedelta or a number of seconds, not {value!r}.")
    return seconds


def check_argument(read: Callable[..., Any], value: Any, argument: str, **limits: int) -> Any:
    """
    Return the value of a template field, checked as far as it is known when the DAG is parsed.

    :param read: the function that reads it when the task runs.
    :param value: the value; a template or the result of another task is returned unchecked.
    :param argument: its name, for the error.
    :param limits: further arguments of *read*.
    :raises ConfigurationError: the value is wrong.
    """
    is_template = isinstance(value, str) and ("{{" in value or "{%" in value)
    # The result of another task is neither text nor a number.
    if not is_template and (value is None or isinstance(value, str | int | float)):
        read(value, argument, None, **limits)
    return value


def _text(value: Any) -> str:
    text = str(value).strip()
    return "" if text == "None" else text

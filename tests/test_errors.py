"""The page of errors: its picture of the tree is the tree."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from airflow_provider_apscores import errors

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.APScoresError)]


def drawn_tree() -> dict[str, tuple[str | None, bool]]:
    """Name -> (parent, transient) as the module's docstring draws it."""
    tree: dict[str, tuple[str | None, bool]] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)( +transient:)?", line)
        if not match:
            continue
        depth = len(match[1])
        while path and path[-1][0] >= depth:
            path.pop()
        tree[match[2]] = (path[-1][1] if path else None, bool(match[3]))
        path.append((depth, match[2]))
    return tree


@pytest.mark.parametrize("kind", CLASSES)
def test_the_docstring_draws_the_tree_as_it_is(kind: type[errors.APScoresError]):
    parent = kind.__base__ if kind is not errors.APScoresError else None

    assert drawn_tree()[kind.__name__] == (parent and parent.__name__, kind.transient)


def test_nothing_is_drawn_that_is_not_there():
    assert drawn_tree().keys() == {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_survive_the_way_between_processes(kind: type[errors.APScoresError]):
    again = pickle.loads(pickle.dumps(kind("what to do")))

    assert (type(again), str(again), again.transient) == (kind, "what to do", kind.transient)


def test_the_time_that_a_service_asked_to_wait_survives_too():
    again = pickle.loads(pickle.dumps(errors.ServiceUnavailable("busy", retry_after=7)))

    assert again.retry_after == 7

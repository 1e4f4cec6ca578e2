"""The reference of the ``apscores`` command as Markdown, made from its parsers while the documentation is built."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from textwrap import dedent
from typing import Any

from airflow_provider_apscores import cli

#: Where the reference is inserted in docs/reference/cli.md.
MARK = "<!-- commands -->"


def add_commands(app: Any, docname: str, source: list[str]) -> None:
    """Insert the reference when Sphinx has read the page."""
    if docname == "reference/cli":
        source[0] = source[0].replace(MARK, "\n".join(reference()))


def reference() -> Iterator[str]:
    """Yield the lines of a section for each command."""
    for name, parser in parsers().items():
        module = import_module(f"airflow_provider_apscores.cli.{name}")
        yield from (f"## apscores {name}", "", _markdown((module.__doc__ or "").strip()), "")
        yield from ("| argument | meaning |", "|---|---|")
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction):
                yield f"| {_name(action)} | {_markdown(str(action.help))} |"
        yield from ("", "```shell", dedent(module.EXAMPLES).strip(), "```", "")


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = (each for each in cli.build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(action.choices)


def _markdown(text: str) -> str:
    """Return the text of a help as Markdown: with options as code, and no HTML."""
    return re.sub(r"(?<!\w)(--[a-z-]+|AIRFLOW_CONN_<\w+>)", r"`\1`", text).replace("|", r"\|")


def _name(action: argparse.Action) -> str:
    value = action.metavar or "/".join(action.choices or ()) or action.dest.upper()
    if not action.option_strings:
        return f"`{value}`" + (" ..." if action.nargs in ("+", "*") else "")
    return f"`{action.option_strings[0]}`" if action.nargs == 0 else f"`{action.option_strings[0]} {value}`"

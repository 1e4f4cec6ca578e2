"""The reference page, which is made from the parsers."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from airflow_provider_apscores.cli import COMMANDS, EXIT_CODES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "cli.md").read_text()


def test_every_command_and_option_is_on_the_page():
    spec = importlib.util.spec_from_file_location("cli_reference", DOCS / "cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = [PAGE]

    module.add_commands(None, "reference/cli", source)

    for name, parser in module.parsers().items():
        section = source[0].partition(f"\n## apscores {name}\n")[2].partition("\n## ")[0]
        assert COMMANDS.keys() >= {name}
        assert f"apscores {name}" in section.partition("```shell")[2]
        for action in parser._actions:
            assert [option for option in action.option_strings if option.startswith("--") and option != "--help"
                    and f"| `{option}" not in section] == []  # fmt: skip
    assert module.MARK not in source[0]


def test_the_exit_codes_are_on_the_page():
    assert re.findall(r"^\| ([0-9]+) \|", PAGE, re.MULTILINE) == re.findall(r"^  ([0-9]+) ", EXIT_CODES, re.MULTILINE)

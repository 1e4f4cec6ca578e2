"""Pages, docstrings, comments and messages use plain technical English: these words have a plainer replacement."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
#: Pattern -> what to write instead.
PLAINER = {
    r"whoever|somebody|nobody": "name who it is: a user, a client, no task",
    r"for good": "permanently",
    r"mend(s|ed|ing)?": "fix",
    r"of our own": "name it: a sandbox, a subclass",
    r"tidings": "lineage, event",
    r"missed looks?": "failed poll",
    r"killed (try|tries)": "interrupted attempt",
    r"half[- ]done": "interrupted",
    r"no more as new": "will not be sent as new again",
    r"the books": "the state",
    r"room [0-9]|rooms": "package",
    r"steer(s|ed|ing)?": "control",
    r"harmed": "damaged",
    r"patien(t|tly)": "with retries",
    r"landmarks?": "alignment",
}
FOLDERS = ("airflow_provider_apscores", "docs", "example_dags", "tests", "tools", "benchmarks", ".ci", ".github")
FILES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "pyproject.toml")


def texts() -> list[Path]:
    paths = [PROJECT / name for name in FILES]
    for folder in FOLDERS:
        paths += [path for path in (PROJECT / folder).rglob("*") if path.suffix in {".py", ".md", ".yml"}]
    return [path for path in paths if "_build" not in path.parts and path != Path(__file__)]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line of prose with its number: strings and comments of Python, all of other files."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)):
                yield from enumerate(token.string.splitlines(), token.start[0])


def test_prose_is_plain():
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {match[0]!r}; write: {plainer}"
        for path in texts()
        for number, line in prose(path)
        for pattern, plainer in PLAINER.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", line, re.IGNORECASE)
    ]

    assert found == []

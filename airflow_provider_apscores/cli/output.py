"""What commands print: tables, JSON, errors and progress. rich is imported on a terminal only."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

#: Called with the bytes that are done and the bytes in all.
Progress = Callable[[int, int], None]


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person reads this stream."""
    return stream is not None and stream.isatty()


def print_error(message: str, kind: str = "") -> None:
    """Print a message to standard error.

    Args:
        message: What is wrong and what to do.
        kind: The name of the exception, which docs/reference/errors.md explains.
    """
    if is_terminal(sys.stderr):
        from rich.console import Console
        from rich.text import Text

        text = Text.assemble((f"{kind}: " if kind else "", "bold red"), message)
        Console(stderr=True, soft_wrap=True).print(text)
    else:
        print(f"{kind}: {message}" if kind else message, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: numbers at the right, a dash for None. Long lines are not broken, so that paths can be copied.

    Args:
        header: The names of the columns.
        rows: Texts, numbers and None.
    """
    lines = list(rows)
    numeric = [
        any(isinstance(row[place], int) for row in lines) and all(isinstance(row[place], int | None) for row in lines)
        for place in range(len(header))
    ]
    cells = [list(header), *([_cell(each) for each in row] for row in lines)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    for row in cells:
        texts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        line = "  ".join(texts).rstrip()
        if row is cells[0] and is_terminal(sys.stdout):
            _print_bold(line)
        else:
            print(line)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _print_bold(line: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(soft_wrap=True).print(Text(line, "bold"))


def for_each(items: Sequence[str], action: Callable[[str], int]) -> int:
    """Do something with each item. An error is printed, and the other items are still done.

    Args:
        items: Files or campuses.
        action: Does one of them and returns its exit code.

    Returns:
        The highest exit code.
    """
    from airflow_provider_apscores.errors import APScoresError

    codes = []
    for item in items:
        try:
            codes.append(action(item))
        except APScoresError as error:
            print_error(f"{item}: {error}" if len(items) > 1 else str(error), type(error).__name__)
            codes.append(2)
    return max(codes, default=0)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show a progress bar while the block runs, on a terminal only.

    Args:
        title: What is being done, such as the name of a file.
    """
    if not is_terminal(sys.stderr):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, FileSizeColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), FileSizeColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)


def help_formatter() -> Any:
    """Return the formatter of ``--help``: colored on a terminal, plain elsewhere."""
    if not is_terminal(sys.stdout):
        return argparse.RawDescriptionHelpFormatter
    from rich_argparse import RawDescriptionRichHelpFormatter

    class Formatter(RawDescriptionRichHelpFormatter):
        # Brackets in our texts are brackets.
        text_markup = False
        help_markup = False

    return Formatter

"""The ``apscores`` command. ``airflow apscores`` is the same command, on Airflow 3.2 and later.

Each command is a module of this package with ``add_arguments(parser)``, ``run(given)``, which returns the exit code,
and ``EXAMPLES``, the end of its ``--help``. Only the module of the chosen command is imported. ``output.py`` prints
tables, JSON, errors and progress for all of them.

Exit codes are the same in every command: see :data:`EXIT_CODES`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

#: Name of each command, which is also its module, and what it does in one line.
COMMANDS = {
    "check": "log in with a connection, and say what is wrong",
    "pull": "order and store the score files of campuses",
    "parse": "convert score files to tables",
    "summary": "count what score files contain, without names",
    "credit": "say what each score is worth under a credit policy",
    "find": "find students by name; shown on a terminal only",
    "student": "write a report about students for print",
    "ledger": "show what was delivered, and what needs attention",
    "report": "write a page about deliveries, without names",
    "compact": "merge the many small files of tables",
    "purge": "delete old score files and their tables",
    "sql": "print the SQL of tables and current state for a database",
    "sandbox": "run a College Board look-alike with invented students",
}

EXIT_CODES = """\
exit codes:
  0    done; nothing needs attention
  1    done; there are findings that need attention
  2    not done: wrong arguments, or an error that the message explains
  130  interrupted by Ctrl-C"""


def main(arguments: Sequence[str] | None = None, *, prog: str = "apscores") -> int:
    """Run a command.

    Args:
        arguments: The command line without the program's name; that of this process by default.
        prog: The program's name in ``--help``.

    Returns:
        The exit code.

    Raises:
        SystemExit: ``--help``, ``--version``, or a wrong command line, as argparse ends.
    """
    from airflow_provider_apscores.cli.output import print_error
    from airflow_provider_apscores.errors import APScoresError

    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that can't show a letter must not stop a command.
            sys.stdout.reconfigure(errors="backslashreplace")
        chosen = [each for each in arguments if each in COMMANDS][:1]
        given = build_parser(chosen, prog=prog).parse_args(arguments)
        code: int = given.run(given)
        if sys.stdout:  # there is none if the process was started with a closed one
            sys.stdout.flush()
    except APScoresError as error:
        print_error(str(error), type(error).__name__)
        return 2
    except KeyboardInterrupt:
        print_error("Interrupted.")
        return 130
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        _drop_output()
        return 2
    except OSError as error:
        print_error(f"Can't use {error.filename or 'standard output'}: {error.strerror}.")
        _drop_output()
        return 2
    return code


def build_parser(commands: Iterable[str] = COMMANDS, *, prog: str = "apscores") -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        commands: The commands whose modules are imported for their arguments. The others get their line of help only.
        prog: The program's name in ``--help``.
    """
    from airflow_provider_apscores import __version__
    from airflow_provider_apscores.cli.output import help_formatter

    formatter = help_formatter()
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Work with the College Board's AP Higher Education score reports.",
        epilog=EXIT_CODES,
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"apscores {__version__}")
    choices = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        child = choices.add_parser(name, help=line, formatter_class=formatter)
        if name in commands:
            module = import_module(f"{__name__}.{name}")
            child.description = module.__doc__
            child.epilog = f"examples:\n{module.EXAMPLES.rstrip()}\n\n{EXIT_CODES}"
            module.add_arguments(child)
            child.set_defaults(run=module.run, parser=child)
    return parser


def _drop_output() -> None:
    """Send the rest of the output nowhere: Python writes it when it exits, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

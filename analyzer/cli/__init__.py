"""The command `tcpcap`: arguments in, text out. Everything else is in the stages."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from analyzer.cli import (
    captures,
    checksums,
    completion,
    counters,
    extract,
    follow,
    mcp,
    notebook,
    opinions,
    plot,
    record,
    rules,
    sql,
    tables,
)
from analyzer.cli.base import AS_JSON, UNREADABLE, Closed, cli, say
from analyzer.ending import status_of_signal, words_of_signal
from analyzer.errors import TcpcapError

__all__ = [
    "captures",
    "checksums",
    "cli",
    "completion",
    "counters",
    "extract",
    "follow",
    "main",
    "mcp",
    "notebook",
    "opinions",
    "plot",
    "record",
    "rules",
    "sql",
    "tables",
]


def _fail(message: str, status: int) -> NoReturn:
    say(f"tcpcap: {message}", err=True)
    sys.exit(status)


def _tell_programs(arguments: list[str], error: TcpcapError | str) -> None:
    """The error as an object on standard output, where JSON was asked for; people read the same on standard error."""
    if any(each in AS_JSON for each in arguments):
        from analyzer.report.json_text import TOLD, error_text

        if TOLD not in getattr(error, "__notes__", ()):
            say(error_text(error, UNREADABLE), nl=False)


def main(arguments: list[str] | None = None) -> Any:
    """Runs a command and turns errors into one line and an exit status."""
    if sys.stdout is None:
        sys.stdout = Closed()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return cli.main(arguments, prog_name="tcpcap", standalone_mode=False)
    except TcpcapError as error:
        from analyzer.text import printable, shown

        _tell_programs(words, error)
        _fail(printable(shown(str(error))), UNREADABLE)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        sys.exit(UNREADABLE)
    except click.ClickException as error:
        _tell_programs(words, error.format_message())
        error.show()
        sys.exit(UNREADABLE)
    except (KeyboardInterrupt, click.Abort):
        _fail(words_of_signal(), status_of_signal())
    except MemoryError as error:
        _fail(
            f"not enough memory ({error or 'no more is given'}); follow fewer connections at a time (--max-flows), "
            "or raise the limit (`ulimit -v`)",
            UNREADABLE,
        )
    except OSError as error:
        from analyzer.output import remedy

        _fail(f"{error.filename or 'output'}: cannot be written ({error.strerror}); {remedy(error)}", UNREADABLE)

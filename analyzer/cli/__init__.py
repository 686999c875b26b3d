"""The command `tcpcap`: arguments in, text out. Everything else is in the stages."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from analyzer.cli import captures, completion, counters, notebook, opinions, plot, record, rules
from analyzer.cli.base import UNREADABLE, cli
from analyzer.errors import TcpcapError

__all__ = ["captures", "cli", "completion", "counters", "main", "notebook", "opinions", "plot", "record", "rules"]


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"tcpcap: {message}", err=True)
    sys.exit(status)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: runs a command and turns errors into one line and an exit status."""
    try:
        return cli.main(arguments, prog_name="tcpcap", standalone_mode=False)
    except TcpcapError as error:
        from analyzer.text import printable

        _fail(printable(str(error)), UNREADABLE)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(UNREADABLE)
    except click.ClickException as error:
        error.show()
        sys.exit(UNREADABLE)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except OSError as error:
        from analyzer.output import remedy

        _fail(f"{error.filename or 'output'}: cannot be written ({error.strerror}); {remedy(error)}", UNREADABLE)

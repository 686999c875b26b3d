"""The man page, from the texts of the commands: `python .github/site/man.py > .github/tcpcap.1`. A test compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

import click  # noqa: E402
from pages import every_command  # noqa: E402

from analyzer.cli import cli  # noqa: E402
from analyzer.cli.base import CONTEXT  # noqa: E402
from analyzer.cli.examples import examples  # noqa: E402

SUMMARY = "says what happened in a packet capture, to whom, on which side, what it cost"


def man_page() -> str:
    """The whole page in roff."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH TCPCAP 1 "" "tcpcap {version("tcpcap")}" "User Commands"'
    yield from (".SH NAME", f"tcpcap \\- {_roff(SUMMARY)}")
    yield from (".SH SYNOPSIS", ".B tcpcap", ".I COMMAND", "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cli.help or "")
    yield ".SH COMMANDS"
    for name, command in sorted(every_command(cli, ())):
        # As the command line makes it: click keeps the names of the help option from the first context that a command had.
        context = click.Context(command, info_name=f"tcpcap {name}", **CONTEXT)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f".SS tcpcap {_roff(name)} {_roff(usage)}"
        yield from _paragraphs(command.help or "")
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and record[1]:
                yield from (".TP", f"\\fB{_roff(record[0])}\\fR", _roff(record[1]))
        if found := examples(f"tcpcap {name}"):
            yield from (".PP", "Examples:", ".PP", ".nf", ".RS", *map(_roff, found), ".RE", ".fi")
    yield from (".SH SEE ALSO", ".BR tcpdump (8),", ".BR tshark (1),", ".BR nstat (8),", ".BR ss (8)")


def _paragraphs(text: str) -> Iterator[str]:
    """Help as click has it: paragraphs apart by empty lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        yield _roff(" ".join(paragraph.replace("\b", "").split()))


def _roff(text: str) -> str:
    """Text as roff takes it: nothing in it is a request, and a hyphen that is typed stays one."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    sys.stdout.write(man_page())

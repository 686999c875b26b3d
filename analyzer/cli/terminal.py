"""Whom a command talks to: how wide their terminal is, and whether it shows colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

COLOURS = ("auto", "always", "never")
COLOUR, QUIET = "analyzer.cli.colour", "analyzer.cli.quiet"  # in click's Context.meta
STYLES: dict[str, dict[str, Any]] = {
    "answer": {"bold": True},
    "title": {"bold": True, "fg": "cyan"},
    "warning": {"fg": "yellow"},
    "error": {"fg": "red", "bold": True},
    "info": {"fg": "green"},
    "plain": {},
}


def is_terminal(stream: TextIO | None) -> bool:
    """Does somebody read it as it comes? None is a stream that the parent process has closed."""
    return stream is not None and stream.isatty()


def wants_colour(wish: str, environment: Mapping[str, str], terminal: bool) -> bool:
    """Is text to be coloured? First what --color says, then NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE, CLICOLOR; else on terminals that can."""
    if wish != "auto":
        return wish == "always"
    if environment.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if name in environment:
            return environment[name] not in ("0", "false")
    return terminal and environment.get("TERM") != "dumb" and environment.get("CLICOLOR") != "0"


def colour() -> bool:
    """The same for standard output of the command that runs."""
    context = click.get_current_context(silent=True)
    wish = context.meta.get(COLOUR, "auto") if context else "auto"
    return wants_colour(wish, os.environ, is_terminal(sys.stdout))


def quiet() -> bool:
    """Was -q given?"""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(QUIET))


def line_width() -> int:
    """Columns of the terminal (80 where it does not tell); no limit where the text goes into a pipe or a file."""
    from analyzer.report.layout import UNFOLDED, WIDTH

    if not is_terminal(sys.stdout):
        return UNFOLDED
    return shutil.get_terminal_size((WIDTH, 0)).columns


def styled(text: str, role: str) -> str:
    return click.style(text, **STYLES[role])

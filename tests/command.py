"""Runs `tcpcap`: in this process, which is quicker, or in one of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from analyzer.cli import main

COMMAND = [sys.executable, "-m", "analyzer"]
TIMEOUT_S = 120
# Whether the kernels must be compiled first is no business of these tests.
COMPILING = re.compile(r"(tcpcap: )?compiling the kernels.*\r?\n")
WITHOUT_COLOUR = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


class Ran(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, without wishes about colours."""
    return {name: value for name, value in os.environ.items() if name not in WITHOUT_COLOUR} | more


def run(
    *arguments: str | Path,
    stdin: bytes | BinaryIO | None = None,
    stdout: BinaryIO | None = None,
    cwd: Path | None = None,
    **variables: str,
) -> Ran:
    """Run the command to its end, in a process of its own; what goes to another file than a pipe is not in `out`."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin if isinstance(stdin, bytes) else None,
        stdin=None if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(**variables),
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ran(done.returncode, (done.stdout or b"").decode(), COMPILING.sub("", done.stderr.decode()))


def status_of(*arguments: str | Path) -> int:
    """The exit status of the command in this process."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return ended.code
    return 0


def run_here(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run the command in this process: quicker, where a process of its own could show nothing more."""
    status = status_of(*arguments)
    out, err = capsys.readouterr()
    return Ran(status, out, COMPILING.sub("", err))

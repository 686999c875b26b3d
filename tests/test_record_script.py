"""The functions of the script that records, run by dash with other programs in the place of those of this machine."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from analyzer.record.script import FILE

FUNCTIONS = FILE.read_text().partition('[ "$(uname -s)" = Linux ]')[0]


def in_the_script(words: str, path: Path | None = None) -> str:
    """What dash prints for these words behind the functions of the script; programs in `path` come before others."""
    first = f"PATH={shlex.quote(str(path))}:$PATH\n" if path else ""
    done = subprocess.run(
        ["dash", "-c", FUNCTIONS + first + words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("text", ["plain", 'a "quoted" \\tcp', "two\nlines\tand\x1b[31m", "-n", "%s", ""])
def test_json_of_the_script(text: str) -> None:
    """Whatever a filter or a host's name holds, it is told: what looks unfiltered would be judged as such."""
    told = in_the_script(f"comma=; printf '{{'; member filter {shlex.quote(text)}; printf '}}'")
    assert json.loads(told) == {"filter": "".join(char if char.isprintable() else " " for char in text)}


@pytest.mark.parametrize(
    ("prints", "times"),
    [
        ("1763660000.123456789", "1763660000.12"),
        ("1763660000.%N", "1763660000"),
        ("1763660000.N", "1763660000"),
        ("1763660000.", "1763660000"),
        ("", "1763660000"),
    ],
)
def test_dates_without_fractions(prints: str, times: str, tmp_path: Path) -> None:
    """Not every date knows %N, and what it prints then differs; no digit is claimed that nobody told."""
    date = tmp_path / "date"
    date.write_text(f'#!/bin/sh\ncase $1 in *N) echo "{prints}" ;; *) echo 1763660000 ;; esac\n')
    date.chmod(0o755)
    assert in_the_script("now", tmp_path) == f"{times}\n"
    assert in_the_script("counters", tmp_path).partition("\n")[0] == times


def test_the_script_sees_that_its_program_is_gone(tmp_path: Path) -> None:
    """Also where that was killed, says nothing, and nobody has waited for it."""
    words = f"""
folder={tmp_path}; is_gone || echo 'not known yet'
sleep 60 & echo "pid $!" >"$folder/tcpdump.txt"; is_gone || echo runs
exec 9</proc/self/stat; kill -9 $!; until is_gone; do :; done; echo gone"""
    assert in_the_script(words) == "not known yet\nruns\ngone\n"


@pytest.mark.parametrize(
    ("every", "left", "slept"), [("3600", 7, "7\n"), ("0.5", 7, "0.5\n"), ("0.5", 0, "0.5\n1\n"), ("2.5", 2, "2\n")]
)
def test_the_script_ends_in_time(every: str, left: int, slept: str, tmp_path: Path) -> None:
    """It sleeps no longer than it has, and a second where its sleep knows no fractions."""
    sleep = tmp_path / "sleep"
    sleep.write_text(f"#!/bin/sh\necho $1\n{'' if left else 'case $1 in *.*) exit 1 ;; esac'}\n")
    sleep.chmod(0o755)
    words = f"every={every}; duration={left and 100}; began=$(($(uptime) - 100 + {left})); reason=; pause"
    assert in_the_script(words, tmp_path) == slept

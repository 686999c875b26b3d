"""tcpcap extract: frames cut out of a capture, with what is said of them as packet comments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from analyzer.cli import complete
from analyzer.cli.base import DAMAGED, OK, beside_options, choose_options, cli, jobs_option, read_by, say, warn


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@click.option("--finding", type=click.IntRange(min=1), metavar="N", help="The connections that this finding is about.")
@click.option(
    "--event",
    metavar="NAME",
    shell_complete=complete.events,
    help="Frames with this event, and those that it refers to.",
)
@click.option("--around", metavar="TIME", help="And all else that was captured so shortly before or after, such as 5s.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The pcapng file to write; `-` is standard output.")
@click.option(
    "--anonymize",
    is_flag=True,
    help="Replace addresses by pseudonyms, zero payload; checksums stay right. Needs the extra tcpcap[anonymize].",
)
@click.option("--key", metavar="FILE", help="Anonymise by the key in this file (32 bytes): captures then fit together.")
@choose_options()
@beside_options
@jobs_option
def extract(
    trace: tuple[str, ...],
    finding: int | None,
    event: str | None,
    around: str | None,
    output: str,
    anonymize: bool,
    key: str | None,
    chosen: dict[str, Any],
    beside: dict[str, Any],
    jobs: int | None,
) -> None:
    """Cut frames out into a pcapng file, with their events as packet comments that Wireshark shows.

    Verdicts are those of the whole capture. Pseudonyms keep common prefixes (Crypto-PAn); ports, times, numbers and lengths
    stay, so that tcpcap says the same of the file. Without --key nobody can find the addresses again.
    """
    from analyzer.extract import extract as cut_out
    from analyzer.output import Input, refuse_inputs
    from analyzer.report.progress import progress_shown
    from analyzer.text import plural

    refuse_inputs(output, [*read_by(trace, beside), *([Input(key)] if key else [])])  # before the capture is read
    with progress_shown() as update:
        done = cut_out(
            list(trace),
            output,
            finding=finding,
            event=event,
            around=around,
            anonymize=_key(key) if key else anonymize,
            progress=update,
            **chosen,
            **beside,
            jobs=jobs,
        )
    said = f"{done.frames:,} of {plural(done.of, 'frame')} written, with {plural(done.comments, 'comment')}"
    if done.emptied:
        said += f"; of {plural(done.emptied, 'frame')} not all headers could be kept (tunnels and link layers whose addresses are not known)"
    say(said, err=output == "-")
    warn(done.damages)
    sys.exit(DAMAGED if done.damages else OK)


def _key(path: str) -> bytes:
    """The key in a file."""
    from analyzer.errors import UsageError

    todo = "make one: head -c 32 /dev/urandom > FILE"
    try:
        found = Path(path).read_bytes()
    except OSError as error:
        raise UsageError("--key", f"{path} cannot be read ({error.strerror})", todo) from None
    if len(found) != 32:
        raise UsageError("--key", f"{path} has {len(found)} bytes", todo)
    return found

"""Second opinions: tcpcap show, tcpcap crosscheck."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli.base import DAMAGED, FOUND, OK, choose_options, cli, colour, json_option, say, styled, warn

if TYPE_CHECKING:
    from analyzer.capture import Damage


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@click.argument("frame", type=click.IntRange(min=1))
@click.option(
    "--wireshark/--no-wireshark", default=True, help="With Wireshark's dissection, through pyshark; or without."
)
@choose_options()
def show(trace: tuple[str, ...], frame: int, wireshark: bool, chosen: dict[str, Any]) -> None:
    """Print all that is known of one frame: its row, its events, Wireshark's dissection.

    Where a part of the capture is asked for, that is what the frame's events follow from.
    """
    from analyzer.choose import choice_of
    from analyzer.crosscheck.text import frame_lines

    damages: list[Damage] = []
    for line in frame_lines(list(trace), frame, styled, damages, choice_of(**chosen)):
        say(line, color=colour())
    if wireshark:
        for line in _dissected(trace, frame):
            say(line, color=colour())
    warn(damages)
    sys.exit(DAMAGED if damages else OK)


def _dissected(trace: tuple[str, ...], frame: int) -> list[str]:
    """Wireshark's view of the frame, or why there is none."""
    from analyzer.capture.places import capture_files
    from analyzer.crosscheck import dissection
    from analyzer.errors import TcpcapError
    from analyzer.text import printable

    files = [file for path in trace for file in capture_files(path)]
    if len(files) != 1:
        return ["", styled("Wireshark's dissection is of one file: name that alone", "warning")]
    try:
        lines = [printable(line) for line in dissection(files[0], frame)]
    except TcpcapError as error:
        return ["", styled(f"without Wireshark's dissection: {printable(str(error))}", "warning")]
    return ["", styled("Wireshark", "title"), *(f"  {line}" for line in lines)]


@cli.command()
@click.argument("trace")
@json_option
@choose_options()
@click.option(
    "--top", type=click.IntRange(min=0), help="How many differences as JSON; without, the first 1,000. All are counted."
)
def crosscheck(trace: str, as_json: bool, chosen: dict[str, Any], top: int | None) -> None:
    """Compare with tshark (labels, checksums, connections) and dpkt (headers), frame by frame.

    Says what differs, and who is right where that can be proved. Where a part of the capture is asked for, its frames are
    compared as they stand in the whole. Exit status 1 where a difference has no explanation, 3 where the capture is cut
    short or damaged.
    """
    from analyzer.capture.pipes import refuse_pipe
    from analyzer.capture.places import capture_files
    from analyzer.choose import choice_of
    from analyzer.crosscheck import crosscheck as compare
    from analyzer.crosscheck.text import crosscheck_lines

    refuse_pipe([trace], "crosscheck")
    choice = choice_of(**chosen)
    results = [compare(file, choice) for file in capture_files(trace)]
    damages = [damage for each in results for damage in each.damages]
    if as_json:
        say(json.dumps([each.as_dict(top) for each in results], indent=1))
    else:
        for number, found in enumerate(results):
            say("\n" * (number > 0) + "\n".join(crosscheck_lines(found, styled)), color=colour())
    warn(damages)
    sys.exit(DAMAGED if damages else FOUND if any(each.unexplained for each in results) else OK)

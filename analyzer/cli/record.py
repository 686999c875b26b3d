"""tcpcap record: a bundle from a live host."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from analyzer.cli.base import DAMAGED, OK, cli, say


@cli.command()
@click.option("-i", "--interface", required=True, metavar="NAME", help="Interface to capture on, such as eth0, or any.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder to make: the bundle.")
@click.option("--duration", metavar="TIME", help="Record so long, such as 60s; without, until Ctrl-C.")
@click.option("--every", default="1s", show_default=True, metavar="TIME", help="Time between two snapshots.")
@click.option("--filter", metavar="BPF", help="Capture only this, such as 'tcp port 443'.")
@click.option("--snaplen", type=click.IntRange(min=0), metavar="N", help="Keep N bytes of each frame; without, all.")
@click.option("--rotate", metavar="SIZE", help="Begin another capture file after so much, such as 100MB.")
@click.option("--ring", metavar="TIME", help="Keep only the last so much, such as 10m: disk use stays flat.")
@click.option("--until", metavar="'NAME>N'", help="End when this counter moves by more than N in a second.")
@click.option("--after", default="10s", show_default=True, metavar="TIME", help="How long to go on then.")
@click.option("--netns", metavar="NAME", help="Network namespace to record, as `ip netns` names it, or a path.")
@click.option(
    "--pid",
    type=click.IntRange(min=1),
    metavar="N",
    help="Record the network namespace of this process, such as a container's.",
)
@click.option("--name", metavar="TEXT", help="What to call the host; without, what it calls itself.")
@click.option(
    "--buffer",
    default="64MB",
    show_default=True,
    metavar="SIZE",
    help="Room in the kernel for frames that wait to be written.",
)
@click.option(
    "--with",
    "program",
    type=click.Choice(["tcpdump", "dumpcap"]),
    help="Which program captures; without, the first that is there.",
)
@click.option("--pack", is_flag=True, help="Make one file of the folder at the end: DIR.tar.zst.")
@click.option(
    "--script", is_flag=True, help="Print a shell script that does this on hosts without Python, and record nothing."
)
def record(script: bool, **options: Any) -> None:
    """Record a bundle on this host: frames, kernel counters, sockets and settings, from the same moments.

    `tcpcap analyze DIR` reads it. It needs Linux, tcpdump (or dumpcap), iproute2, and root (or CAP_NET_RAW). Ctrl-C ends it
    well. Begun by `sudo` it becomes who called that as soon as frames are captured, and the folder is theirs alone; tcpdump becomes
    the user `tcpdump` where there is one, but with --rotate or --ring in a folder that was there before. What stays root: dumpcap, a shell that
    waits to end either, and the recorder where root itself began it, or who called sudo may not write to -o.

    The first snapshot is taken when frames are captured, the last one before they no longer are. Exit status 3: it
    ended before it should have (no room, the interface gone, the clock set back), or the folder could not be packed; what was
    recorded can be read.
    """
    from analyzer.record import plan

    planned = plan(**options)
    if script:
        from analyzer.record.script import script_of

        say(script_of(planned), nl=False)
        sys.exit(OK)
    from analyzer.record import record as run
    from analyzer.record.rights import caller
    from analyzer.record.words import recorded_text

    found = run(planned, lambda text: say(f"tcpcap: {text}", err=True), caller(os.environ))
    say(recorded_text(found), nl=False)
    sys.exit(DAMAGED if found.cut or found.unpacked else OK)

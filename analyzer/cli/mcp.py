"""tcpcap mcp: captures for assistants."""

from __future__ import annotations

import click

from analyzer.cli.base import cli


@cli.command()
@click.argument("folders", metavar="[DIR]...", nargs=-1)
def mcp(folders: tuple[str, ...]) -> None:
    """Let an assistant ask about the captures in DIR (Model Context Protocol).

    It speaks on standard input and output, as assistants start it. They can open captures, read findings, connections, frames and counters, follow a connection, and ask in SQL; all of it
    read-only, in these folders only (without one: the current folder), with answers of bounded size. It needs the extra
    tcpcap[mcp].
    """
    from analyzer.serve.server import server_of

    server_of(folders or (".",)).run("stdio")

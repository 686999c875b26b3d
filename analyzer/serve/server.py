"""The tools as an MCP server, by the official SDK (the extra tcpcap[mcp])."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from analyzer.errors import TcpcapError, UsageError
from analyzer.serve.captures import Captures
from analyzer.serve.tools import Tools

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

INSTRUCTIONS = """\
tcpcap reads packet captures, rebuilds TCP connections and proves its verdicts: `open` a capture, read its `findings` (worst cause
first, with the frames that prove each), follow one connection with `flow`, look at single `frames`, compare the kernel's
`counters` with what packets predict, and ask anything else in `sql`. Each of them can be asked about a `part` of the
capture alone: what a filter lets pass, some flows, a span of time, some frames. Captures that may be read lie in: {folders}"""


def server_of(folders: Sequence[str]) -> MCPServer[Any]:
    """A server for the captures in these folders. Raises TcpcapError where one is none, or the SDK is missing."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError:
        raise UsageError("mcp", "the MCP SDK (2 or newer) is not installed", "pip install 'tcpcap[mcp]'") from None

    captures = Captures(folders)

    @asynccontextmanager
    async def closing(_: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            captures.close()

    server: MCPServer[Any] = MCPServer(
        "tcpcap",
        lifespan=closing,
        instructions=INSTRUCTIONS.format(folders=", ".join(map(str, captures.folders))),
        version=version("tcpcap"),
        log_level="WARNING",
    )
    hints = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
    for tool in Tools(captures).all():
        server.add_tool(_telling(tool), annotations=hints)
    return server


def _telling(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The tool, whose errors the assistant can read."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def told(*arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            return tool(*arguments, **options)
        except TcpcapError as error:
            raise ToolError(str(error)) from None

    return told

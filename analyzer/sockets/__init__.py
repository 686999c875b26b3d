"""Lists of sockets in (ss, netstat, /proc/net/tcp, sockets.jsonl), rows out, joined to the conversations of a capture."""

from __future__ import annotations

from analyzer.sockets.batch import Batch
from analyzer.sockets.files import SocketFile
from analyzer.sockets.joined import FlowIndex
from analyzer.sockets.lists import ListFile, SocketLists, lists_in, lists_named
from analyzer.sockets.sockets import SocketsError
from analyzer.sockets.tally import Queue, Tally

__all__ = [
    "Batch",
    "FlowIndex",
    "ListFile",
    "Queue",
    "SocketFile",
    "SocketLists",
    "SocketsError",
    "Tally",
    "lists_in",
    "lists_named",
]

"""What every reader of socket lists makes: a socket as it was listed, before its words are read."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.errors import TcpcapError
from analyzer.sockets.endpoint import Endpoint
from analyzer.tables import NETIDS
from analyzer.tables import SOCKET_STATES as STATES

LISTEN = STATES.index("LISTEN")
NO_ACCEPT = tuple(map(NETIDS.index, ("udp", "raw", "udplite")))


class SocketsError(TcpcapError):
    """A file without sockets, or with those of another system."""


class Process(NamedTuple):
    """A process that holds a socket, its name as it was printed."""

    name: str
    pid: int
    fd: int | None = None
    tid: int | None = None
    context: str = ""


class Listed(NamedTuple):
    """A socket of a list.

    `state` is a place in STATES, `netid` one in NETIDS. `limited`: for a listener, is `send_q` the limit of its accept queue?
    `words` are those of ss behind the addresses, or what another list says in those words. `time_ns` is 0 where nothing
    tells the time; `snapshot` is the number of the list in its file.
    """

    netid: int
    state: int
    recv_q: int | None
    send_q: int | None
    local: Endpoint
    peer: Endpoint
    limited: bool
    words: str = ""
    processes: tuple[Process, ...] = ()
    time_ns: int = 0
    snapshot: int = 0
    version: int = 0
    probes: int | None = None

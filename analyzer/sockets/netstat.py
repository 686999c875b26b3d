"""A row of `netstat -antp` (net-tools, busybox) -> a socket; and the netstats of other systems, which are refused."""

from __future__ import annotations

from analyzer.patterns import regex
from analyzer.sockets.endpoint import endpoint_of
from analyzer.sockets.sockets import LISTEN, Listed, Process
from analyzer.sockets.ss import whole
from analyzer.tables import NETIDS
from analyzer.tables import SOCKET_STATES as STATES

ROW = regex(r"(tcp|udp|udplite|raw|sctp|dccp)(6?)\s+(\d+)\s+(\d+)\s+(\S+:[^\s:]+)\s+(\S+:[^\s:]+)(?:\s+(.*))?$")
BEGINNING = regex(r"(?:tcp|udp)6?\s+\d+\s+\d+(?:\s+\S+:[^\s:]+)?$")
"""A row that a mail program cut before the address of the peer."""
HEADER = regex(r"Proto\s+Recv-Q\s+Send-Q\s+Local Address\s+Foreign Address")
TITLE = regex(r"Active (?:Internet|UNIX domain) (?:connections|sockets)")
UNIX_ROW = regex(r"unix\s+\d+\s+\[|Proto\s+RefCnt\s+Flags")
_BEHIND = regex(
    r"(?:(?P<user>[^\s/]+)\s+(?P<inode>\d+)(?=\s|$)\s*)?(?P<program>-|\d+/.*?)?\s*"
    r"(?:(?P<timer>off|on|keepalive|timewait|probe|unkn-\d+)\s+\((?P<left>[\d.]+)/(?P<sent>\d+)/(?P<probes>\d+)(?:/\d+)?\))?$"
)
_STATES = {
    **{state.replace("-", "_"): code for code, state in enumerate(STATES) if state},
    "ESTABLISHED": STATES.index("ESTAB"),
    "FIN_WAIT1": STATES.index("FIN-WAIT-1"),
    "FIN_WAIT2": STATES.index("FIN-WAIT-2"),
    "CLOSE": STATES.index("UNCONN"),
    "CLOSED": STATES.index("UNCONN"),
}
_STATE = regex(r"([A-Z][A-Z_]+\d?|\d+)(?:\s+|$)")
_TIMERS = {"probe": "persist"}
_ADDRESS_WIDTH = 23
BSD = regex(
    r"(?:tcp|udp|icm)(?:4|46)\s+\d+\s+\d+\s|"
    r"(?:tcp|udp)6?\s+\d+\s+\d+\s+\S+\.(?:\d+|\*)\s+\S+\.(?:\d+|\*)(?:\s|$)|"
    r"Proto\s+Recv-Q\s+Send-Q\s+Local Address\s+Foreign Address\s+\(state\)"
)
WINDOWS = regex(r"(?:TCP|UDP)\s+(?:\S+:\d+\s+\S+:\d+\s+[^\W\d]\S+(?:\s+\d+)?|\S+:\d+\s+\*:\*(?:\s+\d+)?)$")
FOREIGN = (
    (BSD, "a netstat of macOS or BSD, not of Linux: there the port stands behind a dot (protocols tcp4, tcp46)"),
    (WINDOWS, "a netstat of Windows, not of Linux: it shows no queues"),
)
TODO = "take the list on the Linux host whose counters and packets these are, with `ss -tanimoeOH`"


class Rows:
    """Rows of netstat -> sockets. Remembers whether it prints whole addresses (-W), as one row that is longer shows."""

    def __init__(self) -> None:
        self._wide = False
        self.unknown_states = 0

    def listed(self, text: str, time_ns: int, snapshot: int) -> Listed | None:
        """The socket of a row, None for what is none."""
        found = ROW.match(text)
        if found is None:
            return None
        protocol, six, recv_q, send_q, local_text, peer_text, behind = found.groups()
        longest = max(len(local_text), len(peer_text))
        self._wide = self._wide or longest > _ADDRESS_WIDTH
        local, peer = (
            endpoint_of(end, cut=not self._wide and len(end) == _ADDRESS_WIDTH) for end in (local_text, peer_text)
        )
        if local is None or peer is None:
            return None
        state, behind = _state_in(protocol, behind or "")
        self.unknown_states += state == 0
        words, processes, probes = _behind(behind)
        return Listed(
            NETIDS.index(protocol),
            state,
            whole(recv_q),
            whole(send_q),
            local,
            peer,
            False,
            words,
            processes,
            time_ns,
            snapshot,
            6 if six else 0,
            probes,
        )


def _state_in(protocol: str, text: str) -> tuple[int, str]:
    """The state at the beginning of what stands behind the addresses, and the rest. UDP without one is not connected."""
    found = _STATE.match(text)
    if found and found[1] in _STATES:
        return _STATES[found[1]], text[found.end() :]
    if protocol != "tcp":
        # The state of a raw socket is its number.
        raw = found is not None and protocol == "raw"
        return STATES.index("UNCONN"), text[found.end() :] if found and raw else text
    return 0, text[found.end() :] if found and not found[1].isdigit() else text


def _behind(text: str) -> tuple[str, tuple[Process, ...], int | None]:
    """User, inode, program and timer: the words of ss that say the same, the process, and the probes sent."""
    found = _BEHIND.match(text)
    if found is None:
        return "", (), None
    words = []
    if found["inode"]:
        if found["user"].isdecimal():
            words.append(f"uid:{found['user']}")
        words.append(f"ino:{found['inode']}")
    probes = None
    timer = found["timer"]
    if timer and timer != "off":
        words.append(f"timer:({_TIMERS.get(timer, timer)},{found['left']}sec,{found['sent']})")
        probes = whole(found["probes"])
    processes: tuple[Process, ...] = ()
    program = found["program"]
    if program and program != "-":
        pid, _, name = program.partition("/")
        number = whole(pid)
        processes = (Process(name, number),) if number is not None else ()
    return " ".join(words), processes, probes


assert _STATES["LISTEN"] == LISTEN

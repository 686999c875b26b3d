"""A row of /proc/net/tcp, tcp6, udp or udp6 -> a socket. The words of addresses are in the order of the host's bytes."""

from __future__ import annotations

import re

from analyzer.patterns import regex
from analyzer.sockets.endpoint import Endpoint, address4_of, address_of
from analyzer.sockets.sockets import Listed
from analyzer.tables import NETIDS
from analyzer.tables import SOCKET_STATES as STATES

ROW = regex(
    r"\d+:\s+([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})\s+([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})\s+([0-9A-F]{2})\s+"
    r"([0-9A-F]{8}):([0-9A-F]{8})\s+([0-9A-F]{2}):([0-9A-F]{8})\s+([0-9A-F]{8})\s+(\d+)\s+\d+\s+(\d+)(?:\s+(.*))?$",
    re.IGNORECASE,
)
HEADER = regex(r"sl\s+local_address\s+(?:rem_address|remote_address)\s+st\s+tx_queue")
_TIMERS = ("", "on", "keepalive", "timewait", "persist")
_NEW_SYN_RECV = 12
_SYN_RECV = STATES.index("SYN-RECV")


def listed(text: str, time_ns: int, snapshot: int) -> Listed | None:
    """The socket of a row, None for what is none."""
    found = ROW.match(text)
    if found is None:
        return None
    local, local_port, peer, peer_port, state, tx, rx, timer, left, again, uid, inode, rest = found.groups()
    code = int(state, 16)
    code = _SYN_RECV if code == _NEW_SYN_RECV else code
    if not 0 < code < len(STATES):
        return None
    words = [f"uid:{uid}", f"ino:{inode}"]
    kind = int(timer, 16)
    if kind:
        hundredths = int(left, 16)
        name = _TIMERS[kind] if kind < len(_TIMERS) else "unknown"
        words.append(f"timer:({name},{hundredths // 100}.{hundredths % 100:02d}sec,{int(again, 16)})")
    return Listed(
        NETIDS.index("udp" if _is_udp(rest) else "tcp"),
        code,
        int(rx, 16),
        int(tx, 16),
        _endpoint(local, int(local_port, 16)),
        _endpoint(peer, int(peer_port, 16) or None),
        False,
        " ".join(words),
        time_ns=time_ns,
        snapshot=snapshot,
    )


def _is_udp(rest: str | None) -> bool:
    """Rows of UDP end with references, an address in the kernel, and drops; those of TCP have more there, or less."""
    return rest is not None and len(rest.split()) == 3


def _endpoint(words: str, port: int | None) -> Endpoint:
    packed = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    return address4_of(packed, port) if len(packed) == 4 else address_of(packed, port)

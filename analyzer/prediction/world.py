"""What the prediction keeps of the whole host: its settings, and pools of a fixed size of what it remembers for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from analyzer.prediction.closing.state import WAIT, WAITS
from analyzer.prediction.opening.state import PORT, PORTS
from analyzer.prediction.recovery.state import POOL, SEGMENT
from analyzer.prediction.validity.state import LINK, LINKS

SETTINGS = np.dtype(
    [
        # Of IPv4 and IPv6.
        ("forwards", "i1", (2,)),  # 1 it is a router, 0 it is none, -1 nobody knows
        ("reassembly_ns", "i8", (2,)),  # how long it waits for the fragments of a packet
        ("brief", "u1"),  # an orphan in FIN_WAIT_2 lives for 4 s at most, which another counter is for
        ("next_ns", "i8"),  # when the next of these times ends, 0 with none running
        ("passed_at", "i8"),  # where the next packet is remembered in each ring
        ("refused_at", "i8"),
        ("port", "u2"),  # to which the packet goes whose last fragment came now
    ],
    align=True,
)

# A packet that the host passed on: an ICMP error may take it back.
PASSED = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("proto", "u1"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("seq", "u4"),
        ("size", "i8"),  # 0 where there is none (any more)
    ],
    align=True,
)

# What the host has sent an ICMP error for: it would do so again, but these messages are limited.
REFUSED = np.dtype(
    [
        ("what", "u1"),
        ("hi", "u8"),
        ("lo", "u8"),
        ("number", "i8"),
    ],
    align=True,
)
NO_ROUTE, NO_PORT, NO_PROTOCOL, DIED = 1, 2, 3, 4

# A packet whose fragments the host collects.
FRAGMENTS = np.dtype(
    [
        ("six", "i1"),
        ("until_ns", "i8"),  # 0 where the entry is free
        ("frame", "i8"),  # of the fragment that came first
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("id", "u4"),
        ("proto", "u1"),
        ("icmp_type", "u1"),  # these two from its first fragment
        ("port", "u2"),
        # In units of 8 bytes.
        ("end", "i8"),  # how many it has, -1 while its last fragment is missing
        ("top", "i8"),  # up to where its fragments reach
        ("held", "i8"),  # how many are there
        ("units", "u1", (1024,)),  # a bit for each
    ],
    align=True,
)
SIZES = {"waits": WAITS, "passed": 64, "refused": 64, "fragments": 64, "segments": POOL, "links": LINKS, "ports": PORTS}
REASSEMBLY_S = {4: 30, 6: 60}  # IP_FRAG_TIME, IPV6_FRAG_TIMEOUT

FIN_TIMEOUT_S, BRIEF_S = 60, 4


class World(NamedTuple):
    """The state of the host: `settings` is one row, the others are pools."""

    settings: Any
    waits: Any
    passed: Any
    refused: Any
    fragments: Any
    segments: Any
    links: Any
    ports: Any


WORLD = World(SETTINGS, WAIT, PASSED, REFUSED, FRAGMENTS, SEGMENT, LINK, PORT)


def world_of(sysctls: Mapping[str, str]) -> World:
    """A host of which nothing was captured yet, with these settings below /proc/sys, as far as they are known."""
    settings = np.zeros(1, SETTINGS)
    names = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    settings["forwards"][0] = [_number(sysctls.get(name), -1) for name in names]
    names = ("net.ipv4.ipfrag_time", "net.ipv6.ip6frag_time")
    times = zip(names, REASSEMBLY_S.values(), strict=True)
    settings["reassembly_ns"][0] = [_number(sysctls.get(name), default) * 1_000_000_000 for name, default in times]
    settings["brief"] = _number(sysctls.get("net.ipv4.tcp_fin_timeout"), FIN_TIMEOUT_S) <= BRIEF_S
    pools = WORLD._asdict()
    return World(settings, **{name: np.zeros(size, pools[name]) for name, size in SIZES.items()})


def _number(text: str | None, default: int) -> int:
    """A setting that is a small number."""
    return min(int(text), 10**6) if text is not None and text.strip().isdigit() else default

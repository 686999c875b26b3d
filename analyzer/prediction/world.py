"""What the prediction keeps of the whole host: its settings, and pools of a fixed size of what it remembers for a while."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.prediction.arrival.state import RANGE, RANGES
from analyzer.prediction.closing.state import WAIT, WAITS
from analyzer.prediction.delivery.state import PIECE, PIECES
from analyzer.prediction.names import ICMP_TYPES, ICMPV6_TYPES, NUMBER
from analyzer.prediction.opening.state import PORT, PORTS
from analyzer.prediction.recovery.state import POOL, SEGMENT
from analyzer.prediction.state import WORDS
from analyzer.prediction.validity.state import LINK, LINKS
from analyzer.schema import Rows

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
        ("id", "u4"),
        ("ttl", "u1"),
        ("left", "u1"),  # it was seen as it left: 1 whole, 2 in fragments
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
NO_SLOT = -1

# What was asked of which more than the packets of one connection tell (`hangs`): a connection that an ICMP error quotes, whether
# super-segments are captured whole, fragments, packets that are passed on, what was refused by an ICMP error.
ON_QUOTED, ON_PIECES, ON_FRAGMENTS, ON_PASSED, ON_REFUSED = (1 << bit for bit in range(5))

# A timestamp request to the host.
ASKED = np.dtype([("hi", "u8"), ("lo", "u8"), ("rest", "u4"), ("open", "u1")], align=True)

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
BITS = -(-WORDS // 32)
REASSEMBLY_S = {4: 30, 6: 60}  # IP_FRAG_TIME, IPV6_FRAG_TIMEOUT

FIN_TIMEOUT_S, BRIEF_S = 60, 4
USUAL_COMPRESSED, USUAL_BASE_MSS = 44, 1024


# All of it is one row. The pools are of a fixed size.
WORLD = np.dtype(
    [
        # Of IPv4 and IPv6.
        ("forwards", "i1", (2,)),  # 1 it is a router, 0 it is none, -1 nobody knows
        ("six_off", "u1"),  # none of its interfaces takes IPv6
        ("reassembly_ns", "i8", (2,)),  # how long it waits for the fragments of a packet
        ("copies", "u1"),  # what was taken for captured twice the network has doubled, and the host has counted
        ("probes", "u1"),  # it sends tail loss probes
        ("no_frto", "u1"),  # it takes no timeout for needless (RFC 5682)
        ("dsack", "u1"),  # and reports duplicates
        ("compresses", "i8"),  # so many ACKs at most are held back for segments out of order
        ("brief", "u1"),  # an orphan in FIN_WAIT_2 lives for 4 s at most, which another counter is for
        ("next_ns", "i8"),  # when the next of these times ends, 0 with none running
        ("passed_at", "i8"),  # where the next packet is remembered in each ring
        ("refused_at", "i8"),
        ("asked_at", "i8"),
        ("port", "u2"),  # to which the packet goes whose last fragment came now
        (
            "base_mss",
            "i8",
        ),  # its segments are no larger at first, where it probes for the MTU from the beginning; else 0
        ("uncut", "u1"),  # its super-segments are captured whole
        ("hangs", "u1"),  # what of it hangs on more than one connection (ON_...)
        ("mtu", "i8"),  # of its links: a larger packet was captured merged, or before it was segmented
        # The counter of each ICMP type received, and sent; -1 without one.
        ("types4", "i4", (2, 256)),
        ("types6", "i4", (2, 256)),
        # Of the frame at hand, what its events say.
        ("joined", "u1"),  # it may be a piece of a super-segment that was cut before it was captured
        ("told", "u1"),  # any of the following
        ("timeout", "u1"),
        ("paws", "u1"),
        ("unread", "u1"),  # reset, for data that nobody has read
        ("reneged", "i8"),  # how often
        ("cause", "i8"),  # of a retransmission
        ("end_ns", "i8"),  # the latest time of a frame
        # Of the connections at hand.
        ("taken", "i8"),  # slots that are in use
        ("hand", "i8"),  # the one looked at last for one that may rest
        ("held", "i8"),  # one that may not rest now
        ("bits", "u4", (BITS,)),  # of the connection that is being folded: see rest_kernel
        ("tokens", "u1", (WORDS + 3,)),
        ("literals", "u4", (WORDS,)),
        ("known", "u1", (256,)),
        ("waits", WAIT, (WAITS,)),
        ("passed", PASSED, (64,)),
        ("refused", REFUSED, (64,)),
        ("asked", ASKED, (16,)),
        ("fragments", FRAGMENTS, (64,)),
        ("links", LINK, (LINKS,)),
        ("ports", PORT, (PORTS,)),
        ("segments", SEGMENT, (POOL,)),
        ("ranges", RANGE, (RANGES,)),
        ("pieces", PIECE, (PIECES,)),
    ],
    align=True,
)


FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
REASSEMBLY = ("net.ipv4.ipfrag_time", "net.ipv6.ip6frag_time")
FIN_TIMEOUT = "net.ipv4.tcp_fin_timeout"
PROBES, DSACK = "net.ipv4.tcp_early_retrans", "net.ipv4.tcp_dsack"
FRTO, COOKIES, SYN_BACKLOG = "net.ipv4.tcp_frto", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_syn_backlog"
MTU_PROBING, BASE_MSS = "net.ipv4.tcp_mtu_probing", "net.ipv4.tcp_base_mss"
COMPRESSED = "net.ipv4.tcp_comp_sack_nr"
HIGHEST = (
    dict.fromkeys(FORWARDING, 2)
    | dict.fromkeys((*REASSEMBLY, FIN_TIMEOUT), 10**6)
    | {PROBES: 4, DSACK: 1, FRTO: 255, COOKIES: 2, SYN_BACKLOG: 2**31 - 1, COMPRESSED: 255}
    | {MTU_PROBING: 2, BASE_MSS: 65535}
)
"""The settings that are read, and the highest value that makes sense for each; 2 is 1 that router advertisements leave alone."""


def world_of(mtu: int, sysctls: Mapping[str, str], *, copies: bool = False) -> Rows:
    """A host (WORLD, one row) of which nothing was captured yet, with these settings below /proc/sys, as far as they are known.

    What nobody writes to takes no memory.
    """
    world = np.zeros(1, WORLD)
    world["mtu"] = mtu
    world["types4"], world["types6"] = _types("Icmp", ICMP_TYPES), _types("Icmp6", ICMPV6_TYPES)
    forwards = (_setting(sysctls, name, -1) for name in FORWARDING)
    world["forwards"][0] = [min(value, 1) for value in forwards]
    times = zip(REASSEMBLY, REASSEMBLY_S.values(), strict=True)
    world["reassembly_ns"][0] = [_setting(sysctls, name, default) * 1_000_000_000 for name, default in times]
    world["brief"] = _setting(sysctls, FIN_TIMEOUT, FIN_TIMEOUT_S) <= BRIEF_S
    world["six_off"] = _has_no_ipv6(sysctls)
    world["probes"] = _setting(sysctls, PROBES, 3) >= 3
    world["dsack"] = _setting(sysctls, DSACK, 1)
    world["no_frto"] = _setting(sysctls, FRTO, 2) == 0
    if _setting(sysctls, COOKIES, 1) == 0:
        world["ports"]["no_cookies"] = 1
        world["ports"]["guarded"] = _setting(sysctls, SYN_BACKLOG, 0)
    if _setting(sysctls, MTU_PROBING, 0) == 2:
        world["base_mss"] = _setting(sysctls, BASE_MSS, USUAL_BASE_MSS)
    world["compresses"] = _setting(sysctls, COMPRESSED, USUAL_COMPRESSED)
    world["held"], world["copies"] = NO_SLOT, copies
    return world


def _has_no_ipv6(sysctls: Mapping[str, str]) -> bool:
    """Is IPv6 off on all interfaces but loopback?"""
    names = [name for name in sysctls if name.startswith("net.ipv6.conf.") and name.endswith(".disable_ipv6")]
    own = [name for name in names if name.split(".")[3] not in ("all", "default", "lo")]
    return bool(names) and all(sysctls[name].strip() == "1" for name in own or names)


def _types(group: str, names: dict[int, str]) -> npt.NDArray[np.int32]:
    """The counter of each ICMP type, received and sent; -1 without one."""
    found = np.full((2, 256), -1, np.int32)
    for number, name in names.items():
        found[0, number], found[1, number] = NUMBER[f"{group}In{name}"], NUMBER[f"{group}Out{name}"]
    return found


def unfit_settings(sysctls: Mapping[str, str]) -> list[str]:
    """The settings that are read and have values that they cannot have, a sentence each; they are passed over."""
    return [
        f"the setting {name} is {sysctls[name][:40]!r}, which it cannot be: passed over"
        for name in HIGHEST
        if name in sysctls and _value(sysctls, name) is None
    ]


def _setting(sysctls: Mapping[str, str], name: str, default: int) -> int:
    """A setting that is a small number; the default where it is not known."""
    value = _value(sysctls, name)
    return default if value is None else value


def _value(sysctls: Mapping[str, str], name: str) -> int | None:
    """What a setting is, None where it is not known, or cannot be that."""
    text = sysctls.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= HIGHEST[name] else None

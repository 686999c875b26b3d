"""The names of counters, as nstat prints them: which group a name is of, and which names are no counters at all."""

from __future__ import annotations

from functools import lru_cache

from analyzer.patterns import regex

GROUPS = (
    "Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite", "TcpExt", "IpExt", "MPTcpExt",
    "Ip6", "Icmp6", "Udp6", "UdpLite6",
)  # fmt: skip
"""The lines of /proc/net/snmp, netstat and snmp6, in the order in which people read them."""

NSTAT_OMITS = frozenset(
    ["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"]
)
"""Settings and gauges that nstat never prints: a text that holds one does not come from nstat."""

GAUGES = NSTAT_OMITS | {"MPTcpExtMPCurrEstab", "SctpCurrEstab"}
"""Names whose value goes up and down, or is a setting. Their difference says nothing."""

KNOWN_NAMES = 1 << 12  # that are asked about again, snapshot by snapshot

_GROUP = regex(rf"({'|'.join(sorted(GROUPS, key=len, reverse=True))})(?=[A-Z])")
_ONCE_MOVED = regex(r"(IcmpMsg|Icmp6)(?:In|Out)Type\d+")


@lru_cache(KNOWN_NAMES)
def group_of(name: str) -> str:
    """The group of a counter (`TcpExt` for TcpExtTCPTimeouts), empty where it is of none that is known."""
    found = _GROUP.match(name)
    return found[1] if found else ""


def rank_of(name: str) -> int:
    """Where the group of a counter stands among the others; unknown ones come last."""
    group = group_of(name)
    return GROUPS.index(group) if group else len(GROUPS)


@lru_cache(KNOWN_NAMES)
def listed_once_moved(name: str) -> str:
    """For counters that the kernel lists only when they are not zero (ICMP types): one that it lists beside them."""
    found = _ONCE_MOVED.fullmatch(name)
    return {"IcmpMsg": "IcmpInMsgs", "Icmp6": "Icmp6InMsgs"}[found[1]] if found else ""

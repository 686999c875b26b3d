"""Texts that people take for counters of the network stack and that are something else: what each is, and what to take instead."""

from __future__ import annotations

import re

INSTEAD = "record `nstat -az` (or cat /proc/net/snmp /proc/net/netstat) before and after, each with the time"
_RATES = f"rates, and rounded: they tell no exact change; {INSTEAD}"
_BSD = "of another system: only the counters of Linux are known here; take them on the Linux host at the other end"

_KINDS: tuple[tuple[str, str, str], ...] = (
    # What it is, how it begins or what is in it, and what to do.
    ("BusyBox's netstat, which has no -s", r"^BusyBox v|^netstat: (?:unrecognized|invalid) option", INSTEAD),
    ("`netstat -s` of Windows", r"^\s*(?:IPv4 Statistics|TCP Statistics for IPv[46]|ICMPv4 Statistics|.*IPv4-Statistik)", _BSD),
    ("`netstat -s` of macOS", r"^(?:tcp|mptcp|ip):\n(?s:.*)(?:^mptcp:|^kevt:|^kctl:|link-layer|LRO|received ack.s. with)", _BSD),
    ("`netstat -s` of FreeBSD", r"^(?:tcp|udp|ip|icmp|igmp|ip6|arp):\n\t", _BSD),
    ("`netstat -s` of Solaris", r"^\s*TCP\s+tcpRtoAlgorithm\s*=", _BSD),
    ("sysstat's sadf", r'"sysstat"\s*:|^# hostname;interval;timestamp', f"it holds {_RATES}"),
    ("sysstat's sar", r"^Linux \S+ \(\S+\)\s.*\(\d+ CPU\)|\b(?:retrans|iseg|active|atmptf)/s\b", f"it holds {_RATES}"),
    ("of Performance Co-Pilot", r"\bnetwork\.(?:tcp|ip|udp|icmp|softnet|sockstat)\.\w+", f"pmrep prints {_RATES}"),
    ("netdata's", r'^"?time"?,"?(?:[A-Z]\w+|\w+)"?(?:,"?\w+"?)*\n"?\d{4}-\d\d-\d\d \d\d:|"view_update_every"', f"netdata keeps {_RATES}"),
    ("telegraf's net: names in small letters, without TcpExt", r"^net,\S+ \w+=", "take telegraf's inputs.nstat; or " + INSTEAD),
    ("softnet_stat: what each CPU took from the cards", r"^(?:[0-9a-f]{8} ){8,}[0-9a-f]{8}\s*$", INSTEAD),
    ("sockstat: how many sockets there are now", r"^(?:sockets: used \d+|TCP6?: inuse \d+)", INSTEAD),
    ("`ethtool -S`: counters of the network card", r"^\s*NIC statistics:", INSTEAD),
    ("counters of interfaces", r"^Inter-\|\s+Receive|^\d+: \S+: <[A-Z,_]+>.* mtu |^Kernel Interface table|^\w+: flags=\d+<", INSTEAD),
    ("`tc -s`: counters of queues", r"^qdisc \w+ ", INSTEAD),
    ("`conntrack -S`: counters of connection tracking", r"^cpu=\d+\s+(?:found|searched|invalid)=|^entries\s+(?:clashres|searched)", INSTEAD),
    ("a list of sockets", r"^(?:State|Netid|Proto)\s+\S*\s*Recv-Q|^\s*sl\s+local_address", INSTEAD),
    ("a packet capture", r"^(?:\ufffd\ufffd\ufffd\ufffd\x02\x00|M<\ufffd|\n\r\r\n)", "name it as TRACE, not with --snapshots"),
    ("PromQL's rate() or increase()", r'"resultType"\s*:(?s:.*)"result"\s*:\s*\[\s*\{\s*"metric"\s*:\s*\{(?!(?s:.*)"__name__")', f"it holds {_RATES}; or query the counters themselves"),
)  # fmt: skip


def other_kind(text: str) -> tuple[str, str] | None:
    """What a text without counters is, and what to do; None for what is not known here."""
    for what, pattern, todo in _KINDS:
        if re.search(pattern, text, re.MULTILINE):
            return f"this is {what}, not counters of Linux's TCP/IP", todo
    return None

"""What the kernel says of the network at a moment: its counters under nstat's names, and its settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.counters.names import NSTAT_OMITS

NET = Path("/proc/thread-self/net")  # of the namespace that the calling thread is in
SETTINGS = Path("/proc/sys/net")
TOGETHER_NS, ATTEMPTS = 1_000_000, 5  # what is read apart is of no one time: then it is read again
TABLES, PAIRS = ("snmp", "netstat"), "snmp6"
# All that decides what a kernel does with packets and counts; each belongs to the namespace, or to the machine.
_KEPT = (
    "core/*", "ipv4/icmp_*", "ipv4/ip_*", "ipv4/ipfrag_*", "ipv4/tcp_*", "ipv4/udp_*", "ipv4/conf/all/rp_filter",
    "ipv6/conf/all/disable_ipv6", "ipv6/conf/all/forwarding", "ipv6/icmp/*", "ipv6/ip6frag_*", "mptcp/enabled",
    "netfilter/nf_conntrack_count", "netfilter/nf_conntrack_max",
)  # fmt: skip
_SECRETS = ("key", "secret")


def steady_ns() -> int:
    """Nanoseconds by the clock that nobody sets, and that goes on while a machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Counted(NamedTuple):
    """All counters of a host at a time, since it started."""

    time_ns: int
    values: dict[str, int]


def counted() -> Counted:
    """The counters now. The time is that in the middle of reading them, which takes no longer than it may where others let it."""
    best_ns, time_ns, texts = 0, 0, [""]
    for _ in range(ATTEMPTS):
        start_ns, now_ns = time.perf_counter_ns(), time.time_ns()
        found = [_text(NET / name) for name in (*TABLES, PAIRS)]
        took_ns = time.perf_counter_ns() - start_ns
        if not best_ns or took_ns < best_ns:
            best_ns, time_ns, texts = took_ns, now_ns + took_ns // 2, found
        if took_ns <= TOGETHER_NS:
            break
    return Counted(time_ns, parse_tables(texts[0]) | parse_tables(texts[1]) | parse_pairs(texts[2]))


def parse_tables(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp or netstat, whose lines come in pairs of names and values, under nstat's names."""
    counters = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        prefix, _, columns = names.partition(":")
        for column, value in zip(columns.split(), values.partition(":")[2].split(), strict=True):
            counters[prefix + column] = int(value)
    return {name: value for name, value in counters.items() if name not in NSTAT_OMITS}


def parse_pairs(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp6, one name and value a line."""
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def settings() -> dict[str, str]:
    """The settings below /proc/sys/net that matter, as `sysctl` names them; numbers of one have a space between them."""
    return dict(sorted(_settings()))


def _settings() -> Iterator[tuple[str, str]]:
    for pattern in _KEPT:
        for file in SETTINGS.glob(pattern):
            if file.is_file() and not file.name.endswith(_SECRETS) and (text := _readable(file)) is not None:
                yield ".".join(("net", *file.relative_to(SETTINGS).parts)), " ".join(text.split())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:  # a kernel without IPv6 has no snmp6
        return ""


def _readable(file: Path) -> str | None:
    """None where it is not for this user, or can only be written."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None

"""All entries of the catalogue by name, and how a name that a person types finds its entry."""

from __future__ import annotations

import re
from collections import defaultdict
from difflib import get_close_matches
from functools import cache

from analyzer.catalogue import (
    icmp,
    icmp6,
    ip,
    ip6,
    ip6_octets,
    ip_ext,
    mptcp_data,
    mptcp_join,
    mptcp_open,
    mptcp_paths,
    tcp,
    tcp_aborts,
    tcp_acks,
    tcp_auth,
    tcp_congestion,
    tcp_fastopen,
    tcp_gone,
    tcp_handshake,
    tcp_misc,
    tcp_recovery,
    tcp_sack,
    tcp_timestamps,
    tcp_undo,
    tcp_window,
    udp,
)
from analyzer.catalogue.counter import OBSERVABILITY, Counter
from analyzer.counters.names import GROUPS, rank_of
from analyzer.counters.prose import TABLES
from analyzer.errors import UsageError
from analyzer.patterns import regex

_MODULES = (
    ip,
    ip_ext,
    icmp,
    tcp,
    udp,
    tcp_handshake,
    tcp_fastopen,
    tcp_recovery,
    tcp_undo,
    tcp_sack,
    tcp_congestion,
    tcp_acks,
    tcp_window,
    tcp_timestamps,
    tcp_aborts,
    tcp_auth,
    tcp_misc,
    tcp_gone,
    mptcp_open,
    mptcp_join,
    mptcp_paths,
    mptcp_data,
    ip6,
    ip6_octets,
    icmp6,
)

CATALOGUE: dict[str, Counter] = {
    counter.name: counter
    for counter in sorted(
        (counter for module in _MODULES for counter in module.COUNTERS), key=lambda counter: rank_of(counter.name)
    )
}
"""Every counter by the name that nstat prints, group by group; within a group, by family."""

_BY_TYPE = regex(r"(icmpmsg|icmp6)(in|out)type(0|[1-9]\d{0,2})", re.IGNORECASE)
_LOWER = {name.lower(): name for name in CATALOGUE}


def _by_short_name() -> dict[str, list[str]]:
    """Names in small letters without their group, and for TCP without the TCP that follows it: whose they may be."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, counter in CATALOGUE.items():
        short = counter.short.lower()
        found[short].append(name)
        if counter.group == "TcpExt" and short.startswith("tcp"):
            found[short.removeprefix("tcp")].append(name)
    return found


_SHORT = _by_short_name()


@cache
def _by_sentence() -> dict[str, list[str]]:
    """What `netstat -s` says, without numbers, and whose it may be."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for group, table in TABLES.items():
        for sentence, name in table.items():
            if group + name in CATALOGUE and not group.endswith("6"):
                found[_bare(sentence)].append(group + name)
    return found


ELSEWHERE = (
    (
        r"(softnet_?)?(time_?)?squeezed?|softnet(_?stat)?|(softnet_?)dropped|received_rps|flow_limit_count",
        "a column of /proc/net/softnet_stat, which counts what each CPU takes from the cards, before IP",
        "time_squeeze (the 3rd) rises where net.core.netdev_budget ends a round: harmless alone; read its 2nd column (dropped, "
        "net.core.netdev_max_backlog) and `ethtool -S`; in TCP/IP see IpInDiscards, TcpExtTCPBacklogDrop, TcpExtTCPRcvQDrop",
    ),
    (
        r"sockstat6?|inuse|orphans?|tw|alloc|mem|sockets[ _]used",
        "a value of /proc/net/sockstat, which says how many there are now",
        "read TcpExtTW and TcpExtTCPTimeWaitOverflow for tw, TcpExtTCPAbortOnMemory for orphan, "
        "TcpExtTCPMemoryPressures for mem (in pages), TcpCurrEstab for inuse",
    ),
)
"""What people look for among the counters and is none: a pattern, what it is, what to read instead."""


def _of_type(name: str) -> Counter | None:
    """The counter of an ICMP type, also of types that no entry was written for."""
    found = _BY_TYPE.fullmatch(name)
    if not found or int(found[3]) > 255:
        return None
    of_type = icmp.of_type if found[1].lower() == "icmpmsg" else icmp6.of_type
    return of_type(found[2].capitalize(), int(found[3]))


def find(name: str) -> Counter:
    """The entry of a counter: by nstat's name (TcpExtTCPDSACKRecv), or a short one (TCPDSACKRecv, dsackrecv); by an exporter's
    (node_netstat_TcpExt_TCPDSACKRecv), or by the sentence of `netstat -s` (DSACKs received).

    Where a short name is one of TcpExt and of another group, TcpExt's is meant.

    Raises
    ------
    UsageError
        No counter has this name, or several have it without their group.
    """
    wanted = name.strip().lower()
    if wanted in _LOWER:
        return CATALOGUE[_LOWER[wanted]]
    by_type = _of_type(wanted)
    if by_type:
        return by_type
    if candidates := _SHORT.get(wanted) or _said(wanted):
        of_tcp = [each for each in candidates if CATALOGUE[each].group == "TcpExt"]
        if len(candidates) == 1 or len(of_tcp) == 1:
            return CATALOGUE[(of_tcp or candidates)[0]]
        raise UsageError(name, "more than one counter has this name", f"say which: {', '.join(candidates)}")
    for pattern, what, instead in ELSEWHERE:
        if re.fullmatch(pattern, wanted):
            raise UsageError(name, what, instead)
    raise UsageError(name, "no such counter", _hint(wanted))


def _said(wanted: str) -> list[str]:
    """The counters that an exporter or a sentence of `netstat -s` means by these words, with numbers or without."""
    joined = wanted.removeprefix("node_netstat_").replace("_", "")
    if joined in _LOWER:
        return [_LOWER[joined]]
    sentence = re.sub(r"(?<!\S)[\d,.#]*\d[\d,.]*(?!\S)", "#", wanted).rstrip(". ")
    return list(dict.fromkeys(_by_sentence().get(_bare(sentence), [])))


def _bare(sentence: str) -> str:
    """A sentence without the place of its number, and without `in` or `out` before those of a histogram."""
    return " ".join(
        word for word in sentence.removeprefix("in ").removeprefix("out ").split() if word not in ("#", "#:")
    )


def _hint(wanted: str) -> str:
    """The counters whose names are like this one."""
    near = get_close_matches(wanted, [*_LOWER, *_SHORT], n=6, cutoff=0.6)
    names = list(dict.fromkeys(_LOWER.get(word) or _SHORT[word][0] for word in near))[:3]
    return f"did you mean {' or '.join(names)}?" if names else "tcpcap counters list shows all of them"


def _known(what: str, value: str, known: tuple[str, ...]) -> str:
    """`value` as it is spelled in `known`, whatever its case."""
    spelled = {word.lower(): word for word in known}
    if value.lower() not in spelled:
        near = get_close_matches(value.lower(), list(spelled), n=2, cutoff=0.5)
        words = [spelled[word] for word in near]
        todo = f"did you mean {' or '.join(words)}?" if words else f"known are: {', '.join(known)}"
        raise UsageError(value, f"no such {what}", todo)
    return spelled[value.lower()]


def group(name: str) -> tuple[Counter, ...]:
    """All counters of one line of /proc/net (`TcpExt`, `Udp6`), in any case.

    Raises
    ------
    UsageError
        There is no such group.
    """
    wanted = _known("group of counters", name, GROUPS)
    return tuple(counter for counter in CATALOGUE.values() if counter.group == wanted)


def list_rows(
    group: str | None = None, observability: str | None = None, word: str | None = None
) -> list[dict[str, str]]:
    """Name, group, unit, observability and first sentence of the meaning of the counters that fit.

    Parameters
    ----------
    group : a line of /proc/net, such as TcpExt
    observability : exact, bounded, inferred or unobservable
    word : what the name, the meaning or the advice must hold, in any case

    Raises
    ------
    UsageError
        The group or the observability is unknown.
    """
    of_group = _known("group of counters", group, GROUPS) if group else ""
    observable = _known("observability", observability, tuple(OBSERVABILITY)) if observability else ""
    needle = (word or "").lower()
    return [
        {
            "name": counter.name,
            "group": counter.group,
            "unit": counter.unit,
            "observability": counter.observability,
            "meaning": first_sentence(counter.meaning),
        }
        for counter in CATALOGUE.values()
        if (not of_group or counter.group == of_group)
        and (not observable or counter.observability == observable)
        and needle in f"{counter.name} {counter.meaning} {counter.points_at}".lower()
    ]


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    return re.split(r"(?<=\.) (?=[A-Z0-9])", text, maxsplit=1)[0]

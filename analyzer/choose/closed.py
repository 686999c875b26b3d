"""Filters of whoever may not use the network, nor much time: no name in them is looked up, and they are short.

libpcap asks name servers for each word that it does not know; so a question about a capture could carry to a stranger what was read in it.
"""

from __future__ import annotations

import ipaddress

from analyzer.errors import UsageError
from analyzer.patterns import regex

MOST = 1000  # characters: what libpcap makes of longer ones may take minutes
_WORD = regex(r"[^\s()\[\]!&|<>=+*/^%,]+")
_NUMBER = regex(r"(0x[0-9a-f]+|[0-9]+)(:(0x)?[0-9a-f]+)?|-|:")
_PART = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_DOTTED = regex(rf"{_PART}(\.{_PART}){{1,3}}")  # a net may have fewer than four parts
_MAC = regex(r"([0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}|[0-9a-f]{12}")
_SPAN = regex(r"([a-z][a-z0-9-]*|[0-9]+)-([a-z][a-z0-9-]*|[0-9]+)|[0-9]+-|-[0-9]+")
_LANGUAGE = """
    and or not host net mask port portrange src dst gateway proto protochain ether link tr fddi wlan ppp slip broadcast multicast less greater len
    ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet iso lat moprc mopdl stp ipx netbeui inbound outbound
    vlan mpls pppoed pppoes geneve vxlan ifname ifindex rnum rulenum reason on action ruleset rset srnr subrulenum type subtype dir direction
    addr1 addr2 addr3 addr4 ra ta tcpflags tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr
    icmptype icmpcode icmp6type icmp6code clnp esis isis es-is is-is l1 l2 iih lsp snp csnp psnp
    icmp-echoreply icmp-unreach icmp-sourcequench icmp-redirect icmp-echo icmp-routeradvert icmp-routersolicit icmp-timxceed icmp-paramprob
    icmp-tstamp icmp-tstampreply icmp-ireq icmp-ireqreply icmp-maskreq icmp-maskreply icmp6-destinationrunreach icmp6-packettoobig
    icmp6-timeexceeded icmp6-parameterproblem icmp6-echo icmp6-echoreply icmp6-multicastlistenerquery icmp6-multicastlistenerreportv1
    icmp6-multicastlistenerdone icmp6-routersolicit icmp6-routeradvert icmp6-neighborsolicit icmp6-neighboradvert icmp6-redirect
"""
KNOWN = frozenset(_LANGUAGE.split())
# Words that are names anywhere but behind these.
_BEHIND = {
    "type": frozenset(("mgt", "ctl", "data")),
    "dir": frozenset(("nods", "tods", "fromds", "dstods")),
    "direction": frozenset(("nods", "tods", "fromds", "dstods")),
    "proto": frozenset(("\\tcp", "\\udp", "\\icmp", "\\sctp", "\\ip", "\\ip6", "\\arp", "\\rarp")),
}
# Of ports, whose names stand in a file of this machine.
_SERVICES = """
    bgp domain ftp ftp-data http https imap imaps kerberos ldap ldaps mysql nfs ntp pop3 pop3s smtp snmp ssh submission sunrpc syslog telnet tftp
"""
SERVICES = frozenset(_SERVICES.split())
_PORTS, _JOINED = ("port", "portrange"), ("and", "or", "not")


def refuse_open(text: str) -> None:
    """Raise UsageError for a filter that is long, or has a word that may be the name of a host."""
    if len(text) > MOST:
        raise UsageError("filter", f"{len(text):,} characters", f"ask with no more than {MOST:,}")
    before, of_ports = "", False  # what is said of ports is said of what is joined to it, too: `port http or https`
    for word in _WORD.findall(text.lower()):
        is_port = of_ports and _is_port(word)
        if not (is_port or word in KNOWN or word in _BEHIND.get(before, ()) or _is_number(word)):
            raise UsageError("filter", f"{word!r}, which may be the name of a host", "give addresses: no name is looked up")  # fmt: skip
        of_ports = word in _PORTS or is_port or (of_ports and (word in _JOINED or _is_number(word)))
        before = word


def _is_port(word: str) -> bool:
    """A port, or two with a dash."""
    if span := _SPAN.fullmatch(word):
        return word in SERVICES or all(each is None or each.isdigit() or each in SERVICES for each in span.groups())
    return word in SERVICES


def _is_number(word: str) -> bool:
    """A number, or an address."""
    if _NUMBER.fullmatch(word) or _DOTTED.fullmatch(word) or _MAC.fullmatch(word):
        return True
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True

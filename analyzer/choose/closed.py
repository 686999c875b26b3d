"""Filters of whoever may not use the network, nor much time: no name in them is looked up, and they are short.

libpcap asks name servers for each word that it does not know; so a question about a capture could carry to a stranger what was read in it.
"""

from __future__ import annotations

import ipaddress

from analyzer.errors import UsageError
from analyzer.patterns import regex

MOST = 1000  # characters: what libpcap makes of longer ones may take minutes
_WORD = regex(r"[^\s()\[\]!&|<>=+*/^%,]+")
_NUMBER = regex(r"(0x[0-9a-f]+|[0-9.]+)(:(0x)?[0-9a-f]+)?|-|:")
_MAC = regex(r"([0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}|[0-9a-f]{12}")
_OF_ICMP = regex(r"icmp6?-[a-z]+")  # names of numbers
_SPAN = regex(r"([a-z][a-z0-9-]*|[0-9]+)-([a-z][a-z0-9-]*|[0-9]+)|[0-9]+-|-[0-9]+")
_LANGUAGE = """
    and or not host net mask port portrange src dst gateway proto protochain ether link tr fddi wlan ppp slip broadcast multicast less greater len
    ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet iso lat moprc mopdl stp ipx netbeui inbound outbound
    vlan mpls pppoed pppoes geneve vxlan ifname ifindex rnum rulenum reason on action ruleset rset srnr subrulenum type subtype dir direction
    addr1 addr2 addr3 addr4 ra ta mgt ctl data nods tods fromds dstods tcpflags tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr
    icmptype icmpcode icmp6type icmp6code clnp esis isis es-is is-is l1 l2 iih lsp snp csnp psnp
"""
KNOWN = frozenset(_LANGUAGE.split())
# Of ports, whose names stand in a file of this machine.
_SERVICES = """
    bgp domain ftp ftp-data http https imap imaps kerberos ldap ldaps mysql nfs ntp pop3 pop3s smtp snmp ssh submission sunrpc syslog telnet tftp
"""
SERVICES = frozenset(_SERVICES.split())


def refuse_open(text: str) -> None:
    """Raise UsageError for a filter that is long, or has a word that may be the name of a host."""
    if len(text) > MOST:
        raise UsageError("filter", f"{len(text):,} characters", f"ask with no more than {MOST:,}")
    for word in _WORD.findall(text.lower()):
        if not _is_known(word):
            raise UsageError("filter", f"{word!r}, which may be the name of a host", "give addresses: no name is looked up")  # fmt: skip


def _is_known(word: str) -> bool:
    if word in KNOWN or word in SERVICES or _NUMBER.fullmatch(word) or _MAC.fullmatch(word) or _OF_ICMP.fullmatch(word):
        return True
    if span := _SPAN.fullmatch(word):
        return all(each is None or each.isdigit() or each in SERVICES for each in span.groups())
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True

"""TcpExt: signed segments: TCP-AO (RFC 5925) and TCP MD5 (RFC 2385)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_MD5 = "tcp_inbound_hash(), tcp_inbound_md5_hash() in net/ipv4/tcp.c; RFC 2385"
_AO = "tcp_inbound_ao_hash() in net/ipv4/tcp_ao.c; RFC 5925 section 7.5"

COUNTERS = (
    Counter(
        "TcpExtTCPMD5NotFound",
        meaning="Segments dropped because they carry no MD5 option although a key is set for their sender.",
        unit="merged_segments",
        moves="At the receiver, before anything else of the connection is looked at; nothing answers.",
        points_at="A BGP peer without a key, or one that restarted without it.",
        since="2.6.20",
        reference=_MD5,
        observability="bounded",
        why="At most the received segments without MD5 option that get no answer; which keys are set is a setting.",
    ),
    Counter(
        "TcpExtTCPMD5Unexpected",
        meaning="Segments dropped because they carry an MD5 option although no key is set for their sender.",
        unit="merged_segments",
        moves="At the receiver, before anything else of the connection is looked at; nothing answers.",
        points_at="A BGP peer with a key that this host does not have.",
        since="2.6.20",
        reference=_MD5,
        observability="bounded",
        why="At most the received segments with MD5 option that get no answer; which keys are set is a setting.",
    ),
    Counter(
        "TcpExtTCPMD5Failure",
        meaning="Segments dropped because their MD5 signature is wrong.",
        unit="merged_segments",
        moves="At the receiver, before anything else of the connection is looked at; nothing answers.",
        points_at="Different keys at both ends, or a NAT between them: the addresses are signed.",
        since="4.9",
        reference=_MD5,
        observability="bounded",
        why="At most the received segments with MD5 option that get no answer; without the key nobody can check.",
    ),
    Counter(
        "TcpExtTCPAORequired",
        meaning="Segments without TCP-AO option dropped, because a key is set for their sender or the socket asks for it.",
        unit="merged_segments",
        moves="At the receiver, before anything else of the connection is looked at; nothing answers.",
        points_at="A peer without TCP-AO, or one that restarted without its keys.",
        since="6.7",
        reference="tcp_ao_required() in include/net/tcp.h, tcp_inbound_hash() in net/ipv4/tcp.c; RFC 5925 section 7.5",
        observability="bounded",
        why="At most the received segments without the option that get no answer; which keys are set is a setting.",
    ),
    Counter(
        "TcpExtTCPAOBad",
        meaning="Segments dropped because their TCP-AO signature is wrong, or has the wrong length.",
        unit="merged_segments",
        moves="At the receiver, or at a listener whose request was signed otherwise; nothing answers.",
        points_at="Different keys at both ends, or a NAT between them: the addresses are signed.",
        since="6.7",
        reference=_AO,
        observability="bounded",
        why="At most the received segments with the option that get no answer; without the key nobody can check.",
    ),
    Counter(
        "TcpExtTCPAOKeyNotFound",
        meaning="Segments dropped because they name a TCP-AO key that this socket does not have.",
        unit="merged_segments",
        moves="At the receiver; nothing answers.",
        points_at="A change of keys that one end has not made yet: compare the key numbers in the option.",
        since="6.7",
        reference=_AO,
        observability="bounded",
        why="At most the received segments with the option that get no answer; the KeyID that changed is in them.",
    ),
    Counter(
        "TcpExtTCPAOGood",
        meaning="Segments whose TCP-AO signature is right.",
        unit="merged_segments",
        moves="At the receiver, for each segment of a signed connection.",
        points_at="TCP-AO in use, and working.",
        since="6.7",
        reference=_AO,
        observability="bounded",
        why="Above by the received segments with the option, below by those that had an effect.",
    ),
    Counter(
        "TcpExtTCPAODroppedIcmps",
        meaning="ICMP errors ignored because their connection is signed by TCP-AO and does not accept them.",
        unit="messages",
        moves="At the receiver in the synchronized states: IPv4 unreachables of code 2 to 4, IPv6 ones of code 1 and 4.",
        points_at="Forged ICMP, or a real MTU problem that the connection now cannot learn of.",
        since="6.7",
        reference="tcp_ao_ignore_icmp() in net/ipv4/tcp_ao.c; RFC 5925 section 7.8",
        observability="bounded",
        why="At most the received unreachables that quote a segment of a connection with the option.",
    ),
)

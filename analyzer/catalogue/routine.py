"""Counters that healthy traffic moves: that they moved is no news."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

from analyzer.catalogue.entries import CATALOGUE


def _names(prefixes: str, *parts: str) -> Iterator[str]:
    """All names that begin with one of the prefixes and go on with a word of each part."""
    for words in product(prefixes.split(), *(part.split() for part in parts)):
        yield "".join(words)


_WAYS = "In Out"
_ROUTINE = frozenset(
    chain(
        _names(
            "Ip Ip6",
            "Forwarding DefaultTTL InReceives InDelivers OutRequests OutTransmits ForwDatagrams OutForwDatagrams ReasmReqds ReasmOKs"
            " FragOKs FragCreates FragReqds",
        ),
        _names("Ip Ip6", _WAYS, "Pkts Octets McastPkts McastOctets BcastPkts BcastOctets"),
        _names("IpExt", _WAYS, "Octets McastPkts BcastPkts McastOctets BcastOctets"),
        _names("IpExtIn Ip6In", "NoECTPkts ECT0Pkts ECT1Pkts"),
        _names("Icmp Icmp6", _WAYS, "Msgs Echos EchoReps EchoReplies"),
        _names("IcmpMsg", _WAYS, "Type0 Type8"),
        _names("Icmp6", _WAYS, "Type", "128 129 130 131 132 133 134 135 136 137 143"),
        _names(
            "Icmp6",
            _WAYS,
            "RouterSolicits RouterAdvertisements NeighborSolicits NeighborAdvertisements MLDv2Reports GroupMembQueries GroupMembResponses"
            " GroupMembReductions",
        ),
        _names("Tcp", "ActiveOpens PassiveOpens CurrEstab InSegs OutSegs RtoAlgorithm RtoMin RtoMax MaxConn"),
        _names("Udp Udp6 UdpLite UdpLite6", "InDatagrams OutDatagrams"),
        _names(
            "TcpExt",
            "TW TWKilled DelayedACKs DelayedACKLocked TCPHPHits TCPPureAcks TCPHPAcks TCPOrigDataSent TCPDelivered TCPAutoCorking"
            " TCPRcvCoalesce TCPKeepAlive TCPFromZeroWindowAdv TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect"
            " TCPHystartDelayCwnd TCPSackMerged TCPSackShifted TCPSackShiftFallback TCPAckCompressed TCPBacklogCoalesce BusyPollRxPackets"
            " TCPMD5NotFound TCPSpuriousRtxHostQueues TCPWinProbe TCPFastOpenActive TCPFastOpenPassive TCPFastOpenCookieReqd"
            " TCPMigrateReqSuccess",
        ),
        _names("MPTcpExt", "MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCurrEstab"),
    )
)


def is_routine(name: str) -> bool:
    """Does healthy traffic move it, or is it a value that does not count at all?"""
    if "+" in name:  # a sum of two that packets cannot tell apart
        return all(map(is_routine, name.split("+")))
    entry = CATALOGUE.get(name)
    return name in _ROUTINE or (entry is not None and entry.unit == "gauge")

"""Counters that healthy traffic moves: that they moved is no news."""

from __future__ import annotations

from analyzer.catalogue.entries import CATALOGUE
from analyzer.patterns import regex

_ROUTINE = regex(
    r"""(?x)
    Ip6?(Forwarding|DefaultTTL|InReceives|InDelivers|OutRequests|OutTransmits|ForwDatagrams|OutForwDatagrams|ReasmReqds|ReasmOKs
        |FragOKs|FragCreates|FragReqds)
    | Ip6?(In|Out)(Mcast|Bcast)?(Pkts|Octets) | Ip6(In|Out)McastPkts | Ip6In(NoECT|ECT0|ECT1)Pkts
    | IpExt(In|Out)(Octets|McastPkts|BcastPkts|McastOctets|BcastOctets) | IpExtIn(NoECT|ECT0|ECT1)Pkts
    | Icmp6?(In|Out)(Msgs|Echos|EchoReps|EchoReplies) | IcmpMsg(In|Out)Type[08] | Icmp6(In|Out)Type1(28|29|3[0-7]|43)
    | Icmp6(In|Out)(RouterSolicits|RouterAdvertisements|NeighborSolicits|NeighborAdvertisements|MLDv2Reports|GroupMembQueries|GroupMembResponses|GroupMembReductions)
    | Tcp(ActiveOpens|PassiveOpens|CurrEstab|InSegs|OutSegs|RtoAlgorithm|RtoMin|RtoMax|MaxConn)
    | Udp(Lite)?6?(InDatagrams|OutDatagrams)
    | TcpExt(TW|TWKilled|DelayedACKs|DelayedACKLocked|TCPHPHits|TCPPureAcks|TCPHPAcks|TCPOrigDataSent|TCPDelivered|TCPAutoCorking
        |TCPRcvCoalesce|TCPKeepAlive|TCPFromZeroWindowAdv|TCPHystartTrainDetect|TCPHystartTrainCwnd|TCPHystartDelayDetect|TCPHystartDelayCwnd
        |TCPSackMerged|TCPSackShifted|TCPSackShiftFallback|TCPAckCompressed|TCPBacklogCoalesce|BusyPollRxPackets|TCPMD5NotFound|TCPSpuriousRtxHostQueues
        |TCPWinProbe|TCPFastOpenActive|TCPFastOpenPassive|TCPFastOpenCookieReqd|TCPMigrateReqSuccess)
    | MPTcpExt(MPCapableSYNRX|MPCapableSYNTX|MPCapableSYNACKRX|MPCapableACKRX|MPCurrEstab)
    """
)


def is_routine(name: str) -> bool:
    """Does healthy traffic move it, or is it a value that does not count at all?"""
    if "+" in name:  # a sum of two that packets cannot tell apart
        return all(map(is_routine, name.split("+")))
    entry = CATALOGUE.get(name)
    return bool(_ROUTINE.fullmatch(name)) or (entry is not None and entry.unit == "gauge")

"""The counters that are predicted, numbered for the kernels. Each is added by the kernel of its family."""

from __future__ import annotations

ICMP_TYPES = {
    0: "EchoReps", 3: "DestUnreachs", 4: "SrcQuenchs", 5: "Redirects", 8: "Echos", 11: "TimeExcds", 12: "ParmProbs",
    13: "Timestamps", 14: "TimestampReps", 17: "AddrMasks", 18: "AddrMaskReps",
}  # fmt: skip
ICMPV6_TYPES = {
    1: "DestUnreachs", 2: "PktTooBigs", 3: "TimeExcds", 4: "ParmProblems", 128: "Echos", 129: "EchoReplies",
    130: "GroupMembQueries", 131: "GroupMembResponses", 132: "GroupMembReductions", 133: "RouterSolicits",
    134: "RouterAdvertisements", 135: "NeighborSolicits", 136: "NeighborAdvertisements", 137: "Redirects",
    143: "MLDv2Reports",
}  # fmt: skip

_IP = (
    "InReceives", "InHdrErrors", "InDelivers", "OutRequests", "OutTransmits", "ReasmReqds", "ReasmOKs", "FragOKs",
    "FragCreates", "InAddrErrors", "InUnknownProtos", "ForwDatagrams", "FragFails", "ReasmFails", "ReasmTimeout",
)  # fmt: skip
_IP_EXT = (
    "InOctets", "OutOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "InMcastPkts", "OutMcastPkts",
    "InMcastOctets", "OutMcastOctets", "InBcastPkts", "OutBcastPkts", "InBcastOctets", "OutBcastOctets", "InCsumErrors",
    "InNoRoutes", "InTruncatedPkts", "ReasmOverlaps",
)  # fmt: skip
_IP6 = (
    "InReceives", "InDelivers", "OutRequests", "OutTransmits", "ReasmReqds", "ReasmOKs", "FragOKs", "FragCreates",
    "InOctets", "OutOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "InMcastPkts", "OutMcastPkts",
    "InMcastOctets", "OutMcastOctets", "InHdrErrors", "InAddrErrors", "InNoRoutes", "InTooBigErrors", "InUnknownProtos",
    "InTruncatedPkts", "OutForwDatagrams", "FragFails", "ReasmFails", "ReasmTimeout",
)  # fmt: skip
_UDP = ("InDatagrams", "NoPorts", "InErrors", "OutDatagrams", "RcvbufErrors")
_TCP = (
    "ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "InSegs", "OutSegs", "RetransSegs", "InErrs", "OutRsts",
    "InCsumErrors",
)  # fmt: skip
_TCP_EXT = (
    "TCPSynRetrans", "TCPOrigDataSent", "TCPDSACKRecv", "TCPDSACKOfoRecv", "TCPDSACKOldSent", "TCPDSACKOfoSent",
    "TCPSACKReneging", "TCPSACKDiscard", "TCPToZeroWindowAdv", "TCPFromZeroWindowAdv", "TCPWinProbe", "TCPKeepAlive",
    "TCPTimeouts", "TCPFastRetrans", "TCPSlowStartRetrans",
)  # fmt: skip
VALIDITY = (
    "TCPChallengeACK", "TCPSYNChallenge", "PAWSActive", "PAWSEstab", "PAWSOldAck", "PAWSTimewait", "TSEcrRejected",
    "BeyondWindow", "TCPACKSkippedSynRecv", "TCPACKSkippedPAWS", "TCPACKSkippedSeq", "TCPACKSkippedFinWait2",
    "TCPACKSkippedTimeWait", "TCPACKSkippedChallenge", "EmbryonicRsts", "OutOfWindowIcmps", "LockDroppedIcmps",
    "TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure",
)  # fmt: skip
OPENING = (
    "ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent", "SyncookiesRecv",
    "SyncookiesFailed", "TCPFastOpenActive", "TCPFastOpenActiveFail", "TCPFastOpenPassive", "TCPFastOpenPassiveFail",
    "TCPFastOpenPassiveAltKey", "TCPFastOpenCookieReqd", "TCPFastOpenListenOverflow", "TCPFastOpenBlackhole",
    "TCPDeferAcceptDrop",
)  # fmt: skip
# What the state machine of the sender decides: loss, its repair, what is undone; and reordering.
RECOVERY = (
    "TCPSackRecovery", "TCPRenoRecovery", "TCPSackRecoveryFail", "TCPRenoRecoveryFail", "TCPLossFailures",
    "TCPSackFailures", "TCPRenoFailures", "TCPFullUndo", "TCPPartialUndo", "TCPDSACKUndo", "TCPLossUndo",
    "TCPSpuriousRTOs", "TCPLossProbes", "TCPLossProbeRecovery", "TCPLostRetransmit", "TCPSACKReorder", "TCPTSReorder",
    "TCPRenoReorder", "TCPDSACKIgnoredOld", "TCPDSACKIgnoredNoUndo", "TcpTimeoutRehash",
    "TcpDuplicateDataRehash", "TCPSackShifted", "TCPSackMerged", "TCPSackShiftFallback",
)  # fmt: skip

_CLOSING = (
    "TW", "TWKilled", "TWRecycled", "TCPAbortOnData", "TCPAbortOnClose", "TCPAbortOnTimeout", "TCPAbortOnLinger",
    "TCPAbortOnMemory",
)  # fmt: skip

_MPTCP = (
    "MPCapableSYNTX", "MPCapableSYNRX", "MPCapableSYNACKRX", "MPCapableACKRX", "MPCapableFallbackSYNACK",
    "MPCapableFallbackACK", "MPJoinSynTx", "MPJoinSynRx", "MPJoinSynAckRx", "MPJoinAckRx", "AddAddrTx", "AddAddr",
    "EchoAddTx", "EchoAdd", "MPFastcloseTx", "MPFastcloseRx", "MPRstTx", "MPRstRx",
)  # fmt: skip
# What data that arrives moves, and how it is answered.
_ARRIVAL = (
    "TCPOFOQueue", "TCPOFOMerge", "TCPOFODrop", "DelayedACKLost", "TCPZeroWindowDrop", "TCPRcvQDrop", "RcvPruned", "OfoPruned", "DelayedACKs",
    "DelayedACKLocked", "TCPAckCompressed", "TCPWantZeroWindowAdv", "TCPHPHits", "TCPRcvCoalesce",
    "TCPBacklogCoalesce", "PruneCalled", "TCPRcvCollapsed",
)  # fmt: skip
_DELIVERY = (
    "TCPDelivered", "TCPDeliveredCE", "TCPPureAcks", "TCPHPAcks", "TCPDSACKRecvSegs", "TCPDSACKIgnoredDubious",
)  # fmt: skip

# Of the end of slow start, packets tell little more than who may have come there; lists of sockets tell of some.
_HYSTART = ("TCPHystartTrainDetect", "TCPHystartDelayDetect"), ("TCPHystartTrainCwnd", "TCPHystartDelayCwnd")

PREDICTED: tuple[str, ...] = (
    *(f"Ip{name}" for name in _IP),
    *(f"IpExt{name}" for name in _IP_EXT),
    *(f"Ip6{name}" for name in _IP6),
    *(f"Icmp{name}" for name in ("InMsgs", "InErrors", "InCsumErrors", "OutMsgs")),
    *(f"Icmp{way}{name}" for way in ("In", "Out") for name in ICMP_TYPES.values()),
    *(f"Icmp6{name}" for name in ("InMsgs", "InErrors", "InCsumErrors", "OutMsgs")),
    *(f"Icmp6{way}{name}" for way in ("In", "Out") for name in ICMPV6_TYPES.values()),
    *(f"IcmpMsg{way}Type{number}" for way in ("In", "Out") for number in range(256)),
    *(f"Icmp6{way}Type{number}" for way in ("In", "Out") for number in range(256)),
    *(f"{udp}{name}" for udp in ("Udp", "Udp6", "UdpLite", "UdpLite6") for name in _UDP),
    *(f"{udp}{name}" for udp in ("Udp", "Udp6") for name in ("InCsumErrors", "IgnoredMulti")),
    "IcmpOutRateLimitHost",
    "Icmp6OutRateLimitHost",
    *(f"Tcp{name}" for name in _TCP),
    *(f"TcpExt{name}" for name in _TCP_EXT),
    *(f"TcpExt{name}" for name in VALIDITY + OPENING + RECOVERY + _CLOSING + _ARRIVAL + _DELIVERY),
    "TcpExtTCPPureAcks+TcpExtTCPHPAcks",  # a sum of counters
    *(f"MPTcpExt{name}" for name in _MPTCP),
    *(f"TcpExt{name}" for pair in _HYSTART for name in pair),
    *("+".join(f"TcpExt{name}" for name in pair) for pair in _HYSTART),  # sums of counters
)
# What no packet shows, and another counter tells: by how much a count can be lower, and higher, for each step of that one.
_MERGED, _PRUNED = "TcpExtTCPBacklogCoalesce", "TcpExtPruneCalled"
_DEFERRED, _OVERFLOWS = "TcpExtTCPDeferAcceptDrop", "TcpExtListenOverflows"
_DELIVERED = (
    "IpInDelivers", "TcpInSegs", "IcmpInMsgs", "IcmpInEchos", "IcmpMsgInType8", "IpExtInMcastPkts", "IpExtInBcastPkts",
)  # fmt: skip
BY_OTHERS: dict[str, tuple[tuple[str, int, int], ...]] = {
    # ACKs that wait for the socket may be merged into one (tcp_add_backlog()).
    # A listener that waits for data drops the ACK that ends the handshake (TCP_DEFER_ACCEPT in tcp_check_req()).
    # One whose accept queue is full drops it, too, and data that follows may find room (tcp_v4_syn_recv_sock()).
    "TcpExtTCPPureAcks": ((_MERGED, 2, 1), (_DEFERRED, 1, 0), (_OVERFLOWS, 1, 0)),
    "TcpExtTCPHPAcks": ((_MERGED, 2, 1),),
    "TcpExtTCPPureAcks+TcpExtTCPHPAcks": ((_MERGED, 1, 0), (_DEFERRED, 1, 0), (_OVERFLOWS, 1, 0)),
    "TcpPassiveOpens": ((_DEFERRED, 1, 0),),
    # Its timer runs out all the same, and sends nothing (reqsk_timer_handler()), as often as a SYN-ACK would be sent again.
    "TcpExtTCPTimeouts": ((_DEFERRED, 0, 5),),
    # What the reverse path filter drops came to nobody (ip_rcv_finish_core()).
    **dict.fromkeys(_DELIVERED, (("TcpExtIPReversePathFilter", 1, 0),)),
    # A segment for which tcp_prune_queue() finds no room is dropped, in order or not (tcp_data_queue(), tcp_data_queue_ofo()).
    "TcpExtRcvPruned": ((_PRUNED, 0, 1),),
    "TcpExtTCPOFODrop": ((_PRUNED, 0, 1),),
    "TcpExtTCPOFOQueue": (("TcpExtTCPOFODrop", 1, 0),),
    # The window that is then closed for want of memory is not counted (ICSK_ACK_NOMEM in tcp_select_window()).
    "TcpExtTCPToZeroWindowAdv": ((_PRUNED, 1, 0),),
    # A socket for which there is no room in TIME_WAIT is counted there instead (tcp_time_wait()).
    "TcpExtTW": (("TcpExtTCPTimeWaitOverflow", 1, 0),),
}
# What a model of Linux's sender, receiver or listener decides, or of a conversation, not a packet alone.
_MODELLED = (
    "TCPTimeouts", "TCPFastRetrans", "TCPSlowStartRetrans", *RECOVERY,
    "TCPOFOMerge", "DelayedACKs", "TCPAckCompressed", "TCPWantZeroWindowAdv",
    "TCPACKSkippedSynRecv", "TCPACKSkippedPAWS", "TCPACKSkippedSeq", "TCPACKSkippedFinWait2", "TCPACKSkippedTimeWait",
    "TCPACKSkippedChallenge",
    "TCPReqQFullDrop", "TCPReqQFullDoCookies", "ListenOverflows", "ListenDrops", "TCPDeferAcceptDrop",
    "SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed",
)  # fmt: skip
INFERRED = frozenset(
    (
        *(f"TcpExt{name}" for name in _MODELLED),
        *(f"MPTcpExt{name}" for name in ("AddAddrTx", "AddAddr", "EchoAddTx", "EchoAdd")),
    )
)
NUMBER = {name: number for number, name in enumerate(PREDICTED)}

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
    "FragCreates",
)  # fmt: skip
_IP_EXT = (
    "InOctets", "OutOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "InMcastPkts", "OutMcastPkts",
    "InMcastOctets", "OutMcastOctets", "InBcastPkts", "OutBcastPkts", "InBcastOctets", "OutBcastOctets", "InCsumErrors",
)  # fmt: skip
_IP6 = (
    "InReceives", "InDelivers", "OutRequests", "OutTransmits", "ReasmReqds", "ReasmOKs", "FragOKs", "FragCreates",
    "InOctets", "OutOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "InMcastPkts", "OutMcastPkts",
    "InMcastOctets", "OutMcastOctets",
)  # fmt: skip
_UDP = ("InDatagrams", "NoPorts", "InErrors", "OutDatagrams", "InCsumErrors")
_TCP = (
    "ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "InSegs", "OutSegs", "RetransSegs", "InErrs", "OutRsts",
    "InCsumErrors",
)  # fmt: skip
_TCP_EXT = (
    "TCPSynRetrans", "TCPOrigDataSent", "TCPDSACKRecv", "TCPDSACKOfoRecv", "TCPDSACKOldSent", "TCPDSACKOfoSent",
    "TCPSACKReneging", "TCPSACKDiscard", "TCPToZeroWindowAdv", "TCPFromZeroWindowAdv", "TCPWinProbe", "TCPKeepAlive",
    "TCPChallengeACK", "TCPSYNChallenge", "PAWSEstab", "PAWSOldAck", "TCPTimeouts", "TCPFastRetrans", "TCPSlowStartRetrans",
)  # fmt: skip
_DELIVERY = (
    "TCPDelivered", "TCPDeliveredCE", "TCPPureAcks", "TCPHPAcks", "TCPDSACKRecvSegs", "TCPDSACKIgnoredDubious",
    "TCPDSACKIgnoredOld", "TCPDSACKIgnoredNoUndo",
)  # fmt: skip

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
    *(f"Udp{name}" for name in _UDP),
    *(f"Udp6{name}" for name in _UDP),
    *(f"Tcp{name}" for name in _TCP),
    *(f"TcpExt{name}" for name in _TCP_EXT),
    *(f"TcpExt{name}" for name in _DELIVERY),
    "TcpExtTCPPureAcks+TcpExtTCPHPAcks",  # a sum of counters
)
# ACKs that wait for the socket may be merged into one (tcp_add_backlog()), and only the kernel says how many were: by how much
# a count can then be lower, and higher, for each.
MERGED = "TcpExtTCPBacklogCoalesce"
BY_MERGING = {
    "TcpExtTCPPureAcks": (2, 1),
    "TcpExtTCPHPAcks": (2, 1),
    "TcpExtTCPPureAcks+TcpExtTCPHPAcks": (1, 0),
}
# What a model of Linux's sender decides, not a packet alone.
INFERRED = frozenset(f"TcpExt{name}" for name in ("TCPTimeouts", "TCPFastRetrans", "TCPSlowStartRetrans"))
NUMBER = {name: number for number, name in enumerate(PREDICTED)}

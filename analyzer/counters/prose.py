"""What `netstat -s` says in English, as names. The sentences of one group are unlike each other, not those of two.

A number is `#` here. net-tools printed some sentences in other words before version 2; both stand here. Where it knows
no sentence it prints the name itself (`TCPTimeouts: 3`), and so do newer versions for many names whose sentence stands
here: their tables are searched as if they were sorted.
"""

from __future__ import annotations

from analyzer.patterns import regex

_NUMBER = regex(r"(?<!\S)[+-]?\d+(?!\S)")
_PLAIN = regex(r"([A-Z]\w*): *(-?\d+)")

_SENTENCES = {
    "Ip": """
        Forwarding is #: Forwarding
        Default TTL is #: DefaultTTL
        # total packets received: InReceives
        # with invalid headers: InHdrErrors
        # with invalid addresses: InAddrErrors
        # forwarded: ForwDatagrams
        # with unknown protocol: InUnknownProtos
        # incoming packets discarded: InDiscards
        # incoming packets delivered: InDelivers
        # requests sent out: OutRequests
        # outgoing packets dropped: OutDiscards
        # dropped because of missing route: OutNoRoutes
        # fragments dropped after timeout: ReasmTimeout
        # reassemblies required: ReasmReqds
        # packets reassembled ok: ReasmOKs
        # packet reassemblies failed: ReasmFails
        # packet reassembles failed: ReasmFails
        # outgoing packets fragmented ok: FragOKs
        # fragments received ok: FragOKs
        # outgoing packets failed fragmentation: FragFails
        # fragments failed: FragFails
        # fragments created: FragCreates
    """,
    "Ip6": """
        # with packets too big: InTooBigErrors
        # incoming packets with no route: InNoRoutes
        # with truncated packets: InTruncatedPkts
        # forwarded: OutForwDatagrams
        # incoming multicast packets: InMcastPkts
        # outgoing multicast packets: OutMcastPkts
    """,
    "Icmp": """
        # ICMP messages received: InMsgs
        # input ICMP message failed: InErrors
        # ICMP messages sent: OutMsgs
        # ICMP messages failed: OutErrors
        in destination unreachable: #: InDestUnreachs
        in timeout in transit: #: InTimeExcds
        in wrong parameters: #: InParmProbs
        in source quenches: #: InSrcQuenchs
        in redirects: #: InRedirects
        in echo requests: #: InEchos
        in echo replies: #: InEchoReps
        in timestamp request: #: InTimestamps
        in timestamp reply: #: InTimestampReps
        in address mask request: #: InAddrMasks
        in address mask replies: #: InAddrMaskReps
        out destination unreachable: #: OutDestUnreachs
        out time exceeded: #: OutTimeExcds
        out wrong parameters: #: OutParmProbs
        out source quench: #: OutSrcQuenchs
        out redirect: #: OutRedirects
        out echo requests: #: OutEchos
        out echo request: #: OutEchos
        out echo replies: #: OutEchoReps
        out timestamp requests: #: OutTimestamps
        out timestamp replies: #: OutTimestampReps
        out address mask requests: #: OutAddrMasks
        out address mask replies: #: OutAddrMaskReps
    """,
    "Icmp6": """
        # ICMP messages received: InMsgs
        # input ICMP message failed: InErrors
        # ICMP messages sent: OutMsgs
        in destination unreachable: #: InDestUnreachs
        in packets too big: #: InPktTooBigs
        in received ICMPv6 time exceeded: #: InTimeExcds
        in parameter problem: #: InParmProblems
        in echo requests: #: InEchos
        in echo replies: #: InEchoReplies
        in group member queries: #: InGroupMembQueries
        in group member responses: #: InGroupMembResponses
        in group member reductions: #: InGroupMembReductions
        in router solicits: #: InRouterSolicits
        in router advertisement: #: InRouterAdvertisements
        in neighbour solicits: #: InNeighborSolicits
        in neighbour advertisement: #: InNeighborAdvertisements
        in redirects: #: InRedirects
        out destination unreachable: #: OutDestUnreachs
        out packets too big: #: OutPktTooBigs
        out sent ICMPv6 time exceeded: #: OutTimeExcds
        out parameter problem: #: OutParmProblems
        out echo requests: #: OutEchos
        out echo replies: #: OutEchoReplies
        out group member queries: #: OutGroupMembQueries
        out group member responses: #: OutGroupMembResponses
        out group member reductions: #: OutGroupMembReductions
        out router solicits: #: OutRouterSolicits
        out router advertisement: #: OutRouterAdvertisements
        out neighbor solicits: #: OutNeighborSolicits
        out neighbor advertisements: #: OutNeighborAdvertisements
        out redirects: #: OutRedirects
    """,
    "Tcp": """
        # active connection openings: ActiveOpens
        # active connections openings: ActiveOpens
        # passive connection openings: PassiveOpens
        # failed connection attempts: AttemptFails
        # connection resets received: EstabResets
        # connections established: CurrEstab
        # segments received: InSegs
        # segments sent out: OutSegs
        # segments send out: OutSegs
        # segments retransmitted: RetransSegs
        # segments retransmited: RetransSegs
        # bad segments received: InErrs
        # resets sent: OutRsts
    """,
    "Udp": """
        # packets received: InDatagrams
        # packets to unknown port received: NoPorts
        # packet receive errors: InErrors
        # packets sent: OutDatagrams
        # receive buffer errors: RcvbufErrors
        # send buffer errors: SndbufErrors
        # packets with invalid checksum: InCsumErrors
    """,
    "TcpExt": """
        # SYN cookies sent: SyncookiesSent
        # SYN cookies received: SyncookiesRecv
        # invalid SYN cookies received: SyncookiesFailed
        # resets received for embryonic SYN_RECV sockets: EmbryonicRsts
        # packets pruned from receive queue because of socket buffer overrun: PruneCalled
        # packets pruned from receive queue: RcvPruned
        # packets dropped from out-of-order queue because of socket buffer overrun: OfoPruned
        # ICMP packets dropped because they were out-of-window: OutOfWindowIcmps
        # ICMP packets dropped because socket was locked: LockDroppedIcmps
        # TCP sockets finished time wait in fast timer: TW
        # time wait sockets recycled by time stamp: TWRecycled
        # TCP sockets finished time wait in slow timer: TWKilled
        # passive connections rejected because of time stamp: PAWSPassive
        # active connections rejected because of time stamp: PAWSActive
        # packets rejected in established connections because of timestamp: PAWSEstab
        # packets rejects in established connections because of timestamp: PAWSEstab
        # packetes rejected in established connections because of timestamp: PAWSEstab
        # delayed acks sent: DelayedACKs
        # delayed acks further delayed because of locked socket: DelayedACKLocked
        Quick ack mode was activated # times: DelayedACKLost
        # times the listen queue of a socket overflowed: ListenOverflows
        # SYNs to LISTEN sockets dropped: ListenDrops
        # SYNs to LISTEN sockets ignored: ListenDrops
        # packets directly queued to recvmsg prequeue: TCPPrequeued
        # bytes directly in process context from backlog: TCPDirectCopyFromBacklog
        # packets directly received from backlog: TCPDirectCopyFromBacklog
        # bytes directly received in process context from prequeue: TCPDirectCopyFromPrequeue
        # packets directly received from prequeue: TCPDirectCopyFromPrequeue
        # packets dropped from prequeue: TCPPrequeueDropped
        # packet headers predicted: TCPHPHits
        # packets header predicted: TCPHPHits
        # packet headers predicted and directly queued to user: TCPHPHitsToUser
        # packets header predicted and directly queued to user: TCPHPHitsToUser
        Ran # times out of system memory during packet sending: SockMallocOOM
        # acknowledgments not containing data payload received: TCPPureAcks
        # acknowledgments not containing data received: TCPPureAcks
        # predicted acknowledgments: TCPHPAcks
        # times recovered from packet loss due to fast retransmit: TCPRenoRecovery
        # times recovered from packet loss by selective acknowledgements: TCPSackRecovery
        # times recovered from packet loss due to SACK data: TCPSackRecovery
        # bad SACK blocks received: TCPSACKReneging
        # bad SACKs received: TCPSACKReneging
        Detected reordering # times using FACK: TCPFACKReorder
        Detected reordering # times using SACK: TCPSACKReorder
        Detected reordering # times using reno fast retransmit: TCPRenoReorder
        Detected reordering # times using time stamp: TCPTSReorder
        # congestion windows fully recovered without slow start: TCPFullUndo
        # congestion windows fully recovered: TCPFullUndo
        # congestion windows partially recovered using Hoe heuristic: TCPPartialUndo
        # congestion windows recovered without slow start by DSACK: TCPDSACKUndo
        # congestion window recovered without slow start using DSACK: TCPDSACKUndo
        # congestion windows recovered without slow start after partial ack: TCPLossUndo
        # congestion windows recovered after partial ack: TCPLossUndo
        # TCP data loss events: TCPLoss
        # retransmits lost: TCPLostRetransmit
        # timeouts after reno fast retransmit: TCPRenoFailures
        # timeouts after SACK recovery: TCPSackFailures
        # timeouts in loss state: TCPLossFailures
        # fast retransmits: TCPFastRetrans
        # forward retransmits: TCPForwardRetrans
        # retransmits in slow start: TCPSlowStartRetrans
        # other TCP timeouts: TCPTimeouts
        # classic Reno fast retransmits failed: TCPRenoRecoveryFail
        # reno fast retransmits failed: TCPRenoRecoveryFail
        # SACK retransmits failed: TCPSackRecoveryFail
        # times receiver scheduled too late for direct processing: TCPSchedulerFailed
        # packets collapsed in receive queue due to low socket buffer: TCPRcvCollapsed
        # DSACKs sent for old packets: TCPDSACKOldSent
        # DSACKs sent for out of order packets: TCPDSACKOfoSent
        # DSACKs received: TCPDSACKRecv
        # DSACKs for out of order packets received: TCPDSACKOfoRecv
        # connections reset due to unexpected SYN: TCPAbortOnSyn
        # connections reset due to unexpected data: TCPAbortOnData
        # connections reset due to early user close: TCPAbortOnClose
        # connections aborted due to memory pressure: TCPAbortOnMemory
        # connections aborted due to timeout: TCPAbortOnTimeout
        # connections aborted after user close in linger timeout: TCPAbortOnLinger
        # times unable to send RST due to no memory: TCPAbortFailed
        TCP ran low on memory # times: TCPMemoryPressures
    """,
}


def _table(group: str) -> dict[str, str]:
    rows = (row.strip().rpartition(": ") for row in _SENTENCES[group].strip().splitlines())
    return {sentence.lower(): name for sentence, _, name in rows}


TABLES = {group: _table(group) for group in _SENTENCES}
"""By group: a sentence in lower case, with `in` or `out` before those of a histogram, and the name without its group."""
TABLES["Ip6"] = TABLES["Ip"] | TABLES["Ip6"]
TABLES["Udp6"] = TABLES["Udp"]


def direction_of(line: str) -> str:
    """`in` or `out` for the heading of a histogram of ICMP types."""
    return {"icmp input histogram:": "in", "icmp output histogram:": "out"}.get(line.strip().lower(), "")


def named(group: str, direction: str, line: str) -> tuple[str, str] | None:
    """The counter that a line below the heading `group` speaks of, and its value as text."""
    line = line.strip().rstrip(".")
    if found := _PLAIN.fullmatch(line):
        return (found[1] if group.endswith("6") and found[1].startswith(group) else group + found[1]), found[2]
    numbers = _NUMBER.findall(line)
    if len(numbers) != 1:
        return None
    sentence = _NUMBER.sub("#", line).lower()
    table = TABLES.get(group, {})
    name = table.get(sentence) or table.get(f"{direction} {sentence}", "")
    return (group + name, numbers[0]) if name else None

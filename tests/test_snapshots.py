"""Snapshots of counters: every form that Linux shows them in gives the same values, times, intervals; nothing breaks it."""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.counters import (
    GAUGES,
    GROUPS,
    Interval,
    Series,
    Snapshot,
    SnapshotError,
    deltas,
    diff,
    formats,
    group_of,
    lines,
    read_snapshots,
    reading,
    restarts,
    series_of,
)
from analyzer.counters import drafts as keeping
from analyzer.counters.dates import stamp_in_line
from analyzer.counters.formats import Reader
from analyzer.counters.prose import TABLES
from analyzer.counters.stamps import dated, stamp_in_name

SAMPLES = Path(__file__).parent.parent / "samples"
SECOND = 10**9
NOON = 1_795_262_400 * SECOND  # 2026-11-21 12:00:00 UTC

SNMP = """\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits
Ip: 2 64 12 0 0 0 0 0 12 12 0 0 0 0 0 0 0 0 0 12
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps
Icmp: 1 0 0 1 0 0 0 0 0 0 0 0 0 0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0
IcmpMsg: InType3 OutType3
IcmpMsg: 1 1
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 4 2 2 0 0 20 20 0 0 2 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 0 1 0 1 0 0 0 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
"""
"""/proc/net/snmp of a network namespace with two connections, two refused ones and two datagrams to a closed port."""
NETSTAT = """\
TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck PAWSTimewait DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPLostRetransmit TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge TCPChallengeACK TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv TCPWantZeroWindowAdv TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered TCPDeliveredCE TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs TCPDSACKIgnoredDubious TCPMigrateReqSuccess TCPMigrateReqFailure TCPPLBRehash TCPAORequired TCPAOBad TCPAOKeyNotFound TCPAOGood TCPAODroppedIcmps
TcpExt: 0 0 0 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
IpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps
IpExt: 0 0 0 0 0 0 30618 30618 0 0 0 0 0 12 0 0 0 0
MPTcpExt: MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCapableFallbackACK MPCapableFallbackSYNACK MPCapableSYNTXDrop MPCapableSYNTXDisabled MPCapableEndpAttempt MPFallbackTokenInit MPTCPRetrans MPJoinNoTokenFound MPJoinSynRx MPJoinSynBackupRx MPJoinSynAckRx MPJoinSynAckBackupRx MPJoinSynAckHMacFailure MPJoinAckRx MPJoinAckHMacFailure MPJoinRejected MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr DSSNotMatching DSSCorruptionFallback DSSCorruptionReset InfiniteMapTx InfiniteMapRx DSSNoMatchTCP DataCsumErr OFOQueueTail OFOQueue OFOMerge NoDSSInWindow DuplicateData AddAddr AddAddrTx AddAddrTxDrop EchoAdd EchoAddTx EchoAddTxDrop PortAdd AddAddrDrop MPJoinPortSynRx MPJoinPortSynAckRx MPJoinPortAckRx MismatchPortSynRx MismatchPortAckRx RmAddr RmAddrDrop RmAddrTx RmAddrTxDrop RmSubflow MPPrioTx MPPrioRx MPFailTx MPFailRx MPFastcloseTx MPFastcloseRx MPRstTx MPRstRx SubflowStale SubflowRecover SndWndShared RcvWndShared RcvWndConflictUpdate RcvWndConflict MPCurrEstab Blackhole MPCapableDataFallback MD5SigFallback DssFallback SimultConnectFallback FallbackFailed WinProbe
MPTcpExt: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
"""
"""/proc/net/netstat of the same moment."""
SNMP6 = """\
Ip6InReceives                   	12
Ip6InHdrErrors                  	0
Ip6InDelivers                   	12
Ip6OutRequests                  	12
Ip6InOctets                     	30878
Ip6OutOctets                    	30878
Ip6InNoECTPkts                  	12
Ip6InCEPkts                     	0
Ip6OutTransmits                 	12
Icmp6InMsgs                     	1
Icmp6InErrors                   	0
Icmp6OutMsgs                    	1
Icmp6InDestUnreachs             	1
Icmp6OutDestUnreachs            	1
Icmp6InType1                    	1
Icmp6OutType1                   	1
Udp6InDatagrams                 	0
Udp6NoPorts                     	1
Udp6OutDatagrams                	1
UdpLite6InDatagrams             	0
"""
"""/proc/net/snmp6 of the same moment, without most of its zeros."""
NSTAT = """\
#kernel
IpInReceives                    12                 0.0
IpInDelivers                    12                 0.0
IpOutRequests                   12                 0.0
IpOutTransmits                  12                 0.0
IcmpInMsgs                      1                  0.0
IcmpInDestUnreachs              1                  0.0
IcmpOutMsgs                     1                  0.0
IcmpOutDestUnreachs             1                  0.0
IcmpMsgInType3                  1                  0.0
IcmpMsgOutType3                 1                  0.0
TcpActiveOpens                  4                  0.0
TcpPassiveOpens                 2                  0.0
TcpAttemptFails                 2                  0.0
TcpInSegs                       20                 0.0
TcpOutSegs                      20                 0.0
TcpOutRsts                      2                  0.0
UdpNoPorts                      1                  0.0
UdpOutDatagrams                 1                  0.0
Ip6InReceives                   12                 0.0
Ip6InDelivers                   12                 0.0
Ip6OutRequests                  12                 0.0
Ip6InOctets                     30878              0.0
Ip6OutOctets                    30878              0.0
Ip6InNoECTPkts                  12                 0.0
Ip6OutTransmits                 12                 0.0
Icmp6InMsgs                     1                  0.0
Icmp6OutMsgs                    1                  0.0
Icmp6InDestUnreachs             1                  0.0
Icmp6OutDestUnreachs            1                  0.0
Icmp6InType1                    1                  0.0
Icmp6OutType1                   1                  0.0
Udp6NoPorts                     1                  0.0
Udp6OutDatagrams                1                  0.0
TcpExtTW                        2                  0.0
TcpExtTCPPureAcks               6                  0.0
TcpExtTCPOrigDataSent           6                  0.0
TcpExtTCPDelivered              8                  0.0
IpExtInOctets                   30618              0.0
IpExtOutOctets                  30618              0.0
IpExtInNoECTPkts                12                 0.0
"""
"""`nstat -as` over these files."""
NSTAT_JSON = """\
{"kernel":{"IpInReceives":12,"IpInDelivers":12,"IpOutRequests":12,"IpOutTransmits":12,"IcmpInMsgs":1,"IcmpInDestUnreachs":1,"IcmpOutMsgs":1,"IcmpOutDestUnreachs":1,"IcmpMsgInType3":1,"IcmpMsgOutType3":1,"TcpActiveOpens":4,"TcpPassiveOpens":2,"TcpAttemptFails":2,"TcpInSegs":20,"TcpOutSegs":20,"TcpOutRsts":2,"UdpNoPorts":1,"UdpOutDatagrams":1,"Ip6InReceives":12,"Ip6InDelivers":12,"Ip6OutRequests":12,"Ip6InOctets":30878,"Ip6OutOctets":30878,"Ip6InNoECTPkts":12,"Ip6OutTransmits":12,"Icmp6InMsgs":1,"Icmp6OutMsgs":1,"Icmp6InDestUnreachs":1,"Icmp6OutDestUnreachs":1,"Icmp6InType1":1,"Icmp6OutType1":1,"Udp6NoPorts":1,"Udp6OutDatagrams":1,"TcpExtTW":2,"TcpExtTCPPureAcks":6,"TcpExtTCPOrigDataSent":6,"TcpExtTCPDelivered":8,"IpExtInOctets":30618,"IpExtOutOctets":30618,"IpExtInNoECTPkts":12}}
"""
"""`nstat -asj` over these files."""
PROSE = """\
Ip:
    Forwarding: 2
    12 total packets received
    0 forwarded
    0 incoming packets discarded
    12 incoming packets delivered
    12 requests sent out
    OutTransmits: 12
Icmp:
    1 ICMP messages received
    0 input ICMP message failed
    ICMP input histogram:
        destination unreachable: 1
    1 ICMP messages sent
    0 ICMP messages failed
    ICMP output histogram:
        destination unreachable: 1
IcmpMsg:
        InType3: 1
        OutType3: 1
Tcp:
    4 active connection openings
    2 passive connection openings
    2 failed connection attempts
    0 connection resets received
    0 connections established
    20 segments received
    20 segments sent out
    0 segments retransmitted
    0 bad segments received
    2 resets sent
Udp:
    0 packets received
    1 packets to unknown port received
    0 packet receive errors
    1 packets sent
    0 receive buffer errors
    0 send buffer errors
UdpLite:
TcpExt:
    2 TCP sockets finished time wait in fast timer
    0 packet headers predicted
    6 acknowledgments not containing data payload received
    TCPOrigDataSent: 6
    TCPDelivered: 8
IpExt:
    InOctets: 30618
    OutOctets: 30618
    InNoECTPkts: 12
MPTcpExt:
"""
"""`netstat -s` over these files."""
PROSE6 = """\
Ip6:
    12 total packets received
    0 incoming packets discarded
    12 incoming packets delivered
    0 forwarded
    12 requests sent out
    Ip6InOctets: 30878
    Ip6OutOctets: 30878
    Ip6InNoECTPkts: 12
    Ip6OutTransmits: 12
Icmp6:
    1 ICMP messages received
    0 input ICMP message failed
    1 ICMP messages sent
    ICMP input histogram:
        destination unreachable: 1
        ICMP output histogram:
        destination unreachable: 1
        Icmp6InType1: 1
        Icmp6OutType1: 1
Udp6:
    0 packets received
    1 packets to unknown port received
    0 packet receive errors
    1 packets sent
UdpLite6:
Tcp:
    4 active connection openings
    2 passive connection openings
    2 failed connection attempts
    0 connection resets received
    0 connections established
    20 segments received
    20 segments sent out
    0 segments retransmitted
    0 bad segments received
    2 resets sent
"""
"""`netstat -s6` over these files."""
SENTENCES = """\
Ip:
    Forwarding: 101
    103 total packets received
    104 with invalid headers
    105 with invalid addresses
    106 forwarded
    107 with unknown protocol
    108 incoming packets discarded
    109 incoming packets delivered
    110 requests sent out
    111 outgoing packets dropped
    112 dropped because of missing route
    113 fragments dropped after timeout
    114 reassemblies required
    115 packets reassembled ok
    116 packet reassemblies failed
    117 outgoing packets fragmented ok
    118 outgoing packets failed fragmentation
    119 fragments created
    OutTransmits: 120
Icmp:
    121 ICMP messages received
    122 input ICMP message failed
    InCsumErrors: 123
    ICMP input histogram:
        destination unreachable: 124
        timeout in transit: 125
        wrong parameters: 126
        source quenches: 127
        redirects: 128
        echo requests: 129
        echo replies: 130
        timestamp request: 131
        timestamp reply: 132
        address mask request: 133
        address mask replies: 134
    135 ICMP messages sent
    136 ICMP messages failed
    OutRateLimitGlobal: 137
    OutRateLimitHost: 138
    ICMP output histogram:
        destination unreachable: 139
        time exceeded: 140
        wrong parameters: 141
        source quench: 142
        redirect: 143
        echo requests: 144
        echo replies: 145
        timestamp requests: 146
        timestamp replies: 147
        address mask requests: 148
        address mask replies: 149
TcpExt:
    186 SYN cookies sent
    187 SYN cookies received
    188 invalid SYN cookies received
    189 resets received for embryonic SYN_RECV sockets
    190 packets pruned from receive queue because of socket buffer overrun
    191 packets pruned from receive queue
    192 packets dropped from out-of-order queue because of socket buffer overrun
    193 ICMP packets dropped because they were out-of-window
    194 ICMP packets dropped because socket was locked
    196 TCP sockets finished time wait in fast timer
    197 time wait sockets recycled by time stamp
    199 active connections rejected because of time stamp
    200 packets rejected in established connections because of timestamp
    205 delayed acks sent
    206 delayed acks further delayed because of locked socket
    Quick ack mode was activated 207 times
    208 times the listen queue of a socket overflowed
    209 SYNs to LISTEN sockets dropped
    210 packet headers predicted
    211 acknowledgments not containing data payload received
    212 predicted acknowledgments
    213 times recovered from packet loss due to fast retransmit
    Detected reordering 216 times using SACK
    Detected reordering 217 times using reno fast retransmit
    Detected reordering 218 times using time stamp
    219 congestion windows fully recovered without slow start
    220 congestion windows partially recovered using Hoe heuristic
    222 congestion windows recovered without slow start after partial ack
    224 timeouts after reno fast retransmit
    226 timeouts in loss state
    227 fast retransmits
    228 retransmits in slow start
    234 packets collapsed in receive queue due to low socket buffer
    240 connections reset due to unexpected data
    241 connections reset due to early user close
    242 connections aborted due to memory pressure
    243 connections aborted due to timeout
    244 connections aborted after user close in linger timeout
    245 times unable to send RST due to no memory
    TCP ran low on memory 246 times
"""
"""`netstat -s` over files in which the counters are numbered from 101 on; names that it prints as names left out."""


def written(folder: Path, text: str | bytes, name: str = "snapshot") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(folder: Path, text: str | bytes, name: str = "snapshot", increments: bool | None = None) -> list[Snapshot]:
    return read_snapshots(written(folder, text, name), increments=increments)


def values_of(text: str) -> list[dict[str, int]]:
    """What the parser makes of a text, without a file."""
    reader = Reader("text")
    for number, line in enumerate(text.splitlines(), 1):
        reader.feed(number, line)
    return [draft.values for draft in reader.finish()]


def moved(values: dict[str, int]) -> dict[str, int]:
    """Without zeros and what nstat never prints."""
    return {name: value for name, value in values.items() if value and name not in GAUGES}


def absolute(seconds: int, values: dict[str, int], zeros: bool = True) -> Snapshot:
    return Snapshot(seconds * SECOND, SECOND, "line", values, "absolute", zeros, f"at {seconds}")


def increments(seconds: int, values: dict[str, int]) -> Snapshot:
    return Snapshot(seconds * SECOND, SECOND, "line", values, "increments", False, f"at {seconds}")


def intervals(*snapshots: Snapshot) -> list[Interval]:
    return deltas(Series("host", list(snapshots)))


def header(text: str, group: str) -> list[str]:
    """The names of a group, in the kernel's order."""
    found = re.search(rf"^{group}: ([A-Z].*)$", text, re.MULTILINE)
    assert found
    return [group + name for name in found[1].split()]


# forms


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NSTAT, "increments"),
        (NSTAT_JSON, "increments"),
        (json.dumps(json.loads(NSTAT_JSON), indent=4), "increments"),
        (SNMP + NETSTAT + SNMP6, "absolute"),
        (NETSTAT + SNMP6 + SNMP, "absolute"),
        (PROSE + PROSE6, "absolute"),
        ("".join(f"  {line}\n" for line in (PROSE + PROSE6).splitlines()), "absolute"),
        ("".join(f"    {line}\n" for line in (SNMP + NETSTAT + SNMP6).splitlines()), "absolute"),
        ("".join(f"/proc/net/snmp:{line}\n" for line in (SNMP + NETSTAT).splitlines()) + SNMP6, "absolute"),
        (f"==> /proc/net/snmp <==\n{SNMP}\n==> /proc/net/netstat <==\n{NETSTAT}\n{SNMP6}", "absolute"),
        (NSTAT.replace("\n", "\r\n"), "increments"),
        ("\ufeff" + NSTAT, "increments"),
    ],
    ids=[
        "nstat",
        "json",
        "pretty",
        "raw",
        "raw-otherwise",
        "netstat-s",
        "indented",
        "block",
        "grep",
        "head",
        "crlf",
        "bom",
    ],
)
def test_every_form_of_one_moment_gives_the_same(tmp_path: Path, text: str, kind: str) -> None:
    """nstat's text is the yardstick: the others are compared without zeros and gauges."""
    (found,) = read(tmp_path, text)
    (expected,) = values_of(NSTAT)
    assert moved(found.values) == expected
    assert len(expected) == NSTAT.count("\n") - 1
    assert found.kind == kind


def test_raw_text_keeps_zeros_and_gauges(tmp_path: Path) -> None:
    """Also the negative one."""
    (found,) = read(tmp_path, SNMP + NETSTAT + SNMP6)
    assert found.zeros
    assert found.values["TcpMaxConn"] == -1
    assert found.values["IpForwarding"] == 2
    assert found.values["TcpExtTCPTimeouts"] == 0
    assert found.notes == ["the time is the file's own"]


def test_sentences_are_those_that_netstat_prints() -> None:
    """Counters numbered in the kernel's order: 101 in Ip, 121 in Icmp, 186 in TcpExt."""
    (found,) = values_of(SENTENCES)
    numbered: dict[str, int] = {}
    for group, first in (("Ip", 101), ("Icmp", 121), ("TcpExt", 186)):
        numbered |= zip(header(SNMP + NETSTAT, group), count(first), strict=False)
    assert {name: value for name, value in numbered.items() if name in found} == found
    assert len(found) == 88


OLD_WORDS = """\
Ip:
    7 fragments received ok
    9 packet reassembles failed
Icmp:
    3 input ICMP message failed.
    ICMP output histogram:
        echo request: 4
Tcp:
    17 active connections openings
    19 segments send out
    23 segments retransmited
    29 bad segments received.
Udp:
    31 packets to unknown port received.
TcpExt:
    37 packets rejects in established connections because of timestamp
    41 packets directly queued to recvmsg prequeue.
    43 packets header predicted
    47 times recovered from packet loss due to SACK data
    53 congestion windows recovered after partial ack
    59 other TCP timeouts
    61 sack retransmits failed
    67 DSACKs received
    71 things that nobody knows
    no number at all
"""


def test_older_words_and_unknown_ones(tmp_path: Path) -> None:
    """net-tools before 2 had other sentences; what nobody knows is counted."""
    (found,) = read(tmp_path, OLD_WORDS)
    assert found.values == {
        "IpFragOKs": 7,
        "IpReasmFails": 9,
        "IcmpInErrors": 3,
        "IcmpOutEchos": 4,
        "TcpActiveOpens": 17,
        "TcpOutSegs": 19,
        "TcpRetransSegs": 23,
        "TcpInErrs": 29,
        "UdpNoPorts": 31,
        "TcpExtPAWSEstab": 37,
        "TcpExtTCPPrequeued": 41,
        "TcpExtTCPHPHits": 43,
        "TcpExtTCPSackRecovery": 47,
        "TcpExtTCPLossUndo": 53,
        "TcpExtTCPTimeouts": 59,
        "TcpExtTCPSackRecoveryFail": 61,
        "TcpExtTCPDSACKRecv": 67,
    }
    assert "sentences not known: 2 (first: line 24: 71 things that nobody knows)" in found.notes
    assert not found.zeros


DAEMON = """\
nstat: history is stale, ignoring it.
#808.1804289383 sampling_interval=1 time_const=5
IpInReceives                    9430               3.3
IpInDelivers                    9430               3.3
TcpEstabResets                  0                  0.4
TcpOutRsts                      85                 0.4
"""


def test_the_daemon_of_nstat_prints_rates(tmp_path: Path) -> None:
    """A zero with a rate does not mean that zeros are listed."""
    (found,) = read(tmp_path, DAEMON)
    assert found.values == {"IpInReceives": 9430, "IpInDelivers": 9430, "TcpEstabResets": 0, "TcpOutRsts": 85}
    assert not found.zeros
    assert found.kind == "increments"
    body = {"808.1804289383 sampling_interval=1 time_const=5": found.values}
    (again,) = read(tmp_path, json.dumps(body))
    assert (again.values, again.zeros) == (found.values, False)


OVERFLOW = """\
#kernel
TcpInSegs                       7                  0.0
TcpOutSegs                      0                  0.0 (overflow)
TcpRetransSegs                  0                  0.0
TcpExtTCPDSACKRecvSegs          0                  0.0
"""


def test_an_overflow_is_not_known_and_betrays_increments(tmp_path: Path) -> None:
    """nstat prints zero where a counter is lower than in its history."""
    (found,) = read(tmp_path, OVERFLOW)
    assert found.values == {"TcpInSegs": 7, "TcpRetransSegs": 0, "TcpExtTCPDSACKRecvSegs": 0}
    assert found.kind == "increments"
    assert found.guessed == ""
    assert any("(overflow), left out: TcpOutSegs" in note for note in found.notes)


EXPORTER = """\
# HELP node_netstat_Icmp6_InErrors Statistic Icmp6InErrors.
# TYPE node_netstat_Icmp6_InErrors untyped
node_netstat_Icmp6_InErrors 0
node_load1 0.21
node_netstat_IpExt_InOctets 3.76371933e+08
node_netstat_Tcp_CurrEstab 4
node_netstat_Tcp_RetransSegs 89
node_network_receive_bytes_total{device="eth0"} 2.4e+06
node_netstat_TcpExt_TCPSynRetrans 12
"""
EXPORTED = {
    "Icmp6InErrors": 0,
    "IpExtInOctets": 376371933,
    "TcpCurrEstab": 4,
    "TcpRetransSegs": 89,
    "TcpExtTCPSynRetrans": 12,
}


def test_node_exporter(tmp_path: Path) -> None:
    """Other metrics are passed over; large numbers have an exponent."""
    (found,) = read(tmp_path, EXPORTER)
    assert found.values == EXPORTED
    assert (found.kind, found.zeros, found.guessed) == ("absolute", True, "")


def test_node_exporter_with_times(tmp_path: Path) -> None:
    """Milliseconds, or seconds with a fraction; samples of one time are one snapshot, in whatever order they come."""
    rows = [row for row in EXPORTER.splitlines() if row.startswith("node_netstat")]
    text = "".join(f"{row} {time}\n" for row in rows for time in (1795262400123, 1795262401000))
    first, second = read(tmp_path, text)
    assert (first.values, second.values) == (EXPORTED, EXPORTED)
    assert (first.time_ns, second.time_ns) == (NOON + 123_000_000, NOON + SECOND)
    assert first.time_from == "exporter"
    (found,) = read(tmp_path, f"{rows[0]} 1795262400.5\n# EOF\n")
    assert found.time_ns == NOON + SECOND // 2


def test_node_exporter_of_two_hosts(tmp_path: Path) -> None:
    """Their counters are not mixed."""
    text = 'node_netstat_Tcp_InSegs{instance="a:9100"} 5\nnode_netstat_Tcp_InSegs{instance="b:9100"} 6\n'
    assert [found.values for found in read(tmp_path, text)] == [{"TcpInSegs": 5}, {"TcpInSegs": 6}]
    (found,) = read(tmp_path, text.replace("b:", "a:"), increments=True)[-1:]
    assert (found.values, found.kind) == ({"TcpInSegs": 6}, "absolute")


def test_series_of_a_sample() -> None:
    """As the laboratory recorded it."""
    path = SAMPLES / "loss-ipv4" / "client" / "counters.jsonl"
    lines = path.read_text().splitlines()
    series = series_of([path], "client")
    assert [each.values for each in series.snapshots] == [json.loads(line)["counters"] for line in lines]
    for line, each in zip(lines, series.snapshots, strict=True):
        whole, fraction = line.split('"time":')[1].split(",")[0].split(".")
        assert each.time_ns == int(whole + fraction)
        assert (each.uncertainty_ns, each.time_from, each.kind) == (SECOND // 1000, "series", "absolute")
    assert series.notes == []
    found = deltas(series)
    assert len(found) == len(lines) - 1
    assert sum(each.values["TcpRetransSegs"] for each in found) == 8
    assert all(not each.unknown for each in found)


# round trips

NAMES = sorted(
    {
        name
        for group in GROUPS
        for name in (header(SNMP + NETSTAT, group) if f"\n{group}: " in "\n" + SNMP + NETSTAT else [])
    }
    | {line.split()[0] for line in SNMP6.splitlines()}
)
COUNTERS = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in GAUGES]), st.integers(0, 2**64 - 1), min_size=1
)


@given(COUNTERS)
def test_nstat_comes_back(values: dict[str, int]) -> None:
    """In its own columns."""
    text = "#kernel\n" + "".join(f"{name:<32}{value:<16}{0.0:6.1f}\n" for name, value in values.items())
    assert values_of(text) == [values]


@given(COUNTERS)
def test_json_comes_back(values: dict[str, int]) -> None:
    """On one line and on several."""
    for indent in (None, 4):
        assert values_of(json.dumps({"kernel": values}, indent=indent)) == [values]


@given(COUNTERS)
def test_raw_text_comes_back(values: dict[str, int]) -> None:
    """In lines of names and values; those of IPv6 in rows."""
    text = ""
    for group in GROUPS:
        own = {name.removeprefix(group): value for name, value in values.items() if group_of(name) == group}
        if group.endswith("6"):
            text += "".join(f"{group + name:<32}\t{value}\n" for name, value in own.items())
        elif own:
            text += f"{group}: {' '.join(own)}\n{group}: {' '.join(map(str, own.values()))}\n"
    assert values_of(text) == [values]


@given(COUNTERS)
def test_prose_comes_back(values: dict[str, int]) -> None:
    """In sentences where there is one, else by name."""
    text = ""
    for group in GROUPS:
        words = {name: sentence for sentence, name in TABLES.get(group, {}).items()}
        rows: dict[str, list[str]] = {"": [], "in": [], "out": []}
        for name in (name for name in values if group_of(name) == group):
            plain = name if group.endswith("6") else name.removeprefix(group)
            sentence = words.get(name.removeprefix(group), f"{plain}: #")
            direction = sentence.split()[0] if sentence.split()[0] in ("in", "out") else ""
            rows[direction].append(sentence.removeprefix(direction).strip().replace("#", str(values[name])))
        text += f"{group}:\n" + "".join(f"    {row}\n" for row in rows[""])
        for direction, heading in (("in", "input"), ("out", "output")):
            text += f"    ICMP {heading} histogram:\n" + "".join(f"        {row}\n" for row in rows[direction])
    assert values_of(text) == [values]


@given(COUNTERS, st.booleans())
def test_node_exporter_comes_back(values: dict[str, int], exponent: bool) -> None:
    """Go prints large numbers with an exponent."""
    text = ""
    for name, value in values.items():
        group = group_of(name)
        text += (
            f"node_netstat_{group}_{name.removeprefix(group)} {Decimal(value):e}\n"
            if exponent
            else (f"node_netstat_{group}_{name.removeprefix(group)} {value}\n")
        )
    assert values_of(text) == [values]


@given(st.lists(st.tuples(st.integers(0, 2**62), COUNTERS), min_size=1, max_size=4))
def test_a_series_comes_back(rows: list[tuple[int, dict[str, int]]]) -> None:
    """Times to the nanosecond."""
    reader = Reader("text")
    for number, (time_ns, values) in enumerate(rows, 1):
        time = f"{time_ns // SECOND}.{time_ns % SECOND:09d}"
        reader.feed(number, f'{{"time":{time},"counters":{json.dumps(values)}}}')
    drafts = reader.finish()
    assert [(draft.stamp.time_ns, draft.values) for draft in drafts if draft.stamp] == rows


# times


@pytest.mark.parametrize(
    ("line", "offset_ns"),
    [
        ("Sat Nov 21 12:00:00 UTC 2026", 0),
        ("Sat Nov 21 12:00:00 PM UTC 2026", 0),
        ("Sat 21 Nov 2026 12:00:00 AM UTC", -12 * 3600 * SECOND),
        ("Sat Nov 21 13:00:00 CET 2026", 0),
        ("Sat Nov 21 09:00:00 -03 2026", 0),
        ("Sat, 21 Nov 2026 12:00:00 +0000", 0),
        ("Sat Nov 21 12:00:00 2026", 0),
        ("2026-11-21T12:00:00+00:00", 0),
        ("2026-11-21T17:30:00.25+05:30", SECOND // 4),
        ("2026-11-21 12:00:00,123456789Z", 123456789),
        ("2026-11-21 04:00:00 PST", 0),
        ("20261121-120000", 0),
        ("# 1795262400", 0),
        ("# 1795262400.000000007 before the test", 7),
        ("#1795262400000", 0),
        ("1795262400000000001", 1),
        ("@1795262400.5", SECOND // 2),
        ("=== 2026-11-21 12:00:00 ===", 0),
        ("=== 2026-11-21 12:00:00 HOST ===", 0),
        ("--- 2026-11-21T12:00:00Z (after) ---", 0),
        ("zzz ***Sat Nov 21 12:00:00 UTC 2026", 0),
        ("time: 1795262400", 0),
        ("Date: 2026-11-21 12:00:00", 0),
        ("2026-11-21 12:00:00:250", SECOND // 4),
        ("Sa 21. Nov 12:00:00 UTC 2026", 0),
        ("Sa 21. Nov 13:00:00 MEZ 2026", 0),
        ("sam. 21 nov. 2026 12:00:00 UTC", 0),
        ("samedi 21 novembre 2026, 13:00:00 (UTC+0100)", 0),
        ("mar. 21 nov. 2026 12:00:00 UTC", 0),
        ("sáb 21 nov 2026 13:00:00 CET", 0),
        ("sab 21 nov 2026, 12:00:00, UTC", 0),
        ("Sáb Nov 21 09:00:00 -03 2026", 0),
        ("za 21 nov 2026 12:00:00 UTC", 0),
        ("lör 21 nov 2026 12:00:00 UTC", 0),
        ("Сб 21 ноя 2026 15:00:00 MSK", 0),
        ("2026年 11月 21日 星期六 12:00:00 UTC", 0),
        ("2026年11月21日 星期六 下午08:00:00 HKT", 0),
        ("2026年 11月 21日 土曜日 21:00:00 JST", 0),
        ("2026年11月21日 21時00分00秒 JST", 0),
        ("2026년 11월 21일 (토) 오후 09:00:00 KST", 0),
        ("11/21/2026 12:00:00", 0),
        ("21/11/2026 12:00:00", 0),
        ("21.11.2026 12:00:00", 0),
        ("11/21/26 12:00:00 PM", 0),
        ("web01 Sat Nov 21 12:00:00 UTC 2026", 0),
        ("===== iteration 3 at 2026-11-21 12:00:00 =====", 0),
        ("---------- web01 2026-11-21 12:00:00 ----------", 0),
        ("Every 2.0s: nstat -az            web01: Sat Nov 21 12:00:00 2026", 0),
        ("2026-11-21 12:00:00 up 3 days", 0),
        ("Nov 21 12:00:00 2026 something else", 0),
    ],
)
def test_lines_with_times(line: str, offset_ns: int) -> None:
    """As date prints them, or behind a mark."""
    stamp = stamp_in_line(line)
    assert stamp
    assert stamp.time_ns - NOON == offset_ns
    assert (stamp.uncertainty_ns, stamp.source, stamp.lacks) == (FINER.get(line, SECOND), "line", "")


FINER = {
    "2026-11-21T17:30:00.25+05:30": SECOND // 100,
    "2026-11-21 12:00:00,123456789Z": SECOND // 1000,
    "2026-11-21 12:00:00:250": SECOND // 1000,
    "# 1795262400.000000007 before the test": SECOND // 1000,
    "#1795262400000": SECOND // 1000,
    "1795262400000000001": SECOND // 1000,
    "@1795262400.5": SECOND // 10,
}
"""A time with a fraction is as good as its last digit, down to milliseconds."""


@pytest.mark.parametrize(
    "line",
    [
        "1795262400 total packets received",
        "TcpInSegs 1795262400",
        "Ip: 2026 11 21 12 00 00",
        "2026-13-21 12:00:00",
        "2026-11-21",
        "Sat Foo 21 12:00:00 UTC 2026",
        "# 99 bottles in 2026",
        "# 0795262400",
        "Feb 30 12:00:00 2026",
        "2026-11-21T12:00:00+99:00",
        "",
    ],
)
def test_lines_without_times(line: str) -> None:
    """Nothing that could be a counter, and no time that does not exist."""
    stamp = stamp_in_line(line)
    assert stamp is None or stamp.uncertainty_ns > SECOND


@pytest.mark.parametrize(
    ("line", "lacks", "time_ns"),
    [
        ("12:00:01", "day", 12 * 3600 * SECOND + SECOND),
        ("[12:00:01.5]", "day", 12 * 3600 * SECOND + 3 * SECOND // 2),
        ("web01 00:00:01 PM", "day", 12 * 3600 * SECOND + SECOND),
        (" 12:00:01 up 12 days,  3:02,  1 user,  load average: 0.00, 0.01, 0.05", "day", 12 * 3600 * SECOND + SECOND),
        ("Nov 21 12:00:01", "year", 974808001 * SECOND),
    ],
)
def test_times_that_lack_a_part(line: str, lacks: str, time_ns: int) -> None:
    """They are of the day, of the year, near something else that is known; also around midnight and New Year."""
    stamp = stamp_in_line(line)
    assert stamp
    assert (stamp.lacks, stamp.time_ns) == (lacks, time_ns)
    for near_ns in (NOON - 11 * 3600 * SECOND, NOON, NOON + 11 * 3600 * SECOND):
        found = dated(stamp, near_ns, "near noon")
        assert (found.time_ns // SECOND - NOON // SECOND, found.lacks) == (1, "")
        assert "near noon" in found.note


def test_a_date_that_can_be_read_in_two_ways_is_said() -> None:
    """The month comes first, as `date +%D` has it; where it cannot, the day does."""
    stamp = stamp_in_line("11/12/2026 12:00:00")
    assert stamp
    assert stamp.time_ns == NOON - 9 * 86400 * SECOND
    assert "two ways" in stamp.note
    assert all("two ways" not in (stamp_in_line(f"{date}/2026 12:00:00") or stamp).note for date in ("21/11", "11/11"))


def test_a_zone_that_means_many_is_said() -> None:
    """CST is in America, China or Cuba."""
    stamp = stamp_in_line("Sat Nov 21 12:00:00 CST 2026")
    assert stamp
    assert stamp.uncertainty_ns == 14 * 3600 * SECOND
    assert "CST" in stamp.note


@pytest.mark.parametrize(
    "name",
    [
        "nstat-1795262400",
        "nstat.1795262400.txt",
        "1795262400000.json",
        "web1_2026-11-21T12:00:00.nstat",
        "2026-11-21T12:00:00Z",
        "2026-11-21_12-00-00-after.txt",
        "nstat-20261121-120000-4711.txt",
        "20261121T130000+0100.nstat",
        "20261121120000",
    ],
)
def test_names_with_times(tmp_path: Path, name: str) -> None:
    """Good to a second; without a zone they are UTC."""
    (found,) = read(tmp_path, NSTAT, name)
    good_to = SECOND // 1000 if name == "1795262400000.json" else SECOND
    assert (found.time_ns, found.uncertainty_ns, found.time_from) == (NOON, good_to, "name")


@pytest.mark.parametrize("name", ["nstat.txt", "7", "20269999-120000", "12345678901234", "port-0000000080"])
def test_names_without_times(tmp_path: Path, name: str) -> None:
    """Then it is the file's own."""
    path = written(tmp_path, NSTAT, name)
    os.utime(path, ns=(NOON, NOON))
    (found,) = read_snapshots(path)
    assert (found.time_ns, found.uncertainty_ns, found.time_from) == (NOON, 2 * SECOND, "mtime")
    assert stamp_in_name(name) is None


@pytest.mark.parametrize("text", [NSTAT, NSTAT_JSON, SNMP + NETSTAT, SNMP6, NETSTAT, PROSE, PROSE6, EXPORTER])
def test_several_in_a_file(tmp_path: Path, text: str) -> None:
    """Each has the time before it; where the times stand behind, each has the one behind it."""
    dates = ["Sat Nov 21 12:00:00 UTC 2026\n", "=== 2026-11-21T12:00:01Z ===\n", "# 1795262402.5\n"]
    once = values_of(text)[0]
    for whole in ("".join(date + text for date in dates), "".join(text + date for date in dates)):
        found = read(tmp_path, whole)
        assert [each.time_ns - NOON for each in found] == [0, SECOND, 2 * SECOND + SECOND // 2]
        assert [each.values for each in found] == [once] * 3
        assert {each.time_from for each in found} == {"line"}
        assert found[1].source.startswith(f"{tmp_path / 'snapshot'}:")


@pytest.mark.parametrize("text", [NSTAT, NSTAT_JSON, SNMP + NETSTAT, SNMP6, PROSE, EXPORTER])
def test_several_without_times(tmp_path: Path, text: str) -> None:
    """They are told apart, and it is said that their times are not known."""
    first, second = read(tmp_path, text * 2)
    assert first.values == second.values
    assert first.time_ns == second.time_ns
    assert any("without a time of its own" in note for note in first.notes)


def test_several_forms_below_one_time(tmp_path: Path) -> None:
    """A script that prints the time and then runs several tools."""
    found = read(tmp_path, f"{NOON // SECOND}\n{PROSE}{NSTAT}{SNMP}{NETSTAT}")
    assert [each.time_ns for each in found] == [NOON] * 3
    assert [each.kind for each in found] == ["absolute", "increments", "absolute"]


# increments or absolute


def nstat(values: dict[str, int]) -> str:
    return "#kernel\n" + "".join(f"{name:<32}{value:<16}{0.0:6.1f}\n" for name, value in values.items())


FIVE = {"IpInReceives": 50, "IpInDelivers": 50, "TcpInSegs": 40, "TcpOutSegs": 30, "UdpInDatagrams": 7}


@pytest.mark.parametrize(
    ("texts", "kind", "reason"),
    [
        ([FIVE], "increments", "unless it is told otherwise"),
        ([FIVE | {"TcpRetransSegs": 0}], "absolute", "counters that are zero are listed"),
        ([FIVE, FIVE | {"TcpInSegs": 41}], "absolute", "nothing falls"),
        ([FIVE, FIVE | {"TcpInSegs": 39}], "increments", "TcpInSegs is lower"),
        ([FIVE, {name: FIVE[name] for name in FIVE if name != "TcpInSegs"}], "increments", "TcpInSegs is lower"),
        ([FIVE, {}], "increments", "is lower"),
        ([FIVE | {"TcpCurrEstab": 3}], "absolute", ""),
        ([{"TcpInSegs": value} for value in (1000, 1030, 990, 1010, 1020, 1025)], "increments", "is lower"),
        ([{"TcpInSegs": value} for value in (900_000, 900_007, 3, 4, 4)], "absolute", "starts again"),
        ([{"TcpInSegs": value} for value in (78, 78, 88, 88)], "absolute", "nothing falls"),
        ([{}, {"TcpInSegs": 78}, {}, {"TcpInSegs": 10}, {}], "increments", "is lower"),
        ([{}, FIVE, FIVE | {"TcpRetransSegs": 1}], "absolute", "nothing falls"),
        ([{"TcpInSegs": value % 3 + 1, "TcpOutSegs": 5} for value in range(30)], "increments", "is lower"),
    ],
)
def test_kind_is_guessed_and_said(tmp_path: Path, texts: list[dict[str, int]], kind: str, reason: str) -> None:
    """From one file, or from several together; the caller knows better."""
    found = read(tmp_path, "".join(map(nstat, texts)))
    assert {each.kind for each in found} == {kind}
    assert all(reason in each.guessed for each in found)
    if reason:
        assert all(f"taken as {kind}: {each.guessed}" in each.notes for each in found)
    for forced, name in ((True, "increments"), (False, "absolute")):
        again = read(tmp_path, "".join(map(nstat, texts)), increments=forced)
        assert {(each.kind, each.guessed) for each in again} == {(name, "")}


def test_kind_is_guessed_from_all_files(tmp_path: Path) -> None:
    """One file alone would be taken for increments."""
    before = written(tmp_path, nstat(FIVE), "1795262400")
    after = written(tmp_path, nstat(FIVE | {"TcpInSegs": 45}), "1795262410")
    assert read_snapshots(before)[0].kind == "increments"
    series = series_of([after, before])
    assert [each.time_ns for each in series.snapshots] == [NOON, NOON + 10 * SECOND]
    assert {each.kind for each in series.snapshots} == {"absolute"}
    assert deltas(series)[0].values["TcpInSegs"] == 5
    assert any("taken as absolute: nothing falls in 2 snapshots" in note for note in series.notes)
    forced = series_of([before, after], increments=True)
    assert [each.start_ns for each in deltas(forced)] == [None, NOON]


@pytest.mark.parametrize("text", ["#kernel\n", '{"kernel":{}}\n', "#8.1 sampling_interval=1 time_const=5\n"])
def test_an_idle_host_has_a_snapshot(tmp_path: Path, text: str) -> None:
    """nstat prints its heading only; an interval in which nothing happened is one."""
    (found,) = read(tmp_path, text)
    assert (found.values, found.kind) == ({}, "increments")
    assert "no counter moved since the run of nstat before" in found.notes


# intervals


def test_intervals_hold_differences_but_no_gauges() -> None:
    """Ends, how sure they are, and increments."""
    (found,) = intervals(
        absolute(10, {"TcpInSegs": 5, "TcpCurrEstab": 9, "TcpMaxConn": -1, "TcpOutSegs": 7}),
        absolute(20, {"TcpInSegs": 9, "TcpCurrEstab": 3, "TcpMaxConn": -1, "TcpOutSegs": 7}),
    )
    assert (found.start_ns, found.end_ns, found.uncertainty_ns) == (10 * SECOND, 20 * SECOND, SECOND)
    assert found.values == {"TcpInSegs": 4, "TcpOutSegs": 0}
    assert (found.unknown, found.notes) == (frozenset(), [])


def test_what_is_not_listed_is_zero_or_unknown() -> None:
    """Where zeros are left out it is taken as zero, and named; where they are listed there is no value."""
    values = {"TcpInSegs": 5, "TcpExtTCPHPHits": 8}
    later = {"TcpInSegs": 6, "TcpRetransSegs": 2}
    (found,) = intervals(absolute(1, values, zeros=False), absolute(2, later, zeros=False))
    assert found.values == {"TcpInSegs": 1, "TcpRetransSegs": 2}
    assert found.unknown == {"TcpExtTCPHPHits", "TcpRetransSegs"}
    (found,) = intervals(absolute(1, values), absolute(2, later))
    assert found.values == {"TcpInSegs": 1}
    assert found.unknown == {"TcpExtTCPHPHits", "TcpRetransSegs"}


def test_icmp_types_appear_when_they_have_moved() -> None:
    """The kernel lists them from then on, even where it lists zeros."""
    first, second = intervals(
        absolute(1, {"IcmpInMsgs": 0}),
        absolute(2, {"IcmpInMsgs": 0}),
        absolute(3, {"IcmpInMsgs": 3, "IcmpMsgInType3": 3}),
    )
    assert second.values == {"IcmpInMsgs": 3, "IcmpMsgInType3": 3}
    assert (first.unknown, second.unknown) == (frozenset(), frozenset())


def test_a_counter_of_32_bits_wraps() -> None:
    """Where it was near the end, the others go on, and none of the host's is past 32 bits."""
    before = {"TcpInSegs": 2**32 - 10, "TcpOutSegs": 100, "IpExtInOctets": 2**40}
    after = {"TcpInSegs": 20, "TcpOutSegs": 110, "IpExtInOctets": 2**40 + 5}
    (found,) = intervals(absolute(1, before), absolute(2, after))
    assert found.values == {"TcpInSegs": 30, "TcpOutSegs": 10, "IpExtInOctets": 5}
    assert found.notes == ["taken to have wrapped at 32 bits: TcpInSegs"]
    wide = {"TcpExtTCPHPHits": 2**33}
    assert intervals(absolute(1, before | wide), absolute(2, after | wide)) == []
    assert intervals(absolute(1, {"TcpInSegs": 2**32 - 10}), absolute(2, {"TcpInSegs": 20})) == []


def test_a_restart_has_no_interval_and_is_said(tmp_path: Path) -> None:
    """Also where some counters have passed their old value again."""
    rows = [(1, FIVE), (2, FIVE | {"TcpInSegs": 60}), (3, dict.fromkeys(FIVE, 5) | {"TcpOutSegs": 99}), (4, FIVE)]
    text = "".join(json.dumps({"time": time, "counters": values | {"TcpOutRsts": 0}}) + "\n" for time, values in rows)
    series = series_of([written(tmp_path, text)])
    found = deltas(series)
    assert [(each.start_ns, each.end_ns) for each in found[:1]] == [(SECOND, 2 * SECOND)]
    assert 3 * SECOND not in {each.end_ns for each in found}
    (again, *_) = restarts(series)
    assert (again.start_ns, again.end_ns) == (2 * SECOND, 3 * SECOND)
    assert again.note in series.notes
    assert "4 counters go back (IpInReceives, IpInDelivers, TcpInSegs)" in again.note


def test_a_single_counter_that_goes_back_is_left_out() -> None:
    """No host starts again in one counter."""
    values = {f"TcpExtName{number}": 10 for number in range(20)}
    (found,) = intervals(absolute(1, values), absolute(2, values | {"TcpExtName7": 9}))
    assert "TcpExtName7" in found.unknown
    assert "TcpExtName7" not in found.values
    assert "TcpExtName7" in found.notes[0]


def test_increments_are_intervals_since_the_run_before() -> None:
    """Nobody knows when the first of them began; what is not listed is zero or unknown."""
    first, second = intervals(increments(1, {"TcpInSegs": 5, "TcpOutSegs": 1}), increments(2, {"TcpInSegs": 3}))
    assert (first.start_ns, first.end_ns, first.values) == (None, SECOND, {"TcpInSegs": 5, "TcpOutSegs": 1})
    assert "not known" in first.notes[0]
    assert (second.start_ns, second.values, second.unknown) == (SECOND, {"TcpInSegs": 3}, {"TcpOutSegs"})


def test_the_same_snapshot_twice_is_no_interval() -> None:
    """Nothing happens in no time."""
    assert intervals(absolute(1, FIVE), absolute(1, FIVE)) == []


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(-1, 2**33)), max_size=5), st.booleans())
def test_intervals_are_never_negative(rows: list[dict[str, int]], zeros: bool) -> None:
    """Whatever comes, and what is in no interval is unknown or listed nowhere."""
    found = intervals(*(absolute(time, values, zeros) for time, values in enumerate(rows)))
    for each in found:
        assert all(value >= 0 for name, value in each.values.items() if rows[each.end_ns // SECOND][name] >= 0)
        assert not GAUGES & (each.values.keys() | each.unknown)


# differences


def test_a_difference_is_in_the_order_of_the_groups() -> None:
    """What stands still is not in it."""
    before = {
        "TcpExtTCPTimeouts": 1,
        "Ip6InReceives": 4,
        "TcpInSegs": 7,
        "IpInReceives": 8,
        "TcpCurrEstab": 2,
        "UdpNoPorts": 3,
    }
    after = {
        "TcpExtTCPTimeouts": 3,
        "Ip6InReceives": 5,
        "TcpInSegs": 9,
        "IpInReceives": 9,
        "TcpCurrEstab": 1,
        "UdpNoPorts": 3,
    }
    rows = diff(absolute(1, before), absolute(2, after))
    assert [(row.name, row.group, row.before, row.after, row.change) for row in rows] == [
        ("IpInReceives", "Ip", 8, 9, 1),
        ("TcpInSegs", "Tcp", 7, 9, 2),
        ("TcpCurrEstab", "Tcp", 2, 1, -1),
        ("TcpExtTCPTimeouts", "TcpExt", 1, 3, 2),
        ("Ip6InReceives", "Ip6", 4, 5, 1),
    ]
    assert [row.note for row in rows if row.note] == ["goes up and down"]


def test_a_difference_says_what_was_not_listed() -> None:
    """Zero or unknown, before or after; zeros that are not listed are the same as zeros that are."""
    before = absolute(1, {"TcpInSegs": 7, "TcpOutSegs": 5}, zeros=False)
    rows = diff(before, absolute(2, {"TcpInSegs": 7, "TcpRetransSegs": 2, "TcpOutRsts": 0}))
    assert [(row.name, row.before, row.after, row.change, row.note) for row in rows] == [
        ("TcpRetransSegs", None, 2, 2, "not listed before: taken as zero"),
        ("TcpOutSegs", 5, None, None, "not listed after"),
    ]


def test_a_difference_across_a_restart_says_so() -> None:
    """The rows are still there."""
    rows = diff(absolute(1, FIVE), absolute(2, dict.fromkeys(FIVE, 1)))
    assert {row.note for row in rows} == {"went back: restarted, or another host"}


def test_increments_are_their_own_difference() -> None:
    """`nstat -a` first and `nstat` later; the other way round has no meaning."""
    rows = diff(absolute(1, FIVE), increments(2, {"TcpInSegs": 3}))
    assert [(row.name, row.before, row.after, row.change) for row in rows] == [("TcpInSegs", 40, None, 3)]
    with pytest.raises(SnapshotError, match="at 1 and at 2: increments, and then absolute values; compare two"):
        diff(increments(1, FIVE), absolute(2, FIVE))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("IpInReceives", "Ip"),
        ("IpExtInOctets", "IpExt"),
        ("IcmpMsgInType3", "IcmpMsg"),
        ("IcmpInMsgs", "Icmp"),
        ("TcpInSegs", "Tcp"),
        ("TcpExtTcpTimeoutRehash", "TcpExt"),
        ("MPTcpExtMPCapableSYNRX", "MPTcpExt"),
        ("UdpInDatagrams", "Udp"),
        ("UdpLiteInDatagrams", "UdpLite"),
        ("Udp6InDatagrams", "Udp6"),
        ("UdpLite6InDatagrams", "UdpLite6"),
        ("Ip6InReceives", "Ip6"),
        ("Icmp6InType1", "Icmp6"),
        ("SctpInPkts", ""),
        ("Ip", ""),
        ("Tcp6InSegs", ""),
        ("", ""),
    ],
)
def test_groups(name: str, group: str) -> None:
    """The longest that fits."""
    assert group_of(name) == group


# bad input


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "an empty file; was anything written to it?"),
        ("\n\n", "no counter; it can be nstat"),
        ("hello\nworld 5\n", r"no counter \(lines that are no counters: 2 \(first: line 1: hello\)\)"),
        ('{"time":1,"ss":"ESTAB"}\n', "JSON objects without counters: 1"),
        ('{"time":1,"counters":{"Tcp', "damaged JSON lines left out: 1"),
        ("[1, 2]\n", "no counter"),
        (b"\x1f\x8b\x08\0\0\0", "the gzip data is cut short; copy it again"),
        (b"\0" * 4096, "no counter"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "no counter"),
        ("node_load1 0.5\n", "no counter"),
        ("Tcp:\n    17 Verbindungen\n", "in other words than English ones; take it with LC_ALL=C"),
        ("foo:\n    Bar: 5\n", "no counter"),
        ("MemTotal: 5 kB\nMemFree: 3 kB\n", "no counter"),
        ("Ip: InReceives OutRequests\n", "lines of names without their values: 1"),
    ],
)
def test_files_without_counters(tmp_path: Path, text: str | bytes, found: str) -> None:
    """Said in one line: where, what was there, what to do."""
    with pytest.raises(SnapshotError, match=rf"snapshot: .*{found}"):
        read(tmp_path, text)


def test_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, directories, without permission."""
    with pytest.raises(SnapshotError, match=r"missing: cannot be read \(No such file or directory\); check the path"):
        read_snapshots(tmp_path / "missing")
    with pytest.raises(SnapshotError, match="a directory; name a file in it"):
        read_snapshots(tmp_path)
    written(tmp_path, "", "counters.jsonl")
    with pytest.raises(SnapshotError, match=r"a directory; name .*counters\.jsonl"):
        read_snapshots(tmp_path)
    path = written(tmp_path, NSTAT)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SnapshotError, match=r"cannot be read \(Permission denied\); check its permissions"):
        read_snapshots(path)


def test_a_line_that_is_still_being_written(tmp_path: Path) -> None:
    """The rest is used, and it is said; so it is with a line in the middle."""
    good = [f'{{"time":{time},"counters":{{"TcpInSegs":{time}}}}}' for time in (5, 6, 7)]
    for rows, damaged in (([*good, good[0][:25]], 4), ([good[0], good[0][:-2], *good[1:]], 2)):
        found = read(tmp_path, "\n".join(rows))
        assert [each.values["TcpInSegs"] for each in found] == [5, 6, 7]
        assert found[-1].notes == [f"damaged JSON lines left out: 1 (first: line {damaged}: {rows[damaged - 1]})"]
    found = read(tmp_path, good[0] + "\n" + "\0" * 100 + good[1] + "\n")
    assert len(found) == 2


@pytest.mark.parametrize(
    "text",
    [
        "#kernel\nTcpInSegs {} 0.0\n",
        '{{\n"kernel":{{"TcpInSegs":{}}}\n}}\n',
        '\n{{"time":1,"counters":{{"TcpInSegs":{}}}}}\n',
        "Tcp: InSegs\nTcp: {}\n",
        "Tcp:\n    {} segments received\n",
        "Tcp:\n    InSegs: {}\n",
        "\nnode_netstat_Tcp_InSegs {}\n",
        "\nIp6InReceives\t{}\n",
    ],
)
@pytest.mark.parametrize(
    "value", [str(2**64), "9" * 30, "9" * 5000, str(-(2**64))], ids=["2**64", "30", "5000", "negative"]
)
def test_numbers_that_no_counter_can_hold(tmp_path: Path, text: str, value: str) -> None:
    """Refused with the line; the highest one is accepted."""
    with pytest.raises(SnapshotError, match=r"snapshot:[23]: .*, which no 64-bit counter can hold; remove or correct"):
        read(tmp_path, text.format(value))
    for accepted in (2**64 - 1, -(2**63)):
        (found,) = read(tmp_path, text.format(accepted))
        assert list(found.values.values()) == [accepted]


def test_other_numbers_in_json(tmp_path: Path) -> None:
    """Whole ones are taken, however they are written; others are left out and said."""
    body = '{"TcpInSegs":5.0,"TcpOutSegs":1e3,"TcpInErrs":0.5,"TcpOutRsts":true,"UdpNoPorts":"7","TcpMaxConn":-1}'
    (found,) = read(tmp_path, f'{{"time":"1795262400.25","counters":{body}}}')
    assert found.values == {"TcpInSegs": 5, "TcpOutSegs": 1000, "TcpMaxConn": -1}
    assert found.time_ns == NOON + SECOND // 4
    assert found.notes == ["values that are no whole numbers, left out: 3 (first: TcpInErrs)"]


@pytest.mark.parametrize("time", ["", "null", "-1", "1e99", "1e999999999", "true", '"soon"', "[]", "99999999999999"])
def test_a_series_without_a_usable_time(tmp_path: Path, time: str) -> None:
    """Its values are used, with the time of the file."""
    key = f'"time":{time},' if time else ""
    (found,) = read(tmp_path, f'{{{key}"counters":{{"TcpInSegs":5}}}}\n')
    assert found.time_from == "mtime"
    assert any(note.startswith("no time that can be read") for note in found.notes)


def test_names_that_come_twice(tmp_path: Path) -> None:
    """The last value holds, and it is said."""
    texts = [
        "#kernel\nTcpInSegs 5 0.0\nTcpOutSegs 6 0.0\nTcpInSegs 7 0.0\n",
        '{"kernel":{"TcpInSegs":5,"TcpOutSegs":6,"TcpInSegs":7}}',
        "Tcp: OutSegs InSegs InSegs\nTcp: 6 5 7\n",
        "Tcp:\n    6 segments sent out\n    5 segments received\n    7 segments received\n",
    ]
    for text in texts:
        (found,) = read(tmp_path, text)
        assert found.values == {"TcpInSegs": 7, "TcpOutSegs": 6}
        assert "names that come twice: 1 (first: TcpInSegs); the last value holds" in found.notes


def test_pairs_of_lines_that_do_not_fit(tmp_path: Path) -> None:
    """The last value of a line that was cut may be cut as well."""
    (found,) = read(tmp_path, "Tcp: InSegs OutSegs RetransSegs\nTcp: 500 40")
    assert found.values == {"TcpInSegs": 500}
    assert "lines with more names than values or the reverse: 1 (first: line 2, Tcp)" in found.notes
    assert "the last line has no end: its last value may be cut" in found.notes
    (found,) = read(tmp_path, f"Tcp: InSegs\nTcp: {'0' * 9000}5\n")
    assert found.values == {"TcpInSegs": 5}
    (found,) = read(tmp_path, "Tcp: InSegs OutSegs\nTcp: 5 x\nUdp: InDatagrams\nTcpExt: TW\nTcpExt: 3\n")
    assert found.values == {"TcpInSegs": 5, "TcpExtTW": 3}
    assert "values that are no numbers: 1 (first: line 2, TcpOutSegs)" in found.notes
    assert "lines of names without their values: 1 (first: Udp)" in found.notes


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, names in a snapshot, snapshots in a file; a series keeps its ends."""
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    with pytest.raises(SnapshotError, match="snapshot:2: a line of more than 100 bytes"):
        read(tmp_path, "\n" + "x" * 101)
    monkeypatch.setattr(reading, "PATIENCE", 1000)
    monkeypatch.setattr(lines, "PIECE", 1000)
    with pytest.raises(SnapshotError, match="no counter"):
        read(tmp_path, "x\n" * 1000 + NSTAT)
    monkeypatch.setattr(formats, "MAX_NAMES", 10)
    with pytest.raises(SnapshotError, match="more than 10 names in one snapshot"):
        read(tmp_path, "#kernel\n" + "".join(f"TcpName{number} 1 0.0\n" for number in range(11)))
    monkeypatch.setattr(keeping, "MAX_SNAPSHOTS", 10)
    rows = [f'{{"time":{time},"counters":{{"TcpInSegs":{time}}}}}\n' for time in range(100, 157)]
    found = read(tmp_path, "".join(rows))
    times = [each.time_ns // SECOND for each in found]
    assert len(times) <= 10
    assert (times[0], times[-1]) == (100, 156)
    assert times == sorted(times)
    assert any("to keep every second or fewer" in note for note in found[-1].notes)


PIECES = [
    SNMP,
    NETSTAT,
    SNMP6,
    NSTAT,
    NSTAT_JSON,
    PROSE,
    PROSE6,
    OVERFLOW,
    EXPORTER,
    DAEMON,
    "Sat Nov 21 12:00:00 UTC 2026\n",
]
WORDS = sorted({word for piece in PIECES for word in re.findall(r"\S+|\s", piece)})


@given(
    st.lists(
        st.sampled_from(WORDS) | st.sampled_from(["\n", " ", "{", "}", ":", "\0"]) | st.text(max_size=5), max_size=60
    )
)
def test_any_words_in_any_order(words: list[str]) -> None:
    """Counters or none, but whole numbers, and no other error than ours."""
    check("".join(words))


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), st.data())
def test_damaged_texts(pieces: list[str], data: st.DataObject) -> None:
    """Real texts with a hole or something else in it."""
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 200, len(text))))
    check(text[:start] + data.draw(st.text(max_size=5)) + text[end:])


def check(text: str) -> None:
    try:
        found = values_of(text)
    except SnapshotError as error:
        assert re.match(r"text:\d+", error.where)
        return
    for values in found:
        assert all(type(value) is int and -(2**63) <= value < 2**64 for value in values.values())

"""TcpExt: loss and its repair: fast recovery, tail loss probes, timeouts, and what was sent again for them."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_OUTPUT = "net/ipv4/tcp_output.c"
_TIMER = "net/ipv4/tcp_timer.c"
_SENDER = "A model of the sender's state (Open, Disorder, Recovery, Loss)"

COUNTERS = (
    Counter(
        "TcpExtTCPRenoRecovery",
        meaning="Times the sender began fast recovery on a connection without SACK, after three duplicate ACKs.",
        unit="episodes",
        moves="At the sender, when its state goes from Open or Disorder to Recovery. Repeats within it do not count.",
        points_at="Loss; and peers or middleboxes that do not allow SACK, which makes repair slow.",
        reference=f"tcp_enter_recovery() in {_INPUT}; RFC 5681 section 3.2, RFC 6582",
        observability="inferred",
        why=f"{_SENDER}: a retransmission after three duplicate ACKs, none of it in an episode that lasts.",
    ),
    Counter(
        "TcpExtTCPSackRecovery",
        meaning="Times the sender began fast recovery on a connection with SACK: RACK, or enough SACKed segments, declared "
        "one lost. One episode may repair many losses.",
        unit="episodes",
        moves="At the sender, when its state goes from Open, Disorder or CWR to Recovery; not out of a timeout.",
        points_at="Loss or strong reordering; the window shrinks once each time. Compare TCPFastRetrans and the "
        "undo counters.",
        reference=f"tcp_enter_recovery() in {_INPUT}; RFC 6675, RFC 8985",
        observability="inferred",
        why=f"{_SENDER}, fed by the SACK blocks received; each first retransmission that no timer explains begins one.",
    ),
    Counter(
        "TcpExtTCPSACKReneging",
        meaning="Times a retransmission timer found that the peer had SACKed the very segment it still does not "
        "acknowledge: it must have thrown it away. All SACK marks are dropped.",
        unit="episodes",
        moves="At the sender in a timeout, at the head of its queue.",
        points_at="A receiver short of memory (its PruneCalled, OfoPruned), or a broken middlebox.",
        reference=f"tcp_timeout_mark_lost() in {_INPUT}; RFC 2018 section 8",
        observability="inferred",
        why="A timeout while the first outstanding byte is within a SACK block received before; the timer is modelled.",
    ),
    Counter(
        "TcpExtTCPLostRetransmit",
        meaning="Segments whose retransmission was taken for lost as well, by RACK or by a timeout.",
        unit="wire_segments",
        moves="At the sender, when a segment already sent again is marked lost once more; also before it is sent, or never is.",
        points_at="Heavy loss, or a policer that drops whole bursts; round trips that grow faster than RACK expects.",
        reference=f"tcp_mark_skb_lost() in {_INPUT}; RFC 8985 section 6.2",
        observability="inferred",
        why=f"{_SENDER}; below by the segments sent a third time.",
    ),
    Counter(
        "TcpExtTCPRenoFailures",
        meaning="Timeouts of a connection without SACK that had seen duplicate ACKs, too few for fast recovery.",
        unit="episodes",
        moves="At the sender, at the first timeout of a row, in Disorder.",
        points_at="Windows too small for three duplicate ACKs; loss at the tail.",
        reference=f"tcp_retransmit_timer() in {_TIMER}",
        observability="inferred",
        why=f"{_SENDER}: a timeout after one or two duplicate ACKs.",
    ),
    Counter(
        "TcpExtTCPSackFailures",
        meaning="Timeouts of a connection with SACK that had SACKed segments or reordering, but not (yet) recovery.",
        unit="episodes",
        moves="At the sender, at the first timeout of a row, in Disorder or with SACKed segments outstanding.",
        points_at="Loss at the tail of short answers; tail loss probes that were lost too.",
        reference=f"tcp_retransmit_timer() in {_TIMER}",
        observability="inferred",
        why=f"{_SENDER}: a timeout after SACK blocks that began no recovery.",
    ),
    Counter(
        "TcpExtTCPLossFailures",
        meaning="Timeouts that hit while an earlier timeout was still being repaired, after some progress.",
        unit="episodes",
        moves="At the sender, at the first timeout of a row, in Loss.",
        points_at="Loss that goes on: a path that is bad rather than a full queue.",
        reference=f"tcp_retransmit_timer() in {_TIMER}",
        observability="inferred",
        why=f"{_SENDER}: a timeout before everything sent before the last one is acknowledged, with progress between.",
    ),
    Counter(
        "TcpExtTCPFastRetrans",
        meaning="Segments sent again in fast recovery, as they are on the wire. Not those of timeouts and tail loss probes.",
        unit="wire_segments",
        moves="At the sender, in any state but Loss.",
        points_at="Loss that was noticed quickly: the cheap kind. Compare TCPLossProbes and TCPTimeouts.",
        reference=f"tcp_xmit_retransmit_queue() in {_OUTPUT}; RFC 6675 section 5",
        observability="inferred",
        why=f"{_SENDER}; together with TCPSlowStartRetrans, timeouts, probes and TCPSynRetrans it makes up TcpRetransSegs.",
    ),
    Counter(
        "TcpExtTCPSlowStartRetrans",
        meaning="Segments sent again in Loss, after a timeout or after a lower path MTU was learnt. The first one, which the "
        "timer itself sends, is not in it.",
        unit="wire_segments",
        moves="At the sender in Loss, as ACKs come in.",
        points_at="Timeouts with much data outstanding: TCPTimeouts, TCPSpuriousRTOs.",
        reference=f"tcp_xmit_retransmit_queue() in {_OUTPUT}; RFC 5681 section 3.1",
        observability="inferred",
        why=f"{_SENDER}: retransmissions after a timeout's own, until what was outstanding then is acknowledged.",
    ),
    Counter(
        "TcpExtTCPTimeouts",
        meaning="Retransmission timers that ran out: of data, SYN, FIN, and of half-open connections (SYN-ACK). The last "
        "one, which gives up and sends nothing, counts; those into a closed window do not.",
        unit="episodes",
        moves="At the sender in every state with something outstanding, at each expiry.",
        points_at="Loss of whole windows or tails, dead peers, dropped SYNs (TCPSynRetrans). Each costs 200 ms or more.",
        reference=f"tcp_retransmit_timer(), tcp_syn_ack_timeout() in {_TIMER}; RFC 6298 section 5",
        observability="inferred",
        why="Retransmissions after a silence that only the timer explains, and the silence after the last; timers that "
        "are only pushed back send nothing.",
    ),
    Counter(
        "TcpExtTCPLossProbes",
        meaning="Tail loss probes: one segment, new or the last one again, sent after about two round trips without an ACK "
        "so that the answer tells what is missing.",
        unit="wire_segments",
        moves="At the sender in Open or CWR with SACK, when the retransmission timer would run out at the latest: there the "
        "first silence is ended by a probe, not by a timeout.",
        points_at="Lost tails, or peers that delay their ACKs longer than two round trips. Compare TCPLossProbeRecovery "
        "and TCPDSACKRecv.",
        since="3.10",
        reference=f"tcp_send_loss_probe() in {_OUTPUT}; RFC 8985 section 7",
        observability="inferred",
        why="A model of the probe's timer from the round trip; a probe that is new data looks like any data.",
    ),
    Counter(
        "TcpExtTCPLossProbeRecovery",
        meaning="Losses repaired by a tail loss probe alone: the probe repeated the last segment, and the ACK beyond it came "
        "without a DSACK.",
        unit="episodes",
        moves="At the sender, at that ACK; the window is reduced as for any loss.",
        points_at="Loss at the tail; the probe saved a timeout.",
        since="3.10",
        reference=f"tcp_process_tlp_ack() in {_INPUT}; RFC 8985 section 7.4",
        observability="inferred",
        why="Which retransmissions are probes is modelled; then the ACK and the absence of a DSACK decide.",
    ),
    Counter(
        "TcpExtTCPRenoRecoveryFail",
        meaning="Timeouts in the middle of fast recovery on a connection without SACK.",
        unit="episodes",
        moves="At the sender, at the first timeout of a row, in Recovery.",
        points_at="Several losses in one window, which recovery without SACK repairs badly.",
        reference=f"tcp_retransmit_timer() in {_TIMER}; RFC 6582 section 3.2",
        observability="inferred",
        why=f"{_SENDER}: a timeout before recovery is complete.",
    ),
    Counter(
        "TcpExtTCPSackRecoveryFail",
        meaning="Timeouts in the middle of fast recovery on a connection with SACK.",
        unit="episodes",
        moves="At the sender, at the first timeout of a row, in Recovery.",
        points_at="Retransmissions that are lost again (TCPLostRetransmit), or a peer that vanished.",
        reference=f"tcp_retransmit_timer() in {_TIMER}",
        observability="inferred",
        why=f"{_SENDER}: a timeout before everything outstanding at the begin of recovery is acknowledged.",
    ),
    Counter(
        "TcpExtTCPRetransFail",
        meaning="Segments that should have been sent again and were refused below TCP, such as for want of a route or by a "
        "full queue. TcpRetransSegs has counted them all the same.",
        unit="wire_segments",
        moves="At the sender; not where only memory or the window forbade it.",
        points_at="A link that is down, netfilter or qdisc that drops on OUTPUT.",
        reference=f"__tcp_retransmit_skb() in {_OUTPUT}",
        observability="bounded",
        why="What it counts is not captured: TcpRetransSegs less the retransmissions seen, in a capture that lost "
        "nothing.",
    ),
    Counter(
        "TcpExtTCPSpuriousRtxHostQueues",
        meaning="Retransmissions left out because the original still waits in this host, in a queue or the driver.",
        unit="super_segments",
        moves="At the sender, at a timer or a probe.",
        points_at="A host or link so busy that packets wait longer than a timeout; look at `tc -s qdisc` and the "
        "driver's completions.",
        reference=f"skb_still_in_host_queue() in {_OUTPUT}",
        observability="inferred",
        why="A model of the timers: nothing leaves when one should have fired, in a host whose data leaves late.",
    ),
    Counter(
        "TcpExtTcpTimeoutRehash",
        meaning="Timeouts after which the socket chose a new hash, so that its packets may take another path. Over IPv6 the "
        "flow label changes.",
        unit="episodes",
        moves="At the sender at every timeout but the last, SYNs included, SYN-ACKs not, unless net.core.txrehash=0.",
        points_at="The same as TCPTimeouts, to which it is close.",
        since="5.6",
        reference=f"tcp_write_timeout() in {_TIMER}; sk_rethink_txhash() in include/net/sock.h",
        observability="inferred",
        why="Follows TCPTimeouts; with IPv6 a retransmission with another flow label than the original shows each.",
    ),
    Counter(
        "TcpExtTCPMTUPFail",
        meaning="Path MTU probes (larger segments sent on trial) that were lost.",
        unit="episodes",
        moves="At the sender, when the probe is declared lost; only with net.ipv4.tcp_mtu_probing.",
        points_at="A path narrower than the probe; normal while searching.",
        since="4.3",
        reference=f"tcp_mtup_probe_failed() in {_INPUT}; RFC 4821 section 7",
        observability="inferred",
        why="A sent segment larger than the MSS in use that is then sent again in smaller ones.",
    ),
    Counter(
        "TcpExtTCPMTUPSuccess",
        meaning="Path MTU probes that were acknowledged; the MSS grows.",
        unit="episodes",
        moves="At the sender, at that ACK; only with net.ipv4.tcp_mtu_probing.",
        points_at="The search for the path MTU works.",
        since="4.3",
        reference=f"tcp_mtup_probe_success() in {_INPUT}; RFC 4821 section 7",
        observability="inferred",
        why="A sent segment larger than the MSS in use that is acknowledged, after which segments of that size follow.",
    ),
)

"""Losses and how TCP recovers from them: one form each, in transfers as short as shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ..frames import FIN, Segment
from ..impair import Rule, drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import CONGESTION, dial

_PAYLOAD = {4: 524, 6: 1208}
"""Bytes in a full segment, by IP version: the MTU is as small as it may be, to keep captures small."""
_MTU = {4: 576, 6: 1280}
_FAST = "TcpExtTCPFastRetrans TcpRetransSegs TcpExtTCPOFOQueue"


@scenario
def fast_retransmit(lab: Lab) -> None:
    """One segment lost in the middle: SACKs tell, and it is sent again at once.

    The segments behind the hole reach the server, whose ACKs name them (SACK). The client enters recovery
    (TCPSackRecovery) and sends the missing segment again (TCPFastRetrans), long before any timer.
    """
    lost = lab.random.randrange(12, 18)
    _upload(lab, 29, [_lose(lost)], f"TcpExtTCPSackRecovery {_FAST}")


@scenario
def fast_retransmit_ipv6(lab: Lab) -> None:
    """One segment lost in the middle over IPv6: SACKs tell, and it is sent again at once.

    The same as fast-retransmit over IPv6; the counters of TCP do not tell the two apart.
    """
    lost = lab.random.randrange(12, 18)
    _upload(lab, 25, [_lose(lost)], f"TcpExtTCPSackRecovery {_FAST}", family=6)


@scenario
def several_losses(lab: Lab) -> None:
    """Three segments lost in one window: one recovery repairs them all.

    The client learns of the holes by SACK and fills them one after the other in the same recovery: TCPSackRecovery
    moves once, TCPFastRetrans three times.
    """
    lost = sorted(lab.random.sample(range(12, 20), 3))
    _upload(lab, 37, [_lose(*lost)], f"TcpExtTCPSackRecovery {_FAST}")


@scenario
def no_sack(lab: Lab) -> None:
    """One segment lost between hosts without SACK and with reno: duplicate ACKs only.

    The server does not allow SACK. Three duplicate ACKs make the client enter recovery (TCPRenoRecovery) and send the
    first segment that is not acknowledged again.
    """
    lost = lab.random.randrange(12, 18)
    counters = f"TcpExtTCPRenoRecovery {_FAST}"
    _upload(lab, 29, [_lose(lost)], counters, congestion="reno", sysctls={"ipv4.tcp_sack": "0"})


@scenario
def no_sack_several_losses(lab: Lab) -> None:
    """Two segments lost without SACK: each partial ACK reveals the next hole.

    The client knows of the second hole only when the first is filled: the ACK for the first retransmission is a partial
    one (TCPRenoRecovery once, TCPFastRetrans twice, a round trip apart).
    """
    lost = lab.random.sample(range(12, 19), 2)
    counters = f"TcpExtTCPRenoRecovery {_FAST}"
    _upload(lab, 37, [_lose(*lost)], counters, congestion="reno", sysctls={"ipv4.tcp_sack": "0"})


@scenario
def bbr_losses(lab: Lab) -> None:
    """The losses of several-losses with bbr at both ends, which does not take them for congestion.

    Recovery is the same as with cubic, the counters too; `ss` names bbr with its bandwidth and pacing rate.
    """
    lost = sorted(lab.random.sample(range(12, 20), 3))
    _upload(lab, 37, [_lose(*lost)], f"TcpExtTCPSackRecovery {_FAST}", congestion="bbr")


@scenario
def lost_retransmission(lab: Lab) -> None:
    """A segment is lost, and its retransmission too.

    The client sees that segments sent after the retransmission have arrived while the retransmission has not, takes it for
    lost as well (TCPLostRetransmit) and sends it a third time, without waiting for a timer.
    """
    lost = lab.random.randrange(12, 15)
    rules = [_lose(lost), drop("client", _is_again, nth={1})]
    _upload(lab, 53, rules, f"TcpExtTCPLostRetransmit {_FAST}")


@scenario
def tail_loss(lab: Lab) -> None:
    """The last segment of a burst is lost: nothing behind it tells, but a probe does (TLP).

    After two round trips without an answer the client sends the last segment again as a loss probe (TCPLossProbes). It
    was lost indeed, so the probe repairs it (TCPLossProbeRecovery), without a retransmission timeout.
    """
    count = lab.random.randrange(7, 11)
    _upload(lab, count, [_lose(count)], "TcpExtTCPLossProbes TcpExtTCPLossProbeRecovery TcpRetransSegs")


@scenario
def tail_loss_ipv6(lab: Lab) -> None:
    """The last segment of a burst is lost over IPv6: a probe repairs it.

    The same as tail-loss over IPv6; the counters of TCP do not tell the two apart.
    """
    count = lab.random.randrange(7, 11)
    counters = "TcpExtTCPLossProbes TcpExtTCPLossProbeRecovery TcpRetransSegs"
    _upload(lab, count, [_lose(count)], counters, family=6)


@scenario
def tail_losses(lab: Lab) -> None:
    """The last three segments of a burst are lost: the probe reveals it, fast recovery repairs it.

    The loss probe sends the last segment again; the SACK for it shows the hole before it, so the client enters
    recovery and sends the two others.
    """
    count = lab.random.randrange(7, 11)
    rules = [_lose(count - 2, count - 1, count)]
    _upload(lab, count, rules, f"TcpExtTCPLossProbes TcpExtTCPSackRecovery {_FAST}")


@scenario
def retransmission_timeout(lab: Lab) -> None:
    """The end of a burst is lost with the probe for it: only the timer is left.

    The last segments are lost and so is the loss probe. After the retransmission timeout (TCPTimeouts) the client begins
    anew with what is not acknowledged, in slow start (TCPSlowStartRetrans).
    """
    count = lab.random.randrange(7, 11)
    rules = [_lose(count - 2, count - 1, count), drop("client", _is_again, nth={1})]
    counters = "TcpExtTCPTimeouts TcpExtTCPLossProbes TcpRetransSegs TcpExtTCPSlowStartRetrans"
    _upload(lab, count, rules, counters)


@scenario
def retransmission_timeout_again(lab: Lab) -> None:
    """One segment and its retransmissions lost three times: the timer doubles each time.

    A single small segment is lost with the probe for it and two retransmissions. The timer fires after 0.2 s
    or so and then each time after twice as long (TCPTimeouts); the application at both ends sees a pause of more than a
    second and nothing else.
    """
    rules = [_lose(1), drop("client", _is_again, nth={1, 2, 3})]
    _upload(lab, 1, rules, "TcpExtTCPTimeouts TcpExtTCPLossProbes TcpRetransSegs")


@scenario
def ack_loss(lab: Lab) -> None:
    """ACKs are lost: later ones cover them, and nothing is sent again.

    Every second pure ACK of an upload is lost on its way back. Each ACK acknowledges all before it, so this does no harm:
    TcpRetransSegs does not move.
    """
    rules = [drop("server", lambda segment: segment.is_pure_ack, nth=range(2, 13, 2))]
    _upload(lab, 29 + lab.random.randrange(4), rules, "TcpExtTCPHPAcks TcpExtTCPPureAcks TcpInSegs TcpOutSegs")


@scenario
def fin_loss(lab: Lab) -> None:
    """The FIN is lost: it is sent again like data.

    The transfer is complete, but the server does not learn of its end before the client's FIN comes a second time, by
    loss probe or timeout.
    """
    rules = [drop("client", lambda segment: bool(segment.flags & FIN), nth={1})]
    _upload(lab, lab.random.randrange(3, 9), rules, "TcpRetransSegs TcpExtTCPLossProbes")


@scenario
def syn_loss(lab: Lab) -> None:
    """The first SYN is lost: the client sends it again after a second.

    TCPSynRetrans and TCPTimeouts count it at the client; the server never knew.
    """
    rules = [drop("client", lambda segment: segment.is_syn, nth={1})]
    _upload(lab, lab.random.randrange(1, 5), rules, "TcpExtTCPSynRetrans TcpExtTCPTimeouts TcpRetransSegs")


@scenario
def syn_loss_ipv6(lab: Lab) -> None:
    """The first SYN is lost over IPv6: the client sends it again after a second.

    The same as syn-loss over IPv6; the counters of TCP do not tell the two apart.
    """
    rules = [drop("client", lambda segment: segment.is_syn, nth={1})]
    _upload(lab, lab.random.randrange(1, 5), rules, "TcpExtTCPSynRetrans TcpExtTCPTimeouts TcpRetransSegs", family=6)


@scenario
def syn_ack_loss(lab: Lab) -> None:
    """The first SYN-ACK is lost: both ends send again after a second.

    The server sends its SYN-ACK again by its own timer or because the client's SYN comes again, whichever is first. Seen at
    the client this looks like syn-loss; seen at the server it does not.
    """
    rules = [drop("server", lambda segment: segment.is_syn_ack, nth={1})]
    _upload(lab, lab.random.randrange(1, 5), rules, "TcpExtTCPSynRetrans TcpExtTCPTimeouts TcpRetransSegs")


def _is_again(segment: Segment) -> bool:
    return segment.is_data and not segment.is_new


def _lose(*numbers: int) -> Rule:
    """Lose these of the client's data segments, counted from 1, at their first transmission."""
    return drop("client", lambda segment: segment.is_new_data, nth=numbers)


def _upload(
    lab: Lab,
    segments: int,
    rules: Sequence[Rule],
    counters: str,
    *,
    family: int = 4,
    congestion: str = "cubic",
    sysctls: Mapping[str, str] | None = None,
) -> None:
    """So many segments from the client to the server, 10 ms each way."""
    client, server = lab.pair(family=family, mtu=_MTU[family], sysctls=sysctls)
    options = {CONGESTION: congestion.encode()}
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001, near=options, far=options)
        connection.upload(segments * _PAYLOAD[family])
        time.sleep(0.1)
        connection.close()

"""What each counter of the kernel means in events: a View goes in, the least and the most it may say comes out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .view import FIN, RST, View

Bounds = tuple[int, int]
Count = Callable[[View], "int | Bounds"]

_EARLY = 0.9
"""A timer of 2 RTT cannot fire before this many of the least RTT that was measured."""


def retransmitted(view: View) -> int:
    """__tcp_retransmit_skb() and tcp_rtx_synack(): every segment sent again, whatever for."""
    return view.in_segments(view.said("retransmission"))


def syn_retransmitted(view: View) -> int:
    """The same, of SYN and SYN-ACK."""
    return view.count("retransmission", "syn", "syn_ack")


def timeouts(view: View) -> Bounds:
    """tcp_retransmit_timer() outside of a closed window, tcp_syn_ack_timeout().

    The last one, which gives up (tcp_write_timeout()), sends nothing.
    """
    closed = view.frames("retransmission", "window_probe")
    seen = len(view.frames("retransmission_timeout") - closed)
    return seen, seen + _left_unanswered(view)


def _left_unanswered(view: View) -> int:
    """Connections whose last segment is one of this host's that a timer sent."""
    last = view.segments.drop_duplicates("flow", keep="last")
    return int(last["frame"].isin(view.frames("retransmission_timeout")).sum())


def loss_probes(view: View) -> Bounds:
    """tcp_send_loss_probe(): the last segment again, or a new one, which looks like any other new segment."""
    quiet_fins = view.frames("retransmission", "fin") - view.frames("retransmission_timeout")
    least = view.count("retransmission", "tlp") + len(quiet_fins & _after_silence(view, again=True))
    return least, least + len(_after_silence(view, again=False))


def _after_silence(view: View, again: bool) -> set[int]:
    """Frames of data or FIN that this host sent while others were outstanding, and after a silence of about 2 RTT."""
    found: set[int] = set()
    flows = view.flows.set_index("flow")
    for flow, segments in view.segments.groupby("flow"):
        side = "client" if flows.at[flow, "client"] in set(segments["src"][segments["mine"]].astype(str)) else "server"
        rtt_ns = max(float(flows.at[flow, f"{side}_rtt_min_ns"]), 1e6)
        mine = segments[segments["mine"] & ((segments["payload_len"] > 0) | (segments["flags"] & FIN != 0))]
        # The timer starts anew with each segment and with each acknowledgment that moves.
        silence = np.diff(mine["time_ns"].to_numpy(), prepend=mine["time_ns"].iloc[:1])
        found |= set(mine["frame"][(mine["again"] == again) & (silence >= 2 * _EARLY * rtt_ns)])
    return found


def fast(view: View) -> int:
    """tcp_xmit_retransmit_queue() outside of TCP_CA_Loss."""
    return view.in_segments(view.said("retransmission", "fast", "lost_again"))


def slow_start(view: View) -> int:
    """tcp_xmit_retransmit_queue() in TCP_CA_Loss: what follows the segment for which the timer expired."""
    rows = view.said("retransmission", "rto")
    return view.in_segments(rows[~rows["frame"].isin(view.frames("retransmission_timeout"))])


def resets_sent(view: View) -> int:
    """Every segment with RST."""
    return int((view.segments["mine"] & (view.segments["flags"] & RST != 0)).sum())


def established_reset(view: View) -> Bounds:
    """tcp_set_state() to TCP_CLOSE from ESTABLISHED or CLOSE_WAIT, at the end that sends the reset and at the other.

    An end that has closed, but has data to send before its FIN, is in neither state, and nothing shows it; nor does
    anything show that an end gives up.
    """
    kinds = ["reset", "half_open", "closing_reset", "reset_by_middlebox"]
    resets = view.events[view.events["event"].isin(kinds) & (view.events["cause"] != "out_of_window")]
    open_ = [row for row in resets.drop_duplicates("frame").itertuples() if not view.closed_before(row.flow, row.frame)]
    unsure = sum(row.cause == "after_fin" and row.value > 0 and not row.mine for row in open_)
    return len(open_) - unsure, len(open_) + _left_unanswered(view)


def failed_attempts(view: View) -> int:
    """tcp_done() in SYN_SENT, and in SYN_RECV when a reset comes."""
    return view.count("refused", mine=False) + view.count("reset_in_handshake", mine=False)


def duplicates_reported(cause: str) -> Count:
    """tcp_check_dsack(), which is not asked in TIME_WAIT; copies of an ACK by the network count again."""

    def count(view: View) -> int:
        rows = view.said("dsack", cause, mine=False)
        alive = sum(not view.gone_before(row.flow, row.frame) for row in rows.itertuples())
        return alive + len(view.copied(rows))

    return count


def duplicates_received(cause: str) -> Count:
    """tcp_dsack_set(): counted when the duplicate comes; of several before the next ACK only the last is reported."""

    def count(view: View) -> Bounds:
        least = view.count("dsack", cause)
        reported = view.count("dsack")
        return least, least + max(0, view.received_again() - reported)

    return count


def windows_opened(view: View) -> int:
    """tcp_select_window(), which is asked for a reset as well."""
    closed: set[int] = set()
    count = view.count("zero_window_end")
    shut, opened = view.frames("zero_window"), view.frames("zero_window_end")
    for row in view.segments[view.segments["mine"]].itertuples():
        if row.frame in shut:
            closed.add(row.flow)
        elif row.frame in opened:
            closed.discard(row.flow)
        elif row.flags & RST and row.flow in closed and row.window:
            closed.discard(row.flow)
            count += 1
    return count


def paws(view: View) -> int:
    """tcp_validate_incoming(), which is not asked in TIME_WAIT."""
    rows = view.said("paws", "segment", mine=False)
    return sum(not view.gone_before(row.flow, row.frame) for row in rows.itertuples())


def discarded(view: View) -> Bounds:
    """tcp_is_sackblock_valid(): where a DSACK is held for dubious, it is looked at as if it were none, and fails."""
    least = view.count("invalid_sack", mine=False)
    rows = view.said("dsack", mine=False)
    return least, least + len(rows) + len(view.copied(rows))


def _said(event: str, *causes: str, mine: bool = True) -> Count:
    return lambda view: view.count(event, *causes, mine=mine)


COUNTERS: dict[str, Count] = {
    "TcpRetransSegs": retransmitted,
    "TcpExtTCPSynRetrans": syn_retransmitted,
    "TcpExtTCPTimeouts": timeouts,
    "TcpExtTCPFastRetrans": fast,
    "TcpExtTCPSlowStartRetrans": slow_start,
    "TcpExtTCPLossProbes": loss_probes,
    "TcpExtTCPDSACKRecv": duplicates_reported("old"),
    "TcpExtTCPDSACKOfoRecv": duplicates_reported("out_of_order"),
    "TcpExtTCPDSACKOldSent": duplicates_received("old"),
    "TcpExtTCPDSACKOfoSent": duplicates_received("out_of_order"),
    "TcpExtTCPSACKReneging": _said("sack_reneging", mine=False),
    "TcpExtTCPSACKDiscard": discarded,
    "TcpExtTCPToZeroWindowAdv": _said("zero_window"),
    "TcpExtTCPFromZeroWindowAdv": windows_opened,
    "TcpExtTCPWinProbe": _said("window_probe"),
    "TcpExtTCPKeepAlive": _said("keep_alive"),
    "TcpOutRsts": resets_sent,
    "TcpEstabResets": established_reset,
    "TcpAttemptFails": failed_attempts,
    "TcpExtTCPChallengeACK": lambda view: view.count("challenge_ack") + view.count("syn_ack_again_answer"),
    "TcpExtPAWSEstab": paws,
    "TcpExtPAWSOldAck": _said("paws", "old_ack", mine=False),
}


def bounds(count: int | Bounds) -> Bounds:
    """The least and the most."""
    return count if isinstance(count, tuple) else (count, count)

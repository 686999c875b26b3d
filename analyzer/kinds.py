"""The kinds of events: what each one means, where that is written, and what its `cause` and `value` say.

A row of KINDS is the whole declaration; the `events` table, `packets.events` and the documentation come from it. The
predicate of a kind stands in the kernel of its family (`loss_kernel.py`, `window_kernel.py`, ...), and its example, one
that fires and one that stays silent, in `tests/events/<kind>.pkt`.
"""

from __future__ import annotations

from analyzer.fields import of_fields


@of_fields(frozen=True, slots=True)
class Kind:
    """One kind of event. `trouble` weighs it when connections are ranked; 0 is not trouble at all."""

    name: str
    family: str
    doc: str
    reference: str
    causes: tuple[str, ...] = ()
    value: str = ""
    trouble: int = 0


RETRANSMISSION_CAUSES = ("fast", "rto", "tlp", "syn", "syn_ack", "fin", "window_probe", "lost_again", "unknown")

KINDS = (
    # What the capture did
    Kind("capture_duplicate", "copies", "The same IP packet was captured again: at another place (interface, direction, TTL, VLAN, before or after NAT, segmentation or merging); or at the same place, in a capture that holds a third or more of its packets twice (also of the other end, if that has sent enough), without data nearer to the first than a frame follows another on a wire of 1 Gbit/s, or within 10 ms and its receiver did not say within a second that it got data twice, nor mostly of others before (without data, within 100 us, in a capture in which no receiver said so); where options of its answers were cut off, which may have said so, neither this nor `network_duplicate` is said. Nothing else is said of such a frame, and it is not counted again.", "RFC 6864 section 4 (the IPv4 ID of a packet)", value="ns since the first copy"),
    Kind("network_duplicate", "copies", "The same IP packet passed the same place twice: the network, not the sender, repeated it. Its receiver says so (DSACK, or an ACK without news), or it came more than 10 ms later (without data, 100 us). Only of IPv4 packets with an ID, from an end whose packets do not all have the same. Besides this only `paws` is said of such a frame.", "RFC 6864 section 4, RFC 2883 section 4", value="ns since the first copy", trouble=2),
    Kind("capture_gap", "loss", "An ACK covers data that the capture does not hold, and that did not come late within a second: it was received, so the capture lost it. On the frame of the ACK; the first of an end in a connection that was open before covers what came before the capture, too, and tells nothing.", "RFC 9293 section 3.4", value="bytes"),
    Kind("captured_late", "loss", "Data that the capture holds after the ACK (`related_frame`) that covers it: sent once, and written late. The ACK echoes a timestamp that is no earlier (`tsval`); the IPv4 ID is behind, or next to, that of what was captured before (`ip_id`); or it goes on where another such segment ended, or came sooner after what was captured before than a timer allows, and no ACK asked for it (`too_soon`). It is neither a retransmission nor missing.", "RFC 7323 section 4.3, RFC 6864 section 4, RFC 6298 section 2.4", ("tsval", "ip_id", "too_soon"), "ns since that ACK"),
    # Loss and repair
    Kind("retransmission", "loss", "Sequence space that the sender had sent before, or that fills a hole and was sent after what follows it.", "RFC 6298 section 5, RFC 5681 section 3.2, RFC 8985; tcp_retransmit_skb()", RETRANSMISSION_CAUSES, "bytes sent again", trouble=3),
    Kind("retransmission_timeout", "loss", "A retransmission after a silence that only the retransmission timer explains: no acknowledgment asked for it. Which of the timers: that of a SYN or SYN-ACK (`syn`), of data (`data`), or of a FIN alone (`fin`). On the frame of that retransmission.", "RFC 6298 section 5.4; tcp_retransmit_timer()", ("syn", "data", "fin"), "ns of silence before it", trouble=10),
    Kind("spurious_retransmission", "loss", "Evidence that a retransmission was not needed: a DSACK for it (`dsack`), an ACK that echoes a timestamp from before it (`eifel`), an ACK that had covered it when it was captured (`acked`), without timestamps an ACK or SACK that covers it in less than half of the shortest round trip, where that of the handshake took no more than twice as long (`too_soon`), or of a repeated SYN the ACK of the SYN-ACK that was sent before (`answer_late`). On the frame that brings the evidence; `related_frame` is the retransmission.", "RFC 2883 section 4, RFC 3522 section 3, RFC 3708, RFC 6298 section 5.7", ("dsack", "eifel", "acked", "too_soon", "answer_late"), "bytes", trouble=1),
    Kind("reordering", "loss", "A segment that fills a hole, or repeats what a retransmission has brought meanwhile, and was sent before what was captured before it: the network changed the order. By a lower TSval (`tsval`), a lower IPv4 ID within a second or two round trips (`ip_id`), or because no ACK could have told the sender of the hole (`sack`).", "RFC 4737 section 3.3, RFC 8985 section 3", ("tsval", "ip_id", "sack"), "ns since the segment behind the hole, or since that retransmission (0 where it is not known any more)", trouble=1),
    Kind("duplicate_ack", "loss", "A segment without data, SYN or FIN that repeats the highest acknowledgment and the window while data is outstanding, or that brings a new SACK block. One that only brings a DSACK is none.", "RFC 5681 section 2; RFC 6675 section 2", value="how many in a row"),
    Kind("mtu_black_hole", "loss", "The timer has sent a segment again three times or more, always as large, and no segment of this end that is as large was ever acknowledged, though smaller ones were: the way carries smaller packets only, and no ICMP said so that its sender obeyed. On the latest of them, said at the end. `answered` the other end was heard since, so that the way back and smaller packets are alive; `silent` it was not, so that it may be that nothing passes any more.", "RFC 2923 section 2.1, RFC 4821, RFC 8899", ("answered", "silent"), "bytes of payload of the largest segment", trouble=10),
    # SACK
    Kind("dsack", "sack", "The first SACK block reports data that arrived twice: below the acknowledgment (`old`), or within the second block (`out_of_order`). The event's direction is that of its sender, who received the duplicate. `related_frame` is the retransmission it answers, if one was captured.", "RFC 2883 section 4; tcp_check_dsack()", ("old", "out_of_order"), "bytes", trouble=1),
    Kind("invalid_sack", "sack", "A SACK block that is empty, turned round, or reports data that was never sent: beyond the highest that was captured, and beyond the window that its sender had offered (within that, the capture may have missed it).", "RFC 2018 section 4; tcp_is_sackblock_valid()", value="bytes of the block, as a signed difference", trouble=5),
    Kind("sack_reneging", "sack", "The acknowledgment stops at or within data that the receiver had reported by SACK: it threw that data away.", "RFC 2018 section 8; tcp_check_sack_reneging()", value="bytes thrown away", trouble=10),
    # Windows
    Kind("zero_window", "window", "The receiver closes its window: first segment of an episode that offers 0 bytes (not SYN, FIN or RST), to an end whose FIN it has not acknowledged.", "RFC 9293 section 3.8.6", trouble=8),
    Kind("zero_window_end", "window", "The window opens again. `related_frame` is the frame that closed it.", "RFC 9293 section 3.8.6.2", value="ns it was closed"),
    Kind("window_never_reopened", "window", "A window that was closed is still closed a second or more later, when the capture ends or the connection is over. `unprobed` the other end sent nothing into it after that; `probed` it did, and was answered; `unanswered` its last probe was not; `invalid_probes` it sent only such as no receiver answers. On the frame that closed the window, said at the end.", "RFC 9293 section 3.8.6.1", ("unprobed", "probed", "unanswered", "invalid_probes"), "ns it was closed", trouble=8),
    Kind("window_update", "window", "A segment without data that repeats the acknowledgment and moves the right edge of the window.", "RFC 9293 section 3.8.6.2", value="bytes by which the right edge moved"),
    Kind("window_full", "window", "Data that ends at or beyond the right edge of the window that was offered. Once, while the window still grows, that is slow start and no trouble.", "RFC 9293 section 3.8.6", value="bytes of the window"),
    Kind("window_limited", "window", "Data that fills a window again which is no larger than one that it has filled before: the receiver's window limits the sender. Once an end. No trouble by itself: what it costs is `time_receive_window_ns` of the connection.", "RFC 9293 section 3.8.6, RFC 7323 section 2.1", value="bytes of the window"),
    Kind("window_probe", "window", "A segment into a closed window to make the receiver speak: `one_byte` at or beyond the right edge, or `empty`, one below the first byte not acknowledged, as Linux sends it.", "RFC 9293 section 3.8.6.1; tcp_xmit_probe_skb()", ("one_byte", "empty"), trouble=1),
    Kind("window_probe_answer", "window", "The ACK that answers a window probe. `related_frame` is the probe. One that opens the window, later than any round trip took, is no answer: it would have come without the probe.", "RFC 9293 section 3.8.6.1", value="ns since the probe"),
    Kind("window_probe_unanswered", "window", "A window probe is repeated, and nothing came back since the one before. `related_frame` is that one.", "RFC 1122 section 4.2.2.17", value="ns since the probe", trouble=5),
    Kind("window_probe_invalid", "window", "A probe that cannot work: a segment into a closed window without data at the next sequence number, with nothing outstanding and no news, sent again and again at growing intervals. It is acceptable, so no receiver need answer it.", "RFC 9293 sections 3.8.6.1 and 3.10.7.4", value="ns since the one before", trouble=5),
    Kind("window_shrunk", "window", "The right edge of the window moves to the left: space that had been offered is taken back. Of what only the SYN had offered, where the window is closed by that or data in flight is cut off. Not said to an end that has sent its FIN and all that is before it.", "RFC 9293 section 3.8.6, RFC 7323 section 2.4", value="bytes taken back"),
    Kind("sent_beyond_window", "window", "The window was taken back from under data in flight, which now lies beyond its right edge: the receiver may throw it away.", "RFC 9293 section 3.8.6, RFC 7323 section 2.4", value="bytes in flight beyond the new edge", trouble=5),
    # Keep-alive
    Kind("keep_alive", "window", "A segment of no or one byte, one below the next to send, with nothing outstanding and an open window.", "RFC 9293 section 3.8.4"),
    Kind("keep_alive_answer", "window", "The ACK that answers a keep-alive. `related_frame` is the keep-alive.", "RFC 9293 section 3.8.4", value="ns since the keep-alive"),
    # Timestamps
    Kind("tsval_regression", "clock", "A TSval lower than the highest this end has sent in this connection, on a segment that is no copy of an old one.", "RFC 7323 section 5.4", value="ticks back", trouble=1),
    Kind("tsecr_never_sent", "clock", "A TSecr that the other end cannot have sent: later than the last TSval captured from it by more than its clock can have advanced since (a tick a microsecond), or before its first by more than a SYN that the capture missed. Said only while the capture has missed no data of that end; that it missed pure ACKs does not matter.", "RFC 7323 section 3.2; LINUX_MIB_TSECRREJECTED", value="ticks beyond the last TSval", trouble=3),
    Kind("paws", "clock", "A segment that its receiver must drop: its TSval is older than the last one accepted by more than a tick (Linux), no more than 24 days passed since, and it is not the RST or the pure repeated ACK that Linux excuses. `old_ack` is an ACK that others have overtaken: harmless.", "RFC 7323 section 5.3; tcp_paws_discard(), tcp_disordered_ack_check()", ("segment", "old_ack"), "ticks too old", trouble=3),
    Kind("tw_recycle", "clock", "A SYN whose TSval is lower than the last one from its source address within 60 s, and both belong to clocks that other connections from there showed too: several hosts behind one address (NAT). A host with tcp_tw_recycle (Linux before 4.12) drops it. An offset per connection (Linux since 4.10) is no clock.", "RFC 7323 appendix B.2 (b); tcp_peer_is_proven() of Linux 4.11", value="timestamp clocks of several connections each, seen behind the address"),
    Kind("clock_regression", "clock", "The capture time is earlier than that of the frame before. Belongs to the capture, not to the flow.", "pcapng section 4.3", value="ns back"),
    # Opening
    Kind("syn_unanswered", "handshake", "Every SYN of the connection remained without an answer until the capture ended, a retransmission timeout or more after the first. On the last SYN, said at the end.", "RFC 9293 section 3.5", value="SYNs sent", trouble=10),
    Kind("refused", "handshake", "The first SYN was answered by a reset: nobody listens there.", "RFC 9293 section 3.10.7.1", value="ns since the SYN", trouble=8),
    Kind("reset_in_handshake", "handshake", "A reset after the SYN-ACK and before the handshake was complete, or one by the client that had only sent its SYN.", "RFC 9293 section 3.5.2", trouble=8),
    Kind("answered_past_nat", "handshake", "The client resets a SYN-ACK that came from the address behind a NAT: its SYN was captured on both sides of it (`flows.leg_of`), and the answer on the far side only. It went past the NAT, and the client knows no connection with that address. `related_frame` is the answer.", "RFC 9293 section 3.10.7.3; RFC 2663 section 4.1", value="ns since the SYN", trouble=8),
    Kind("syn_cookie", "handshake", "A SYN-ACK that is a SYN cookie: the SYN offered window scale and SACK, the answer grants neither and no timestamps, though the same server, at the same distance, granted another SYN of the capture some of them. Where that one came later, said at the end.", "RFC 4987 section 3.6; cookie_v4_init_sequence()", trouble=3),
    Kind("options_refused", "handshake", "The SYN offered window scale and SACK; the server, or a box before it, grants neither, nor timestamps. `stack` the SYN had timestamps, in which a Linux server would have kept the others: an old stack, or a box that strips options; `stack_or_cookie` it had none, so that this may be a SYN cookie, too.", "RFC 7323 section 1.3; tcp_conn_request()", ("stack", "stack_or_cookie")),
    Kind("syn_ack_again", "handshake", "A SYN-ACK is repeated although the client's ACK of it was captured before. `crossed` it was on its way when that ACK was; `deferred` the client has sent nothing else: a listener that waits for data (TCP_DEFER_ACCEPT), or the ACK was lost behind the capture; `ack_lost` the client has sent more, so that was lost behind the capture, too. `related_frame` is the SYN-ACK before.", "tcp_check_req(), inet_csk_reqsk_queue_prune()", ("crossed", "deferred", "ack_lost"), "ns since the client's ACK"),
    Kind("syn_ack_again_answer", "handshake", "The ACK that answers it, which is what every SYN in an open connection gets. `related_frame` is the repeated SYN-ACK.", "RFC 5961 section 4; tcp_send_challenge_ack()"),
    Kind("syn_ack_by_middlebox", "handshake", "Somebody else than the server's end has answered the SYN. `ip_id` the SYN-ACK has the SYN's IPv4 ID: it was turned round; said on the ACK. `ttl` it came from another distance than the data does; said on the first data. `related_frame` is the SYN-ACK.", "RFC 3234 section 2; RFC 3135 section 3.1", ("ip_id", "ttl"), "hops away that the SYN-ACK was sent, by its TTL (which began at 32, 64, 128 or 255)"),
    Kind("simultaneous_open", "handshake", "Both ends sent a SYN before either had one of the other.", "RFC 9293 section 3.5, figure 7", trouble=1),
    Kind("fast_open", "handshake", "TCP Fast Open: the client asks for a cookie (`requested`), gets one (`granted`), sends data with its SYN (`used`), which the SYN-ACK acknowledges (`accepted`) or not (`refused`).", "RFC 7413 section 4", ("requested", "granted", "used", "accepted", "refused"), "bytes of data or of the cookie"),
    Kind("ecn_negotiated", "handshake", "The SYN asked for ECN and the SYN-ACK agreed.", "RFC 3168 section 6.1.1"),
    # Congestion
    Kind("ce", "congestion", "A router marked the packet: Congestion Experienced.", "RFC 3168 section 5", trouble=1),
    Kind("ece", "congestion", "The receiver echoes congestion (ECE outside of SYN), in a connection that agreed on ECN or whose handshake was not captured.", "RFC 3168 section 6.1.3"),
    Kind("cwr", "congestion", "The sender answers an echo: congestion window reduced (CWR outside of SYN).", "RFC 3168 section 6.1.2"),
    # Closing and strangers
    Kind("reset", "closing", "A reset of an open connection: `after_fin` its sender had closed before; `out_of_window` its number is not what the receiver waits for, who ignores or challenges it; `unread_data` with an ACK, when the last data of the connection was from the other end and never answered: closed without reading it, as Linux does; else `in_window`. An ordinary ending is `closing_reset`.", "RFC 9293 section 3.10.7.4, RFC 5961 section 3.2, RFC 2525 section 2.17", ("in_window", "out_of_window", "unread_data", "after_fin"), "bytes outstanding from the other end", trouble=4),
    Kind("closing_reset", "closing", "A reset that ends what was ending anyway. `after_fin` its sender had closed before, and what it answers or throws away are closing bytes at most (256, such as a close_notify and its ACKs); `after_fin_of_other` the other end had closed, and nothing is outstanding; `unread_data` likewise, with an ACK and the other's data last; `begun_before` the connection was there before the capture, and nothing of its sender was captured but this, so it may have closed.", "RFC 9293 section 3.10.7, RFC 2525 section 2.17", ("after_fin", "after_fin_of_other", "unread_data", "begun_before"), "bytes outstanding from the other end"),
    Kind("reset_by_middlebox", "closing", "A reset that a box on the way has sent in this end's name: its TTL is far from that of every other packet of this end and says that it was sent nearer, and its window, IPv4 ID or sequence number are not those of this end either.", "RFC 3360 section 2; RFC 3234 section 2", value="hops away that it was sent, by its TTL (which began at 32, 64, 128 or 255)", trouble=8),
    Kind("fin_unanswered", "closing", "A FIN was sent three times or more, and nothing came from the other end after the first: that end, or the way to it, is gone. On the last frame of its sender, said at the end.", "RFC 9293 section 3.8.3; tcp_retransmit_timer()", value="FINs sent", trouble=8),
    Kind("half_open", "closing", "A reset without ACK whose number is the acknowledgment just received, from an end that had neither closed nor reset, and sent nothing for a second or more: it knows no such connection (any more).", "RFC 9293 section 3.5.1", trouble=8),
    Kind("stray", "closing", "A segment whose numbers belong to the connection that used this 4-tuple before.", "RFC 9293 section 3.4.2", trouble=2),
    Kind("challenge_ack", "closing", "An ACK without news that answers an unacceptable segment: a SYN in an open connection (but for the repeated SYN-ACK of its handshake), a reset that is not exactly next, or an acknowledgment out of range. `related_frame` is that segment.", "RFC 5961 sections 3 to 5; tcp_send_challenge_ack()", trouble=3),
    Kind("data_after_close", "closing", "New data from an end that has sent its FIN; or to an end that has sent FIN and then a reset, so long ago that its sender must know it.", "RFC 9293 section 3.6; RFC 2525 section 2.17", value="bytes", trouble=3),
)  # fmt: skip


def kinds_markdown() -> str:
    """What each kind means, as a Markdown table."""
    lines = ["", "| event | meaning | causes | `value` | reference |", "|---|---|---|---|---|"]
    for kind in KINDS:
        causes = ", ".join(f"`{cause}`" for cause in kind.causes)
        lines.append(f"| `{kind.name}` | {kind.doc} | {causes} | {kind.value} | {kind.reference} |")
    return "\n".join(lines) + "\n"


NAMES = tuple(kind.name for kind in KINDS)
CAUSES = ("", *dict.fromkeys(cause for kind in KINDS for cause in kind.causes))
NUMBER = {name: number for number, name in enumerate(NAMES)}
CAUSE = {cause: number for number, cause in enumerate(CAUSES)}

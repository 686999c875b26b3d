"""TcpExt: SACK and DSACK blocks, sent and received."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_DSACK = "RFC 2883 section 4"
_BUFFERS = (
    "A model of the queue: its buffers are the super-segments that were captured, or, where these were cut before, runs of segments "
    "that left at once and end with PSH; SACK blocks cut and join them."
)
_SHIFT = f"tcp_shift_skb_data(), tcp_shifted_skb() in {_INPUT}"

COUNTERS = (
    Counter(
        "TcpExtTCPDSACKOldSent",
        meaning="DSACK blocks made for data that was received and acknowledged before, wholly or in part. One may be sent "
        "in no segment, if the next comes first.",
        unit="merged_segments",
        moves="At the receiver, when data arrives that begins below the next byte expected; needs SACK and "
        "net.ipv4.tcp_dsack.",
        points_at="A sender that repeats without need: its timers are too early, or the ACKs from here get lost.",
        reference=f"tcp_dsack_set() in {_INPUT}; {_DSACK}.1",
        observability="bounded",
        why="Received data that begins below the highest ACK sent, on connections with SACK and DSACK; those blocks that are sent are "
        "certain. Several that come before the next ACK leaves are reported by one block.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPDSACKOfoSent",
        meaning="DSACK blocks made for data that waits out of order and arrived a second time. It moves as the data comes, not as "
        "a block is sent: while ACKs are held back, one block reports several.",
        unit="merged_segments",
        moves="At the receiver, for data beyond the next byte expected that is there already; needs SACK and "
        "net.ipv4.tcp_dsack.",
        points_at="A sender that repeats what SACK has reported, or a network that copies packets.",
        reference=f"tcp_dsack_set(), tcp_dsack_extend() in {_INPUT}; {_DSACK}.2",
        observability="bounded",
        why="Received data whose bytes arrived before, above a hole; those blocks that are sent are certain.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPDSACKRecv",
        meaning="DSACK blocks received that lie below the acknowledgment they come with: data that the peer had acknowledged "
        "arrived again.",
        unit="messages",
        moves="At the sender of the data, at each ACK with such a first block.",
        points_at="Retransmissions that were not needed: lost ACKs, reordering, early timers. See TCPDSACKUndo.",
        reference=f"tcp_check_dsack() in {_INPUT}; {_DSACK}.1",
        observability="exact",
        why="Received ACKs whose first SACK block begins below their acknowledgment number.",
    ),
    Counter(
        "TcpExtTCPDSACKOfoRecv",
        meaning="DSACK blocks received that lie within the second block: data arrived twice above a hole.",
        unit="messages",
        moves="At the sender of the data, at each ACK with such a first block.",
        points_at="Retransmissions of data that had arrived, or a network that copies packets.",
        reference=f"tcp_check_dsack() in {_INPUT}; {_DSACK}.2",
        observability="exact",
        why="Received ACKs whose first SACK block lies within their second.",
    ),
    Counter(
        "TcpExtTCPDSACKRecvSegs",
        meaning="Segments reported by the DSACK blocks received, reckoned from the length of the block and the MSS. Blocks in "
        "TCPDSACKIgnoredDubious are left out.",
        unit="wire_segments",
        moves="At the sender of the data, with TCPDSACKRecv or TCPDSACKOfoRecv.",
        points_at="How much was repeated for nothing, relative to TcpRetransSegs.",
        since="5.10",
        reference=f"tcp_dsack_seen() in {_INPUT}; {_DSACK}",
        observability="exact",
        why="Received DSACK blocks, their length divided by the MSS and rounded up, if that many were sent again at all.",
    ),
    Counter(
        "TcpExtTCPDSACKIgnoredOld",
        meaning="DSACK blocks that lie below the episode being repaired: too old to say anything about it.",
        unit="messages",
        moves="At the sender with data outstanding, while it may still undo a reduction of its window.",
        points_at="Needless retransmissions long ago; harmless.",
        since="2.6.24",
        reference=f"tcp_sacktag_write_queue(), tcp_is_sackblock_valid() in {_INPUT}",
        observability="inferred",
        why="A model of the sender's states knows where the last episode began, and whether it was undone since.",
    ),
    Counter(
        "TcpExtTCPDSACKIgnoredNoUndo",
        meaning="DSACK blocks below the acknowledgment that come while there is nothing to undo.",
        unit="messages",
        moves="At the sender with data outstanding, in no episode of repair.",
        points_at="A network that copies packets; late news of tail loss probes.",
        since="2.6.24",
        reference=f"tcp_sacktag_write_queue(), tcp_is_sackblock_valid() in {_INPUT}",
        observability="inferred",
        why="A model of the sender's states knows whether there is something to undo; sure while nothing but tail loss probes "
        "was sent again.",
    ),
    Counter(
        "TcpExtTCPDSACKIgnoredDubious",
        meaning="DSACK blocks not believed: empty, larger than the peer's largest window, or more segments than were ever "
        "sent again. So a network that copies packets moves it.",
        unit="messages",
        moves="At the sender, with TCPDSACKRecv or TCPDSACKOfoRecv; while data is outstanding TCPSACKDiscard follows.",
        points_at="Packets duplicated on the way, or forged blocks.",
        since="5.10",
        reference=f"tcp_dsack_seen() in {_INPUT}",
        observability="exact",
        why="Segments sent again, segments reported and the peer's largest window decide, where the capture holds the whole "
        "connection.",
    ),
    Counter(
        "TcpExtTCPSACKDiscard",
        meaning="SACK blocks that cannot be: outside of what is outstanding, or turned round. Old blocks of ACKs that were "
        "overtaken are forgiven; DSACK blocks not believed are counted here.",
        unit="messages",
        moves="At the sender, only while data is outstanding; each block by itself.",
        points_at="A middlebox that changes sequence numbers and forgets SACK (some firewalls), or forged ACKs.",
        since="2.6.24",
        reference=f"tcp_sacktag_write_queue(), tcp_is_sackblock_valid() in {_INPUT}; RFC 2018 section 4",
        observability="exact",
        why="Received SACK blocks that reach beyond the data sent, or below the acknowledgment though their ACK was not "
        "overtaken; blocks that are DSACKs excepted.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPSackShifted",
        meaning="Internal: parts of buffers that were SACKed and moved into the SACKed buffer before them, to save work.",
        unit="other",
        moves="At the sender, as SACK blocks arrive.",
        points_at="Nothing bad: SACK with super-segments in the queue.",
        since="2.6.29",
        reference=_SHIFT,
        observability="inferred",
        why=_BUFFERS,
    ),
    Counter(
        "TcpExtTCPSackMerged",
        meaning="Internal: whole buffers that were SACKed and merged into the SACKed buffer before them.",
        unit="other",
        moves="At the sender, as SACK blocks arrive.",
        points_at="Nothing bad: fewer buffers to walk through.",
        since="2.6.29",
        reference=_SHIFT,
        observability="inferred",
        why=_BUFFERS,
    ),
    Counter(
        "TcpExtTCPSackShiftFallback",
        meaning="Internal: SACKed parts of buffers that could not be merged with their neighbour and were cut or left "
        "instead.",
        unit="other",
        moves="At the sender, as SACK blocks arrive.",
        points_at="Processor time in repair of very large windows; nothing on the network.",
        since="2.6.29",
        reference=_SHIFT,
        observability="inferred",
        why=_BUFFERS,
    ),
    Counter(
        "TcpExtTcpDuplicateDataRehash",
        meaning="Times a receiver got old data again with another IPv6 flow label, took that for a lost ACK, and chose a new "
        "flow label for its own packets.",
        unit="episodes",
        moves="At the receiver of data over IPv6, not while it repairs a timeout of its own; unless net.core.txrehash=0. A "
        "repeated FIN counts too where no data came before it: nothing had set the label.",
        points_at="A path from here to the peer that loses ACKs.",
        since="5.6",
        reference=f"tcp_rcv_spurious_retrans() in {_INPUT}; RFC 6437",
        observability="inferred",
        why="Received old data with another flow label than the data before it; below the acknowledgment sent last only with "
        "SACK.",
    ),
)

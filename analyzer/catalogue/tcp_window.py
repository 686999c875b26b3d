"""TcpExt: receive window, receive queues and memory."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_OUTPUT = "net/ipv4/tcp_output.c"

COUNTERS = (
    Counter(
        "TcpExtPruneCalled",
        meaning="Times a socket's receive buffer was over its limit and the kernel tried to make room: by packing buffers, "
        "then by throwing away data that waits out of order. These are calls, not packets, and mostly nothing is lost, whatever "
        "`netstat -s` says (packets pruned from receive queue because of socket buffer overrun).",
        unit="episodes",
        moves="At the receiver, when data arrives that does not fit.",
        points_at="An application that does not read, small segments that waste memory, or little tcp_rmem. RcvPruned tells "
        "whether it helped.",
        reference=f"tcp_prune_queue() in {_INPUT}",
        observability="bounded",
        why="At most the received data that comes when others have come since the right edge of the window moved on; where it helps "
        "nothing shows it, and where not, RcvPruned.",
    ),
    Counter(
        "TcpExtRcvPruned",
        meaning="Times that making room failed: the segment that arrived is dropped although it was in the window.",
        unit="merged_segments",
        moves="At the receiver, after PruneCalled.",
        points_at="An application that does not read while the sender sends small segments; the peer sees loss.",
        reference=f"tcp_prune_queue() in {_INPUT}",
        observability="bounded",
        why="At most the received data that the answer, taking the window back to 0, does not cover, and data out of order "
        "after that.",
    ),
    Counter(
        "TcpExtOfoPruned",
        meaning="Times that data waiting out of order was thrown away to make room. What SACK had reported is taken back.",
        unit="episodes",
        moves="At the receiver, within PruneCalled.",
        points_at="Loss on the path with a receiver short of memory; the sender counts TCPSACKReneging if it times out.",
        reference=f"tcp_prune_ofo_queue() in {_INPUT}; RFC 2018 section 8",
        observability="bounded",
        why="About the times SACK blocks sent vanish from the next ACKs without being acknowledged; without SACK it is not seen.",
    ),
    Counter(
        "TcpExtTCPRcvCollapsed",
        meaning="Buffers saved by packing data of several into one when memory ran short.",
        unit="other",
        moves="At the receiver, mostly within PruneCalled.",
        points_at="Segments much smaller than their buffers; processor time spent on copying.",
        reference=f"tcp_collapse_one() in {_INPUT}",
        observability="bounded",
        why="At most two buffers for each segment that may have made PruneCalled move; how data is laid out in them is in no packet.",
    ),
    Counter(
        "TcpExtTCPBacklogCoalesce",
        meaning="Segments merged with the one before while they waited for a socket that was in use by its application. Bare "
        "ACKs are merged too, and then count as one in TCPPureAcks.",
        unit="merged_segments",
        moves="At the receiver in softirq, while a system call holds the socket.",
        points_at="Nothing bad: an application in system calls while packets arrive.",
        since="5.0",
        reference="tcp_add_backlog() in net/ipv4/tcp_ipv4.c",
        observability="bounded",
        why="At most the received segments that follow within 2 ms on the one before, with the same options; when the socket is in use "
        "is in no packet.",
    ),
    Counter(
        "TcpExtTCPBacklogDrop",
        meaning="Segments dropped because the queue of a socket that a system call holds was full. It has nothing to do with "
        "the backlog of listen(). The limit is 64 KiB, half of the send buffer and twice the receive buffer since 6.10 (once "
        "the receive buffer since 6.1, and it with the whole send buffer from 4.9; stable kernels have both changes).",
        unit="merged_segments",
        moves="At the receiver in softirq, while a system call holds the socket.",
        points_at="An application that keeps the socket busy in long system calls on a fast link; buffers too small.",
        reference="tcp_add_backlog() in net/ipv4/tcp_ipv4.c",
        observability="bounded",
        why="At most the received segments without any effect: not acknowledged, and sent again later.",
    ),
    Counter(
        "TcpExtPFMemallocDrop",
        meaning="Packets dropped because they stand in memory reserved for emergencies, and their socket does not serve to "
        "free memory (swap over the network).",
        unit="merged_segments",
        moves="At the receiver, TCP and other sockets alike, before the socket's filter.",
        points_at="A host out of memory: the network card was given emergency reserves (min_free_kbytes).",
        since="4.11",
        reference="sk_filter_trim_cap() in net/core/filter.c",
        observability="bounded",
        why="At most the received packets without any effect; the state of memory is in no packet.",
    ),
    Counter(
        "TcpExtTCPRcvCoalesce",
        meaning="Segments whose data was merged into the buffer before them, in the receive queue or the queue out of order.",
        unit="merged_segments",
        moves="At the receiver, when data is queued.",
        points_at="Nothing bad: it saves memory. 0 on a busy receiver hints at a driver whose buffers cannot be merged.",
        since="3.4",
        reference=f"tcp_try_coalesce(), tcp_ooo_try_coalesce() in {_INPUT}",
        observability="bounded",
        why="At most the received segments that follow others, and the ranges that a hole kept back; when the application "
        "reads, and whether the driver's buffers can be joined, is in no packet.",
    ),
    Counter(
        "TcpExtTCPOFOQueue",
        meaning="Segments queued out of order: data before them is missing. Merged by GRO they count once; with or without "
        "SACK.",
        unit="merged_segments",
        moves="At the receiver, for data in the window beyond the next byte expected.",
        points_at="Loss or reordering on the way here; the sender's counters tell which.",
        since="3.4",
        reference=f"tcp_data_queue_ofo() in {_INPUT}; RFC 9293 section 3.10.7.4",
        observability="exact",
        why="Received segments with data or FIN, in the window, that begin beyond the next byte expected; as captured after "
        "GRO. Two in a row may be one where the application was at work with the socket (TCPBacklogCoalesce).",
    ),
    Counter(
        "TcpExtTCPOFODrop",
        meaning="Segments out of order that were dropped for want of receive memory.",
        unit="merged_segments",
        moves="At the receiver, instead of TCPOFOQueue.",
        points_at="A receive buffer full of other data; PruneCalled rises with it.",
        since="3.4",
        reference=f"tcp_data_queue_ofo() in {_INPUT}",
        observability="bounded",
        why="At most the received segments beyond a hole, once the receiver has shown that it is short of memory.",
    ),
    Counter(
        "TcpExtTCPOFOMerge",
        meaning="Segments dropped because all their bytes were out of order in the queue already: the new one, or old ones "
        "that the new one covers. Despite its name not those that are joined.",
        unit="merged_segments",
        moves="At the receiver, when data is put into the queue out of order.",
        points_at="A sender that repeats more than is missing; TCPDSACKOfoSent goes with it.",
        since="3.4",
        reference=f"tcp_data_queue_ofo() in {_INPUT}",
        observability="inferred",
        why="A model of the queue out of order: covered bytes are in the packets; how they were joined before, up to 18 "
        "segments to a buffer, is not.",
    ),
    Counter(
        "TcpExtBeyondWindow",
        meaning="Segments dropped because they begin beyond the window that was offered, or end beyond it while data waits "
        "to be read. Not SYN or RST.",
        unit="merged_segments",
        moves="At the receiver; an ACK answers.",
        points_at="A sender that ignores the window, or a window that was taken back; attacks.",
        since="6.17",
        reference=f"tcp_sequence(), tcp_validate_incoming() in {_INPUT}; RFC 9293 section 3.10.7.4",
        observability="bounded",
        why="Below by received segments that begin beyond the edge offered last, or that end beyond a closed window while "
        "no SACK reports data out of order; above by all that end beyond it.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPFromZeroWindowAdv",
        meaning="Times a connection offered a window again after it had offered none.",
        unit="transitions",
        moves="At the receiver of data, in the segment that opens the window.",
        points_at="With TCPToZeroWindowAdv: an application that reads in bursts.",
        since="3.15",
        reference=f"tcp_select_window() in {_OUTPUT}; RFC 9293 section 3.8.6",
        observability="exact",
        why="Sent segments with a window above 0 after one with 0; SYNs excepted.",
    ),
    Counter(
        "TcpExtTCPToZeroWindowAdv",
        meaning="Times a connection closed its window: it offered 0 after it had offered more.",
        unit="transitions",
        moves="At the receiver of data, in the segment that closes the window.",
        points_at="An application that does not read, or a receive buffer too small; `ss -tm` shows Recv-Q.",
        since="3.15",
        reference=f"tcp_select_window() in {_OUTPUT}; RFC 9293 section 3.8.6",
        observability="exact",
        why="Sent segments with a window of 0 after one with more; a 0 sent because memory ran out does not count.",
    ),
    Counter(
        "TcpExtTCPWantZeroWindowAdv",
        meaning="Segments for which the receiver would have offered 0, but could not without taking back what it had offered.",
        unit="wire_segments",
        moves="At the receiver of data, in each such segment it sends.",
        points_at="The same as TCPToZeroWindowAdv, earlier: the window is about to close.",
        since="3.15",
        reference=f"tcp_select_window() in {_OUTPUT}; RFC 9293 section 3.8.6",
        observability="inferred",
        why="At most the segments sent that keep the right edge of an open window. A model of the receive buffer guesses: those with "
        "less than a segment, or a sixteenth of the buffer, before it; what buffers take beside the data is in no packet.",
    ),
    Counter(
        "TcpExtTCPZeroWindowDrop",
        meaning="Data in order that arrived while the window was closed, dropped; also the part of a segment that lies beyond "
        "a closed window.",
        unit="merged_segments",
        moves="At the receiver; an ACK with window 0 answers.",
        points_at="Senders that probe a closed window with real data, or had data under way when it closed.",
        since="4.19",
        reference=f"tcp_data_queue() in {_INPUT}; RFC 9293 section 3.8.6.1",
        observability="bounded",
        why="At most the received data at the next byte expected after a window of 0 was sent; since 6.17 BeyondWindow counts "
        "it instead while other data waits to be read.",
    ),
    Counter(
        "TcpExtTCPRcvQDrop",
        meaning="Data in order and in the window that was dropped, because memory for it could not be had.",
        unit="merged_segments",
        moves="At the receiver, when its queue is not empty and pruning did not help.",
        points_at="net.ipv4.tcp_mem or a memory cgroup at its limit; a receive buffer full of small segments.",
        since="4.19",
        reference=f"tcp_data_queue(), tcp_try_rmem_schedule() in {_INPUT}",
        observability="bounded",
        why="About the received data in order whose answer takes the window back to 0 without covering it.",
    ),
    Counter(
        "TcpExtTCPMemoryPressures",
        meaning="Times TCP as a whole came under memory pressure: more pages than the middle value of net.ipv4.tcp_mem, which "
        "is in pages (of 4 KiB mostly), not in bytes.",
        unit="transitions",
        moves="In the host, counted for the network namespace of the socket that noticed.",
        points_at="Too many or too large buffers; the mem column of TCP in /proc/net/sockstat, in pages as well.",
        reference="tcp_enter_memory_pressure() in net/ipv4/tcp.c",
        observability="unobservable",
        why="The memory of all sockets is in no packet; smaller windows are a sign with many causes.",
    ),
    Counter(
        "TcpExtTCPMemoryPressuresChrono",
        meaning="Milliseconds that TCP was under memory pressure; added when the pressure ends.",
        unit="milliseconds",
        moves="In the host, counted for the network namespace of the socket that ended it.",
        points_at="See TCPMemoryPressures; this tells how long.",
        since="4.13",
        reference="tcp_leave_memory_pressure() in net/ipv4/tcp.c",
        observability="unobservable",
        why="The memory of all sockets is in no packet.",
    ),
    Counter(
        "TcpExtTCPWqueueTooBig",
        meaning="Times a segment was not cut in two because the send queue held far more memory than its limit: a guard "
        "against tiny SACK blocks.",
        unit="episodes",
        moves="At the sender, when it should cut a segment to send or to mark a part of it.",
        points_at="A peer that attacks with SACK and a small MSS, or a very small SO_SNDBUF.",
        since="5.2",
        reference=f"tcp_fragment() in {_OUTPUT}",
        observability="unobservable",
        why="Nothing is sent differently enough to tell it from other delays.",
    ),
)

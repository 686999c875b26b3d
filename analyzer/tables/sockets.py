"""The table of sockets in lists of ss, netstat and /proc/net/tcp."""

from __future__ import annotations

from analyzer.schema import Column, Table

SOCKET_STATES = (
    "", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK",
    "LISTEN", "CLOSING",
)  # fmt: skip
"""As ss spells them, in the order of their numbers in the kernel."""
NETIDS = ("", "tcp", "udp", "raw", "udplite", "dccp", "sctp", "mptcp")
SHUTDOWNS = ("", "none", "receive", "send", "both")
TIMERS = ("", "on", "keepalive", "timewait", "persist", "delack", "unknown")
SOCKET_FLAGS = ("ts", "sack", "ecn", "ecnseen", "fastopen", "usec_ts", "app_limited", "bidir")


def _ends_of(side: str, of: str) -> tuple[Column, ...]:
    """The columns of one end of a socket."""
    return (
        Column(side, "", f"Address {of}, `*` for any of either family; an IPv4 address mapped into IPv6 is that IPv4 address. Empty where it is not known.", kind="text"),
        Column(f"{side}_port", "i8", "Its port; missing for any port, and where it is not known.", kind="optional"),
        Column(f"{side}_interface", "", "The interface or scope behind the address.", kind="text"),
        Column(f"{side}_service", "", "The name that was printed for the port.", kind="text"),
        Column(f"{side}_printed", "", "What was printed where no whole address was: the name of a host, or the beginning of an IPv6 address that netstat cut.", kind="text"),
    )  # fmt: skip


SOCKETS = Table(
    "sockets",
    "One row per socket in a list of ss, netstat or /proc/net/tcp. A number that the list does not hold is missing, not 0.",
    (
        Column("time_ns", "i8", "When the list was taken: that of its row, of the line before the list, or of the file.", unit="ns"),
        Column("snapshot", "i8", "Number of the list, from 0."),
        Column("host", "", "Name of the host, where a bundle tells it.", kind="text"),
        Column("netid", "u1", "Protocol.", kind="enum", words=NETIDS),
        Column("ip_version", "u1", "4 or 6, of the addresses or as the list says; 0 where neither tells."),
        Column("state", "u1", "State as ss spells it, whatever the list is of; empty where it is not known.", kind="enum", words=SOCKET_STATES),
        Column("recv_q", "i8", "Recv-Q: bytes received that the application has not read (a FIN counts as one); of a listener the connections that wait to be accepted.", kind="optional"),
        Column("send_q", "i8", "Send-Q: bytes written that were not acknowledged (SYN and FIN count as one each); of a listener what `accept_limit` is, but in netstat and /proc always 0.", kind="optional"),
        Column("accept_queue", "i8", "Connections that wait to be accepted; of listeners only.", kind="optional"),
        Column("accept_limit", "i8", "How many may wait: when more do, SYNs are dropped. Missing in netstat and /proc, which do not say it.", kind="optional"),
        *_ends_of("local", "of this host"),
        *_ends_of("peer", "of the peer"),
        Column("v4_mapped", "u1", "1 if the socket is of IPv6 and speaks IPv4."),
        Column("flow", "i8", "Its conversation in the table `flows` (of several with these addresses and ports the one of that time), or -1."),
        Column("listener_flows", "i8", "How many connections of the capture were opened to this listener; an address of any counts those to every address of the host.", kind="optional"),
        Column("process", "", "Name of the first process that holds it, as it was printed.", kind="text"),
        Column("pid", "i8", "Its number.", kind="optional"),
        Column("fd", "i8", "Its file descriptor.", kind="optional"),
        Column("processes", "", "All of them as JSON: name, pid, and where they were printed fd, tid, context.", kind="text"),
        Column("timer", "u1", "The timer that runs: `on` retransmission (or loss probe), `keepalive`, `timewait`, `persist` zero-window probe, `delack`.", kind="enum", words=TIMERS),
        Column("timer_expires_ms", "i8", "When it expires.", unit="ms", kind="optional"),
        Column("timer_retransmissions", "i8", "How often it has expired in a row.", kind="optional"),
        Column("timer_probes", "i8", "Window or keepalive probes without an answer, which only netstat tells.", kind="optional"),
        Column("uid", "i8", "User.", kind="optional"),
        Column("inode", "i8", "Inode; 0 where the socket has none any more.", kind="optional"),
        Column("cookie", "", "Cookie of the socket as ss prints it (`sk:`), the same in every list; in RHEL 6 its address in the kernel.", kind="text"),
        Column("cgroup", "", "Control group.", kind="text"),
        Column("v6only", "i8", "1 if a socket of IPv6 takes no IPv4.", kind="optional"),
        Column("shutdown", "u1", "Which of its directions are shut down: `receive` means that the peer has sent its FIN.", kind="enum", words=SHUTDOWNS),
        *(
            Column(f"skmem_{word}", "i8", doc, unit=unit, kind="optional")
            for word, unit, doc in (
                ("r", "bytes", "Memory that received data takes."),
                ("rb", "bytes", "Receive buffer: the most it may take."),
                ("t", "bytes", "Memory of data handed to the layers below."),
                ("tb", "bytes", "Send buffer: the most that data to be sent may take."),
                ("f", "bytes", "Memory reserved for the socket and not in use."),
                ("w", "bytes", "Memory that data to be sent takes."),
                ("o", "bytes", "Memory of options."),
                ("bl", "bytes", "Memory of the backlog: packets that came while the socket was in use."),
                ("d", "packets", "Packets dropped before they were queued (of a listener, SYNs too)."),
            )
        ),
        Column("congestion", "", "Congestion control.", kind="text"),
        Column("flags", "u1", "Words that ss prints alone: options in use, `ecnseen` a packet with ECN came, `app_limited` the application sends less than it may.", kind="bits", words=SOCKET_FLAGS),
        *(Column(name, dtype, doc, unit=unit, kind="optional") for name, dtype, unit, doc in (
            ("snd_wscale", "i8", "", "Window scale of the peer."),
            ("rcv_wscale", "i8", "", "Window scale of this host."),
            ("rto_ms", "f8", "ms", "Retransmission timeout."),
            ("backoff", "i8", "", "How often it was doubled."),
            ("rtt_ms", "f8", "ms", "Smoothed round-trip time."),
            ("rttvar_ms", "f8", "ms", "Its mean deviation."),
            ("qack", "i8", "", "ACKs that are still sent at once (old kernels)."),
            ("ato_ms", "f8", "ms", "Time until a delayed ACK is sent."),
            ("mss", "i8", "bytes", "Largest segment sent."),
            ("pmtu", "i8", "bytes", "MTU of the path."),
            ("rcvmss", "i8", "bytes", "Estimate of the segments that come."),
            ("advmss", "i8", "bytes", "MSS that this host announced."),
            ("cwnd", "i8", "packets", "Congestion window."),
            ("ssthresh", "i8", "packets", "Slow start threshold."),
            ("bytes_sent", "u8", "bytes", "Bytes sent, sent again included."),
            ("bytes_retrans", "u8", "bytes", "Bytes sent again."),
            ("bytes_acked", "u8", "bytes", "Bytes acknowledged."),
            ("bytes_received", "u8", "bytes", "Bytes received."),
            ("segs_out", "i8", "packets", "Segments sent."),
            ("segs_in", "i8", "packets", "Segments received."),
            ("data_segs_out", "i8", "packets", "Segments with data sent."),
            ("data_segs_in", "i8", "packets", "Segments with data received."),
            ("send_bps", "f8", "bit/s", "Congestion window by round-trip time, as ss reckons."),
            ("lastsnd_ms", "i8", "ms", "Since data was sent last."),
            ("lastrcv_ms", "i8", "ms", "Since data came last; since the host started, where none ever came."),
            ("lastack_ms", "i8", "ms", "Since an ACK came last; likewise."),
            ("pacing_rate_bps", "f8", "bit/s", "Rate at which packets are paced."),
            ("delivery_rate_bps", "f8", "bit/s", "Rate at which data was last delivered."),
            ("delivered", "i8", "packets", "Segments delivered."),
            ("delivered_ce", "i8", "packets", "Of these with congestion experienced."),
            ("busy_ms", "i8", "ms", "Time in which there was data to send or to be acknowledged."),
            ("rwnd_limited_ms", "i8", "ms", "Of this, limited by the peer's window."),
            ("sndbuf_limited_ms", "i8", "ms", "Of this, limited by the send buffer."),
            ("unacked", "i8", "packets", "Segments in flight; of a listener the accept queue."),
            ("retrans", "i8", "packets", "Segments sent again that are in flight."),
            ("retrans_total", "i8", "packets", "Segments ever sent again."),
            ("lost", "i8", "packets", "Segments taken for lost."),
            ("sacked", "i8", "packets", "Segments acknowledged by SACK; of a listener the limit of the accept queue."),
            ("fackets", "i8", "packets", "Segments below the highest SACK (old kernels)."),
            ("dsack_dups", "i8", "packets", "Segments that DSACKs told came twice."),
            ("reordering", "i8", "packets", "How far segments are taken to come out of order, where not 3."),
            ("reord_seen", "i8", "", "How often that was seen."),
            ("rcv_rtt_ms", "f8", "ms", "Round-trip time as the receiver reckons it."),
            ("rcv_space", "i8", "bytes", "What the application reads in a round-trip time, for tuning the receive buffer."),
            ("rcv_ssthresh", "i8", "bytes", "Window that may be announced at present."),
            ("notsent", "i8", "bytes", "Bytes written that were not sent yet."),
            ("minrtt_ms", "f8", "ms", "Smallest round-trip time."),
            ("rcv_ooopack", "i8", "packets", "Segments that came out of order."),
            ("snd_wnd", "i8", "bytes", "Window of the peer."),
            ("rcv_wnd", "i8", "bytes", "Window of this host."),
            ("rehash", "i8", "", "How often another path was tried after a timeout."),
        )),
    ),
)  # fmt: skip

"""TcpExt: SYN, SYN-ACK and the queues of a listener."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

COUNTERS = (
    Counter(
        "TcpExtSyncookiesSent",
        meaning="SYN-ACKs whose sequence number is a SYN cookie: the listener keeps no memory of the handshake.",
        unit="wire_segments",
        moves="At the listener, at a SYN, while its request queue is full (net.ipv4.tcp_syncookies=1) or always (2).",
        points_at="A SYN flood, or a backlog too small for the load; look at TCPReqQFullDoCookies and listen(2).",
        reference="cookie_init_sequence() in include/net/tcp.h, from tcp_conn_request() in net/ipv4/tcp_input.c; RFC 4987",
        observability="inferred",
        why="Sent SYN-ACKs that are never repeated though nothing answers; those without options although the SYN had some; "
        "those whose TSval, where options take the place of the low six bits, lies up to 64 ms behind the next one.",
        confidence="medium",
    ),
    Counter(
        "TcpExtSyncookiesRecv",
        meaning="ACKs whose acknowledgment holds a valid SYN cookie. While the accept queue is full each repetition counts.",
        unit="packets",
        moves="At the listener, at that ACK; a connection follows unless the accept queue is full.",
        points_at="Real clients come through while the queue is full. None of many sent: a flood with forged sources.",
        reference="cookie_v4_check() in net/ipv4/syncookies.c, cookie_tcp_check(); RFC 4987 section 3.6",
        observability="inferred",
        why="Received ACKs without SYN or RST that acknowledge a cookie SYN-ACK plus one, within about two minutes, until "
        "the host answers one.",
        confidence="medium",
    ),
    Counter(
        "TcpExtSyncookiesFailed",
        meaning="ACKs to a listener that fit no connection and hold no valid cookie. It moves only within about two minutes "
        "of an overflow; any stray ACK to the port then counts.",
        unit="merged_segments",
        moves="At the listener; an RST answers.",
        points_at="Late segments of closed connections, ACK scans, cookies that are too old.",
        reference="cookie_tcp_check() in net/ipv4/syncookies.c; tcp_synq_no_recent_overflow()",
        observability="inferred",
        why="At most the resets without ACK that the host sends for ACKs to a port that has sent a cookie less than two minutes before, "
        "as long as somebody listens there.",
        confidence="medium",
    ),
    Counter(
        "TcpExtEmbryonicRsts",
        meaning="Half-open connections of a listener that were removed by a RST, or by a new SYN in the window that is "
        "answered with one. With tcp_abort_on_overflow=1 also those refused for a full accept queue.",
        unit="connections",
        moves="At the server in SYN_RECV.",
        points_at="Clients that did not ask for the connection (forged SYNs), give up at once, or port scanners.",
        reference="tcp_check_req() in net/ipv4/tcp_minisocks.c; RFC 9293 section 3.10.7.4",
        observability="exact",
        why="Received RSTs and SYNs whose sequence number fits a SYN-ACK that is not acknowledged yet, and resets without "
        "ACK as the first answer to the end of a handshake.",
    ),
    Counter(
        "TcpExtListenOverflows",
        meaning="Times the accept queue of a listener was full: SYNs dropped for it, and final ACKs ignored for it. One "
        "connection counts again with each repetition. Each is in ListenDrops too.",
        unit="packets",
        moves="At the server, at the SYN and again at the final ACK of the handshake.",
        points_at="An application that accepts too slowly; `ss -lt` shows Recv-Q above Send-Q. Or a small backlog "
        "(listen(2), net.core.somaxconn).",
        reference="tcp_conn_request() in net/ipv4/tcp_input.c; tcp_v4_syn_recv_sock() in net/ipv4/tcp_ipv4.c",
        observability="bounded",
        why="ACKs after which the SYN-ACK is repeated in its usual time, data to a cookie that nobody acknowledges, and SYNs "
        "without an answer to a port that answers others and has no handshakes under way.",
    ),
    Counter(
        "TcpExtListenDrops",
        meaning="SYNs and handshakes that a listener gave up, for any reason: full queues, no memory, no route, an ICMP error "
        "for a half-open connection; without SYN cookies also the SYNs of unknown hosts once three quarters of "
        "net.ipv4.tcp_max_syn_backlog are taken: the rest is kept for those that are known. It contains ListenOverflows.",
        unit="packets",
        moves="At the server in LISTEN and SYN_RECV.",
        points_at="ListenOverflows first; if it is less, TCPReqQFullDrop, tcp_max_syn_backlog without tcp_syncookies, then "
        "memory and routes.",
        reference="tcp_listendrop() in include/net/tcp.h, from tcp_conn_request() and tcp_v4_syn_recv_sock()",
        observability="bounded",
        why="About the SYNs to an open port without an answer, plus final ACKs after which the SYN-ACK is repeated; "
        "firewalls drop SYNs as silently.",
    ),
    Counter(
        "TcpExtTCPReqQFullDoCookies",
        meaning="SYNs that found the request queue full and are answered by a SYN cookie. With tcp_syncookies=2 every SYN.",
        unit="packets",
        moves="At the listener, per SYN; the log says once that SYN flooding is possible.",
        points_at="A SYN flood, or more handshakes under way than the backlog holds; SyncookiesRecv tells them apart.",
        since="3.2",
        reference="tcp_syn_flood_action() in net/ipv4/tcp_input.c; RFC 4987",
        observability="inferred",
        why="A model of the request queue: half-open connections against the backlog; equal to the cookies sent, as "
        "nearly always.",
    ),
    Counter(
        "TcpExtTCPReqQFullDrop",
        meaning="SYNs that found the request queue full and are dropped, since net.ipv4.tcp_syncookies is 0.",
        unit="packets",
        moves="At the listener, per SYN, with ListenDrops.",
        points_at="A SYN flood, or a backlog too small; switch cookies on, or raise listen()'s backlog.",
        since="3.2",
        reference="tcp_syn_flood_action() in net/ipv4/tcp_input.c; RFC 4987",
        observability="bounded",
        why="SYNs without an answer to a port that answers others, while handshakes are under way and none was ignored at "
        "its end.",
    ),
    Counter(
        "TcpExtTCPDeferAcceptDrop",
        meaning="Final ACKs without data that a listener with TCP_DEFER_ACCEPT ignores: it waits for the first data.",
        unit="merged_segments",
        moves="At the server in SYN_RECV; the handshake is complete for the client.",
        points_at="Nothing bad by itself: clients that connect and say nothing, such as probes of load balancers.",
        reference="tcp_check_req() in net/ipv4/tcp_minisocks.c",
        observability="inferred",
        why="A model of the listener: the bare ACK makes no socket (no answer to it, SYN-ACK repeated later), the first "
        "data does. A full accept queue looks alike.",
    ),
    Counter(
        "TcpExtTCPSynRetrans",
        meaning="SYNs and SYN-ACKs sent again. A SYN-ACK repeated because the SYN came again counts as well.",
        unit="wire_segments",
        moves="At the client in SYN_SENT, at the server for half-open connections.",
        points_at="Servers that are down or overloaded, firewalls that drop, loss on the way: compare TcpAttemptFails, "
        "and ListenOverflows at the server.",
        since="3.15",
        reference="__tcp_retransmit_skb(), tcp_rtx_synack() in net/ipv4/tcp_output.c; RFC 6298 section 5",
        observability="exact",
        why="Sent SYNs and SYN-ACKs that repeat an earlier one, but those of a simultaneous open.",
    ),
    Counter(
        "TcpExtTCPMigrateReqSuccess",
        meaning="Connections, complete or half-open, moved from a closing listener to another of its SO_REUSEPORT group "
        "(net.ipv4.tcp_migrate_req, or BPF).",
        unit="connections",
        moves="At the server when a listener closes, or at the next packet or timer of the handshake.",
        points_at="A rolling restart of a server that works as it should.",
        since="5.14",
        reference="inet_csk_listen_stop(), reqsk_timer_handler() in net/ipv4/inet_connection_sock.c; tcp_check_req()",
        observability="unobservable",
        why="For the peer nothing changes: which listener has the connection is in no packet.",
    ),
    Counter(
        "TcpExtTCPMigrateReqFailure",
        meaning="Connections that should have moved to another listener of the SO_REUSEPORT group and could not.",
        unit="connections",
        moves="At the server when a listener closes; the connection is aborted.",
        points_at="No other listener left, or its queue was full.",
        since="5.14",
        reference="inet_csk_listen_stop() in net/ipv4/inet_connection_sock.c; reuseport_migrate_sock()",
        observability="bounded",
        why="At most the connections that get a RST before the application has sent anything, at the moment a server "
        "restarts.",
        confidence="medium",
    ),
)

"""TcpExt: TCP Fast Open (RFC 7413)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

COUNTERS = (
    Counter(
        "TcpExtTCPFastOpenActive",
        meaning="Connections whose data in the SYN was acknowledged by the SYN-ACK.",
        unit="connections",
        moves="At the client, at the SYN-ACK.",
        points_at="Fast open works; it saves one round trip.",
        since="3.6",
        reference="tcp_rcv_fastopen_synack() in net/ipv4/tcp_input.c; RFC 7413 section 4.2.2",
        observability="exact",
        why="Received SYN-ACKs that acknowledge more than the SYN, which carried data.",
    ),
    Counter(
        "TcpExtTCPFastOpenActiveFail",
        meaning="Fast opens that failed at the client: the SYN-ACK does not acknowledge the data, or a connection whose SYN had "
        "the option timed out for the third time in a row (or for the last time).",
        unit="connections",
        moves="At the client, at the SYN-ACK or at the timer.",
        points_at="Servers that changed their key, lost the first SYN, or middleboxes that drop SYNs with data.",
        since="3.15",
        reference="tcp_rcv_fastopen_synack() in net/ipv4/tcp_input.c; tcp_fastopen_active_detect_blackhole()",
        observability="exact",
        why="Received SYN-ACKs that do not acknowledge the data of the SYN, and third timeouts in a row of connections whose "
        "first SYN had the option or data.",
    ),
    Counter(
        "TcpExtTCPFastOpenPassive",
        meaning="Connections made at the SYN, because its cookie was valid or none is asked for; data may be read "
        "before the handshake ends.",
        unit="connections",
        moves="At the server, at the SYN; TcpPassiveOpens moves along.",
        points_at="Fast open works.",
        since="3.7",
        reference="tcp_fastopen_create_child(), tcp_try_fastopen() in net/ipv4/tcp_fastopen.c; RFC 7413 section 4.2.1",
        observability="exact",
        why="Received SYNs with cookie or data whose SYN-ACK acknowledges the data; where a SYN has a cookie and no "
        "data, the SYN-ACK gives no new cookie.",
    ),
    Counter(
        "TcpExtTCPFastOpenPassiveFail",
        meaning="SYNs whose cookie is wrong or for which no socket could be made; an ordinary handshake follows.",
        unit="connections",
        moves="At the server, at the SYN.",
        points_at="A key that was changed or differs between servers behind one address (net.ipv4.tcp_fastopen_key), or "
        "clients behind a changing NAT address.",
        since="3.7",
        reference="tcp_try_fastopen() in net/ipv4/tcp_fastopen.c; RFC 7413 section 4.2.1",
        observability="exact",
        why="Received SYNs with a cookie whose SYN-ACK does not acknowledge the data and brings a new cookie.",
    ),
    Counter(
        "TcpExtTCPFastOpenListenOverflow",
        meaning="SYNs with data or a fast open option for which the listener had too many fast opens under way (the queue "
        "length of TCP_FASTOPEN). The cookie is not looked at; an ordinary handshake follows.",
        unit="connections",
        moves="At the server, at the SYN.",
        points_at="A fast open queue too small, or a flood of SYNs with valid cookies.",
        since="3.7",
        reference="tcp_fastopen_queue_check() in net/ipv4/tcp_fastopen.c; RFC 7413 section 5.1",
        observability="exact",
        why="Received SYNs with data or option whose SYN-ACK acknowledges only the SYN and brings no cookie, while others "
        "are opened fast but not acknowledged yet: a port known to take fast opens.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPFastOpenCookieReqd",
        meaning="SYNs that ask for a fast open cookie. They count even where the server has fast open switched off.",
        unit="packets",
        moves="At the listener, at the SYN.",
        points_at="Clients that would use fast open.",
        since="3.7",
        reference="tcp_try_fastopen() in net/ipv4/tcp_fastopen.c; RFC 7413 section 4.1.1",
        observability="exact",
        why="Received first SYNs to an open port with the fast open option and no cookie in it.",
    ),
    Counter(
        "TcpExtTCPFastOpenBlackhole",
        meaning="Times that fast open was switched off for all clients of the host because the path seemed not to bear it. "
        "Only if net.ipv4.tcp_fastopen_blackhole_timeout_sec is above 0 (0 since 5.14).",
        unit="episodes",
        moves="At the client: RST or FIN out of order before any data, or timeouts after a fast open.",
        points_at="A middlebox that drops data after a SYN with data.",
        since="4.12",
        reference="tcp_fastopen_active_disable() in net/ipv4/tcp_fastopen.c; RFC 7413 section 4.1.3",
        observability="exact",
        why="Those RSTs, FINs and timeouts on connections that sent data in the SYN; the setting must be known.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTCPFastOpenPassiveAltKey",
        meaning="Fast opens whose cookie was made with the second of two keys. The SYN-ACK brings a new cookie.",
        unit="connections",
        moves="At the server, at the SYN, with TCPFastOpenPassive.",
        points_at="A change of keys under way, as it should be.",
        since="5.3",
        reference="tcp_try_fastopen() in net/ipv4/tcp_fastopen.c; net.ipv4.tcp_fastopen_key",
        observability="exact",
        why="Received SYNs with cookie whose SYN-ACK acknowledges the data and brings a new cookie nevertheless.",
    ),
)

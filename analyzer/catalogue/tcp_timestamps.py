"""TcpExt: PAWS and timestamps (RFC 7323), and TIME_WAIT."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_MINI = "net/ipv4/tcp_minisocks.c"
_PAWS = "RFC 7323 section 5.3"

COUNTERS = (
    Counter(
        "TcpExtTW",
        meaning="Sockets that went to TIME_WAIT, and orphans in FIN_WAIT_2 kept as small sockets for at most 60 s. Each "
        "connection counts once.",
        unit="sockets",
        moves="At the side that closes first, when the small socket is made.",
        points_at="Load of connections closed from here. It is no trouble by itself; ports run out only towards one "
        "destination.",
        reference=f"inet_twsk_schedule() in net/ipv4/inet_timewait_sock.c, tcp_time_wait() in {_MINI}",
        observability="exact",
        why="Connections closed first from here: ACKs of its FIN by which FIN_WAIT_2 (orphaned) or TIME_WAIT begins. Which of "
        "the two the answer to the peer's FIN tells in IPv4: such a socket sends it with identification 0.",
        confidence="medium",
    ),
    Counter(
        "TcpExtTWRecycled",
        meaning="TIME_WAIT sockets taken over by connect(): the port pair is used again towards the same peer.",
        unit="sockets",
        moves="At the client, in connect(), with net.ipv4.tcp_tw_reuse (1, or 2 for loopback only) and timestamps.",
        points_at="Many short connections to one server; look for keep-alive in the application.",
        reference="__inet_check_established() in net/ipv4/inet_hashtables.c, tcp_twsk_unique(); RFC 6191",
        observability="inferred",
        why="A model of TIME_WAIT: SYNs sent within 60 s of the end of a connection with the same addresses and ports.",
    ),
    Counter(
        "TcpExtTWKilled",
        meaning="Small sockets whose time is at most 4 s when they are made, in place of 60 s: FIN_WAIT_2 with a short "
        "tcp_fin_timeout or TCP_LINGER2.",
        unit="sockets",
        moves="At the side that closes first, in place of TW.",
        points_at="A very low net.ipv4.tcp_fin_timeout.",
        reference="__inet_twsk_schedule() in net/ipv4/inet_timewait_sock.c",
        observability="inferred",
        why="A model of FIN_WAIT_2: its time is a setting, and shows only if the peer answers late.",
    ),
    Counter(
        "TcpExtTCPTimeWaitOverflow",
        meaning="Sockets that should have gone to TIME_WAIT and were closed at once: net.ipv4.tcp_max_tw_buckets is reached, "
        "or memory ran out.",
        unit="sockets",
        moves="At the side that closes first.",
        points_at="Very many connections closed from here; old segments of theirs get a RST now.",
        reference=f"tcp_time_wait() in {_MINI}",
        observability="bounded",
        why="At most the connections closed first from here; below by repeated FINs of the peer that a RST answers within "
        "60 s.",
    ),
    Counter(
        "TcpExtPAWSActive",
        meaning="SYN-ACKs (or ACKs) refused since their TSecr was never sent: it lies not between the first SYN and now.",
        unit="packets",
        moves="At the client in SYN_SENT; a RST answers.",
        points_at="A middlebox or a server that mixes up connections; answers to a connection before.",
        reference=f"tcp_rcv_synsent_state_process() in {_INPUT}; RFC 7323 section 3.2",
        observability="exact",
        why="Received SYN-ACKs and ACKs in answer to a SYN whose TSecr is no TSval sent for it; a RST follows.",
    ),
    Counter(
        "TcpExtPAWSEstab",
        meaning="Segments dropped because their TSval is older than one accepted before (PAWS). Until 6.13 old pure ACKs and "
        "until 6.15 segments to TIME_WAIT were counted here too.",
        unit="merged_segments",
        moves="At the receiver in every connected state, and for half-open connections; an ACK answers unless limited.",
        points_at="Old copies that were delayed, or a middlebox that mixes clocks within a connection. Each connection is judged "
        "on its own: clients behind a NAT do not move it; SYNs that tcp_tw_recycle refused are in PAWSPassive (until 4.11), "
        "SYNs to TIME_WAIT in PAWSTimewait.",
        reference=f"tcp_validate_incoming() in {_INPUT}, tcp_check_req() in {_MINI}; {_PAWS}",
        observability="exact",
        why="Received segments but RSTs whose TSval is older than the last accepted one; a pure ACK that only repeats the "
        "last is excused while it is not too old.",
    ),
    Counter(
        "TcpExtPAWSOldAck",
        meaning="Pure ACKs that were overtaken by data and therefore have an old TSval. Dropped without an answer.",
        unit="merged_segments",
        moves="At the receiver; their sequence number is below the next byte expected.",
        points_at="Slight reordering, several queues or processors at the peer; harmless.",
        since="6.14",
        reference=f"tcp_disordered_ack_check(), tcp_validate_incoming() in {_INPUT}; {_PAWS}",
        observability="bounded",
        why="About the received pure ACKs with an older TSval and a sequence number below the next byte expected; what "
        "separates them from PAWSEstab is the receiver's timer too.",
    ),
    Counter(
        "TcpExtPAWSTimewait",
        meaning="Segments to a TIME_WAIT socket whose TSval is older than the last of its connection; SYNs among them.",
        unit="merged_segments",
        moves="At the side in TIME_WAIT; an ACK answers unless limited. In FIN_WAIT_2 nothing of the kind counts.",
        points_at="Clients behind a NAT that use a port again soon while their clocks differ.",
        since="6.16",
        reference=f"tcp_timewait_state_process() in {_MINI}; {_PAWS}, RFC 6191",
        observability="bounded",
        why="About the received segments with an older TSval after the connection has ended; how long TIME_WAIT lasts and "
        "whether its socket was taken over must be modelled.",
    ),
    Counter(
        "TcpExtTSEcrRejected",
        meaning="ACKs of a handshake refused since their TSecr lies not between the TSvals of the first and the last SYN-ACK.",
        unit="packets",
        moves="At the server in SYN_RECV, not with fast open.",
        points_at="Forged ACKs, or a middlebox that answers in place of the client.",
        since="6.15",
        reference=f"tcp_check_req() in {_MINI}; RFC 7323 section 3.2",
        observability="bounded",
        why="Received final ACKs whose TSecr is outside that range, as far as the half-open connection still exists.",
    ),
)

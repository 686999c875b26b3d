"""MPTcpExt: how MPTCP connections begin, and how they fall back to TCP (RFC 8684 sections 3.1 and 3.7)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_RFC = "RFC 8684 section 3.1"
_FALLBACK = "RFC 8684 section 3.7"
_SYN = f"subflow_check_req() in net/mptcp/subflow.c; {_RFC}"
_CONNECT = f"mptcp_connect() in net/mptcp/protocol.c; {_RFC}"
_SYNACK = f"subflow_finish_connect() in net/mptcp/subflow.c; {_RFC}"

COUNTERS = (
    Counter(
        "MPTcpExtMPCapableSYNRX",
        meaning="SYNs with MP_CAPABLE that reached a listener which knows MPTCP. A repeated SYN of a known request does "
        "not count again.",
        unit="connections",
        moves="At the server, when the SYN makes a request.",
        points_at="Clients that try MPTCP; compare MPCapableACKRX.",
        since="5.7",
        reference=_SYN,
        observability="exact",
        why="Received first SYNs with MP_CAPABLE to a port whose SYN-ACKs carry it; listeners without MPTCP ignore it.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtMPCapableSYNTX",
        meaning="connect() calls on MPTCP sockets that sent a SYN with MP_CAPABLE.",
        unit="connections",
        moves="At the client, at connect(), before the SYN is built.",
        points_at="Applications that use MPTCP; compare MPCapableSYNACKRX.",
        reference=_CONNECT,
        observability="exact",
        why="Sent first SYNs with MP_CAPABLE.",
    ),
    Counter(
        "MPTcpExtMPCapableSYNACKRX",
        meaning="SYN-ACKs with MP_CAPABLE that answered a SYN with it: both ends speak MPTCP.",
        unit="connections",
        moves="At the client, when the SYN-ACK arrives.",
        points_at="Less than MPCapableSYNTX: servers or middleboxes without MPTCP (MPCapableFallbackSYNACK).",
        reference=_SYNACK,
        observability="exact",
        why="Received SYN-ACKs with MP_CAPABLE.",
    ),
    Counter(
        "MPTcpExtMPCapableACKRX",
        meaning="MPTCP connections handed to a server application. Despite its name it moves at accept(), not when the "
        "third packet of the handshake arrives.",
        unit="connections",
        moves="At the server, when accept() returns a connection that is MPTCP.",
        points_at="Incoming MPTCP load; connections that wait in the accept queue are missing.",
        since="5.7",
        reference=f"mptcp_stream_accept() in net/mptcp/protocol.c; {_RFC}",
        observability="bounded",
        why="At most the handshakes whose ACK carries MP_CAPABLE; when the application accepts is in no packet.",
    ),
    Counter(
        "MPTcpExtMPCapableFallbackACK",
        meaning="Connections that fell back to TCP because the third packet of the handshake came without a usable "
        "MP_CAPABLE, although SYN and SYN-ACK had it.",
        unit="connections",
        moves="At the server, when that ACK makes the socket.",
        points_at="A middlebox that removes options in one direction or only from ACKs.",
        since="5.7",
        reference=f"subflow_syn_recv_sock() in net/mptcp/subflow.c; {_FALLBACK}",
        observability="exact",
        why="Received final ACKs without MP_CAPABLE after a SYN-ACK sent with it.",
    ),
    Counter(
        "MPTcpExtMPCapableFallbackSYNACK",
        meaning="Connections that fell back to TCP because the SYN-ACK came without MP_CAPABLE.",
        unit="connections",
        moves="At the client, when the SYN-ACK arrives.",
        points_at="Servers that do not speak MPTCP, or a middlebox that removes the option.",
        since="5.7",
        reference=f"subflow_finish_connect() in net/mptcp/subflow.c; {_FALLBACK}",
        observability="exact",
        why="Received SYN-ACKs without MP_CAPABLE that answer a SYN with it.",
    ),
    Counter(
        "MPTcpExtMPCapableSYNTXDrop",
        meaning="Connections whose further SYNs go without MP_CAPABLE because SYNs with it were not answered: at the "
        "second timeout, or earlier if it is the last.",
        unit="connections",
        moves="At the client, at that timer.",
        points_at="A path that drops SYNs with MPTCP options; then MPTcpExtBlackhole. Or simply a dead server.",
        since="6.12",
        reference="mptcp_active_detect_blackhole() in net/mptcp/ctrl.c",
        observability="exact",
        why="Sent SYNs that repeat one with MP_CAPABLE and have lost the option; or an attempt given up before.",
    ),
    Counter(
        "MPTcpExtMPCapableSYNTXDisabled",
        meaning="connect() calls on MPTCP sockets that used plain TCP because a blackhole was found recently "
        "(net.mptcp.blackhole_timeout).",
        unit="connections",
        moves="At the client, at connect().",
        points_at="The time after MPTcpExtBlackhole; nothing is wrong with these connections.",
        since="6.12",
        reference=_CONNECT,
        observability="bounded",
        why="At most the SYNs without MPTCP that the host sends after a blackhole; ordinary TCP sockets look the same.",
    ),
    Counter(
        "MPTcpExtMPCapableEndpAttempt",
        meaning="SYNs, with MP_CAPABLE or without MPTCP, to a port that exists only for additional subflows (an endpoint "
        "with a port of its own). They are answered by RST.",
        unit="connections",
        moves="At the host that announced the endpoint, at the SYN.",
        points_at="A client that mistakes the announced port for a service, or a scan.",
        reference=f"subflow_reset_req_endp() in net/mptcp/subflow.c; {_RFC}",
        observability="bounded",
        why="At most the SYNs without MP_JOIN that a RST answers; which ports are endpoints the ADD_ADDR options tell.",
    ),
    Counter(
        "MPTcpExtMPFallbackTokenInit",
        meaning="Connections that became plain TCP because no unused token was found for them.",
        unit="connections",
        moves="At either side: at connect(), or when the SYN arrives.",
        points_at="Very many MPTCP connections, or a shortage of memory; it should be 0.",
        reference=f"subflow_check_req() in net/mptcp/subflow.c, mptcp_connect(); {_RFC}",
        observability="bounded",
        why="At the server at most the SYN-ACKs without MP_CAPABLE to SYNs with it; at the client the SYN looks plain.",
    ),
    Counter(
        "MPTcpExtBlackhole",
        meaning="Times that MPTCP was switched off for new connections because plain SYNs worked where those with "
        "MP_CAPABLE had not. Each time doubles the period (net.mptcp.blackhole_timeout, one hour).",
        unit="episodes",
        moves="At the client, when such a connection is established over plain TCP.",
        points_at="A firewall on the way that drops MPTCP options; look at MPCapableSYNTXDrop.",
        since="6.12",
        reference="mptcp_active_disable(), mptcp_active_detect_blackhole() in net/mptcp/ctrl.c",
        observability="exact",
        why="Sent SYNs that were answered only after the option had been left out.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtMPCapableDataFallback",
        meaning="Connections that fell back to TCP because the first packet after the handshake carried neither MP_CAPABLE "
        "nor a data acknowledgment (DSS).",
        unit="connections",
        moves="At the server, at the first packet after the handshake.",
        points_at="A middlebox that removes options from data.",
        since="6.17",
        reference=f"check_fully_established() in net/mptcp/options.c; {_FALLBACK}",
        observability="exact",
        why="Received first packets without an MPTCP option on a connection whose handshake had it.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtMD5SigFallback",
        meaning="connect() calls on MPTCP sockets that used plain TCP because a TCP MD5 key is set: both do not fit.",
        unit="connections",
        moves="At the client, at connect().",
        points_at="BGP daemons with MD5 run through mptcpize; harmless.",
        since="6.17",
        reference=_CONNECT,
        observability="bounded",
        why="At most the sent SYNs with an MD5 option and no MPTCP; plain TCP sockets look the same.",
    ),
    Counter(
        "MPTcpExtDssFallback",
        meaning="Connections that fell back to TCP because data came without, or with a useless, data sequence mapping "
        "while falling back was still possible.",
        unit="connections",
        moves="At the receiver of that data, mostly early in the connection.",
        points_at="A middlebox that removes options from data, or splits and merges segments.",
        since="6.17",
        reference="subflow_check_data_avail() in net/mptcp/subflow.c; RFC 8684 section 3.7",
        observability="bounded",
        why="At most the connections with MPTCP handshake in which data without DSS arrives.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtSimultConnectFallback",
        meaning="Connections that fell back to TCP because both ends sent their SYN at once; MPTCP has no rule for that.",
        unit="connections",
        moves="At either end, when the SYN of the other arrives in SYN_SENT.",
        points_at="NAT traversal by simultaneous open; otherwise never.",
        since="6.17",
        reference="mptcp_syn_options() and its neighbours in net/mptcp/options.c",
        observability="exact",
        why="SYNs with MP_CAPABLE that cross on the same four addresses and ports.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtFallbackFailed",
        meaning="Times that MPTCP should have fallen back to TCP and could not, since further subflows existed or had been "
        "tried; the subflow is reset.",
        unit="connections",
        moves="At either end, with the RST.",
        points_at="A middlebox that starts to meddle with a connection under way.",
        since="6.17",
        reference="mptcp_update_infinite_map() in net/mptcp/protocol.c, check_fully_established() in net/mptcp/options.c",
        observability="bounded",
        why="At most the subflows that the host resets (MPRstTx); the reason in the option bounds it further.",
        confidence="medium",
    ),
    Counter(
        "MPTcpExtMPCurrEstab",
        meaning="A gauge: MPTCP connections now established or half closed by the peer. It goes down as well; subflows do "
        "not count.",
        unit="gauge",
        moves="When an MPTCP connection enters or leaves ESTABLISHED or CLOSE_WAIT.",
        points_at="Load.",
        since="6.8",
        reference="mptcp_set_state() in net/mptcp/protocol.c",
        observability="bounded",
        why="Packets give its changes; connections older than the capture are seen only if they speak.",
    ),
)

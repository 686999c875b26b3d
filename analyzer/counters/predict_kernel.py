"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.state import BAD, HEADER_BAD, HEADER_ZERO, UNVERIFIABLE, ZERO
from analyzer.counters.predict_state import DEFAULT_MSS, RUN_BYTES, RUN_NS
from analyzer.counters.predicted import NUMBER
from analyzer.decode.codes import DECODED, O_MSS, O_TIMESTAMPS, QUOTED, T_GENEVE, T_GTPU, T_L2TP, T_VXLAN
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
OVER_UDP = T_VXLAN | T_GENEVE | T_GTPU | T_L2TP
ROOM = 64  # more increments than one frame can make

IP_IN_RECEIVES, IP_IN_HDR_ERRORS, IP_IN_DELIVERS = (
    NUMBER["IpInReceives"],
    NUMBER["IpInHdrErrors"],
    NUMBER["IpInDelivers"],
)
IP_OUT_REQUESTS, IP_OUT_TRANSMITS = NUMBER["IpOutRequests"], NUMBER["IpOutTransmits"]
IP_REASM_REQDS, IP_REASM_OKS = NUMBER["IpReasmReqds"], NUMBER["IpReasmOKs"]
IP_FRAG_OKS, IP_FRAG_CREATES = NUMBER["IpFragOKs"], NUMBER["IpFragCreates"]
IP_IN_OCTETS, IP_OUT_OCTETS = NUMBER["IpExtInOctets"], NUMBER["IpExtOutOctets"]
IP_IN_ECN = NUMBER["IpExtInNoECTPkts"]  # and the three after it, by the ECN bits
IP_IN_MCAST, IP_OUT_MCAST = NUMBER["IpExtInMcastPkts"], NUMBER["IpExtOutMcastPkts"]
IP_IN_MCAST_OCTETS, IP_OUT_MCAST_OCTETS = NUMBER["IpExtInMcastOctets"], NUMBER["IpExtOutMcastOctets"]
IP_IN_BCAST, IP_OUT_BCAST = NUMBER["IpExtInBcastPkts"], NUMBER["IpExtOutBcastPkts"]
IP_IN_BCAST_OCTETS, IP_OUT_BCAST_OCTETS = NUMBER["IpExtInBcastOctets"], NUMBER["IpExtOutBcastOctets"]
IP_IN_CSUM_ERRORS = NUMBER["IpExtInCsumErrors"]
IP6_IN_RECEIVES, IP6_IN_DELIVERS = NUMBER["Ip6InReceives"], NUMBER["Ip6InDelivers"]
IP6_OUT_REQUESTS, IP6_OUT_TRANSMITS = NUMBER["Ip6OutRequests"], NUMBER["Ip6OutTransmits"]
IP6_REASM_REQDS, IP6_REASM_OKS = NUMBER["Ip6ReasmReqds"], NUMBER["Ip6ReasmOKs"]
IP6_FRAG_OKS, IP6_FRAG_CREATES = NUMBER["Ip6FragOKs"], NUMBER["Ip6FragCreates"]
IP6_IN_OCTETS, IP6_OUT_OCTETS = NUMBER["Ip6InOctets"], NUMBER["Ip6OutOctets"]
IP6_IN_ECN = NUMBER["Ip6InNoECTPkts"]
IP6_IN_MCAST, IP6_OUT_MCAST = NUMBER["Ip6InMcastPkts"], NUMBER["Ip6OutMcastPkts"]
IP6_IN_MCAST_OCTETS, IP6_OUT_MCAST_OCTETS = NUMBER["Ip6InMcastOctets"], NUMBER["Ip6OutMcastOctets"]
ICMP_IN_MSGS, ICMP_IN_ERRORS, ICMP_IN_CSUM = NUMBER["IcmpInMsgs"], NUMBER["IcmpInErrors"], NUMBER["IcmpInCsumErrors"]
ICMP_OUT_MSGS = NUMBER["IcmpOutMsgs"]
ICMP_IN_TYPE, ICMP_OUT_TYPE = NUMBER["IcmpMsgInType0"], NUMBER["IcmpMsgOutType0"]
ICMP6_IN_TYPE, ICMP6_OUT_TYPE = NUMBER["Icmp6InType0"], NUMBER["Icmp6OutType0"]
ICMP6_IN_MSGS, ICMP6_IN_ERRORS = NUMBER["Icmp6InMsgs"], NUMBER["Icmp6InErrors"]
ICMP6_IN_CSUM, ICMP6_OUT_MSGS = NUMBER["Icmp6InCsumErrors"], NUMBER["Icmp6OutMsgs"]
UDP_IN, UDP_NO_PORTS, UDP_ERRORS = NUMBER["UdpInDatagrams"], NUMBER["UdpNoPorts"], NUMBER["UdpInErrors"]
UDP_OUT, UDP_CSUM = NUMBER["UdpOutDatagrams"], NUMBER["UdpInCsumErrors"]
UDP6 = NUMBER["Udp6InDatagrams"] - UDP_IN  # from a counter of UDP over IPv4 to its sister
ACTIVE_OPENS, PASSIVE_OPENS = NUMBER["TcpActiveOpens"], NUMBER["TcpPassiveOpens"]
ATTEMPT_FAILS, ESTAB_RESETS = NUMBER["TcpAttemptFails"], NUMBER["TcpEstabResets"]
IN_SEGS, OUT_SEGS, RETRANS_SEGS = NUMBER["TcpInSegs"], NUMBER["TcpOutSegs"], NUMBER["TcpRetransSegs"]
IN_ERRS, OUT_RSTS, TCP_CSUM = NUMBER["TcpInErrs"], NUMBER["TcpOutRsts"], NUMBER["TcpInCsumErrors"]
SYN_RETRANS, ORIG_DATA_SENT = NUMBER["TcpExtTCPSynRetrans"], NUMBER["TcpExtTCPOrigDataSent"]
DSACK_RECV, DSACK_OFO_RECV = NUMBER["TcpExtTCPDSACKRecv"], NUMBER["TcpExtTCPDSACKOfoRecv"]
DSACK_OLD_SENT, DSACK_OFO_SENT = NUMBER["TcpExtTCPDSACKOldSent"], NUMBER["TcpExtTCPDSACKOfoSent"]
SACK_RENEGING, SACK_DISCARD = NUMBER["TcpExtTCPSACKReneging"], NUMBER["TcpExtTCPSACKDiscard"]
TO_ZERO_WINDOW, FROM_ZERO_WINDOW = NUMBER["TcpExtTCPToZeroWindowAdv"], NUMBER["TcpExtTCPFromZeroWindowAdv"]
WIN_PROBE, KEEP_ALIVE, CHALLENGE_ACK = (
    NUMBER["TcpExtTCPWinProbe"],
    NUMBER["TcpExtTCPKeepAlive"],
    NUMBER["TcpExtTCPChallengeACK"],
)
SYN_CHALLENGE = NUMBER["TcpExtTCPSYNChallenge"]
PAWS_ESTAB, PAWS_OLD_ACK = NUMBER["TcpExtPAWSEstab"], NUMBER["TcpExtPAWSOldAck"]
TIMEOUTS, FAST_RETRANS = NUMBER["TcpExtTCPTimeouts"], NUMBER["TcpExtTCPFastRetrans"]
SLOW_START_RETRANS = NUMBER["TcpExtTCPSlowStartRetrans"]

E_RETRANSMISSION, E_TIMEOUT, E_COPY = (
    EVENT["retransmission"],
    EVENT["retransmission_timeout"],
    EVENT["capture_duplicate"],
)
E_DSACK, E_RENEGING, E_INVALID_SACK = EVENT["dsack"], EVENT["sack_reneging"], EVENT["invalid_sack"]
E_ZERO, E_ZERO_END, E_PROBE = EVENT["zero_window"], EVENT["zero_window_end"], EVENT["window_probe"]
E_KEEP_ALIVE, E_CHALLENGE, E_PAWS = (
    EVENT["keep_alive"],
    EVENT["challenge_ack"],
    EVENT["paws"],
)
C_OLD, C_EMPTY, C_SEGMENT = CAUSE["old"], CAUSE["empty"], CAUSE["segment"]
C_FAST, C_LOST_AGAIN, C_RTO, C_PROBE = CAUSE["fast"], CAUSE["lost_again"], CAUSE["rto"], CAUSE["window_probe"]
COPY_BIT = np.uint64(1 << E_COPY)
AGAIN_BIT = np.uint64(1 << E_RETRANSMISSION)


@kernel
def predict(
    rows: Any, at: Int, events: Any, event_at: Int, hosts: Any, mtu: Int, types4: Any, types6: Any, talks: Any, out: Any,
    used: Any,
) -> tuple[Int, Int]:  # fmt: skip
    """Add the increments of `rows[at:]` to `out` until it is full: (the row to go on with, the event to go on with).

    `events` are those of the rows, in their order; `hosts` (u8, n by 2) the addresses of the host, whose links
    carry packets of at most `mtu` bytes; `types4` and `types6` (i4, 2
    by 256) the counter of each ICMP type received and sent, -1 without one; `talks` (TALK) by place; `used` (i8[1]).
    """
    while at < len(rows):
        if used[0] + ROOM > len(out):
            break
        row = rows[at]
        first = event_at
        while event_at < len(events) and events[event_at]["frame"] == row["frame"]:
            event_at += 1
        at += 1
        if row["ip_version"] == 0 or row["events"] & COPY_BIT or row["link_direction"] > 2:
            continue
        mine = is_mine(hosts, row["src_hi"], row["src_lo"])
        to_me = is_mine(hosts, row["dst_hi"], row["dst_lo"])
        group = is_group(row)
        is_tcp = row["ip_proto"] == 6 and row["stop"] == DECODED and row["place"] >= 0 and (mine or to_me)
        segments, joined = 1, False
        if is_tcp:
            talk = talks[row["place"]]
            if talk["flow"] != row["flow"]:
                begin(talk, row["flow"])
            segments = in_segments(row, talk)
            joined = mine and goes_on(row, talk, segments)
        if row["tunnel_depth"] > 0:
            around(row, hosts, joined, out, used)
        if mine:
            sent(row, group, joined, types4, types6, out, used)
        if to_me or (group and not mine):
            merged = segments if packet_bytes(row) > mtu else 1
            received(row, group, merged, types4, types6, out, used)
        if is_tcp:
            talk = talks[row["place"]]
            if to_me:
                tcp_received(row, talk, out, used)
            if mine:
                tcp_sent(row, talk, segments, out, used)
            if mine or (row["checksum"] != BAD and row["checksum"] != ZERO):
                tcp_events(row, talk, events, first, event_at, mine, to_me, segments, out, used)
    return at, event_at


@inline
def add(row: Any, counter: Int, amount: Int, out: Any, used: Any) -> None:
    """One increment."""
    found = out[used[0]]
    found["time_ns"], found["frame"], found["flow"] = row["time_ns"], row["frame"], row["flow"]
    found["counter"], found["amount"] = counter, amount
    found["least"] = found["most"] = amount
    used[0] += 1


@inline
def add_range(row: Any, counter: Int, amount: Int, least: Int, most: Int, out: Any, used: Any) -> None:
    """One increment of which only the bounds are certain."""
    add(row, counter, amount, out, used)
    out[used[0] - 1]["least"], out[used[0] - 1]["most"] = least, most


@inline
def is_mine(hosts: Any, high: Any, low: Any) -> Any:
    """Is this one of the host's addresses?"""
    for k in range(len(hosts)):  # noqa: SIM110 a generator cannot be compiled
        if hosts[k, 1] == low and hosts[k, 0] == high:
            return True
    return False


@inline
def is_group(row: Any) -> Int:
    """1 to a multicast group, 2 to a broadcast address, 0 else."""
    if row["ip_version"] == 6:
        return 1 if row["dst_hi"] >> np.uint64(56) == 255 else 0
    address = np.int64(row["dst_lo"] & np.uint64(0xFFFFFFFF))
    if address >> 28 == 14:
        return 1
    return 2 if address == 0xFFFFFFFF or row["reception"] == 3 else 0


@inline
def begin(talk: Any, flow: Int) -> None:
    """Forget whose place this was."""
    talk["flow"] = flow
    for k in range(2):
        talk["syn"][k] = talk["syn_ack"][k] = talk["established"][k] = talk["gone"][k] = 0
        talk["spoken"][k] = talk["high"][k] = talk["told"][k] = 0
        talk["fin"][k] = talk["fin_acked"][k] = talk["timestamps"][k] = 0
        talk["mss"][k] = 0
        talk["run_bytes"][k] = talk["timeout_frame"][k] = 0


@inline
def segment_size(row: Any, talk: Any) -> Int:
    """Payload of a full segment: what its receiver accepts in one, less the option in each."""
    side = np.int64(row["direction"])
    mss: Int = np.int64(talk["mss"][1 - side])
    if mss == 0:
        mss = DEFAULT_MSS
    own = np.int64(talk["mss"][side])
    if own != 0 and own < mss:
        mss = own
    if row["options"] & O_TIMESTAMPS:
        mss -= 12
    return max(1, mss)


@inline
def in_segments(row: Any, talk: Any) -> Int:
    """How many segments of the wire the frame is."""
    size = segment_size(row, talk)
    return max(1, (np.int64(row["payload_len"]) + size - 1) // size)


@inline
def goes_on(row: Any, talk: Any, segments: Int) -> Any:
    """May the stack have sent this segment in one piece with the one before (software segmentation before the capture)?

    The pieces of a super-segment follow each other at once and carry the same TSval; all but the last are of one size,
    and only the last has PSH or FIN (tcp_gso_segment()).
    """
    side = np.int64(row["direction"])
    size = np.int64(row["payload_len"])
    found = (
        talk["run_bytes"][side] > 0
        and size > 0
        and row["seq"] == talk["run_end"][side]
        and row["tsval"] == talk["run_tsval"][side]
        and row["time_ns"] - talk["run_ns"][side] < RUN_NS
        and size <= talk["run_size"][side]
        and talk["run_bytes"][side] + size < RUN_BYTES
        and not row["flags"] & (SYN | RST)
    )
    bytes_before = np.int64(talk["run_bytes"][side]) if found else 0
    talk["run_bytes"][side] = 0
    if (
        segments == 1
        and size > 0
        and not row["flags"] & (PSH | FIN | SYN | RST)
        and (not found or size == talk["run_size"][side])
    ):
        talk["run_bytes"][side], talk["run_size"][side] = bytes_before + size, size
        talk["run_end"][side] = np.int64(row["seq"]) + size & 0xFFFFFFFF
        talk["run_tsval"][side], talk["run_ns"][side] = row["tsval"], row["time_ns"]
    return found


@inline
def around(row: Any, hosts: Any, joined: Any, out: Any, used: Any) -> None:
    """The outermost packet of a tunnel, if it is of or to the host: counted before what it carries."""
    six = row["outer_version"] == 6
    size = np.int64(row["length"]) - np.int64(row["outer_l3_at"])
    in_udp = row["tunnels"] & OVER_UDP != 0
    sister = UDP6 if six else 0
    if is_mine(hosts, row["outer_dst_hi"], row["outer_dst_lo"]):
        add(row, IP6_IN_RECEIVES if six else IP_IN_RECEIVES, 1, out, used)
        add(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, 1, out, used)
        add(row, IP6_IN_OCTETS if six else IP_IN_OCTETS, size, out, used)
        add(row, IP6_IN_ECN if six else IP_IN_ECN, 1, out, used)
        if in_udp:
            add(row, UDP_IN + sister, 1, out, used)
    if is_mine(hosts, row["outer_src_hi"], row["outer_src_lo"]):
        one, least = (0, np.int64(row["payload_len"])) if joined else (1, size)
        add_range(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, one, one, 1, out, used)
        add_range(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, one, one, 1, out, used)
        add_range(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, least, least, size, out, used)


@inline
def packet_bytes(row: Any) -> Int:
    """Bytes of the IP packet."""
    if row["ip_len"]:
        return np.int64(row["ip_len"])
    return np.int64(row["l4_at"]) - np.int64(row["l3_at"]) + np.int64(row["header_len"]) + np.int64(row["payload_len"])


@inline
def is_fragment(row: Any) -> Any:
    """Is it a part of a larger datagram?"""
    return row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0


@inline
def sent(row: Any, group: Int, joined: Any, types4: Any, types6: Any, out: Any, used: Any) -> None:
    """What ip_local_out() and the protocol above count for a packet of the host."""
    six = row["ip_version"] == 6
    size = packet_bytes(row)
    piece = is_fragment(row)
    if joined:  # cut from one packet with the segment before, it seems: counted together with it
        payload = np.int64(row["payload_len"])
        add_range(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, 0, 0, 1, out, used)
        add_range(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, 0, 0, 1, out, used)
        add_range(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, payload, payload, size, out, used)
        return
    if not piece or row["fragment_offset"] == 0:
        add(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, 1, out, used)
    add(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, 1, out, used)
    add(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, size, out, used)
    if piece:
        add(row, IP6_FRAG_CREATES if six else IP_FRAG_CREATES, 1, out, used)
        if row["fragment_offset"] == 0:
            add(row, IP6_FRAG_OKS if six else IP_FRAG_OKS, 1, out, used)
    if group == 1:
        add(row, IP6_OUT_MCAST if six else IP_OUT_MCAST, 1, out, used)
        add(row, IP6_OUT_MCAST_OCTETS if six else IP_OUT_MCAST_OCTETS, size, out, used)
    elif group == 2:
        add(row, IP_OUT_BCAST, 1, out, used)
        add(row, IP_OUT_BCAST_OCTETS, size, out, used)
    if piece and row["fragment_offset"] != 0:
        return
    if row["ip_proto"] == 17:
        add(row, UDP_OUT + (UDP6 if six else 0), 1, out, used)
    elif row["ip_proto"] == 1 and not six:
        add(row, ICMP_OUT_MSGS, 1, out, used)
        # icmp_reply() counts its answers to timestamp (14) and extended echo (43) requests as echo replies.
        kind = 0 if row["icmp_type"] == 14 or row["icmp_type"] == 43 else np.int64(row["icmp_type"])
        add(row, ICMP_OUT_TYPE + kind, 1, out, used)
        if types4[1, kind] >= 0:
            add(row, types4[1, kind], 1, out, used)
        if row["icmp_type"] == 3 and row["icmp_code"] == 3 and row["layers"] & QUOTED and row["quoted_proto"] == 17:
            add(row, UDP_NO_PORTS, 1, out, used)  # and it was not delivered
            add(row, UDP_IN, -1, out, used)
    elif row["ip_proto"] == 58 and six:
        add(row, ICMP6_OUT_MSGS, 1, out, used)
        add(row, ICMP6_OUT_TYPE + np.int64(row["icmp_type"]), 1, out, used)
        if types6[1, row["icmp_type"]] >= 0:
            add(row, types6[1, row["icmp_type"]], 1, out, used)
        if row["icmp_type"] == 1 and row["icmp_code"] == 4 and row["layers"] & QUOTED and row["quoted_proto"] == 17:
            add(row, UDP_NO_PORTS + UDP6, 1, out, used)
            add(row, UDP_IN + UDP6, -1, out, used)


@inline
def has_handler(row: Any) -> Any:
    """Does every kernel take packets of this protocol? For others it depends on modules, raw sockets and tunnels."""
    kind = row["ip_proto"]
    return kind == 6 or kind == 17 or kind == 136 or kind == (58 if row["ip_version"] == 6 else 1)


@inline
def received(row: Any, group: Int, segments: Int, types4: Any, types6: Any, out: Any, used: Any) -> None:
    """What ip_rcv(), ipv6_rcv() and the protocol above count for a packet to the host."""
    six = row["ip_version"] == 6
    size = np.int64(row["length"]) - np.int64(row["l3_at"]) if row["tunnel_depth"] == 0 else packet_bytes(row)
    add(row, IP6_IN_RECEIVES if six else IP_IN_RECEIVES, 1, out, used)
    add(row, IP6_IN_OCTETS if six else IP_IN_OCTETS, size, out, used)
    # A hypervisor hands super-segments over without saying how many segments they are (virtio): they count once then.
    ecn = (IP6_IN_ECN if six else IP_IN_ECN) + (row["tos"] & 3)
    add_range(row, ecn, segments, 1, segments, out, used)
    if group == 1:
        add(row, IP6_IN_MCAST if six else IP_IN_MCAST, 1, out, used)
        add(row, IP6_IN_MCAST_OCTETS if six else IP_IN_MCAST_OCTETS, size, out, used)
    elif group == 2:
        add(row, IP_IN_BCAST, 1, out, used)
        add(row, IP_IN_BCAST_OCTETS, size, out, used)
    if row["ip_header_checksum"] == HEADER_BAD or row["ip_header_checksum"] == HEADER_ZERO:
        add(row, IP_IN_HDR_ERRORS, 1, out, used)
        add(row, IP_IN_CSUM_ERRORS, 1, out, used)
        return
    if is_fragment(row):
        add(row, IP6_REASM_REQDS if six else IP_REASM_REQDS, 1, out, used)
        if row["checksum"] == UNVERIFIABLE or row["checksum"] == 0:
            return
        add(row, IP6_REASM_OKS if six else IP_REASM_OKS, 1, out, used)
    known = 1 if has_handler(row) else 0
    add_range(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, known, known, 1, out, used)
    wrong = row["checksum"] == BAD or row["checksum"] == ZERO
    if row["ip_proto"] == 17:
        sister = UDP6 if six else 0
        if wrong:
            add(row, UDP_ERRORS + sister, 1, out, used)
            add(row, UDP_CSUM + sister, 1, out, used)
        else:
            add(row, UDP_IN + sister, 1, out, used)
    elif row["ip_proto"] == 1 and not six:
        add(row, ICMP_IN_MSGS, 1, out, used)
        if wrong:
            add(row, ICMP_IN_ERRORS, 1, out, used)
            add(row, ICMP_IN_CSUM, 1, out, used)
        else:
            add(row, ICMP_IN_TYPE + np.int64(row["icmp_type"]), 1, out, used)
            if types4[0, row["icmp_type"]] >= 0:
                add(row, types4[0, row["icmp_type"]], 1, out, used)
    elif row["ip_proto"] == 58 and six:
        add(row, ICMP6_IN_MSGS, 1, out, used)
        if wrong:
            add(row, ICMP6_IN_ERRORS, 1, out, used)
            add(row, ICMP6_IN_CSUM, 1, out, used)
        else:
            add(row, ICMP6_IN_TYPE + np.int64(row["icmp_type"]), 1, out, used)
            if types6[0, row["icmp_type"]] >= 0:
                add(row, types6[0, row["icmp_type"]], 1, out, used)


@inline
def tcp_sent(row: Any, talk: Any, segments: Int, out: Any, used: Any) -> None:
    """__tcp_transmit_skb(), tcp_make_synack(), tcp_v4_send_reset(): a segment of the host."""
    side, flags = np.int64(row["direction"]), row["flags"]
    again = row["events"] & AGAIN_BIT != 0
    if flags & SYN:
        if row["options"] & O_MSS:
            talk["mss"][side] = row["mss"]
        if again:
            add(row, RETRANS_SEGS, 1, out, used)
            add(row, SYN_RETRANS, 1, out, used)
        if flags & ACK:
            add(row, OUT_SEGS, 1, out, used)
            talk["syn_ack"][side] = 1
        elif not again:
            add(row, OUT_SEGS, 1, out, used)
            add(row, ACTIVE_OPENS, 1, out, used)
            if row["payload_len"] > 0:
                add(row, ORIG_DATA_SENT, 1, out, used)  # tcp_send_syn_data()
            talk["syn"][side] = 1
        talk["iss"][side] = row["seq"]
    elif flags & RST:
        add(row, OUT_SEGS, 1, out, used)
        add(row, OUT_RSTS, 1, out, used)
        if talk["established"][side] and not talk["gone"][side] and not talk["fin"][side]:
            # With tcp_abort_on_overflow the first answer to the ACK is a reset, and nothing was opened.
            perhaps = talk["syn_ack"][side] and not talk["spoken"][side]
            if perhaps:
                add_range(row, PASSIVE_OPENS, 0, -1, 0, out, used)
            # tcp_send_active_reset() sets ACK; without it the segment before found no connection here (any more).
            sure = flags & ACK and not perhaps
            add_range(row, ESTAB_RESETS, 1 if flags & ACK else 0, 1 if sure else 0, 1, out, used)
        talk["gone"][side] = 1
    elif again:
        add(row, RETRANS_SEGS, segments, out, used)
    else:
        add(row, OUT_SEGS, segments, out, used)
        if row["payload_len"] > 0 or flags & FIN:
            add(row, ORIG_DATA_SENT, segments, out, used)
    note_end(row, talk, side)
    if not flags & (SYN | RST):
        talk["spoken"][side] = 1
    if flags & FIN:
        talk["fin"][side] = 1
        talk["fin_end"][side] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + 1 & 0xFFFFFFFF


@inline
def tcp_received(row: Any, talk: Any, out: Any, used: Any) -> None:
    """tcp_v4_rcv() and what follows: a segment to the host."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    add(row, IN_SEGS, 1, out, used)
    if row["checksum"] == BAD or row["checksum"] == ZERO:
        add(row, IN_ERRS, 1, out, used)
        add(row, TCP_CSUM, 1, out, used)
        return
    talk["timeout_frame"][side] = 0
    if flags & SYN and row["options"] & O_MSS:
        talk["mss"][other] = row["mss"]
    if flags & SYN and talk["established"][side] and not talk["gone"][side]:
        add(row, SYN_CHALLENGE, 1, out, used)
        add(row, IN_ERRS, 1, out, used)
    elif flags & (SYN | ACK) == SYN and row["reused"]:  # the connection before may not be over at this end
        add_range(row, SYN_CHALLENGE, 0, 0, 1, out, used)
        add_range(row, IN_ERRS, 0, 0, 1, out, used)
    # In an open connection only the number that is waited for resets, the others are challenged (RFC 5961 section 3).
    fits = row["seq"] == talk["told"][side] or row["seq"] == talk["high"][other]
    if flags & RST and (fits or not at_work(talk, side)):
        if talk["established"][side]:
            if not talk["gone"][side] and not talk["fin"][side]:
                add(row, ESTAB_RESETS, 1, out, used)
            talk["gone"][side] = 1
        elif talk["syn"][side] or talk["syn_ack"][side]:
            if not talk["gone"][side]:
                add(row, ATTEMPT_FAILS, 1, out, used)
            talk["gone"][side] = 1
    elif flags & ACK and not talk["established"][side] and not talk["gone"][side]:
        after_syn = difference(row["ack"], talk["iss"][side]) >= 1
        if talk["syn"][side] and flags & SYN and after_syn:
            talk["established"][side] = 1
        elif talk["syn_ack"][side] and after_syn:
            talk["established"][side] = 1
            add(row, PASSIVE_OPENS, 1, out, used)
    if flags & ACK and talk["fin"][side] and difference(row["ack"], talk["fin_end"][side]) >= 0:
        talk["fin_acked"][side] = 1
    if flags & FIN:
        talk["fin"][other] = 1
    if talk["fin_acked"][side] and talk["fin"][other]:
        talk["gone"][side] = 1
    note_end(row, talk, other)


@inline
def note_end(row: Any, talk: Any, side: Int) -> None:
    """Keep up to where this end has sent, and what it last acknowledged."""
    if row["flags"] & RST:
        return
    space = np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    end = np.int64(row["seq"]) + space & 0xFFFFFFFF
    if row["flags"] & SYN or difference(end, talk["high"][side]) > 0:
        talk["high"][side] = end
    if row["flags"] & ACK:
        talk["told"][side] = row["ack"]


@inline
def at_work(talk: Any, side: Int) -> Any:
    """Is the connection established at this end, and not over?"""
    return talk["established"][side] and not talk["gone"][side]


@inline
def tcp_events(
    row: Any, talk: Any, events: Any, first: Int, stop: Int, mine: Any, to_me: Any, segments: Int, out: Any, used: Any
) -> None:
    """What the events on a frame say of the counters of its sender or its receiver."""
    timeout = dsack = False
    for k in range(first, stop):
        timeout = timeout or events[k]["event"] == E_TIMEOUT
        dsack = dsack or events[k]["event"] == E_DSACK
    for k in range(first, stop):
        event, cause = events[k]["event"], events[k]["cause"]
        if mine:
            if event == E_TIMEOUT or event == E_PROBE or event == E_KEEP_ALIVE:
                talk["timeout_ns"][np.int64(row["direction"])] = row["time_ns"]
                talk["timeout_frame"][np.int64(row["direction"])] = row["frame"]
            if event == E_TIMEOUT:
                add(row, TIMEOUTS, 1, out, used)
            elif event == E_RETRANSMISSION:
                if cause == C_FAST or cause == C_LOST_AGAIN:
                    add(row, FAST_RETRANS, segments, out, used)
                elif cause == C_RTO and not timeout:
                    add(row, SLOW_START_RETRANS, segments, out, used)
            elif event == E_DSACK:
                add(row, DSACK_OLD_SENT if cause == C_OLD else DSACK_OFO_SENT, 1, out, used)
            elif event == E_ZERO:
                add(row, TO_ZERO_WINDOW, 1, out, used)
            elif event == E_ZERO_END:
                add(row, FROM_ZERO_WINDOW, 1, out, used)
            elif event == E_PROBE and cause == C_EMPTY:
                add(row, WIN_PROBE, 1, out, used)
            elif event == E_KEEP_ALIVE:
                add(row, KEEP_ALIVE, 1, out, used)
            elif (
                event == E_CHALLENGE and not dsack
            ):  # a DSACK answers what tcp_send_dupack() was asked for: PAWS, old data
                here = at_work(
                    talk, np.int64(row["direction"])
                )  # else it may be of the connection before, or TIME_WAIT
                add_range(row, CHALLENGE_ACK, 1 if here else 0, 1 if here else 0, 1, out, used)
        if to_me:
            alive = not talk["gone"][1 - np.int64(row["direction"])]
            if event == E_DSACK:  # one that is held for dubious is looked at as if it were none, and fails
                add_range(row, SACK_DISCARD, 0, 0, 1, out, used)
            if event == E_DSACK and alive:
                add(row, DSACK_RECV if cause == C_OLD else DSACK_OFO_RECV, 1, out, used)
            elif event == E_RENEGING:
                add(row, SACK_RENEGING, 1, out, used)
            elif event == E_INVALID_SACK:
                add(row, SACK_DISCARD, 1, out, used)
            elif event == E_PAWS and alive:
                add(row, PAWS_ESTAB if cause == C_SEGMENT else PAWS_OLD_ACK, 1, out, used)

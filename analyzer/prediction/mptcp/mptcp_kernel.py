"""Compiled prediction of what Multipath TCP counts for the options that open, extend and abort connections (net/mptcp).

Only the first MPTCP option of a segment is known: what Linux puts behind the data sequence signal is not seen. ADD_ADDR and its
echo look alike; the first of the two on a connection is the announcement.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, part
from analyzer.decode.codes import O_MPTCP
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.state import ESTABLISHED, SYN_RECEIVED

SYN, RST, ACK = 2, 4, 16
CAPABLE, JOIN, ADD_ADDRESS, FASTCLOSE, RESET = 0, 1, 3, 7, 8  # subtypes (RFC 8684 section 8)
NONE = 16
AGAIN_BIT = np.uint64(1 << EVENT["retransmission"])

SYN_TX, SYN_RX = NUMBER["MPTcpExtMPCapableSYNTX"], NUMBER["MPTcpExtMPCapableSYNRX"]
SYN_ACK_RX, ACK_RX = NUMBER["MPTcpExtMPCapableSYNACKRX"], NUMBER["MPTcpExtMPCapableACKRX"]
PLAIN_SYN_ACK, PLAIN_ACK = NUMBER["MPTcpExtMPCapableFallbackSYNACK"], NUMBER["MPTcpExtMPCapableFallbackACK"]
JOIN_TX, JOIN_RX = NUMBER["MPTcpExtMPJoinSynTx"], NUMBER["MPTcpExtMPJoinSynRx"]
JOIN_SYN_ACK_RX, JOIN_ACK_RX = NUMBER["MPTcpExtMPJoinSynAckRx"], NUMBER["MPTcpExtMPJoinAckRx"]
ADD_TX, ADD_RX = NUMBER["MPTcpExtAddAddrTx"], NUMBER["MPTcpExtAddAddr"]
ECHO_TX, ECHO_RX = NUMBER["MPTcpExtEchoAddTx"], NUMBER["MPTcpExtEchoAdd"]
FASTCLOSE_TX, FASTCLOSE_RX = NUMBER["MPTcpExtMPFastcloseTx"], NUMBER["MPTcpExtMPFastcloseRx"]
FROM_ZERO_WINDOW = NUMBER["TcpExtTCPFromZeroWindowAdv"]
RESET_TX, RESET_RX = NUMBER["MPTcpExtMPRstTx"], NUMBER["MPTcpExtMPRstRx"]


@part
def mptcp_sent(row: Any, own: Any, before: Int, out: Any) -> None:
    """mptcp_syn_options(), mptcp_synack_options(), mptcp_established_options(): a segment of the host."""
    side, flags = np.int64(row["direction"]), row["flags"]
    subtype = np.int64(row["mptcp_subtype"]) if row["options"] & O_MPTCP else NONE
    if flags & SYN:
        if not flags & ACK and not row["events"] & AGAIN_BIT:
            if subtype == CAPABLE:
                add(row, SYN_TX, 1, out)
            elif subtype == JOIN:
                add(row, JOIN_TX, 1, out)
        elif (
            flags & ACK and own["opened"][side] == 0
        ):  # a listener that knows no MPTCP leaves it out, and counts nothing
            if subtype == CAPABLE:
                add(row, SYN_RX, 1, out)
            elif subtype == JOIN:
                add(row, JOIN_RX, 1, out)
        own["opened"][side] = 1 + subtype
        return
    if subtype != NONE:  # the window belongs to the whole connection: that of the one subflow may have been closed
        add_range(row, FROM_ZERO_WINDOW, 0, 0, 1, out)
    if flags & RST:
        if before == ESTABLISHED and (subtype == FASTCLOSE or subtype == RESET):
            if subtype == FASTCLOSE:
                add(row, FASTCLOSE_TX, 1, out)
            add_range(row, RESET_TX, 1, 1 if subtype == RESET else 0, 1, out)
    elif subtype == ADD_ADDRESS:
        add(row, ECHO_TX if announced(own, side) else ADD_TX, 1, out)


@part
def mptcp_received(row: Any, talk: Any, own: Any, before: Int, out: Any) -> None:
    """subflow_syn_recv_sock(), subflow_finish_connect(), mptcp_incoming_options(): a segment to the host, applied to `talk`."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    subtype = np.int64(row["mptcp_subtype"]) if row["options"] & O_MPTCP else NONE
    opened = np.int64(own["opened"][side]) - 1
    if before == ESTABLISHED and flags & RST:
        if subtype == FASTCLOSE or subtype == RESET:
            if subtype == FASTCLOSE:
                add(row, FASTCLOSE_RX, 1, out)
            add_range(row, RESET_RX, 1, 1 if subtype == RESET else 0, 1, out)
    elif before == ESTABLISHED and subtype == ADD_ADDRESS:
        add(row, ECHO_RX if announced(own, other) else ADD_RX, 1, out)
    elif before != ESTABLISHED and talk["established"][side] and not talk["gone"][side]:
        if before == SYN_RECEIVED:
            if opened == CAPABLE:
                add(row, ACK_RX if subtype == CAPABLE else PLAIN_ACK, 1, out)
            elif opened == JOIN and subtype == JOIN:
                add(row, JOIN_ACK_RX, 1, out)
        elif opened == CAPABLE:
            add(row, SYN_ACK_RX if subtype == CAPABLE else PLAIN_SYN_ACK, 1, out)
        elif opened == JOIN and subtype == JOIN:
            add(row, JOIN_SYN_ACK_RX, 1, out)


@part
def announced(own: Any, side: Int) -> Any:
    """Is an ADD_ADDR of this end the echo of one that the other end has sent? Else it is an announcement, to be echoed."""
    if own["announced"][1 - side] > 0:
        own["announced"][1 - side] -= 1
        return True
    if own["announced"][side] < 255:
        own["announced"][side] += 1
    return False

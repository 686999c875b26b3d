"""Compiled prediction of what ICMP errors about TCP segments count: tcp_v4_err(), tcp_v6_err()."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import QUOTED
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.rest_kernel import bring
from analyzer.prediction.validity.socket_kernel import link_key, linked
from analyzer.prediction.validity.state import CLOSED, FIN_WAIT_2, SYN_RECEIVED, TIME_WAIT
from analyzer.serial import difference

difference = inline(difference)

OUT_OF_WINDOW_ICMPS = NUMBER["TcpExtOutOfWindowIcmps"]


@part
def quoted_received(row: Any, kept: Any, world: Any, out: Any) -> None:
    """An ICMP error to the host: its socket ignores one about a segment that is not outstanding."""
    kind = row["icmp_type"]
    if row["ip_proto"] == 1:
        error = 3 <= kind <= 5 or kind == 11 or kind == 12
    else:
        error = row["ip_proto"] == 58 and 1 <= kind <= 4
    if not error or not row["layers"] & QUOTED or row["quoted_proto"] != 6:
        return
    key = link_key(row["quoted_src_lo"], row["quoted_dst_lo"], row["quoted_src_port"], row["quoted_dst_port"])
    place, side = linked(key, kept, world), 0
    if place < 0:
        key = link_key(row["quoted_dst_lo"], row["quoted_src_lo"], row["quoted_dst_port"], row["quoted_src_port"])
        place, side = linked(key, kept, world), 1
    if place >= 0:
        to_owner(row, kept.hot[bring(place, kept, world)]["validity"], side, out)


@inline
def to_owner(row: Any, own: Any, side: Int, out: Any) -> None:
    """Between SND.UNA and SND.NXT, or of the SYN-ACK of a request; small sockets do not look."""
    state = own["state"][side]
    if state == CLOSED or state == TIME_WAIT:
        return
    if state == SYN_RECEIVED:
        if row["quoted_seq"] != own["iss"][side]:
            add(row, OUT_OF_WINDOW_ICMPS, 1, out)
        return
    below = difference(row["quoted_seq"], own["una"][side]) < 0
    if below or difference(row["quoted_seq"], own["nxt"][side]) > 0:
        if state == FIN_WAIT_2 and not own["half_closed"][side]:
            add_range(row, OUT_OF_WINDOW_ICMPS, 0, 0, 1, out)
        else:
            add(row, OUT_OF_WINDOW_ICMPS, 1, out)

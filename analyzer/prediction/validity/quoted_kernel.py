"""Compiled prediction of what ICMP errors about TCP segments count: tcp_v4_err(), tcp_v6_err()."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import QUOTED
from analyzer.flows.hash_kernel import sort_of_quoted
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.opening.opening_kernel import over
from analyzer.prediction.rest_kernel import bring
from analyzer.prediction.validity.socket_kernel import link_key, linked
from analyzer.prediction.validity.state import CLOSED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from analyzer.prediction.world import ON_QUOTED
from analyzer.serial import difference

difference = inline(difference)

LISTEN_DROPS, ATTEMPT_FAILS = NUMBER["TcpExtListenDrops"], NUMBER["TcpAttemptFails"]
LAST_UNREACHABLE = 15  # NR_ICMP_UNREACH
LOCK_DROPPED_ICMPS = NUMBER["TcpExtLockDroppedIcmps"]
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
    world["hangs"] |= ON_QUOTED
    key = link_key(row["quoted_src_lo"], row["quoted_dst_lo"], row["quoted_src_port"], row["quoted_dst_port"])
    sort = sort_of_quoted(row)
    place, side = linked(key, sort, kept, world), 0
    if place < 0:
        key = link_key(row["quoted_dst_lo"], row["quoted_src_lo"], row["quoted_dst_port"], row["quoted_src_port"])
        place, side = linked(key, sort, kept, world), 1
    needed = kind == 3 and row["icmp_code"] == 4 if row["ip_proto"] == 1 else kind == 2
    if place >= 0 and not needed:
        add_range(row, LOCK_DROPPED_ICMPS, 0, 0, 1, out)  # if the application held the socket
    if place >= 0:
        one = kept.hot[bring(place, kept, world)]
        if to_owner(row, one["talk"], one["validity"], side, out):
            over(one["opening"], world["ports"][one["opening"]["server"]])


@inline
def to_owner(row: Any, talk: Any, own: Any, side: Int, out: Any) -> Any:
    """Between SND.UNA and SND.NXT, or of the SYN-ACK of a request; small sockets do not look.

    It ends an attempt to connect, and where it says that there is nobody, a request of a listener: True for that.
    """
    state = own["state"][side]
    if state == CLOSED or state == TIME_WAIT:
        return False
    if state == SYN_RECEIVED:
        if row["quoted_seq"] != own["iss"][side]:
            add(row, OUT_OF_WINDOW_ICMPS, 1, out)
        elif not own["full"][side] and drops_request(row):  # tcp_req_err()
            add(row, LISTEN_DROPS, 1, out)
            own["state"][side] = CLOSED
            return True
        return False
    below = difference(row["quoted_seq"], own["una"][side]) < 0
    if below or difference(row["quoted_seq"], own["nxt"][side]) > 0:
        if state == FIN_WAIT_2 and not own["half_closed"][side]:
            add_range(row, OUT_OF_WINDOW_ICMPS, 0, 0, 1, out)
        else:
            add(row, OUT_OF_WINDOW_ICMPS, 1, out)
    elif state == SYN_SENT and ends_attempt(row):
        add_range(row, ATTEMPT_FAILS, 1, 0, 1, out)  # not while the application holds the socket
        talk["gone"][side] = 1
        own["state"][side] = CLOSED
    return False


@inline
def ends_attempt(row: Any) -> Any:
    """Is it an error at all, and none of size? Redirects and source quenches are not."""
    kind, code = row["icmp_type"], row["icmp_code"]
    if row["ip_proto"] != 1:
        return kind == 1 or kind == 3 or kind == 4
    return (kind == 3 and code != 4 and code <= LAST_UNREACHABLE) or kind == 11 or kind == 12


@inline
def drops_request(row: Any) -> Any:
    """Does the listener give the handshake up for it? tcp_v4_err(), icmpv6_err_convert()."""
    kind, code = row["icmp_type"], row["icmp_code"]
    if row["ip_proto"] != 1:
        return kind == 4 or (kind == 1 and (code == 1 or code >= 4))
    return kind == 11 or kind == 12 or (kind == 3 and code <= 1)

"""Flow states -> rows of the `flows` table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.first import first_of
from analyzer.flows.edge import closed_for_ns, closed_how
from analyzer.flows.end_state import BINS, BINS_FROM, NO_BOX, NO_WINDOW
from analyzer.flows.state import ACKED, FIN, HISTORY, RST, SYN, SYN_ACK, TCP
from analyzer.kinds import NUMBER
from analyzer.schema import Rows
from analyzer.tables import FLOWS, PACKETS

SCALE = PACKETS.bit("options", "window_scale")
# The middle of each bin of an RTT histogram, and of one behind them: never more than 9.1 % off.
MIDDLES = np.array([2 ** (BINS_FROM + (at + 0.5) / 4) for at in range(BINS + 1)])
AT_ONCE = 1 << 12  # histograms that are summed up together: more would take much memory
BY_MIDDLEBOX = np.uint64(1 << NUMBER["reset_by_middlebox"])
SAME = (
    "flow",
    "ip_version",
    "roles",
    "start_ns",
    "end_ns",
    "first_frame",
    "last_frame",
    "previous",
    "since_previous_ns",
    "leg_of",
    "leg",
)
ALIKE = {  # column of a side: field of its end
    "missing_bytes": "missing_bytes",
    "retransmissions": "retransmissions",
    "retransmitted_bytes": "retransmitted_bytes",
    "timeouts": "timeouts",
    "spurious": "spurious",
    "out_of_order": "reordered",
    "duplicate_acks": "duplicate_acks",
    "sack_blocks": "sack_blocks",
    "dsacks": "dsacks",
    "copies": "copies",
    "offered": "offered",
    "mss": "mss",
    "in_flight_max": "in_flight_max",
    "zero_windows": "zero_windows",
    "reset": "rst",
    "idle_longest_ns": "idle_ns",
    "largest_segment": "largest",
    "largest_passed": "passed",
    "super_segments": "super_segments",
    "rtt_samples": "rtt_count",
}


def flow_rows(
    states: Rows, ends: Rows, histograms: npt.NDArray[np.uint32], final: npt.NDArray[np.int64], latest_ns: int
) -> Rows:
    """One row a flow. `ends` has a column for the low and one for the high end; `final` as `final_states` gives it.

    `latest_ns` is the latest time in the capture.
    """
    flows = np.zeros(len(states), FLOWS.dtype)
    flows["protocol"] = np.where(states["protocol"] == TCP, 0, 1)
    for name in SAME:
        flows[name] = states[name]
    flows["handshake_rtt_ns"] = states["rtt_ns"]
    flows["state"] = final
    flows["completeness"] = _completeness(states)
    flows["history"] = _history(states)
    client = states["client"].astype(np.intp)
    every = np.arange(len(states))
    sides = {"client": client, "server": 1 - client}
    tcp = states["protocol"] == TCP
    for side, end in sides.items():
        flows[f"{side}_hi"] = states["address_hi"][every, end]
        flows[f"{side}_lo"] = states["address_lo"][every, end]
        flows[f"{side}_port"] = states["port"][every, end]
        for counted in ("packets", "bytes", "payload"):
            flows[f"{side}_{counted}"] = states[counted][every, end]
        _describe(flows, side, states, ends[every, end], ends[every, 1 - end], tcp, end, histograms, latest_ns)
    both = ends["offered"][:, 0] & ends["offered"][:, 1]
    flows["agreed"] = np.where((ends["syns"] > 0).all(axis=1), both, 0)
    flows["events"] = states["events"]
    return flows


def _describe(
    flows: Rows,
    side: str,
    states: Rows,
    mine: Rows,
    other: Rows,
    tcp: npt.NDArray[np.bool_],
    end: npt.NDArray[np.intp],
    histograms: npt.NDArray[np.uint32],
    latest_ns: int,
) -> None:
    """Fill the columns of one side."""
    for column, stored in ALIKE.items():
        flows[f"{side}_{column}"] = mine[stored]
    flows[f"{side}_window_scale"] = np.where(mine["offered"] & SCALE, mine["shift"].astype(np.int16), -1)
    stream = np.maximum(mine["next"] - 1, 0) - ((mine["fin"] > 0) & (mine["next"] > mine["fin"]))
    flows[f"{side}_unique_bytes"] = np.maximum(stream - mine["hole_bytes"], 0)
    offered = mine["window_min"] != NO_WINDOW
    flows[f"{side}_window_min"] = np.where(offered & tcp, mine["window_min"].astype(np.int64), -1)
    flows[f"{side}_window_max"] = np.where(offered & tcp, mine["window_max"].astype(np.int64), -1)
    shut = closed_for_ns(states, mine, latest_ns)
    flows[f"{side}_window_closed"] = closed_how(mine, other)
    flows[f"{side}_window_closed_ns"] = shut
    flows[f"{side}_zero_window_ns"] = mine["zero_ns"] + shut
    flows[f"{side}_zero_window_longest_ns"] = np.maximum(mine["zero_longest_ns"], shut)
    flows[f"{side}_middlebox_hops"] = np.where(mine["box_hops"] != NO_BOX, mine["box_hops"].astype(np.int16), -1)
    sampled = mine["rtt_count"] > 0
    flows[f"{side}_rtt_min_ns"] = np.where(sampled, mine["rtt_min_ns"], -1)
    flows[f"{side}_rtt_max_ns"] = np.where(sampled, mine["rtt_max_ns"], -1)
    median_ns, p95_ns = _quantiles(mine, histograms, (0.5, 0.95))
    flows[f"{side}_rtt_median_ns"], flows[f"{side}_rtt_p95_ns"] = median_ns, p95_ns
    flows[f"{side}_state"] = _tcp_state(states, mine, other, end)


def final_states(
    states: Rows, ends: Rows, places: npt.NDArray[np.intp], opening: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """The word of `flows.state` for the flows at `places`, as its number; `opening` as `edge.still_opening` gives it.

    `ends` has those of all flows, or none where nobody judges.
    """
    client = states["client"][places].astype(np.intp)
    seen = states["seen"][places].astype(np.int64)
    both_fins = FIN | FIN << 1
    died = ~_outlived(states, ends, places) if len(ends) else np.ones(len(places), np.bool_)
    reset = died & ((seen & (RST | RST << 1)) != 0)
    reset_by_client = died & ((seen & (RST << client)) != 0)
    handshake = seen & (SYN | SYN_ACK | ACKED)
    conditions = [
        (states["protocol"][places] != TCP, ""),
        (reset & (states["events"][places] & BY_MIDDLEBOX != 0), "reset_by_middlebox"),
        (reset & (handshake == SYN) & ~reset_by_client, "refused"),
        (reset_by_client, "reset_by_client"),
        (reset, "reset_by_server"),
        ((seen & both_fins) == both_fins, "closed"),
        ((seen & both_fins) != 0, "half_closed"),
        (opening, "opening"),
        (handshake == SYN, "unanswered"),
        ((handshake & (SYN_ACK | ACKED)) == SYN_ACK, "half_open"),
    ]
    numbers = [FLOWS.bit("state", word) for _, word in conditions]
    return first_of([condition for condition, _ in conditions], numbers, FLOWS.bit("state", "open"))


def _outlived(states: Rows, ends: Rows, places: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Did both ends close in order? Then a reset on the way to that was ignored: it had a wrong number, or no signature.

    Field by field: a copy of whole states would cost more than all the rest.
    """
    at = states["ends"][places]
    return np.asarray(_closed({name: ends[name][at] for name in ("fins", "fin", "una")}).all(axis=1))


def _closed(ends: Any) -> npt.NDArray[np.bool_]:
    """Was the FIN of each of these ends acknowledged?"""
    return np.asarray((ends["fins"] > 0) & (ends["fin"] > 0) & (ends["una"] > ends["fin"]))


def _history(states: Rows) -> Any:
    """The letters, those of the client in upper case."""
    of_client = states["history"] >> 7 == states["client"][:, None]
    letters = (states["history"] & 0x7F) - 32 * of_client
    letters = np.where(np.arange(HISTORY) < states["letters"][:, None], letters, 0)
    return np.ascontiguousarray(letters, np.uint8).view(f"S{HISTORY}")[:, 0]


def _completeness(states: Rows) -> Any:
    """The word of `flows.completeness`, as its number."""
    seen = states["seen"].astype(np.int64)
    handshake = seen & (SYN | SYN_ACK | ACKED)
    begun = handshake == SYN | SYN_ACK | ACKED
    both_fins = FIN | FIN << 1
    ended = ((seen & both_fins) == both_fins) | (seen & (RST | RST << 1) != 0)
    never = (handshake & (SYN | SYN_ACK) != 0) & (handshake & ACKED == 0)
    conditions = [
        (states["protocol"] != TCP, ""),
        (never, "no_handshake"),
        (begun & ended, "complete"),
        (begun, "no_end"),
        (ended, "no_beginning"),
    ]
    numbers = [FLOWS.bit("completeness", word) for _, word in conditions]
    return first_of([condition for condition, _ in conditions], numbers, FLOWS.bit("completeness", "middle"))


def _tcp_state(states: Rows, mine: Rows, other: Rows, end: npt.NDArray[np.intp]) -> Any:
    """The state of one end by what was captured (RFC 9293 section 3.3.2), as the number of its word."""
    seen = states["seen"].astype(np.int64)
    client = states["client"] == end
    reset = (seen & (RST | RST << 1) != 0) & ~(_closed(mine) & _closed(other))
    # Of a FIN that was acknowledged before it was captured the number may be 0.
    sent, heard = mine["fins"] > 0, other["fins"] > 0
    acked = sent & (mine["una"] > mine["fin"])
    first = states["closer"] == 1 + end
    opening = (seen & ACKED == 0) & (seen & (SYN | SYN_ACK) != 0)
    conditions = [
        (states["protocol"] != TCP, ""),
        (reset, "CLOSED"),
        (opening & client, "SYN-SENT"),
        (opening & (seen & SYN_ACK != 0), "SYN-RECEIVED"),
        (opening, ""),
        (~sent & heard, "CLOSE-WAIT"),
        (sent & ~heard & acked, "FIN-WAIT-2"),
        (sent & ~heard, "FIN-WAIT-1"),
        (heard & first & acked, "TIME-WAIT"),
        (heard & first, "CLOSING"),
        (heard & acked, "CLOSED"),
        (heard, "LAST-ACK"),
    ]
    numbers = [FLOWS.bit("client_state", word) for _, word in conditions]
    return first_of([condition for condition, _ in conditions], numbers, FLOWS.bit("client_state", "ESTABLISHED"))


def _quantiles(ends: Rows, histograms: npt.NDArray[np.uint32], shares: Sequence[float]) -> list[npt.NDArray[np.int64]]:
    """These quantiles of the RTT samples: exact where they were kept, else from the histogram."""
    count = ends["rtt_count"].astype(np.int64)
    ordered = np.where(np.arange(ends["rtt_first"].shape[1]) < count[:, None], ends["rtt_first"], np.inf)
    ordered.sort(axis=1)
    ranks = [np.maximum(np.ceil(share * count).astype(np.int64) - 1, 0) for share in shares]
    results = [ordered[np.arange(len(ends)), np.minimum(rank, ordered.shape[1] - 1)] for rank in ranks]
    binned = np.flatnonzero(ends["histogram"] >= 0)
    for start in range(0, len(binned), AT_ONCE):
        some = binned[start : start + AT_ONCE]
        upto = np.cumsum(histograms[ends["histogram"][some]], axis=1, dtype=np.int64)
        for rank, result in zip(ranks, results, strict=True):
            result[some] = MIDDLES[(upto <= rank[some, None]).sum(axis=1)]
    least, most = ends["rtt_min_ns"], np.maximum(ends["rtt_max_ns"], ends["rtt_min_ns"])
    return [np.where(count > 0, np.clip(result, least, most), -1).astype(np.int64) for result in results]


assert BINS == 4 * (36 - BINS_FROM)

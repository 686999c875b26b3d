"""Where the time of flows went, and how they talked -> columns of the `flows` table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.first import first_of
from analyzer.flows.moment import BOTH, FLIGHT, IN_FAST, IN_LOSS, LIMITED, ZERO
from analyzer.flows.state import SUCCEEDED, TCP
from analyzer.flows.time_state import (
    BEGUN,
    FINISHED,
    FIRST_BYTE,
    IN_FLIGHT,
    LAST_BYTE,
    OPENING,
    OVER,
    SIZE,
    SPENT,
    TALK_BINS,
    TURNED,
)
from analyzer.schema import Rows
from analyzer.tables import TIME_CAUSES

Counts = npt.NDArray[np.int64]
SIDES = ("client", "server")
NUMBER = {cause: number for number, cause in enumerate(TIME_CAUSES)}
REQUEST = 65536  # bytes of a first message: nobody need answer more
SOON_NS = 1_000_000_000  # an ACK that is not there after this was lost, or not captured
# What each condition of `_at_the_end` says, and the last where none holds: a cause, and whether something is owed.
AT_END = (
    ("unknown", False),
    ("closing", False),
    ("handshake", True),
    ("unknown", False),
    ("zero_window", True),
    ("loss_timeout", True),
    ("loss_fast", True),
    ("closing", True),
    ("receive_window", True),
    ("round_trip", True),
    ("server_think", True),
    ("idle", False),
)
CLOSES = 7  # only where a FIN waits for its ACK
CAUSE_AT_END, OWED = np.array([NUMBER[cause] for cause, _ in AT_END]), np.array([owed for _, owed in AT_END])
FIRST_BIN = {FIRST_BYTE: 15, LAST_BYTE: 15, SIZE: 6, IN_FLIGHT: 6}  # where the first one ends, as a power of two


def account_of(states: Rows, ends: Rows, times: Rows, places: npt.NDArray[np.intp], latest_ns: int) -> Counts:
    """How much of the time of the flows at `places` went to each of TIME_CAUSES: up to the last frame, or the end of what is still owed.

    `ends` has those of all flows. Field by field: a copy of whole states would cost more than all the rest.
    """
    every = np.arange(len(places))
    client = states["client"][places].astype(np.intp)
    start_ns, end_ns = states["start_ns"][places], states["end_ns"][places]
    spent = np.zeros((len(places), len(TIME_CAUSES)), np.int64)
    spent[:, :SPENT] = times["spent_ns"][places]
    think = NUMBER["client_think"]
    swap = client == 1
    spent[swap, think], spent[swap, think + 1] = spent[swap, think + 1], spent[swap, think].copy()
    begun = times["flags"][places] & BEGUN != 0
    spent[every, np.where(begun, times["waits"][places], 0)] += times["pending_trip_ns"][places]
    cause, owed = _at_the_end(states, ends, times, places, client)
    owed_ns = np.where(owed, np.maximum(latest_ns - end_ns, 0), 0)  # the latest time is not before that of any frame
    rest = np.where(begun, end_ns - times["upto_ns"][places], 0) + owed_ns
    # What nobody acknowledges, and nobody sends again, is no round trip any more.
    cause = np.where((cause == NUMBER["round_trip"]) & (rest > SOON_NS), NUMBER["unknown"], cause)
    spent[every, cause] += rest + times["pending_ns"][places]
    spent[:, SPENT] = end_ns - start_ns + owed_ns - spent[:, :SPENT].sum(axis=1)
    return spent


def _at_the_end(
    states: Rows, ends: Rows, times: Rows, places: npt.NDArray[np.intp], client: npt.NDArray[np.intp]
) -> tuple[Any, Any]:
    """Where the time after the last frame goes, and whether it goes on, since something is owed."""
    bits, flags = times["bits"][places].astype(np.int64), times["flags"][places].astype(np.int64)
    flight = bits & 3 * FLIGHT != 0
    answered = flags >> (1 - client) & TURNED != 0
    owes = (times["talker"][places] == 1 + client) & (answered | (times["turn_bytes"][places] <= REQUEST))
    fin = np.zeros(len(places), bool)
    for end in (0, 1):
        place = states["ends"][places, end]
        fin |= (ends["fin"][place] > 0) & (ends["una"][place] <= ends["fin"][place])
    chosen = [
        (flags & BEGUN == 0) | (states["protocol"][places] != TCP),
        flags & OVER != 0,
        flags & OPENING != 0,
        bits & BOTH == 0,
        bits & 3 * ZERO != 0,
        bits & 3 * IN_LOSS != 0,
        bits & 3 * IN_FAST != 0,
        (flags & FINISHED != 0) & ~flight,
        flight & (bits & 3 * LIMITED != 0),
        flight,
        owes,
    ]
    which = first_of(chosen, range(len(chosen)), len(chosen))
    owed = OWED[which] & ((which != CLOSES) | fin)
    return CAUSE_AT_END[which], owed & (states["seen"][places] & SUCCEEDED == 0)


def fill_times(flows: Rows, spent: Counts, states: Rows, ends: Rows, times: Rows, talks: Rows) -> None:
    """Fill the columns of `flows` that tell of time (`spent`, from `account_of`), rates, requests and answers."""
    for cause, number in NUMBER.items():
        flows[f"time_{cause}_ns"] = spent[:, number]
    flows["duration_ns"] = spent.sum(axis=1)
    closer = states["closer"].astype(np.int64)
    flows["closed_first"] = np.where(closer == 0, 0, np.where(closer == 1 + states["client"], 1, 2))
    every = np.arange(len(states))
    lasted = flows["end_ns"] - flows["start_ns"]
    for number, side in enumerate(SIDES):
        end = (states["client"] ^ number).astype(np.intp)
        useful = np.where(states["protocol"] == TCP, flows[f"{side}_unique_bytes"], flows[f"{side}_payload"])
        flows[f"{side}_throughput_bps"] = _rate(flows[f"{side}_bytes"], lasted)
        flows[f"{side}_goodput_bps"] = _rate(useful, lasted)
        busiest = np.maximum(times["busiest_bytes"][every, end], times["second_bytes"][every, end])
        flows[f"{side}_busiest_second_bytes"] = busiest
        again, needless = (flows[f"{side}_{name}"].astype(np.int64) for name in ("retransmissions", "spurious"))
        flows[f"{side}_retransmitted_share"] = _share(flows[f"{side}_retransmitted_bytes"], flows[f"{side}_payload"])
        flows[f"{side}_lost_share"] = _share(np.maximum(again - needless, 0), flows[f"{side}_packets"])
        _fill_answers(flows, side, states, ends[every, end], times, talks, end)


def _rate(size: Any, lasted: Any) -> Any:
    """Bits per second; 0 where no time passed."""
    return np.where(lasted > 0, size * 8e9 / np.maximum(lasted, 1), 0.0).astype(np.int64)


def _share(part: Any, whole: Any) -> Any:
    """With six decimals, so that every way of writing it down says the same."""
    return np.round(np.where(whole > 0, part / np.maximum(whole, 1), 0.0), 6)


def _fill_answers(
    flows: Rows, side: str, states: Rows, mine: Rows, times: Rows, talks: Rows, end: npt.NDArray[np.intp]
) -> None:
    """The answers of one side, and its bytes in flight: from the distributions, or of the only answer."""
    details = np.flatnonzero(times["details"] > 0)
    talk, end_of = talks[times["details"][details] - 1], end[details]
    turned = times["flags"].astype(np.int64) >> end & TURNED != 0
    last = turned & (times["talker"] == 1 + end)  # the answer at hand
    last_ns = np.maximum(mine["data_ns"] - times["asked_ns"], 0)
    answers = turned.astype(np.int64)
    answers[details] = talk["answers"][np.arange(len(details)), end_of]
    flows[f"{side}_answers"] = answers
    frame = np.where(turned, times["first_byte_frame"], 0)
    frame[details] = talk["frame"][np.arange(len(details)), end_of]
    flows[f"{side}_first_byte_frame"] = frame
    for kind, name, unit, only in (
        (FIRST_BYTE, "first_byte", "_ns", times["first_byte_ns"]),
        (LAST_BYTE, "last_byte", "_ns", last_ns),
        (SIZE, "answer_bytes", "", times["turn_bytes"].astype(np.int64)),
        (IN_FLIGHT, "in_flight", "", None),
    ):
        values = np.where(turned, only, -1) if only is not None else np.full(len(flows), -1)
        if len(details):
            bins = talk["bins"].reshape(-1, 8, TALK_BINS)[np.arange(len(details)), 2 * kind + end_of].astype(np.int64)
            most = talk["most"][np.arange(len(details)), 2 * kind + end_of]
            if kind in (LAST_BYTE, SIZE):  # it has not been taken down: nobody knew whether it is over
                assert only is not None
                now = np.flatnonzero(last[details])
                value = only[details][now]
                np.add.at(bins, (now, _bin_of(value, FIRST_BIN[kind])), 1)
                most[now] = np.maximum(most[now], value)
        for word, share in (("median", 0.5), ("p95", 0.95), ("max", 1.0)):
            if kind == IN_FLIGHT and word != "median":
                continue
            if len(details):
                values[details] = _quantile(bins, most, share, FIRST_BIN[kind])
            flows[f"{side}_{name}_{word}{unit}"] = values


def _bin_of(value: Counts, first: int) -> Any:
    """Three bins to a doubling."""
    above = np.log2(np.maximum(value, 1 << first).astype(np.float64)) - first
    return np.minimum((3 * above).astype(np.int64), TALK_BINS - 1)


def _quantile(bins: Counts, most: Counts, share: float, first: int) -> Counts:
    """The middle of the bin in which the quantile lies, which is at most 13 % off; -1 without values."""
    count = bins.sum(axis=1)
    rank = np.maximum(np.ceil(share * count).astype(np.int64), 1)
    at = (np.cumsum(bins, axis=1) < rank[:, None]).sum(axis=1)
    middle = (2 ** (first + (at + 0.5) / 3)).astype(np.int64)
    found: Counts = np.where(count > 0, np.minimum(middle, most) if share < 1 else most, -1)
    return found

"""The other panels of a connection: rates, round trips, what was in flight, and where its time went."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.plot.bins import Bins
from analyzer.plot.picture import Layer, Panel
from analyzer.plot.sequence import SHADED, WIDE, Clock, closed_windows, sequence_panel
from analyzer.plot.thin import extremes
from analyzer.plot.trace import Trace
from analyzer.plot.trips import SYN
from analyzer.tables import TIME_CAUSES

SIDES = ("client", "server")
MOST_POINTS = 1_500  # of round trips, of each side
MOST_STEPS = 2_500
CAUSES = {
    "handshake": "handshake",
    "client_think": "client thinks",
    "server_think": "server thinks",
    "idle": "idle",
    "transfer": "transfer",
    "round_trip": "round trips",
    "receive_window": "receive window",
    "zero_window": "closed window",
    "delayed_ack": "delayed ACK",
    "loss_fast": "fast recovery",
    "loss_timeout": "retransmission timer",
    "sender_stall": "sender pauses",
    "closing": "closing",
    "unknown": "not to be told",
}
assert tuple(CAUSES) == TIME_CAUSES, "a cause without a name"


def throughput_panel(trace: Trace, clock: Clock) -> Panel:
    """Bits a second on the wire, and of the payload without what was sent again, by direction."""
    bins = trace.bins
    layers = []
    for side, name in enumerate(SIDES):
        for label, amounts, dashed in (("on the wire", bins.sent[side], False), ("goodput", bins.good[side], True)):
            if amounts.any():
                layers.append(rate_layer(f"{name}, {label}", name, bins, amounts, clock, dashed))
    return Panel(f"Throughput, by {_interval(bins)}", "bit/s", layers)


def rate_layer(name: str, role: str, bins: Bins, amounts: np.ndarray, clock: Clock, dashed: bool = False) -> Layer:
    """Bytes by interval as bits a second."""
    starts = clock(bins.starts_ns)
    edges = np.append(starts, starts[-1] + bins.every_ns / 1e9)  # of times near the last that 64 bits hold, too
    rates = np.append(amounts, 0) * (8e9 / bins.every_ns)
    rates[-1] = rates[-2]
    return Layer(name, "steps", role, edges, rates, dashed=dashed)


def _interval(bins: Bins) -> str:
    every = bins.every_ns
    return f"{every // 10**9:,} s" if every >= 10**9 else f"{every // 10**6} ms"


def rtt_panel(trace: Trace, clock: Clock) -> Panel:
    """Round trips of the data of each side, as seen where the capture was taken, and their smoothed mean (RFC 6298)."""
    layers = []
    packets = trace.packets
    for side, name in enumerate(SIDES):
        trips = trace.trips[trace.trips["direction"] == side]
        few = trips[extremes([trips["rtt_ns"]], MOST_POINTS)] if len(trips) else trips
        smooth = packets["srtt_ns"][:, side]
        at = np.flatnonzero((smooth > 0) & np.append(True, smooth[1:] != smooth[:-1])) if len(smooth) else smooth
        at = at[extremes([smooth[at]], MOST_STEPS)] if len(at) else at
        if len(few):
            layers.append(
                Layer(
                    f"data of the {name} until its ACK",
                    "points",
                    name,
                    clock(few["time_ns"]),
                    few["rtt_ns"] / 1e9,
                    frames=few["frame"],
                    symbol="dot",
                    left_out=int(trace.trip_counts[side]) - len(few),
                )
            )
        if len(at):
            layers.append(
                Layer(
                    f"{name}, smoothed",
                    "steps",
                    name,
                    clock(packets["time_ns"][at]),
                    smooth[at] / 1e9,
                    frames=packets["frame"][at],
                )
            )
    return Panel("Round-trip time", "s", layers)


def window_panel(trace: Trace, clock: Clock) -> Panel:
    """What each side had in flight, and what the other side's window allowed."""
    layers, most, widest = [], 0.0, 0.0
    for side in sending(trace):
        flight = _steps(
            trace, "flight", side, f"in flight from the {SIDES[side]}", "data" if side == 0 else "server", clock
        )
        window = _steps(trace, "window", 1 - side, f"window of the {SIDES[1 - side]}", "window", clock, dashed=True)
        layers += [layer for layer in (flight, window) if layer.y.any()]
        most, widest = max(most, flight.y.max(initial=0)), max(widest, window.y.max(initial=0))
    top = 0.0
    title = "Bytes in flight, and the window"
    if most and widest > WIDE * most:
        top = 2.0 * most
        title += f" (up to {widest:,.0f} bytes, beyond the upper edge)"
    bands = [band for side in sending(trace) for band in closed_windows(trace, side, clock)]
    return Panel(title + SHADED[bool(bands)], "bytes", layers, 1.2, bands, top=top)


def sending(trace: Trace) -> list[int]:
    """The sides that sent data, who sent most first; the other one only if that is not next to nothing, or had trouble."""
    row = trace.row
    sizes = [int(row[f"{name}_payload"]) for name in SIDES]
    trouble = [
        int(row[f"{name}_retransmissions"]) + int(row[f"{SIDES[1 - at]}_zero_windows"]) for at, name in enumerate(SIDES)
    ]
    first = 0 if sizes[0] >= sizes[1] else 1
    other = 1 - first
    return [first, other] if trouble[other] or sizes[other] > sizes[first] / 10 else [first]


def _steps(trace: Trace, field: str, side: int, name: str, role: str, clock: Clock, dashed: bool = False) -> Layer:
    """What a packet left behind, where it changed; of a window only what came after the SYN, which is not scaled."""
    packets = trace.packets
    values = packets[field][:, side]
    known = values >= 0
    if field == "window":
        spoken = (packets["direction"] == side) & (packets["flags"] & SYN == 0)
        known &= np.maximum.accumulate(spoken) if len(spoken) else spoken
    at = np.flatnonzero(known)
    changed = np.ones(len(at), bool)
    changed[1:] = values[at[1:]] != values[at[:-1]]
    if len(at):
        changed[-1] = True  # it holds until the end
    at = at[changed]
    few = at[extremes([values[at]], MOST_STEPS)] if len(at) else at
    return Layer(
        name,
        "steps",
        role,
        clock(packets["time_ns"][few]),
        values[few].astype(np.float64),
        frames=packets["frame"][few],
        dashed=dashed,
        left_out=len(at) - len(few),
    )


def time_panel(trace: Trace, clock: Clock) -> Panel:
    """When the time of the connection went to what: a row for each cause, the largest first, with its share."""
    row = trace.row
    total = max(int(row["duration_ns"]), 1)
    spent = {number: int(row[f"time_{cause}_ns"]) for number, cause in enumerate(TIME_CAUSES)}
    causes = [number for number in sorted(spent, key=lambda each: -spent[each]) if spent[number]]
    rows, layers = [], []
    for height, number in enumerate(causes):
        cause = TIME_CAUSES[number]
        mine = trace.stretches[trace.stretches["cause"] == number]
        start, end = clock(mine["from_ns"]), clock(mine["from_ns"] + mine["ns"])
        rows.append(f"{CAUSES[cause]} {share_text(spent[number], total)}")
        layers.append(Layer(CAUSES[cause], "spans", cause, start, np.full(len(mine), float(height)), end))
    fewer = int(trace.stretches["ns"].sum()) < sum(spent.values())
    title = "Where the time went" + (": its longest stretches" if fewer else "")
    return Panel(title, "", layers, 0.3 + 0.12 * len(rows), rows=rows)


def share_text(part: int, whole: int) -> str:
    """A share in percent; of less than one that it is so."""
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 0.5 else "< 1 %"


def connection_panels(trace: Trace, clock: Clock) -> Iterator[Panel]:
    """All that is drawn of a TCP connection, from top to bottom."""
    yield from (sequence_panel(trace, side, clock) for side in sending(trace))
    yield time_panel(trace, clock)
    yield throughput_panel(trace, clock)
    yield rtt_panel(trace, clock)
    yield window_panel(trace, clock)

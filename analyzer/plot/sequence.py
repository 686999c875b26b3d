"""The time-sequence diagram of one direction, as readers of tcptrace know it: data, ACKs, the window, SACK, and what was sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from analyzer.kinds import CAUSE, CAUSES, NUMBER
from analyzer.plot.picture import Band, Layer, Numbers, Panel
from analyzer.plot.thin import evenly, extremes
from analyzer.plot.trace import FIN, Trace
from analyzer.plot.trips import ACK, RST, STRAY, SYN
from analyzer.schema import Rows

MOST_DRAWN = 3_000  # of a sort
WIDE = 4  # times as high as the data: such a window would press all else flat
MOST_BANDS = 200
CAUSES_AGAIN = {  # what is said of a retransmission, its colour and its mark
    "fast": ("sent again: fast retransmission", "again", "triangle-up"),
    "lost_again": ("sent again: it was lost once more", "again", "star"),
    "rto": ("sent again: timer (RTO)", "timeout", "x"),
    "tlp": ("sent again: tail loss probe", "odd", "diamond"),
    "syn": ("SYN sent again", "timeout", "triangle-down"),
    "syn_ack": ("SYN-ACK sent again", "timeout", "triangle-down"),
    "fin": ("FIN sent again", "timeout", "triangle-left"),
    "window_probe": ("sent again as window probe", "odd", "pentagon"),
    "unknown": ("sent again, cause not known", "again", "circle"),
}
MARKED = {  # other events, by whose they are: of the sender of the data, or of its receiver
    "reordering": ("came out of order", "odd", "square", True),
    "spurious_retransmission": ("proof that sending again was needless", "odd", "cross", None),
    "window_probe": ("window probe", "odd", "pentagon", True),
    "keep_alive": ("keep-alive", "end", "hexagon", True),
    "capture_gap": ("ACK of data that was not captured", "odd", "hourglass", False),
    "sack_reneging": ("SACKed data was thrown away", "timeout", "bowtie", False),
    "zero_window": ("window closes", "zero", "triangle-right", False),
    "zero_window_end": ("window opens again", "window", "triangle-left", False),
    "ce": ("marked: congestion (CE)", "odd", "diamond-tall", True),
}
LEAST_BYTES = 10.0  # of a scale
SHADED = ("", "; shaded: window closed")
Clock = Callable[[npt.NDArray[np.int64]], Numbers]


class Heights:
    """Sequence numbers of one direction as bytes from its first one, however often they wrap. `own` are those of its packets, `acked` those that the others acknowledge; NaN where a packet tells none."""

    def __init__(self, packets: Rows, side: int) -> None:
        mine = packets["direction"] == side
        flags = packets["flags"]
        sure = (packets["events"] & STRAY == 0) & (flags & RST == 0)
        syns = packets["seq"][mine & sure & (flags & SYN != 0)]
        if len(syns):
            sure &= ~(mine & (flags & SYN != 0)) | (packets["seq"] == syns[0])
        sure &= mine | (flags & ACK != 0)
        numbers = np.where(mine, packets["seq"], packets["ack"])
        which = np.flatnonzero(sure)
        self.all = np.full(len(packets), np.nan)
        self.zero = 0  # the sequence number at the height 0
        if len(which):
            steps = np.diff(numbers[which], prepend=numbers[which[:1]]).astype(np.int32).astype(np.int64)
            found = np.cumsum(steps)
            zero = np.flatnonzero(mine[which])
            first = zero[0] if len(zero) else 0
            found -= found[first]
            self.zero = int(numbers[which[first]])
            self.all[which] = found
        self.own, self.acked = np.where(mine, self.all, np.nan), np.where(mine, np.nan, self.all)
        self.top = np.maximum.accumulate(np.nan_to_num(self.all, nan=0.0)) if len(packets) else self.all


def sequence_panel(trace: Trace, side: int, clock: Clock) -> Panel:
    """What `side` (0 the client) sent, and how the other side answered."""
    packets = trace.packets
    heights = Heights(packets, side)
    layers = [*_lines(packets, heights, side, clock), *_segments(packets, heights, side, clock)]
    layers += _sacks(trace, heights, side, clock)
    layers += _marks(trace, heights, side, clock)
    names = ("client", "server")
    title = f"Time-sequence: what the {names[side]} sent, bytes from its first"
    sent, allowed = float(heights.top.max(initial=0)), float(layers[0].y.max(initial=0))
    top = 0.0
    if sent <= 1:  # no data, only SYNs
        top = LEAST_BYTES
    elif allowed > WIDE * sent:
        top = 1.5 * sent
        title += f" (its window ends far above, at {allowed:,.0f})"
    shown = [layer for layer in layers if len(layer.x)]
    bands = closed_windows(trace, side, clock)
    return Panel(title + SHADED[bool(bands)], "bytes", shown, 2.6 if sent > 1 else 0.6, bands, top=top)


def closed_windows(trace: Trace, side: int, clock: Clock) -> list[Band]:
    """When the window of the other side was closed: the longest of those times."""
    mine = trace.events[trace.events["direction"] != side]
    ended = mine[mine["event"] == NUMBER["zero_window_end"]]
    never = mine[mine["event"] == NUMBER["window_never_reopened"]]
    start = np.concatenate([ended["time_ns"] - ended["value"], never["time_ns"]])
    end = np.concatenate([ended["time_ns"], never["time_ns"] + never["value"]])
    longest = np.argsort(start - end, kind="stable")[:MOST_BANDS]
    return [
        Band(float(since), float(until), "zero")
        for since, until in zip(clock(start[longest]), clock(end[longest]), strict=True)
    ]


def _lines(packets: Rows, heights: Heights, side: int, clock: Clock) -> Iterator[Layer]:
    """The ACKs that came back, and what the receiver's window allowed."""
    acks = np.flatnonzero(~np.isnan(heights.acked))
    height = np.maximum.accumulate(heights.acked[acks]) if len(acks) else heights.acked[acks]
    window = packets["window"][acks, 1 - side]
    edge = np.where(window >= 0, heights.acked[acks] + window, np.nan)
    edge[packets["flags"][acks] & SYN != 0] = np.nan
    for name, role, values, dashed in (
        ("window: sent may be up to here", "window", edge, True),
        ("acknowledged up to here", "ack", height, False),
    ):
        at = acks[~np.isnan(values)]
        values = values[~np.isnan(values)]
        few = extremes([values], MOST_DRAWN) if len(at) else np.arange(0)
        yield Layer(
            name,
            "steps",
            role,
            clock(packets["time_ns"][at[few]]),
            values[few],
            frames=packets["frame"][at[few]],
            dashed=dashed,
            left_out=len(at) - len(few),
        )


def _segments(packets: Rows, heights: Heights, side: int, clock: Clock) -> Iterator[Layer]:
    """Each segment with data stands from its first byte to its last."""
    again = np.uint64(1 << NUMBER["retransmission"])
    data = ~np.isnan(heights.own) & (packets["payload_len"] > 0)
    for name, role, wanted in (
        ("data", "data", data & (packets["events"] & again == 0)),
        ("data sent again", "again", data & (packets["events"] & again != 0)),
    ):
        at = np.flatnonzero(wanted)
        few = evenly(at, MOST_DRAWN)
        low = heights.own[few]
        yield Layer(
            name,
            "bars",
            role,
            clock(packets["time_ns"][few]),
            low,
            low + packets["payload_len"][few],
            packets["frame"][few],
            left_out=len(at) - len(few),
        )


def _sacks(trace: Trace, heights: Heights, side: int, clock: Clock) -> Iterator[Layer]:
    """What the receiver reported beyond its ACK, and what it got twice."""
    packets = trace.packets
    dsacks = trace.events["frame"][trace.events["event"] == NUMBER["dsack"]]
    twice = np.isin(packets["frame"], dsacks)
    reports = ~np.isnan(heights.acked)
    for name, role in (("SACK: came, though something before it is missing", "sack"), ("DSACK: came twice", "dsack")):
        parts = []
        for number in (1, 2, 3, 4):
            is_twice = twice if number == 1 else np.zeros(len(packets), bool)
            wanted = reports & (packets["sack_count"] >= number) & (is_twice if role == "dsack" else ~is_twice)
            at = np.flatnonzero(wanted)
            low, high = (
                heights.acked[at] + (packets[f"sack_{edge}_{number}"][at] - packets["ack"][at]).astype(np.int32)
                for edge in ("left", "right")
            )
            parts.append((at, low, high))
        at, low, high = (np.concatenate(each) for each in zip(*parts, strict=True))
        few = evenly(np.argsort(at, kind="stable"), MOST_DRAWN)
        at = at[few]
        yield Layer(
            name,
            "bars",
            role,
            clock(packets["time_ns"][at]),
            low[few],
            high[few],
            packets["frame"][at],
            left_out=len(low) - len(few),
        )


def _marks(trace: Trace, heights: Heights, side: int, clock: Clock) -> Iterator[Layer]:
    """Events of both sides, and the segments that open and close."""
    events, packets, kind = trace.events, trace.packets, NUMBER["retransmission"]
    for cause, (name, role, symbol) in CAUSES_AGAIN.items():
        wanted = (events["event"] == kind) & (events["cause"] == CAUSE[cause]) & (events["direction"] == side)
        total = int(trace.counted[kind, CAUSE[cause], side])
        yield _mark(trace, heights, events[wanted], total, name, role, symbol, clock)
    for word, (name, role, symbol, by_sender) in MARKED.items():
        wanted, counts = events["event"] == NUMBER[word], trace.counted[NUMBER[word]].sum(axis=0)
        if by_sender is not None:
            whose = side if by_sender else 1 - side
            wanted &= events["direction"] == whose
            counts = counts[whose]
        yield _mark(trace, heights, events[wanted], int(counts.sum()), name, role, symbol, clock)
    for name, flag, symbol in (("SYN", SYN, "star-triangle-up"), ("FIN", FIN, "square"), ("RST", RST, "x")):
        found = packets["flags"] & flag != 0
        all_of_them = np.flatnonzero(found & ((packets["direction"] == side) | (flag == RST)))
        at = evenly(all_of_them, MOST_DRAWN)
        y = np.where(np.isnan(heights.own[at]), heights.top[at], heights.own[at] + packets["payload_len"][at])
        yield Layer(
            name,
            "points",
            "timeout" if flag == RST else "end",
            clock(packets["time_ns"][at]),
            y,
            frames=packets["frame"][at],
            symbol=symbol,
            left_out=len(all_of_them) - len(at),
        )


def _mark(
    trace: Trace, heights: Heights, events: Rows, total: int, name: str, role: str, symbol: str, clock: Clock
) -> Layer:
    """Events, of `total` that there were, where their frames stand; those whose frame was thinned away, at the height reached by then."""
    packets = trace.packets
    order = np.argsort(packets["frame"], kind="stable")
    places = np.searchsorted(packets["frame"][order], events["frame"])
    at = order[np.minimum(places, len(packets) - 1)] if len(packets) else places
    there = np.isin(events["frame"], packets["frame"])
    top = heights.all[at] + np.where(np.isnan(heights.own[at]), 0, packets["payload_len"][at])
    return Layer(
        name,
        "points",
        role,
        clock(events["time_ns"]),
        np.where(there & ~np.isnan(top), top, heights.top[at]),
        frames=events["frame"].copy(),
        notes=[_note(event) for event in events],
        symbol=symbol,
        left_out=total - len(events),
    )


def _note(event: Rows) -> str:
    """The frame that an event refers to, and its cause where that is not in the name."""
    cause = CAUSES[int(event["cause"])].replace("_", " ")
    related = f"frame {int(event['related_frame'])}" if event["related_frame"] else ""
    return ", ".join(filter(None, (cause, f"refers to {related}" if related else "")))

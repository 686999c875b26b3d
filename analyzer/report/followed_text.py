"""A connection at several capture points as text: its head, then a line for each packet: its frames, when it was seen first, how long it took, and its fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.flows.names import ends_text
from analyzer.follow.flow import FROM_OUTSIDE
from analyzer.kinds import KINDS, NAMES, NUMBER
from analyzer.points.followed import CAME, Followed, Sight, hops_between
from analyzer.points.points import Points
from analyzer.report import layout
from analyzer.report.event_words import words_of
from analyzer.report.flow_head import title_text
from analyzer.report.flow_text import FOLDED, NOT_ORDINARY, REPEATED
from analyzer.report.frame_text import segment_text
from analyzer.report.layout import Style, plain, wrapped
from analyzer.schema import Rows, bits_text
from analyzer.tables import PASSAGES
from analyzer.text import duration_text, plural, printable, size_text

ARRIVED, LOST, DUPLICATED, REORDERED, CORRUPTED, REWRITTEN, INJECTED, UNKNOWN = range(len(PASSAGES["fate"].words))
FATES = {
    ARRIVED: "arrived",
    LOST: "lost",
    DUPLICATED: "came twice",
    REORDERED: "overtaken",
    CORRUPTED: "damaged",
    REWRITTEN: "changed",
    INJECTED: "made on the way",
    UNKNOWN: "of unknown fate",
}
WHY_UNKNOWN = {
    "outside": "the capture there had not begun, or had ended",
    "not_followed": "the capture there holds nothing of the connection",
    "capture_missed": "the capture there may have missed it",
    "capture_drops": "the capture there says that it lost packets",
    "ends_here": "a box between the points ends the connection",
    "one_way": "too little passed between the points",
    "no_clock": "how the clocks differ is not known",
}
REPEATS = {
    "needed": "what was sent before did not arrive: this was needed",
    "ack_lost": "what was sent before had arrived, and an ACK of it was lost",
    "needless": "what was sent before had arrived: this was not needed",
}
COPY = NUMBER["capture_duplicate"]
FRAME, TIME, DELAY = 8, 12, 12  # columns, at least
LEAST_SHIFT, MOST_SHIFT, ROOM = 4, 18, 22  # of the server's column, to the client's; what a line has at least
TROUBLE = (LOST, DUPLICATED, REORDERED, CORRUPTED, INJECTED)


def followed_text(found: Followed, points: Points, everything: bool = False, style: Style = plain) -> str:
    """The whole text; every packet has a line of its own if `everything` is asked for."""
    numbers = [points.names.index(name) for name in found.names]
    lines = [*_head(found, numbers, style), *_notes(found), "", style("time line", "title")]
    time_line = _Line(found, numbers, style)
    with layout.columns(max(layout.width(), time_line.right + ROOM), layout.is_quiet()):
        lines += time_line.lines(everything)
    return "\n".join(lines) + "\n"


def fate_words(hop: Rows, names: Sequence[str], is_usual: bool = False) -> str:
    """What became of a packet between two points, in words; empty of a plain arrival, and where what was changed `is_usual`."""
    fate, reason = int(hop["fate"]), PASSAGES["reason"].words[int(hop["reason"])]
    here, there = (printable(names[int(hop[name])]) for name in ("point_number", "other_number"))
    if int(hop["way"]) == CAME:  # the row of a packet that is told where it came
        here, there = there, here
    fields = _fields(int(hop["fields"]))
    told = {
        ARRIVED: f"not captured at {there}, where it was acknowledged" if reason == "acked" else "",
        LOST: f"lost on the way to {there}",
        DUPLICATED: f"came twice to {there}",
        REORDERED: f"came to {there} after packets that were sent later",
        CORRUPTED: f"damaged on the way to {there}",
        REWRITTEN: "" if is_usual else f"other {fields} at {there}",
        INJECTED: f"made on the way: {here} never sent it to {there}",
        UNKNOWN: f"not known whether it passed {there}: {WHY_UNKNOWN.get(reason, reason)}",
    }[fate]
    if fate == LOST and reason == "partly":
        told = f"{size_text(int(hop['lost_bytes']))} of it lost on the way to {there}"
    again = REPEATS.get(PASSAGES["retransmission"].words[int(hop["retransmission"])], "")
    return "; ".join(filter(None, (told, again)))


def _fields(bits: int) -> str:
    return bits_text(PASSAGES["fields"].words, bits).replace(" ", ", ")


def _head(found: Followed, numbers: Sequence[int], style: Style) -> Iterator[str]:
    yield style(f"one connection at {plural(len(found.names), 'capture point')}", "title")
    for name, flow in zip(found.names, found.flows, strict=True):
        told = f"flow {flow.number}: {ends_text(flow.row)}, {title_text(flow.row)}"
        yield from wrapped(told, f"  {printable(name)}: ")
    for at in range(len(numbers) - 1):
        for one, other in ((at, at + 1), (at + 1, at)):
            hops = list(hops_between(found.sights, (numbers[one], numbers[other])))
            if hops:
                names = f"{printable(found.names[one])} to {printable(found.names[other])}"
                yield from wrapped(_summed(hops, found.uncertain_ns[at]), f"  {names}: ")


def _notes(found: Followed) -> Iterator[str]:
    """What the time line leaves out, and how it counts."""
    for place, (name, flow) in enumerate(zip(found.names, found.flows, strict=True)):
        shown = {frame for sight in found.sights for frame in sight.frames[place]}
        left = [int(frame) for frame in flow.frame_rows["frame"] if int(frame) not in shown]
        if left:
            copies = all(any(event["event"] == COPY for event in flow.events_by_frame.get(frame, ())) for frame in left)
            why = ": its capture holds their packets more than once" if copies else ""
            told = f"{plural(len(left), 'frame')} of {printable(name)} left out, first {left[0]}{why}"
            yield from wrapped(told, "  ")
    if any(flow.event_rows["related_frame"].any() for flow in found.flows):
        yield from wrapped("`frame N` beside an event is of the point where its packet was seen first", "  ")


def _summed(hops: Sequence[Rows], uncertain_ns: int | None) -> str:
    """What became of all packets of a direction."""
    fates = Counter(int(hop["fate"]) for hop in hops)
    told = ", ".join(f"{fates[fate]:,} {word}" for fate, word in FATES.items() if fates[fate])
    fields = int(np.bitwise_or.reduce([int(hop["fields"]) for hop in hops]))
    if fields and fates[REWRITTEN]:
        told += f" (in {_fields(fields)})"
    delays = np.array([int(hop["delay_ns"]) for hop in hops if hop["related_frame"]], np.int64)
    text = f"{plural(len(hops), 'packet')}: {told}"
    if not len(delays):
        return text
    if len(delays) == 1:
        text += f"; on the way {duration_text(int(delays[0]))}"
    else:
        text += _spread(delays)
    if uncertain_ns is None:
        return text + ", less what the clocks differ, which nothing tells"
    return text + (f", by up to {duration_text(uncertain_ns)} more or less" if uncertain_ns else "")


def _spread(delays: npt.NDArray[np.int64]) -> str:
    least, usual, most = (duration_text(int(each)) for each in (delays.min(), np.median(delays), delays.max()))
    return f"; on the way {least} to {most}, usually {usual}"


class _Line:
    """The time line; `right` is where the column of the server begins."""

    def __init__(self, found: Followed, numbers: Sequence[int], style: Style) -> None:
        self._found, self._numbers, self._style = found, list(numbers), style
        self._names = dict(zip(numbers, found.names, strict=True))
        self._first_ns = found.sights[0].time_ns if found.sights else 0
        self._usual = self._usual_changes()
        widest = max((len(name) for name in map(printable, found.names)), default=0)
        last = max((frame for sight in found.sights for frames in sight.frames for frame in frames), default=0)
        self._frame_width = max(FRAME, widest + 2, 2 * len(str(last)) + 3)
        self._left = self._frame_width * len(numbers) + TIME + DELAY * (len(numbers) - 1) + 2
        self.right = self._left + max(LEAST_SHIFT, min(MOST_SHIFT, layout.width() - self._left - 2 * ROOM))

    def lines(self, everything: bool) -> Iterator[str]:
        """One line a packet, or for several."""
        names = "".join(f"{printable(name):>{self._frame_width}}" for name in self._found.names)
        way = f"{'on the way':>{DELAY * (len(self._numbers) - 1)}}"
        yield f"{names}{'seconds':>{TIME}}{way}  > from the client"
        yield " " * self.right + "< from the server"
        run: list[Sight] = []
        for sight in self._found.sights:
            if self._is_plain(sight):
                run.append(sight)
                continue
            yield from self._run(run, everything)
            run = []
            yield from self._one(sight)
        yield from self._run(run, everything)

    def _usual_changes(self) -> set[tuple[int, int, int]]:
        """What most packets of a direction have changed, such as the port behind a NAT: that is nothing to tell of each."""
        hops = [hop for sight in self._found.sights for hop in sight.hops]
        passed = Counter((int(hop["point_number"]), int(hop["other_number"])) for hop in hops)
        changed = Counter(
            (int(hop["point_number"]), int(hop["other_number"]), int(hop["fields"]))
            for hop in hops
            if int(hop["fate"]) == REWRITTEN
        )
        return {each for each, count in changed.items() if count >= FOLDED and 2 * count > passed[each[:2]]}

    def _is_plain(self, sight: Sight) -> bool:
        if int(sight.row["side"]) == FROM_OUTSIDE or int(sight.row["flags"]) & NOT_ORDINARY or not sight.hops:
            return False
        return not any(map(self._told, sight.hops)) and all(
            NAMES[int(event["event"])] in REPEATED for event in self._events(sight)
        )

    def _told(self, hop: Rows) -> str:
        change = (int(hop["point_number"]), int(hop["other_number"]), int(hop["fields"]))
        names = [self._names.get(number, "") for number in range(max(self._names) + 1)]
        return fate_words(hop, names, change in self._usual)

    def _events(self, sight: Sight) -> Sequence[Rows]:
        return self._found.flows[sight.first].events_by_frame.get(int(sight.row["frame"]), ())

    def _run(self, run: Sequence[Sight], everything: bool) -> Iterator[str]:
        if len(run) < FOLDED or everything:
            for sight in run:
                yield from self._one(sight)
            return
        frames = [[frame for sight in run for frame in sight.frames[at]] for at in range(len(self._numbers))]
        label = self._label([_range(each) for each in frames], run[-1].time_ns, self._delays(run))
        for side, arrow in ((0, "> "), (1, "< ")):
            mine = [sight for sight in run if int(sight.row["side"]) == side]
            if mine:
                size = sum(int(sight.row["payload_len"]) for sight in mine)
                text = f"{arrow}... {plural(len(mine), 'packet')}, {size_text(size)}"
                yield self._style(label.ljust(self._at(side)) + text, "plain")
                label = ""

    def _one(self, sight: Sight) -> Iterator[str]:
        side = int(sight.row["side"])
        arrow = {0: "> ", 1: "< "}.get(side, "! ")
        flow = self._found.flows[sight.first]
        label = self._label([_listed(each) for each in sight.frames], sight.time_ns, self._delays([sight]))
        yield from self._said(label, side, arrow + segment_text(sight.row, flow.row))
        for hop in sight.hops:
            if told := self._told(hop):
                for line in self._said("", side, "  " + told):
                    yield self._style(line, "warning") if int(hop["fate"]) in TROUBLE else line
        for event in self._events(sight):
            for line in self._said("", side, "  " + words_of(event)):
                yield self._style(line, "warning") if KINDS[int(event["event"])].trouble > 0 else line

    def _said(self, label: str, side: int, text: str) -> Iterator[str]:
        """Text in the column of a side, folded below itself."""
        at = self._at(side)
        lead = len(text) - len(text.lstrip())
        for number, line in enumerate(wrapped(text.strip(), " " * (at + lead))):
            yield label.ljust(at + lead) + line[at + lead :] if number == 0 else line

    def _at(self, side: int) -> int:
        return self.right if side == 1 else self._left

    def _delays(self, sights: Sequence[Sight]) -> list[str]:
        """How long it took between each two points, the longest of several; `-` where it did not come, or nobody knows."""
        found = []
        for at in range(len(self._numbers) - 1):
            ends = {self._numbers[at], self._numbers[at + 1]}
            took = [
                int(hop["delay_ns"])
                for sight in sights
                for hop in sight.hops
                if hop["related_frame"] and {int(hop["point_number"]), int(hop["other_number"])} == ends
            ]
            found.append(duration_text(max(took)) if took else "-")
        return found

    def _label(self, frames: Sequence[str], time_ns: int, delays: Sequence[str]) -> str:
        since = time_ns - self._first_ns
        return (
            "".join(f"{each:>{self._frame_width}}" for each in frames)
            + f"{since // 10**9}.{since % 10**9 // 1000:06d}".rjust(TIME)
            + "".join(f"{each:>{DELAY}}" for each in delays)
            + "  "
        )


def _listed(frames: Sequence[int]) -> str:
    """The frames of one packet: `7`, `7, 9`, `7, +2` of more copies, or `-` without any."""
    return (
        ", ".join(map(str, frames)) if 0 < len(frames) <= 2 else f"{frames[0]}, +{len(frames) - 1}" if frames else "-"
    )


def _range(frames: Sequence[int]) -> str:
    """`7`, `7-9`, or `-` without any."""
    if not frames:
        return "-"
    return str(frames[0]) if len(frames) == 1 else f"{min(frames)}-{max(frames)}"

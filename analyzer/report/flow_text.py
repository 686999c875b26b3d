"""A connection as text: its head, then the time line, client left, server right, as those write it who read tcpdump."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from analyzer.fields import of_fields
from analyzer.follow import Flow
from analyzer.follow.stalls import Stall
from analyzer.report import layout
from analyzer.report.event_words import words_of
from analyzer.report.flow_head import head_lines, stall_text
from analyzer.report.frame_text import FROM_OUTSIDE, segment_text
from analyzer.report.layout import Style, plain
from analyzer.schema import Rows
from analyzer.tables import FLOW_PROTOCOLS
from analyzer.text import duration_text, plural, printable, size_text

FOLDED = 4  # frames in a row, or more, that are ordinary
FRAME, TIME = 9, 13  # columns of the number and of the time, at least
LEAST_SHIFT = 16  # of the server's column, to the client's
ROOM, LEAST_ROOM = 44, 20  # for what a segment says
MOST_COMMENTS = 3  # frames with the same comment, to have it at each
REPEATED = ("duplicate_ack", "window_update", "window_full", "capture_duplicate")  # such frames fold like ordinary ones
NOT_ORDINARY = 1 | 2 | 4 | 32  # FIN, SYN, RST, URG


def flow_text(flow: Flow, everything: bool = False, style: Style = plain) -> str:
    """The whole text; every frame has a line of its own if `everything` is asked for."""
    lines = [*head_lines(flow, style), "", style("time line", "title"), *_Line(flow, style).lines(everything)]
    return "\n".join(lines) + "\n"


@of_fields(frozen=True, slots=True)
class _Run:
    """Frames that are told together, by their places."""

    first: int
    last: int


class _Line:
    """The time line of one connection."""

    def __init__(self, flow: Flow, style: Style) -> None:
        self._flow = flow
        self._style = style
        self._first_ns = int(flow.row["start_ns"])
        last = flow.frame_rows[-1:]
        self._frame_width = max([FRAME, *(2 * len(str(frame)) + 2 for frame in last["frame"].tolist())])
        self._time_width = max([TIME, *(len(self._seconds(time_ns)) + 2 for time_ns in last["time_ns"].tolist())])
        self._left = self._frame_width + self._time_width + 2
        self._width = max(layout.width(), self._left + LEAST_SHIFT + LEAST_ROOM)
        # Wider lines are for those who read them; the two sides stand as near to each other as ever.
        self._right = max(self._left + LEAST_SHIFT, min(self._width, layout.WIDTH) - ROOM)
        self._stalls = {each.after: each for each in flow.stalls}

    def lines(self, everything: bool) -> Iterator[str]:
        """One line a frame, or for several; the pauses between them."""
        yield from self._names()
        for item in self._items(everything):
            if isinstance(item, _Run):
                yield from self._folded(item)
                last = int(self._flow.frame_rows["frame"][item.last])
            else:
                yield from self._frame(self._flow.frame_rows[item])
                last = int(self._flow.frame_rows["frame"][item])
            if last in self._stalls:
                yield from self._pause(self._stalls[last])

    def _names(self) -> Iterator[str]:
        yield self._label("frame", "seconds") + "> from the client"
        yield " " * self._right + "< from the server"

    def _items(self, everything: bool) -> Iterator[int | _Run]:
        """Places of frames, and runs of ordinary ones that no pause interrupts."""
        frames = self._flow.frame_rows
        run: list[int] = []

        def told() -> Iterator[int | _Run]:
            if len(run) >= FOLDED and not everything:
                yield _Run(run[0], run[-1])
            else:
                yield from run
            run.clear()

        for place, row in enumerate(frames):
            if self._is_ordinary(row):
                run.append(place)
            else:
                yield from told()
                yield place
            if int(row["frame"]) in self._stalls:
                yield from told()
        yield from told()

    def _is_ordinary(self, row: Rows) -> bool:
        frame = int(row["frame"])
        if row["side"] == FROM_OUTSIDE or int(row["flags"]) & NOT_ORDINARY or self._own_comments(frame):
            return False
        return all(name in REPEATED for name in self._kinds(frame))

    def _kinds(self, frame: int) -> list[str]:
        from analyzer.kinds import NAMES

        return [NAMES[int(event["event"])] for event in self._flow.events_by_frame.get(frame, ())]

    def _own_comments(self, frame: int) -> list[str]:
        """Comments that few other frames have; those of many stand in the head."""
        notes = self._flow.notes.get(frame)
        found = notes.comments if notes else []
        return [each for each in found if len(self._flow.comments[each]) <= MOST_COMMENTS]

    def _frame(self, row: Rows) -> Iterator[str]:
        frame, side = int(row["frame"]), int(row["side"])
        label = self._label(str(frame), self._seconds(int(row["time_ns"])))
        arrow = {0: "> ", 1: "< "}.get(side, "! ")
        yield from self._said(label, side, arrow + segment_text(row, self._flow.row))
        for event in self._flow.events_by_frame.get(frame, ()):
            for line in self._said("", side, "  " + words_of(event)):
                yield self._style(line, "warning") if _is_trouble(event) else line
        for comment in self._own_comments(frame):
            yield from self._said("", side, "  comment: " + one_line(comment))

    def _said(self, label: str, side: int, text: str) -> Iterator[str]:
        """Text in the column of a side, folded below itself."""
        at = self._right if side == 1 else self._left
        indent = " " * at
        lines = textwrap.wrap(
            layout.TOGETHER.sub(layout.NO_BREAK, text),
            max(self._width - at, LEAST_ROOM) if side == 1 else self._width - at,
            subsequent_indent="    ",
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        for number, line in enumerate(lines):
            lead = text[: len(text) - len(text.lstrip())] if number == 0 else ""
            yield (
                (label.ljust(at) if number == 0 else indent) + lead + line.lstrip(" " if number == 0 else "")
            ).replace(layout.NO_BREAK, " ")

    def _folded(self, run: _Run) -> Iterator[str]:
        """How much each side said in these frames."""
        rows = self._flow.frame_rows[run.first : run.last + 1]
        first, last = int(rows["frame"][0]), int(rows["frame"][-1])
        label = self._label(f"{first}-{last}", self._seconds(int(rows["time_ns"][-1])))
        for side, arrow in ((0, "> "), (1, "< ")):
            mine = rows[rows["side"] == side]
            if len(mine):
                text = arrow + "... " + self._sum_text(mine)
                yield from (self._style(line, "plain") for line in self._said(label, side, text))
                label = ""

    def _sum_text(self, rows: Rows) -> str:
        data = rows[rows["payload_len"] > 0]
        parts = []
        if FLOW_PROTOCOLS[int(self._flow.row["protocol"])] != "tcp":
            return f"{plural(len(rows), 'datagram')}, {size_text(int(rows['payload_len'].sum()))}"
        if len(data):
            numbers = f" ({int(data['start'].min())}:{int(data['end'].max())})"
            parts.append(f"{plural(len(data), 'segment')}, {size_text(int(data['payload_len'].sum()))}{numbers}")
        acks = len(rows) - len(data)
        if acks:
            parts.append(plural(acks, "ACK"))
        told: dict[str, int] = {}
        for frame in rows["frame"].tolist():
            for name in self._kinds(frame):
                told[name] = told.get(name, 0) + 1
        parts += [f"{count:,} {FOLDED_WORDS[name]}" for name, count in told.items()]
        return ", ".join(parts)

    def _pause(self, stall: Stall) -> Iterator[str]:
        text = f"--- {duration_text(stall.duration_ns)} {stall_text(self._flow, stall)}"
        if not stall.before:
            text += ", until the capture ended"
        for line in textwrap.wrap(text, self._width - 4, initial_indent="    ", subsequent_indent="        "):
            yield self._style(line, "info")

    def _label(self, frame: str, time: str) -> str:
        return f"{frame:>{self._frame_width}}{time:>{self._time_width}}  "

    def _seconds(self, time_ns: int) -> str:
        """Since the first frame, to the microsecond."""
        since = time_ns - self._first_ns
        sign = "-" if since < 0 else ""
        return f"{sign}{abs(since) // 10**9}.{abs(since) % 10**9 // 1000:06d}"


FOLDED_WORDS = {
    "duplicate_ack": "of them acknowledge the same again (duplicate ACK)",
    "window_update": "of them open the window (window update)",
    "window_full": "of them fill the window",
    "capture_duplicate": "of them captured twice",
}
assert set(FOLDED_WORDS) == set(REPEATED), "what is folded has words"


def one_line(text: str, most: int = 200) -> str:
    """A comment on one line, printable."""
    told = printable("; ".join(part.strip() for part in text.splitlines() if part.strip()))
    return told if len(told) <= most else told[: most - 3] + "..."


def _is_trouble(event: Rows) -> bool:
    from analyzer.kinds import KINDS

    return KINDS[int(event["event"])].trouble > 0


def several(frames: Sequence[int]) -> str:
    """Such as `frames 3, 4 and 12 more`."""
    shown = ", ".join(f"{frame}" for frame in frames[:MOST_COMMENTS])
    more = f" and {len(frames) - MOST_COMMENTS:,} more" if len(frames) > MOST_COMMENTS else ""
    return f"frame{'s' if len(frames) > 1 else ''} {shown}{more}"

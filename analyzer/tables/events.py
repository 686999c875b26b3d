"""The tables of what is said: `events` on frames, `flow_events` by connection, `capture_facts` of the capture as a whole."""

from __future__ import annotations

from analyzer.kinds import CAUSES, NAMES, kinds_markdown
from analyzer.schema import Column, Table

EVENTS = Table(
    "events",
    "One row per verdict on a frame, in the order in which it became certain. What each event means: `tcpcap schema events`.",
    (
        Column("frame", "i8", "Number of the frame."),
        Column("time_ns", "i8", "Its capture time.", unit="ns"),
        Column("flow", "i8", "Its flow in the table `flows`, or -1."),
        Column("direction", "u1", "0 the frame is from the client, 1 from the server."),
        Column("event", "u1", "What happened.", kind="enum", words=NAMES),
        Column("cause", "u1", "Why, or of which sort it is.", kind="enum", words=CAUSES),
        Column("related_frame", "i8", "The frame it refers to, such as the first transmission of what is sent again; 0 without one, or where that is not known any more (it was acknowledged, or not captured)."),
        Column("value", "i8", "How much; what it counts depends on the event."),
        Column("since_ns", "i8", "Of what is sent again, the time since it was first sent; of what shows that this was not needed, the time since it was sent again. 0 for other events, and where that is not known (any more).", unit="ns"),
        Column("late", "i8", "The later frame at which it was said; 0 where that was its own.", public=False),
    ),
    appendix=kinds_markdown(),
)  # fmt: skip

EXAMPLES = 8  # frames of a row of `flow_events`

FLOW_EVENTS = Table(
    "flow_events",
    "One row per flow, side, event and cause: what the rules read. A bounded number of rows: of what did not fit, and of flows whose events are no trouble while there are very many, there is one row per side, event and cause with flow -1.",
    (
        Column("flow", "i8", "Its number in the table `flows`; -1 for those that are told together."),
        Column("direction", "u1", "0 the frames are from the client, 1 from the server."),
        Column("event", "u1", "What happened.", kind="enum", words=NAMES),
        Column("cause", "u1", "Why, or of which sort it is.", kind="enum", words=CAUSES),
        Column("count", "i8", "How often."),
        Column("related", "i8", "How often the event refers to another frame of the capture (`related_frame`)."),
        Column("sum", "i8", "Sum of `value`; what it counts depends on the event. At most 9223372036854775807."),
        Column("max", "i8", "The largest `value`."),
        Column("max_frame", "i8", "The frame with that value (the first of several)."),
        Column("since_max_ns", "i8", "The largest `since_ns`.", unit="ns"),
        Column("first_frame", "i8", "The first frame."),
        Column("last_frame", "i8", "The last frame."),
        Column("first_ns", "i8", "Time of the first frame.", unit="ns"),
        Column("last_ns", "i8", "Time of the last frame.", unit="ns"),
        *(Column(f"frame_{n}", "i8", f"Frame of the {n}. event, 0 where there are fewer.", public=False) for n in range(1, EXAMPLES + 1)),
        *(Column(f"related_{n}", "i8", f"The frame that the {n}. event refers to, or 0.", public=False) for n in range(1, EXAMPLES + 1)),
        Column("frames", "", f"The frames of the first {EXAMPLES} of them.", kind="text"),
        Column("related_frames", "", "The frames to which these refer (`related_frame`), as far as they do.", kind="text"),
    ),
)  # fmt: skip

FACTS = (
    "chosen", "one_way", "filtered", "out_of_order", "different_clocks", "made_up_times", "copies", "cut", "middle", "joined",
)  # fmt: skip

CAPTURE_FACTS = Table(
    "capture_facts",
    "One row per fact of the capture that decides how all else can be read; none where there is nothing to know. `chosen`: only some of its frames were asked for (`--filter`, `--flow`, `--between`, `--frames`), and what the others say is left out. `one_way`: of connections only one direction was captured. `filtered`: by a filter that the file names, or no pure ACKs, or only one port. `out_of_order`: frames of several interfaces that were put in order of time (by up to 1 s, past 32,768 frames at least), that came too late for it, or that were written after the ACK that covers them. `different_clocks`: those of its interfaces. `made_up_times`: frames come at regular steps whoever sends them, or nearly all at the time of the one before, or the timestamps of both ends deny their times: the stamps were not taken when the frames passed, or by a clock of whole seconds, and no cause is told from them. `copies`: frames that the capture holds again. `cut`: frames whose payload was not captured, or not all. `middle`: connections without their handshake. `joined`: several captures in one file (a step back of more than an hour, or several sections).",
    (
        Column("fact", "", f"What it is: {', '.join(f'`{word}`' for word in FACTS)}.", kind="text"),
        Column("frames", "i8", "How many frames it is about."),
        Column("share", "f8", "Their share of all frames that are told of, from 0 to 1; of `chosen`, of all that the capture has."),
        Column("text", "", "The fact in a sentence.", kind="text"),
    ),
)  # fmt: skip

"""The tables of kernel counters: by interval, and frame by frame."""

from __future__ import annotations

from analyzer.schema import Column, Table

RELATIONS = ("exact", "bounded", "inferred", "unobservable")
COUNTER_VERDICTS = ("agree", "under", "over", "not_comparable")

COUNTERS = Table(
    "counters",
    "One row per kernel counter and interval between snapshots: by how much it moved, and what the packets say it must have. Counters that neither moved nor should have are left out.",
    (
        Column("host", "", "Name of the host, or its addresses.", kind="text"),
        Column("counter", "", "Name of the counter, as nstat prints it.", kind="text"),
        Column("start_ns", "i8", "Time of the snapshot before, on the capture's clock.", unit="ns"),
        Column("end_ns", "i8", "Time of the snapshot after, on the capture's clock.", unit="ns"),
        Column("observed", "i8", "By how much the kernel's counter moved."),
        Column("predicted", "i8", "What the packets captured in that time add to it; 0 with relation `unobservable`."),
        Column("low", "i8", "The least it can be by the packets."),
        Column("high", "i8", "The most; 9223372036854775807 where there may be any number more, since the capture does not hold all."),
        Column("relation", "u1", "How packets and counter hang together: `exact` they decide it; `bounded` they give a range; `inferred` a model of sender or receiver decides; `unobservable` they say nothing.", kind="enum", words=RELATIONS),
        Column("verdict", "u1", "`agree`; `under` the kernel counted less than the packets show; `over` more; `not_comparable` for the reason given.", kind="enum", words=COUNTER_VERDICTS),
        Column("reason", "", "Why it cannot be compared, or what a disagreement may mean.", kind="text"),
    ),
)  # fmt: skip

INCREMENTS = Table(
    "increments",
    "One row per frame and kernel counter that it should have moved: from any counter back to its frames. The sums over an interval are `predicted`, `low` and `high` of the table `counters`.",
    (
        Column("time_ns", "i8", "Capture time of the frame.", unit="ns"),
        Column("frame", "i8", "Number of the frame. With `amount` and `low` 0, what may have happened at any time after it without a frame."),
        Column("flow", "i8", "Its flow in the table `flows`, or -1."),
        Column("host", "", "Name of the host that took the capture, or its addresses.", kind="text"),
        Column("counter", "", "Name of the counter, as nstat prints it.", kind="text"),
        Column("amount", "i8", "By how much the frame moves it."),
        Column("low", "i8", "The least it can be."),
        Column("high", "i8", "The most."),
        Column("relation", "u1", "How sure that is, as in `counters`.", kind="enum", words=RELATIONS),
    ),
)  # fmt: skip

"""The tables of what the rules say: `findings`, and what could not be checked."""

from __future__ import annotations

from analyzer.schema import Column, Table

SEVERITIES = ("info", "warning", "error")
FINDING_SIDES = ("", "client", "server", "network", "capture", "host")
CONFIDENCES = ("certain", "likely", "possible")

FINDINGS = Table(
    "findings",
    "One row per finding, in the order in which they are told: causes by what they cost, each followed by what it explains.",
    (
        Column("finding", "i8", "Its number, from 1."),
        Column("rule", "", "The rule that found it (`tcpcap rules show`).", kind="text"),
        Column("severity", "u1", "`error` somebody must act; `warning` it cost something that can be avoided; `info` worth knowing.", kind="enum", words=SEVERITIES),
        Column("title", "", "What it is, in a few words.", kind="text"),
        Column("summary", "", "What happened, to whom, with its figures, in a sentence.", kind="text"),
        Column("side", "u1", "Where the cause lies.", kind="enum", words=FINDING_SIDES),
        Column("host", "", "Address of the host on which it lies, where that is known.", kind="text"),
        Column("connections", "i8", "How many connections it is about."),
        Column("flows", "", "Their numbers in the table `flows`, as a JSON list; the worst first, 100 at most.", kind="text"),
        Column("frames", "", "Frames that prove it, as a JSON list.", kind="text"),
        Column("start_ns", "i8", "When it began; 0 where that is not known.", unit="ns"),
        Column("end_ns", "i8", "When it was seen last; 0 likewise.", unit="ns"),
        Column("cost_ns", "i8", "Time that it cost all connections together.", unit="ns"),
        Column("cost_bytes", "i8", "Bytes that were sent for nothing.", unit="bytes"),
        Column("failed", "i8", "Connections that failed for it."),
        Column("confidence", "u1", "How sure it is.", kind="enum", words=CONFIDENCES),
        Column("evidence", "", "What proves it: the columns of the worst row, and the counters, as a JSON object.", kind="text"),
        Column("against", "", "What speaks against it, or would.", kind="text"),
        Column("next", "", "What to do next, as a JSON list.", kind="text"),
        Column("because_of", "i8", "The finding that explains it; 0 where it stands for itself."),
    ),
)  # fmt: skip

NOT_CHECKED = Table(
    "not_checked",
    "One row per rule that could not run.",
    (
        Column("rule", "", "The rule.", kind="text"),
        Column("needs", "", "What it lacked.", kind="text"),
        Column("text", "", "That, and what to record to have it, in a sentence.", kind="text"),
    ),
)

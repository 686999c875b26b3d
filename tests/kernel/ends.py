"""Both ends of a recording go in; what each end says of one and the same frame comes out.

The sender's capture knows which frames it sent again, as its kernel confirms. The receiver's capture has only what arrived, and
must find it out: what was sent once must not be called a retransmission there, nor what was sent again reordering.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analyzer import analyze

from .view import addresses

_SAME = ["src_port", "dst_port", "seq", "ack", "flags", "payload_len", "ip_id", "tsval"]
_VERDICTS = ("retransmission", "network_duplicate", "capture_duplicate", "reordering")


@dataclass(slots=True)
class Ends:
    """How often the receiver says what of data; `wrong` holds bundle, frame and both verdicts where they contradict."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def data_of(folder: Path, mine: bool) -> pd.DataFrame:
    """The data frames that the host sent, or got, with the columns that stay the same on the way and its verdicts."""
    analysis = analyze(folder / "capture.pcap")
    packets, events = analysis.packets, analysis.events
    rows = packets[packets["ip_proto"].eq(6) & packets["payload_len"].gt(0)]
    rows = rows[rows["src"].astype(str).isin(addresses(folder)) == mine][["frame", *_SAME]]
    verdicts = events[events["event"].isin(_VERDICTS)].drop_duplicates("frame").set_index("frame")["event"]
    return rows.assign(verdict=rows["frame"].map(verdicts.astype(str)).fillna("new"))


def compare_ends(recording: Path, into: Ends) -> None:
    """Both directions of one recording."""
    for sender, receiver in (("client", "server"), ("server", "client")):
        sent, got = data_of(recording / sender, mine=True), data_of(recording / receiver, mine=False)
        # Without timestamps and IPv4 IDs two transmissions may look the same: of those nothing is known.
        known = sent.drop_duplicates(_SAME, keep=False)
        both = got.merge(known, on=_SAME, suffixes=("", "_sent"))
        copies = both.duplicated(_SAME)
        # Of what came before, any transmission may have been the first to arrive.
        repeats = both.duplicated(["src_port", "dst_port", "seq"])
        for row in both[~copies].assign(repeats=repeats).itertuples():
            into.counts[row.verdict_sent, row.verdict] += 1
            verdicts = (row.verdict_sent, row.verdict)
            if verdicts == ("new", "retransmission") or (
                verdicts == ("retransmission", "reordering") and not row.repeats
            ):
                into.wrong.append(
                    f"{recording.name}/{receiver} frame {row.frame}: {row.verdict}, sent as {row.verdict_sent}"
                )


def report(folder: Path, verbose: bool) -> str:
    """What the receivers say, against what was sent, as text."""
    ends = Ends()
    for each in sorted(each.parent for each in folder.glob("*/client")):
        compare_ends(each, ends)
    lines = [f"sent as {sent:18} seen as {seen:18}{count:8}" for (sent, seen), count in sorted(ends.counts.items())]
    return "\n".join(lines + (ends.wrong if verbose else []))

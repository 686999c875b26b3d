"""What is said of a frame, as comments that Wireshark shows."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.kinds import KINDS
from analyzer.schema import Rows
from analyzer.tables import CHECKSUM_STATES, EVENTS, HEADER_CHECKSUM_STATES
from analyzer.text import duration_text

CHECKSUMS = {
    "bad": "a wrong checksum", "zero": "a checksum of 0 that is wrong", "partial": "a checksum that is left to the network card",
}  # fmt: skip


def comments_of(frame: Rows, events: Rows) -> Iterator[str]:
    """One for each event of a frame (FRAME), and for a checksum that is not right; each names the frame and the flow as the whole capture numbers them."""
    where = f"tcpcap: frame {int(frame['frame'])}" + (f", flow {int(frame['flow'])}" if frame["flow"] >= 0 else "")
    for event in events:
        yield f"{where}: {event_text(event)}"
    words = {CHECKSUM_STATES[int(frame["checksum"])], HEADER_CHECKSUM_STATES[int(frame["ip_header_checksum"])]}
    for word in sorted(words & set(CHECKSUMS)):
        yield f"{where}: {CHECKSUMS[word]}"


def event_text(event: Rows) -> str:
    """Such as `retransmission (rto), of frame 69, bytes sent again: 1,448`."""
    kind, cause = KINDS[int(event["event"])], EVENTS["cause"].words[int(event["cause"])]
    text = kind.name.replace("_", " ") + (f" ({cause.replace('_', ' ')})" if cause else "")
    if event["related_frame"]:
        text += f", of frame {int(event['related_frame'])}"
    value = int(event["value"])
    if kind.value.startswith("ns "):
        return f"{text}, {duration_text(value)}{kind.value[2:]}"
    return f"{text}, {kind.value}: {value:,}" if kind.value else text

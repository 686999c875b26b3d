"""One frame of a connection as tcpdump's readers know it: flags, relative numbers, ACK, window, options."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.events.icmp import MEANINGS
from analyzer.follow.flow import FROM_OUTSIDE
from analyzer.schema import Rows
from analyzer.tables import FLOWS, PACKETS

__all__ = ["FROM_OUTSIDE", "flags_text", "segment_text"]

FLAGS = ((1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "."), (32, "U"), (64, "E"), (128, "W"), (256, "e"))
SYN, ACK, RST = 2, 16, 4
BAD = PACKETS["checksum"].words.index("bad")
CE = 3


def flags_text(flags: int) -> str:
    """TCP flags as tcpdump writes them: `S.` is SYN with ACK."""
    return "".join(letter for bit, letter in FLAGS if flags & bit) or "none"


def segment_text(row: Rows, flow: Rows) -> str:
    """A frame (FRAME) of a flow (its row of `flows`) in one line."""
    if row["side"] == FROM_OUTSIDE:
        kind, code = int(row["icmp_type"]), int(row["icmp_code"])
        meaning = MEANINGS.get((int(row["ip_version"]), kind, code), f"type {kind} code {code}")
        mtu = int(row["icmp_rest"]) & 0xFFFF if "fragmentation" in meaning else int(row["icmp_rest"])
        return f"ICMP: {meaning}" + (
            f", MTU {mtu:,}" if mtu and meaning in ("fragmentation needed", "packet too big") else ""
        )
    if flow["protocol"] != FLOWS.bit("protocol", "tcp"):
        return f"{int(row['payload_len']):,} bytes"
    return " ".join(_parts(row, flow))


def _parts(row: Rows, flow: Rows) -> Iterator[str]:
    flags, length = int(row["flags"]), int(row["payload_len"])
    yield f"[{flags_text(flags)}]"
    if length or flags & (SYN | RST | 1):
        yield f"{int(row['start'])}:{int(row['start']) + length}({length})"
    if flags & ACK:
        yield f"ack {int(row['acked'])}"
    if not flags & RST:
        yield window_text(row, flow)
    if row["sack_count"]:
        yield f"sack {' '.join(_blocks(row))}"
    if flags & SYN:
        told = ",".join(_options(row))
        yield f"<{told}>" if told else "<no options>"
    if row["checksum"] == BAD:
        yield "checksum wrong"
    if int(row["tos"]) & CE == CE:
        yield "CE"


def window_text(row: Rows, flow: Rows) -> str:
    """The window in bytes, where the scale is known."""
    known = window_bytes(row, flow)
    return f"win {int(row['window'])} (scale not known)" if known is None else f"win {known}"


def window_bytes(row: Rows, flow: Rows) -> int | None:
    """The window that a frame offers; None where its scale is not known: the handshake was not captured."""
    side = "client" if row["side"] == 0 else "server"
    window = int(row["window"])
    if row["flags"] & SYN or not window:
        return window
    if int(flow["agreed"]) & FLOWS.bit("agreed", "window_scale"):
        return window << max(int(flow[f"{side}_window_scale"]), 0)
    return window if flow["client_offered"] or flow["server_offered"] else None


def _blocks(row: Rows) -> Iterator[str]:
    """SACK blocks, relative like the ACK."""
    for number in range(1, int(row["sack_count"]) + 1):
        edges = (int(row[f"sack_{edge}_{number}"]) for edge in ("left", "right"))
        yield "{" + ":".join(str(int(row["acked"]) + _signed(edge - int(row["ack"]))) for edge in edges) + "}"


def _signed(difference: int) -> int:
    """A difference of two 32-bit numbers."""
    return (difference + (1 << 31)) % (1 << 32) - (1 << 31)


def _options(row: Rows) -> Iterator[str]:
    """The options of a SYN."""
    words = {word for bit, word in enumerate(PACKETS["options"].words) if int(row["options"]) >> bit & 1}
    if "mss" in words:
        yield f"mss {int(row['mss'])}"
    for word, text in (("sack_permitted", "sackOK"), ("timestamps", "TS")):
        if word in words:
            yield text
    if "window_scale" in words:
        yield f"wscale {int(row['window_scale'])}"
    for word, text in (("fast_open", "Fast Open"), ("md5", "MD5"), ("mptcp", "MPTCP"), ("ao", "TCP-AO")):
        if word in words:
            yield text

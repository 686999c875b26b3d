"""Compiled: explicit congestion notification (RFC 3168)."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import inline
from analyzer.events.emit_kernel import CWR, ECE, RST, SYN, emit
from analyzer.flows.end_state import ECN_AGREED
from analyzer.kinds import NUMBER

KIND_CE, KIND_ECE, KIND_CWR = NUMBER["ce"], NUMBER["ece"], NUMBER["cwr"]
CE = 3


@inline
def congestion(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """Marks of routers, and what the two ends say of them."""
    if row["tos"] & 3 == CE:
        emit(seg, state, world, out, counts, KIND_CE, 0, 0, 0)
    flags = seg["flags"]
    if flags & (ECE | CWR) == 0 or flags & (SYN | RST):
        return
    if me["ecn"] != ECN_AGREED and (me["syns"] or you["syns"]):
        return
    if flags & ECE:
        emit(seg, state, world, out, counts, KIND_ECE, 0, 0, 0)
    if flags & CWR:
        emit(seg, state, world, out, counts, KIND_CWR, 0, 0, 0)

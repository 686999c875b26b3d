"""Compiled: the timestamp requests that the host received of late, which its kernel answers by itself."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import inline


@inline
def ask(row: Any, world: Any) -> None:
    """Remember a request, in a ring."""
    at = world["asked_at"]
    world["asked_at"] = (at + 1) % len(world["asked"])
    each = world["asked"][at]
    each["hi"], each["lo"], each["rest"], each["open"] = row["src_hi"], row["src_lo"], row["icmp_rest"], 1


@inline
def was_asked(row: Any, world: Any) -> Any:
    """Is this the answer to one of them? It has the same identifier and sequence number."""
    for k in range(len(world["asked"])):
        each = world["asked"][k]
        if (
            each["open"]
            and each["rest"] == row["icmp_rest"]
            and each["lo"] == row["dst_lo"]
            and each["hi"] == row["dst_hi"]
        ):
            each["open"] = 0
            return True
    return False

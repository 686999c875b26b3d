"""What the wrong frames of a direction have in common, and what became of them: the evidence of a verdict in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.checksums.capture_host import NEARLY_ALL
from analyzer.schema import Rows
from analyzer.text import plural


def is_same_field(row: Rows, wrong: int) -> bool:
    """Do nearly all wrong frames have the same in their checksum field?"""
    return wrong > 1 and int(row["bad_same_field"]) >= NEARLY_ALL * (wrong - 1)


def fate(row: Rows, doubtful: bool = False) -> Iterator[str]:
    """What became of the wrong segments that were followed; `doubtful`: no acknowledgment was meant for them."""
    repaired, acknowledged, followed = int(row["repaired"]), int(row["acknowledged"]), int(row["followed"])
    if repaired:
        yield f"{repaired:,} of them {_were(repaired)} sent again: the receiver had dropped them"
    if acknowledged and doubtful:
        yield (
            f"acknowledgments cover {acknowledged:,} of them: perhaps the sequence number is what was changed, "
            "or the data came again in other pieces"
        )
    elif acknowledged:
        yield f"{acknowledged:,} of them {_were(acknowledged)} acknowledged as captured: right on arrival"
    open_ones = followed - repaired - acknowledged
    if open_ones > 0:
        yield f"{open_ones:,} of them {_were(open_ones)} never acknowledged"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def bits(row: Rows) -> Iterator[str]:
    """Which bits a retransmission shows to be wrong."""
    if int(row["bits"]) and int(row["compared"]):
        bits, compared = int(row["bits"]), int(row["compared"])
        number = f"{bits / compared:.3g}"
        differ = (
            f"{plural(bits, 'bit')} of payload {'differs' if bits == 1 else 'differ'}"
            if compared == 1
            else f"{number} {'bit' if number == '1' else 'bits'} of payload differ on average ({compared:,} compared)"
        )
        yield (
            f"against the retransmission {differ}; frame "
            f"{int(row['example']):,}: byte {int(row['example_at']):,} of the payload, bits {int(row['example_bits']):#04x} "
            f"(right in frame {int(row['example_again'])})"
        )
        return
    if not int(row["other_offsets"]) and all(
        is_one_bit(int(offset)) for offset, frames in zip(row["offsets"], row["offset_frames"], strict=True) if frames
    ):
        yield "the sums are off as a single flipped bit in each leaves them"
    if int(row["compared"]):
        yield "their payload is the same as that of the retransmissions: the header was changed"


def commonest_offset(row: Rows) -> tuple[int, int]:
    """The commonest error of the sum, and how many frames have it."""
    best = int(np.argmax(row["offset_frames"]))
    return int(row["offsets"][best]), int(row["offset_frames"][best])


def is_one_bit(offset: int) -> bool:
    """Could a single flipped bit have made this error?"""
    other = -offset % 0xFFFF
    return offset & (offset - 1) == 0 or other & (other - 1) == 0

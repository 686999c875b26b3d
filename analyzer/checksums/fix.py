"""A capture -> the same capture with right checksums, so that it can be replayed. Nothing else in it changes.

The uncompressed bytes of the input pass through unseen by any format's writer: what is no checksum of a frame (headers,
options, blocks of any type, damage) is copied as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.capture import Damage, Interfaces, RecordBatch
from analyzer.capture.bundle import inputs
from analyzer.capture.capture import BATCH_FRAMES, WINDOW_BYTES
from analyzer.capture.formats import capture_file
from analyzer.capture.source import Source
from analyzer.checksums.checker import Checker
from analyzer.checksums.fix_input import Copied, rereadable
from analyzer.checksums.fix_output import Output
from analyzer.checksums.passes import Fixer, Survey
from analyzer.decode import decode
from analyzer.fields import of_fields
from analyzer.output import appearing
from analyzer.schema import Rows

Offloaded = Callable[[Checker], npt.NDArray[np.bool_]]

# In the order of the bits in fix_kernel.py.
PROTOCOLS = ("IPv4 header", "TCP", "UDP", "ICMP", "ICMPv6", "GRE", "FCS")
REASONS = ("corrupt", "cut", "fragment", "other")


@of_fields(frozen=True, slots=True)
class Fixed:
    """What was done: how many of the `frames` got which checksum, and how many were left as they are, and why.

    `corrupt` are wrong but no artefact of offloading, `cut` not captured whole, `fragment` parts of datagrams that are
    not all there, `other` not what they say they are.
    """

    frames: int
    fixed: dict[str, int]
    left: dict[str, int]
    damages: list[Damage]


@of_fields(slots=True)
class Work:
    """How far the work is, in bytes of the file on disk: it is read twice."""

    size: int | None = None
    done: int = 0


def fix_checksums(
    source: str,
    target: str,
    *,
    everything: bool = False,
    progress: Callable[[Any], None] | None = None,
    offloaded: Offloaded | None = None,
    batch_frames: int = BATCH_FRAMES,
    window_bytes: int = WINDOW_BYTES,
) -> Fixed:
    """Write the capture `source` to `target` with right IPv4 header, TCP, UDP, ICMP and ICMPv6 checksums.

    Made right are checksums that a host left to its card: those that are partial or zero, and wrong ones of directions
    whose host leaves stale values in the field. Outer UDP and GRE checksums that cover a changed packet follow, and so
    does an Ethernet frame check sequence. UDP without checksum over IPv4, or of a tunnel over IPv6, is left.

    Parameters
    ----------
    source : a capture file, or `-` for standard input
    target : the file to write, which appears when it is complete, or `-` for standard output (never compressed). It is
        compressed if its name ends in .gz, .zst, .lz4, .xz or .bz2
    everything : make every wrong checksum right, also where the packet was damaged on its way
    progress : called after each batch with an object that has `done` and `size`, in bytes
    offloaded : says of each direction of a Checker whether its wrong checksums come from its host's card
    batch_frames, window_bytes : how much is worked on at once; the result does not depend on it

    Raises CaptureError where nothing can be read, TcpcapError where nothing can be written. Damage in the capture is
    data: what is readable is made right, the rest is copied as it is.
    """
    from analyzer.checksums.verdicts import offloaded as by_verdict

    work = Work()

    def tell(done: int) -> None:
        if progress is not None:
            work.done = done
            progress(work)

    with appearing(target, inputs(source), "a capture") as file, rereadable(source, window_bytes) as open_again:
        survey = Survey()
        with closing(open_again()) as first:
            work.size = None if first.size is None else 2 * first.size
            for batch, rows, interfaces in _batches(first, batch_frames, []):
                survey.add(batch, rows, interfaces)
                tell(first.done)
        fixer = Fixer(survey, (offloaded or by_verdict)(survey.checker), everything)
        output = Output(file, target)
        damages: list[Damage] = []
        frames = 0
        with closing(Copied(open_again(), output.write)) as second:
            for batch, rows, interfaces in _batches(second, batch_frames, damages):
                frames += len(batch)
                second.replace(fixer.fixed(batch, rows, interfaces))
                tell(first.done + second.done)
            second.copy_rest()
        output.finish()
    counts = [int(count) for count in fixer.counts]
    fixed = dict(zip(PROTOCOLS, counts[: len(PROTOCOLS)], strict=True))
    left = dict(zip(REASONS, counts[len(PROTOCOLS) :], strict=True))
    left["fragment"] += survey.incomplete
    return Fixed(frames, fixed, left, damages)


def _batches(
    source: Source, batch_frames: int, damages: list[Damage]
) -> Iterator[tuple[RecordBatch, Rows, Interfaces]]:
    """The batches of one file, decoded."""
    file = capture_file(source, 0, damages, batch_frames)
    for batch in file.batches():
        yield batch, decode(batch, file.interfaces), file.interfaces

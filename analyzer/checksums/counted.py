"""What the kernel counted as checksum errors, against what the capture shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analyzer.fields import of_fields


@of_fields(frozen=True, slots=True)
class Fit:
    """One counter: what the capture lets expect, by how much it moved, and whether both fit (None: cannot be compared)."""

    counter: str
    expected: int
    counted: int
    fits: bool | None
    sentence: str


def fits(
    expected: Mapping[str, tuple[int, int, int]], moved: Mapping[str, int], start_ns: int, end_ns: int
) -> Iterable[Fit]:
    """Compare `Checksums.expected_errors` with what each counter moved by from `start_ns` to `end_ns`."""
    for counter, (frames, first_ns, last_ns) in expected.items():
        if counter in moved:
            yield _fit(counter, frames, moved[counter], not frames or start_ns <= first_ns <= last_ns <= end_ns)


def _fit(counter: str, frames: int, counted: int, covered: bool) -> Fit:
    rose = f"{counter} rose by {counted:,}"
    if not covered:
        return Fit(
            counter, frames, counted, None, f"{rose}, but not all the wrong frames were captured between the snapshots"
        )
    if counted == frames:
        sentence = f"{rose}, as the capture shows" if frames else f"{counter} did not move, and nothing wrong arrived"
        return Fit(counter, frames, counted, True, sentence)
    shown = f"the capture shows {frames:,} wrong frames that reached the host"
    if counted < frames and not counted:
        reason = "the host never dropped them: they were right when they arrived, or the counters are of another host or namespace"
    elif counted < frames:
        reason = (
            "not all of them reached the transport layer (a firewall, another namespace), or they were captured twice"
        )
    else:
        reason = "others came over an interface or in a time that was not captured, or the capture lost them"
    return Fit(counter, frames, counted, False, f"contradiction: {rose}, {shown}; {reason}")

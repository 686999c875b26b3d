"""What of a capture is asked for: by a filter, by flow, by time, by frame number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.patterns import regex

if TYPE_CHECKING:
    from analyzer.choose.moments import Moment

Time = str | int | datetime
NO_END = (1 << 63) - 1
_RANGE = regex(r"(\d{1,18})?(-)?(\d{1,18})?")


@of_fields(frozen=True, slots=True)
class Choice:
    """What is asked for; a frame must satisfy all of it. Nothing is asked for where it is false: then all frames are meant.

    Attributes
    ----------
    filter : an expression in tcpdump's language; empty for none
    flows : their numbers in the table `flows` of the whole capture
    between : the first and the last moment, both included; None is no bound
    frames : first and last number of each range, both included
    said : the same as it was given, by the name of each option
    """

    filter: str = ""
    flows: tuple[int, ...] = ()
    between: tuple[Moment | None, Moment | None] = (None, None)
    frames: tuple[tuple[int, int], ...] = ()
    said: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        return bool(self.filter or self.flows or self.frames or self.between != (None, None))

    @property
    def last_frame(self) -> int:
        """No frame behind this one is meant."""
        return max((last for _, last in self.frames), default=NO_END)

    def words(self) -> str:
        """What was asked for, as it was given."""
        return ", ".join(f"{name} {text}" for name, text in self.said)

    def options(self) -> dict[str, Any]:
        """The arguments of `analyze` that ask for the same."""
        return {name: tuple(text.split(" to ")) if name == "between" else text for name, text in self.said}

    def arguments(self) -> Iterator[str]:
        """The same as Python."""
        for name, value in self.options().items():
            yield f"{name}={value!r}"


EVERYTHING = Choice()


def choice_of(
    filter: str | None = None,
    flow: int | str | Sequence[int] | None = None,
    between: tuple[Time, Time] | None = None,
    frames: str | tuple[int, int] | None = None,
) -> Choice:
    """What these arguments of `analyze` and options of the commands ask for. Raises UsageError for what is none.

    Parameters
    ----------
    filter : such as `host 192.0.2.1 and port 80`
    flow : a number, several, or `3,7`
    between : two times as `moment_of` reads them
    frames : `10-20`, `10-`, `7`, or several with commas; or the first and the last
    """
    said = []
    if filter:
        said.append(("filter", filter))
    flows = () if flow is None else _flows(flow)
    if flows:
        said.append(("flow", ",".join(map(str, flows))))
    span: tuple[Moment | None, Moment | None] = (None, None)
    if between is not None:
        if isinstance(between, str) or len(between) != 2:
            raise UsageError("between", f"{between!r} are no two times", "give the first and the last")
        from analyzer.choose.moments import moment_of

        span = moment_of(between[0], "--between"), moment_of(between[1], "--between")
        said.append(("between", " to ".join(map(str, between))))
    ranges = () if frames is None else _ranges(frames)
    if ranges:
        said.append(("frames", ",".join(_range_text(*each) for each in ranges)))
    return Choice(filter or "", flows, span, ranges, tuple(said))


def _flows(flow: int | str | Sequence[int]) -> tuple[int, ...]:
    parts: Sequence[int | str] = [flow] if isinstance(flow, int) else flow.split(",") if isinstance(flow, str) else flow
    found = []
    for part in parts:
        text = str(part).strip().removeprefix("#")
        if not text.isdecimal() or len(text) > 18:
            todo = "give its number, from 0, or several with commas; the table flows has them"
            raise UsageError("--flow", f"{text!r} is no number of a flow", todo)
        found.append(int(text))
    return tuple(dict.fromkeys(found))


def _ranges(frames: str | tuple[int, int]) -> tuple[tuple[int, int], ...]:
    text = frames if isinstance(frames, str) else "-".join(map(str, frames))
    found = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1] or 1) if match else 0
        last = int(match[3] or (NO_END if match[2] else first)) if match else 0
        if not match or not (match[1] or match[3]) or not 0 < first <= last:
            todo = "give the first and the last, such as 10-20, 10- or 7, or several with commas; they count from 1"
            raise UsageError("--frames", f"{part.strip()!r} are no frames", todo)
        found.append((first, last))
    return tuple(found)


def _range_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-" if last == NO_END else f"{first}-{last}"

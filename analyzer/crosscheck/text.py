"""What several programs say of a capture, and of one frame, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.capture import Damage
from analyzer.capture.pipes import refuse_pipe
from analyzer.choose import EVERYTHING, Choice
from analyzer.crosscheck.compare import Crosscheck
from analyzer.crosscheck.differences import Difference
from analyzer.errors import UsageError
from analyzer.kinds import KINDS
from analyzer.passes import table_rows
from analyzer.report.layout import Style, plain, wrapped
from analyzer.tables import EVENTS, PACKETS
from analyzer.text import duration_text, plural, printable, time_text

FRAMES_TOLD = 5
PURPOSES = {"labels": "labels", "checksums": "checksums", "headers": "headers"}
TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")
HEXADECIMAL = ("ethertype", "ip_checksum", "checksum_field", "record_flags", "flow_label")


def crosscheck_lines(found: Crosscheck, style: Style = plain) -> Iterator[str]:
    """Whether they agree; where not, by column and reason with the first frames; what could not be compared."""
    programs = "tcpcap, " + " and ".join(found.programs)
    counts = ", ".join(f"{text} of {found.compared[name]:,}" for name, text in PURPOSES.items())
    if found.unexplained:
        head = f"{programs} differ {plural(found.unexplained, 'time')} without a known reason"
    elif found.differences:
        head = f"{programs} agree, but for {plural(sum(found.differing.values()), 'difference')} whose reason is known"
    else:
        head = f"{programs} say the same"
    told = [style(line, "answer") for line in wrapped(f"{printable(found.path)}: {head}.", "")]
    yield from told
    yield ""
    frames = plural(found.frames, "frame")
    yield from wrapped(f"{frames}{f' ({found.asked})' if found.asked else ''}; compared were {counts}.", "  ")
    if found.streams:
        yield from wrapped(
            f"{found.grouped:,} of {plural(found.streams, 'TCP frame')} are in the same connection.", "  "
        )
    for why, count in found.left_out.most_common():
        yield from wrapped(f"not compared: {count:,} {why}", "  ")
    groups: dict[tuple[str, str, str, str], list[Difference]] = {}
    for each in found.differences:
        reason = "" if each.what == "flow" else each.reason.partition(" of the frame hold")[0]
        key = (each.what, each.program, each.right, reason if len(groups) < 50 else "")
        groups.setdefault(key, []).append(each)
    for (what, program, right, _), each_group in groups.items():
        yield ""
        first = each_group[0]
        frames = ", ".join(f"{each.frame:,}" for each in each_group[:FRAMES_TOLD])
        more = f" and {len(each_group) - FRAMES_TOLD:,} more" if len(each_group) > FRAMES_TOLD else ""
        yield style(f"{what}: frame{'s' if len(each_group) > 1 else ''} {frames}{more}", "title")
        yield from wrapped(f"tcpcap: {printable(first.ours)}; {program}: {printable(first.theirs)}", "  ")
        if first.reason:
            yield from wrapped(f"why: {first.reason}", "  ")
        if right or not first.reason:
            yield from wrapped(f"right: {right or 'this cannot be told from here'}", "  ")


def frame_lines(
    paths: list[str],
    frame: int,
    style: Style = plain,
    damages: list[Damage] | None = None,
    choice: Choice = EVERYTHING,
) -> Iterator[str]:
    """A frame's row in `packets` but for what is empty, and its events with what they mean; what of the capture could not be read is added to `damages`.

    Raises UsageError where there is no such frame, or it is not among those of `choice`, and where the capture is a pipe: it is read twice.
    """
    refuse_pipe(paths, "show")
    row, first_ns = _row(paths, frame, choice)
    yield style(f"frame {frame}", "answer")
    width = max(map(len, row))
    for name, value in row.items():
        yield from wrapped(_value(name, value, first_ns), f"  {name:<{width}}  ")
    events = [
        event
        for part in table_rows(paths, "events", damages=damages, choice=choice)
        for event in part[(part["frame"] == frame) | (part["related_frame"] == frame)]
    ]
    yield ""
    yield style("events" if events else "no events", "title")
    for event in events:
        kind = KINDS[int(event["event"])]
        text = EVENTS["cause"].words[int(event["cause"])]
        other = "" if event["frame"] == frame else f" on frame {int(event['frame'])}, about this one"
        related = f", related to frame {int(event['related_frame'])}" if event["related_frame"] and not other else ""
        value = f", {_measured(int(event['value']), kind.value)}" if kind.value else ""
        yield from wrapped(f"{kind.name}{f' ({text})' if text else ''}{other}{related}{value}", "  ")
        yield from wrapped(f"{kind.doc} {kind.reference}", "      ")


def _measured(value: int, meaning: str) -> str:
    """A value of an event with what it counts."""
    if meaning.startswith("ns "):
        return f"{duration_text(value)}{meaning[2:]}"
    return f"{value:,} {meaning}"


def _row(paths: list[str], frame: int, choice: Choice) -> tuple[dict[str, Any], int]:
    """What is not empty of a row, and the time of the first frame."""
    first_ns = last = 0
    for part in table_rows(paths, "packets", choice=choice):
        first_ns = first_ns or int(part["time_ns"][0])
        last = int(part["frame"][-1])
        if last >= frame >= 1:
            one = PACKETS.frame(part[part["frame"] == frame]).iloc[0]
            return {str(name): value for name, value in one.to_dict().items() if _is_said(str(name), value)}, first_ns
    if choice:
        found = f"no frame {frame} among those that were asked for ({choice.words()})"
        raise UsageError("FRAME", found, "leave the choice out to see it as it stands in the whole capture")
    raise UsageError("FRAME", f"no frame {frame}", f"the capture has {plural(last, 'frame')}")


def _is_said(name: str, value: Any) -> bool:
    """Is it more than "not there"?"""
    return bool(value == value and value not in ("", 0)) or name in ("flow", "direction")


def _value(name: str, value: Any, first_ns: int) -> str:
    if name == "time_ns":
        since = duration_text(int(value) - first_ns)
        return f"{time_text(int(value))} UTC, {since} after the first frame ({int(value)})"
    if isinstance(value, str):
        return printable(value)
    if name == "flags":
        words = [word for bit, word in enumerate(TCP_FLAGS) if int(value) >> bit & 1]
        return f"{int(value):#05x} {' '.join(words)}"
    if name in HEXADECIMAL:
        return f"{int(value):#06x}"
    unit = PACKETS[name].unit
    return f"{int(value):,} {unit}" if unit else str(int(value))

"""Every kind of event by its scenarios in `tests/events/<kind>.pkt`: where it must be said, and where it must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analyzer.kinds import KINDS, NAMES
from analyzer.passes import table_rows
from analyzer.schema import Table
from analyzer.tables import EVENTS, FLOWS, PACKETS
from tests import pkt
from tests.each import for_each

FOLDER = Path(__file__).parent / "events"
FILES = sorted(FOLDER.glob("*.pkt"))
ISNS = {"plain": pkt.ISN, "wraps": (2**32 - 50, 2**32 - 1000)}


class Event(NamedTuple):
    """One row of the events table."""

    kind: str
    cause: str
    value: int
    related_frame: int
    since_ns: int = 0

    def __str__(self) -> str:
        cause = f"({self.cause})" if self.cause else ""
        return f"{self.kind}{cause}[{self.value}]@{self.related_frame}+{self.since_ns}"


def events_of(scenario: pkt.Scenario, path: Path) -> dict[int, list[Event]]:
    """The events of each frame that has any; they have its time and flow, and the direction in which it went."""
    scenario.write(path)
    place = ("time_ns", "flow", "direction")
    frames = {row["frame"]: row for row in rows_of(path, PACKETS, "frame", *place)}
    found: dict[int, list[Event]] = {}
    legs = {row["flow"]: row["leg_of"] for row in rows_of(path, FLOWS, "flow", "leg_of")}
    for row in rows_of(path, EVENTS, "frame", *place, "event", "cause", "value", "related_frame", "since_ns"):
        kind, cause = EVENTS["event"].words[row["event"]], EVENTS["cause"].words[row["cause"]]
        event = Event(kind, cause, row["value"], row["related_frame"], row["since_ns"])
        expected = {name: frames[row["frame"]][name] for name in place}
        if event.kind == "clock_regression":  # of the capture, not of a flow
            expected |= {"flow": -1, "direction": row["direction"]}
        elif legs[expected["flow"]] >= 0:  # the other side of a NAT: what happens there is of the one connection
            expected["flow"] = legs[expected["flow"]]
        assert {name: row[name] for name in place} == expected, f"frame {row['frame']}: {event}"
        found.setdefault(row["frame"], []).append(event)
    return found


def rows_of(path: Path, table: Table, *columns: str) -> list[dict[str, int]]:
    """These columns of a table of a capture, as numbers."""
    return [
        dict(zip(columns, row, strict=True))
        for rows in table_rows([str(path)], table.name)
        for row in rows[list(columns)].tolist()
    ]


def fits(expected: pkt.Expected, actual: Event) -> bool:
    """Is the event the one that the line names, as far as it says."""
    return (
        (expected.kind, expected.cause) == (actual.kind, actual.cause)
        and expected.value in (None, actual.value)
        and expected.related_frame in (None, actual.related_frame)
        and expected.since_ns in (None, actual.since_ns)
    )


def complaint(line: pkt.Line, frame: int, events: list[Event]) -> str:
    """What is wrong with the events of a line; empty if nothing is."""
    assert line.expected is not None
    left = list(events)
    for expected in line.expected:
        match = next((event for event in left if fits(expected, event)), None)
        if match is None:
            return f"frame {frame}, line {line.number}: {line.text}\n    got: {' '.join(map(str, events)) or '-'}"
        left.remove(match)
    if left:
        return f"frame {frame}, line {line.number}: {line.text}\n    also: {' '.join(map(str, left))}"
    return ""


def scenarios(isn: tuple[int, int] = pkt.ISN) -> Iterator[Any]:
    """(kind of the file, scenario), with the name of the file and the number among its scenarios as id."""
    for path in FILES:
        for number, scenario in enumerate(pkt.read(path, isn), 1):
            yield pytest.param(path.stem, scenario, id=f"{path.stem}-{number}")


def wrapping() -> Iterator[Any]:
    """The same scenarios for every choice of initial sequence numbers."""
    for name, isn in ISNS.items():
        for param in scenarios(isn):
            yield pytest.param(*param.values, id=f"{param.id}-{name}")


@for_each(("kind", "scenario"), list(wrapping()))
def test_scenario(kind: str, scenario: pkt.Scenario, tmp_path: Path) -> None:
    """Exactly the events of each line; of the file's kind none at all where no line expects it."""
    found = events_of(scenario, tmp_path / "capture.pcapng")
    complaints = [
        complaint(line, frame, found.get(frame, []))
        for frame, line in enumerate(scenario.lines, 1)
        if line.expected is not None
    ]
    for frame, events in found.items():
        line = scenario.lines[frame - 1]
        for event in events:
            if event.kind == kind and not scenario.expects(kind):
                complaints.append(f"frame {frame}, line {line.number}: {line.text}\n    must not be said: {event}")
    wrong = [text for text in complaints if text]
    assert not wrong, "\n".join([f"{kind}.pkt:{scenario.number}: {scenario.title}", *wrong])


# Is everything there


def test_a_file_for_every_kind_and_for_nothing_else() -> None:
    """The name of the file is the kind."""
    assert [path.stem for path in FILES] == sorted(NAMES)
    assert sorted(path.name for path in FOLDER.iterdir()) == [path.name for path in FILES]


@for_each("path", FILES, ids=lambda path: path.stem)
def test_every_kind_has_both_cases(path: Path) -> None:
    """Scenarios in which it is expected, and scenarios in which it is not; each says in a sentence what happens."""
    found = pkt.read(path)
    assert any(scenario.expects(path.stem) for scenario in found), "it fires nowhere"
    silent = [scenario for scenario in found if not scenario.expects(path.stem)]
    assert silent, "it is silent nowhere"
    assert [scenario.title for scenario in silent if not scenario.title.startswith("Silent: ")] == []
    assert [scenario.title for scenario in found if scenario.title.startswith("Silent: ")] == [
        scenario.title for scenario in silent
    ]
    assert [scenario.number for scenario in found if len(scenario.title) < 20 or len(scenario.lines) < 2] == []


def test_every_cause_is_expected_somewhere() -> None:
    """In the file of its kind."""
    declared = {(kind.name, cause) for kind in KINDS for cause in kind.causes or ("",)}
    expected = {
        (event.kind, event.cause)
        for path in FILES
        for scenario in pkt.read(path)
        for line in scenario.lines
        for event in line.expected or ()
        if event.kind == path.stem
    }
    assert declared - expected == set()


def test_every_value_and_relation_is_compared_somewhere() -> None:
    """A kind whose value means something has a line that says which."""
    compared = {
        event.kind
        for path in FILES
        for scenario in pkt.read(path)
        for line in scenario.lines
        for event in line.expected or ()
        if event.value is not None
    }
    assert {kind.name for kind in KINDS if kind.value} - compared == set()


# Does the comparison compare


@pytest.mark.parametrize(
    ("expectation", "events", "wrong"),
    [
        ("-", [], False),
        ("-", [Event("reset", "in_window", 0, 0)], True),
        ("ece", [], True),
        ("ece", [Event("ece", "", 0, 0)], False),
        ("ece", [Event("ece", "", 0, 0), Event("ece", "", 0, 0)], True),
        ("ece cwr", [Event("cwr", "", 0, 0), Event("ece", "", 0, 0)], False),
        ("reset(in_window)", [Event("reset", "after_fin", 0, 0)], True),
        ("dsack(old)[7]@3", [Event("dsack", "old", 7, 3)], False),
        ("dsack(old)[7]@3", [Event("dsack", "old", 8, 3)], True),
        ("dsack(old)[7]@3", [Event("dsack", "old", 7, 4)], True),
        ("dsack(old)", [Event("dsack", "old", 7, 3)], False),
        ("dsack(old)[7]@3+5", [Event("dsack", "old", 7, 3, 5)], False),
        ("dsack(old)[7]@3+5", [Event("dsack", "old", 7, 3, 6)], True),
    ],
)
def test_what_is_compared(expectation: str, events: list[Event], wrong: bool) -> None:
    """Kind and cause always, value and related frame where the line says them, and nothing beside."""
    (scenario,) = pkt.parse(f"+0 < . 1:1(0) ack 1 win 502 # expect: {expectation}", "text")
    said = complaint(scenario.lines[0], 1, events)
    assert bool(said) == wrong
    assert not wrong or all(str(event) in said for event in events)

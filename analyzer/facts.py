"""What of a capture decides how its contents can be read: the rows of `capture_facts`, said before any verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.capture import Interfaces
from analyzer.events.judge import Judge
from analyzer.fields import of_fields
from analyzer.flows import FlowTracker
from analyzer.flows.coverage import Coverage
from analyzer.ordering import TimeOrder
from analyzer.summary import Summary
from analyzer.tables import CAPTURE_FACTS, FACTS

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.choose.chooser import Chooser

# Fewer conversations, or in less time than a neighbour's address is looked up again, are of one port without any filter.
MANY_CONVERSATIONS, MINUTE_NS = 20, 60_000_000_000
FEW_SEGMENTS, FEW_STAMPS = 10, 20
OF_TEN, MOST_OF_TEN = 9, 7
COARSE_NS = 1_000_000_000  # a second: finer ones, of 10 or 16 ms, still tell what people wait for


@of_fields(frozen=True, slots=True)
class Fact:
    """One row: a word of FACTS, the frames that it is about, their share of all, and a sentence."""

    fact: str
    frames: int
    share: float
    text: str


@of_fields(frozen=True, slots=True)
class Witness:
    """All that was seen of a capture as a whole."""

    summary: Summary
    interfaces: Interfaces
    coverage: Coverage
    judged: Mapping[str, int]
    ordered: Mapping[str, int]
    clocks_differ: bool
    chooser: Chooser | None = None  # who picked the frames, where not all were asked for

    @staticmethod
    def of(
        summary: Summary,
        interfaces: Interfaces,
        flows: FlowTracker,
        judge: Judge,
        order: TimeOrder,
        chooser: Chooser | None = None,
    ) -> Witness:
        """At the end of the capture."""
        return Witness(summary, interfaces, flows.coverage(), judge.seen, order.seen, order.clocks_differ, chooser)


def facts_of(seen: Witness) -> list[Fact]:
    """What is to be said, in the order of FACTS."""
    frames = seen.summary.total("frames")
    found = [
        Fact(word, count, count / frames, text)
        for tell in (_one_way, _filtered, _order, _clocks, _made_up, _copies, _cut, _middle, _joined)
        for word, count, text in tell(seen)
        if frames
    ]
    found += _chosen(seen)
    return sorted(found, key=lambda fact: FACTS.index(fact.fact))


def facts_frame(facts: Sequence[Fact]) -> pd.DataFrame:
    """The table `capture_facts`."""
    rows = np.zeros(len(facts), CAPTURE_FACTS.dtype)
    rows["frames"], rows["share"] = [fact.frames for fact in facts], [fact.share for fact in facts]
    texts: dict[str, Any] = {
        name: np.array([getattr(fact, name) for fact in facts], object) for name in ("fact", "text")
    }
    return CAPTURE_FACTS.frame(rows, texts)


def _chosen(seen: Witness) -> Iterator[Fact]:
    """That only some of the frames were asked for."""
    chooser = seen.chooser
    if chooser is None:
        return
    of = f"the first {_frames(chooser.frames)}" if chooser.ended else _frames(chooser.frames)
    rest = ", and what stands behind them was not read" if chooser.ended else ""
    text = (
        f"only {chooser.chosen:,} of {of} were asked for ({chooser.choice.words()}){rest}: what the others say is left out, "
        "kernel counters may count more than these frames show, and checksums are those of all packets between the same hosts"
    )
    yield Fact("chosen", chooser.chosen, chooser.chosen / max(chooser.frames, 1), text)


Told = Iterator[tuple[str, int, str]]  # word, frames, sentence


def _one_way(seen: Witness) -> Told:
    found = seen.coverage
    count = found.client_only + found.server_only
    if not count:
        return
    what = "what the client sent" if not found.server_only else "what the server sent"
    if found.client_only and found.server_only:
        what = "one direction"
    some = (
        "the only TCP connection"
        if count == found.connections == 1
        else f"{count:,} of {found.connections:,} TCP connections"
    )
    yield (
        "one_way",
        found.one_way_packets,
        (f"of {some} only {what} was captured: round trips, losses and what waited for what cannot be told"),
    )


def _filtered(seen: Witness) -> Told:
    """By a filter that is named, or such as the frames show."""
    filters = {interface.filter for interface in seen.interfaces if interface.filter}
    if filters:
        frames = sum(
            seen.summary.interface_frames(index) for index, interface in enumerate(seen.interfaces) if interface.filter
        )
        named = ", ".join(f'"{text}"' for text in sorted(filters)[:3]) + (" and others" if len(filters) > 3 else "")
        yield "filtered", frames, f"captured with the filter {named}: what it leaves out is not there"
    if seen.chooser is not None:
        return  # what else is not there may have been left out on purpose
    data = seen.judged["data"]
    if data >= FEW_SEGMENTS and not seen.judged["pure_acks"] and seen.judged["unseen_acks"]:
        yield (
            "filtered",
            data,
            (
                f"none of the pure ACKs was captured, only {data:,} segments with data (a display filter, or such an export): "
                "when data was acknowledged cannot be told"
            ),
        )
    found, frames = seen.coverage, seen.summary.total("frames")
    lasted_ns = seen.summary.total("last_ns") - seen.summary.total("first_ns")
    alone = found.packets + seen.judged["twice"] == frames
    if (
        found.ports
        and len(found.ports) == 1
        and found.conversations >= MANY_CONVERSATIONS
        and lasted_ns >= MINUTE_NS
        and alone
        and not filters
    ):
        (port,) = found.ports
        yield (
            "filtered",
            frames,
            (
                f"for {_span(lasted_ns)} nothing but port {port} was captured, no ARP and no ICMP either: perhaps by a "
                "filter"
            ),
        )


def _order(seen: Witness) -> Told:
    moved, too_late, late = seen.ordered["moved"], seen.ordered["too_late"], seen.judged["late"]
    texts = []
    if moved:
        span = _span(seen.ordered["moved_ns"])
        texts.append(
            f"{_frames(moved)} stood behind later ones of other interfaces (by up to {span}), and were put in order of time"
        )
    if seen.summary.total("joins"):
        too_late = 0  # they are those of another capture
    if too_late:
        texts.append(f"{_frames(too_late)} came too late to be put in order (by more than 1 s, or 32,768 frames)")
    if late and not _apart(seen):
        texts.append(
            f"{_frames(late)} with data came after the ACK that covers them (by at least {_span(seen.judged['late_ns'])}, first frame "
            f"{seen.judged['first_late']:,}): the capture wrote them late, nothing is missing or sent again"
        )
    else:
        late = 0
    if texts:
        yield "out_of_order", moved + too_late + late, "; ".join(texts)


def _clocks(seen: Witness) -> Told:
    if seen.clocks_differ:
        frames = seen.summary.total("frames")
        yield (
            "different_clocks",
            frames,
            (
                "the clocks of the interfaces differ: by their times, acknowledgments precede what they acknowledge; the order of the "
                "file is kept, and times between interfaces mean nothing"
            ),
        )
    elif _apart(seen):
        yield (
            "different_clocks",
            seen.judged["late"],
            (
                f"the clocks of the interfaces differ (by {_span(seen.judged['late_ns'])} or more): data of one came after the ACK that "
                "another has captured; nothing of it is missing or sent again"
            ),
        )


def _apart(seen: Witness) -> bool:
    """Does what came late come from other interfaces than the ACKs, nearly always?"""
    late = seen.judged["late"]
    return late > 1 and 10 * seen.judged["late_apart"] >= OF_TEN * late


def _made_up(seen: Witness) -> Told:
    """Were the times of the frames taken when they passed?"""
    total, found = seen.summary.total, seen.coverage
    frames, steps = total("frames"), total("frames") - 1
    if seen.chooser is not None:
        return
    many = frames >= FEW_STAMPS
    meaning = "how long anything took cannot be told"
    if many and total("first_ns") == total("last_ns"):
        yield "made_up_times", frames, f"all {_frames(frames)} have the same time: {meaning}"
    elif many and 10 * total("still") >= OF_TEN * steps and total("least_step_ns") >= COARSE_NS:
        yield (
            "made_up_times",
            total("still"),
            f"{_frames(total('still'))} have the time of the one before, and no step is shorter than {_span(total('least_step_ns'))}: "
            f"the clock of the capture is too coarse, {meaning}",
        )
    elif (
        many
        and total("regular_turns") >= FEW_SEGMENTS
        and 10 * total("regular") >= MOST_OF_TEN * steps
        and 10 * total("regular_turns") >= MOST_OF_TEN * total("turns")
    ):
        yield (
            "made_up_times",
            total("regular"),
            f"{_frames(total('regular'))} come at regular steps, whoever sends them: these times were made up (by a program that "
            f"made or rewrote the capture), and {meaning}",
        )
    elif found.contradicted and 2 * found.contradicted_packets >= found.tcp_packets:
        yield (
            "made_up_times",
            found.contradicted_packets,
            f"the timestamps of both ends of {found.contradicted:,} TCP connection{'' if found.contradicted == 1 else 's'} run on by up to "
            f"{_span(found.contradicted_ns)} where the times of the capture hardly move: these were made up, and {meaning}",
        )


def _copies(seen: Witness) -> Told:
    twice = seen.judged["twice"]
    if twice:
        are = "is a copy" if twice == 1 else "are copies"
        yield (
            "copies",
            twice,
            f"{_frames(twice)} {are} that the capture made of others: each packet is judged and counted once",
        )


def _cut(seen: Witness) -> Told:
    hidden = seen.summary.total("hidden")
    if hidden:
        yield (
            "cut",
            hidden,
            (
                f"{_frames(hidden)} {'was' if hidden == 1 else 'were'} cut: payload is hidden, and checksums over it cannot be verified"
            ),
        )


def _middle(seen: Witness) -> Told:
    found = seen.coverage
    if found.begun:
        some = (
            "the only TCP connection"
            if found.begun == found.connections == 1
            else f"{found.begun:,} of {found.connections:,} TCP connections"
        )
        yield (
            "middle",
            found.begun_packets,
            (f"the handshake of {some} was not captured: its options, such as window scaling, are not known"),
        )


def _joined(seen: Witness) -> Told:
    frames, joins = seen.summary.total("frames"), seen.summary.total("joins")
    if joins:
        first, back = seen.summary.total("first_join"), seen.summary.total("first_join_ns")
        yield (
            "joined",
            frames - first + 1,
            (
                f"{joins + 1:,} captures were joined: frame {first} is {_span(back)} earlier than the one before. Connections begin anew there"
            ),
        )
        return
    sections: dict[int, int] = {}
    for index, interface in enumerate(seen.interfaces):
        count = seen.summary.interface_frames(index)
        sections[interface.section] = sections.get(interface.section, 0) + count
    used = [count for _, count in sorted(sections.items()) if count]
    if len(used) > 1:
        yield "joined", sum(used[1:]), f"{len(used):,} captures were joined: the file has as many sections"


def _frames(count: int) -> str:
    return f"{count:,} frame" + ("" if count == 1 else "s")


def _span(duration_ns: int) -> str:
    """A duration with its unit."""
    for unit, size, limit in (("ns", 1, 10**3), ("us", 10**3, 10**6), ("ms", 10**6, 10**9), ("s", 10**9, 100 * 10**9)):
        if duration_ns < limit:
            return f"{duration_ns / size:.3g} {unit}"
    return f"{duration_ns / 1e9:,.0f} s" if duration_ns < 3600 * 10**9 else f"{duration_ns / 3.6e12:,.1f} h"

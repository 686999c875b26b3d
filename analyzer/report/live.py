"""A capture that is followed while it is written: events and findings as lines, as they become certain, and a line of state."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from analyzer.analysis import Analysis
from analyzer.diagnosis.finding import Finding
from analyzer.flows import FlowTracker
from analyzer.flows.names import ends_text
from analyzer.kinds import CAUSES, KINDS, NAMES
from analyzer.report.finding_text import pinned
from analyzer.report.words import EVENT_WORDS, offset_text
from analyzer.schema import Rows
from analyzer.tables import SEVERITIES
from analyzer.text import plural, printable

TROUBLE = np.array([kind.trouble > 0 for kind in KINDS])
LEAST_S = 1.0  # between two looks at the rules
SHARE = 4  # looks at the rules take no more than a fifth of the time
STATE_S = 0.25  # how often the line of state is drawn anew
Key = tuple[str, str, str, str]


class Follower:
    """Follows a capture: `say` gets a line for each thing that becomes certain, `state` a line on how far it is.

    A finding is told when the rules say it twice in a row, and again where it becomes worse; where they do not say it any more,
    that is told, too. `stop` ends it.
    """

    def __init__(self, say: Callable[[str], None], state: Callable[[str], None]) -> None:
        self._say, self._state = say, state
        self._stop = threading.Event()
        self._so_far: Callable[[], Analysis] | None = None
        self._news = False  # something was read since the rules were asked
        self._next_look = self._next_state = 0.0
        self._said: dict[Key, Finding] = {}
        self._before: set[Key] = set()
        self._counts: Counter[str] = Counter()

    def stop(self) -> None:
        """Enough was seen."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def seen(self, events: Rows, tracker: FlowTracker, start_ns: int) -> None:
        """Tell what is trouble; of many of a kind on one connection at a time the first, and how many."""
        rows = events[TROUBLE[events["event"]]] if len(events) else events
        self._counts["events"] += len(rows)
        told: dict[tuple[int, int], list[int]] = {}
        for at, row in enumerate(rows):
            told.setdefault((int(row["flow"]), int(row["event"])), []).append(at)
        for (flow, _), places in told.items():
            self._say(_event(rows[places[0]], len(places) - 1, _ends(tracker, flow), start_ns))

    def read(self, so_far: Callable[[], Analysis]) -> None:
        """All that was there has been read."""
        self._so_far, self._news = so_far, True
        self.waiting()

    def waiting(self) -> None:
        """Time to ask the rules, and to draw the line of state."""
        now = time.monotonic()
        if self._so_far is not None and now >= self._next_look and (self._news or self._unsure()):
            began = time.process_time()  # a machine with much to do is no reason to look less often
            self._look(self._so_far())
            self._next_look = time.monotonic() + max(LEAST_S, SHARE * (time.process_time() - began))
        if self._so_far is not None and now >= self._next_state:
            self._next_state = now + STATE_S
            found = self._counts
            self._state(
                f"{plural(found['frames'], 'frame')}, {plural(found['connections'], 'TCP connection')}, "
                f"{plural(len(self._said), 'finding')}, {plural(found['events'], 'event')} of trouble; Ctrl-C for the whole answer"
            )

    def _unsure(self) -> bool:
        return self._before != set(self._said)

    def _look(self, analysis: Analysis) -> None:
        """Ask the rules, and tell what is new."""
        self._news = False
        self._counts["frames"] = analysis.summary.total("frames")
        self._counts["connections"] = sum(analysis.flow_tracker.state_counts().values())
        start_ns = analysis.start_ns
        found = {_key(each): each for each in analysis.diagnosis.findings if not each.because_of}
        for key, finding in found.items():
            if key in self._before and _is_news(finding, self._said.get(key)):
                self._said[key] = finding
                self._say(_finding(finding, start_ns))
        for key in set(self._said) - set(found):
            self._say(f"no longer so: {printable(self._said.pop(key).summary)} ({key[0]})")
        self._before = set(found)


def _event(row: Rows, more: int, ends: str, start_ns: int) -> str:
    kind, cause = NAMES[int(row["event"])], CAUSES[int(row["cause"])]
    number = f"#{int(row['flow'])} " if row["flow"] >= 0 else ""
    text = f"{number}at {offset_text(int(row['time_ns']), start_ns)}: {EVENT_WORDS[kind]}"
    text += f", {cause.replace('_', ' ')}" if cause and cause != "unknown" else ""
    text += f", frame {int(row['frame'])}" + (f" and {more:,} more" if more else "")
    return text + (f"; {ends}" if ends else "")


def _key(finding: Finding) -> Key:
    return finding.rule.id, finding.server, finding.host, finding.side


def _is_news(finding: Finding, before: Finding | None) -> bool:
    """Was it not told, or is it worse, or of twice as many connections?"""
    if before is None:
        return True
    worse = SEVERITIES.index(finding.severity) > SEVERITIES.index(before.severity)
    return worse or finding.connections >= 2 * max(1, before.connections)


def _finding(finding: Finding, start_ns: int) -> str:
    proof = pinned(finding, start_ns)
    return f"{finding.severity}: {printable(finding.summary)} ({finding.rule.id}{'; ' if proof else ''}{proof})"


def _ends(tracker: FlowTracker, flow: int) -> str:
    rows = tracker.rows_of(np.array([flow], np.int64))
    return ends_text(rows[0]) if len(rows) else ""

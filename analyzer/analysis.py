"""What was found in a capture: an Analysis, whose tables are made when they are first asked for."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.capture.pipes import refuse_pipe
from analyzer.choose.choice import NO_END
from analyzer.described import described, readable
from analyzer.diagnosis.finding import Finding
from analyzer.diagnosis.frames import findings_frame, not_checked_frame
from analyzer.errors import UsageError
from analyzer.events.gather import frames_of
from analyzer.facts import facts_frame
from analyzer.found import Found
from analyzer.hosts import hosts_frame
from analyzer.passes import Progress, table_rows
from analyzer.schema import Rows, Table
from analyzer.tables import (
    CAPTURE_FACTS,
    CHECKSUMS,
    COUNTERS,
    EVENTS,
    FINDINGS,
    FLOW_EVENTS,
    FLOWS,
    HOSTS,
    INCREMENTS,
    NOT_CHECKED,
    PACKETS,
    SERIES,
    SOCKETS,
    TABLES,
)
from analyzer.text import length_ns
from analyzer.together import joined, taken

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.follow import Flow


# What a capture is asked for; the other attributes are what reports are made of.
PUBLIC = (
    *(
        "capture",
        "capture_facts",
        "capture_hosts",
        "checksums",
        "close",
        "counters",
        "counters_whole",
        "damages",
        "event_counts",
    ),
    *("events", "finding", "findings", "flow", "flow_events", "flows", "frames", "hosts", "increments", "not_checked"),
    *("packets", "paths", "plot", "series", "socket_frames", "sql", "sockets", "warnings", "_repr_html_"),
)


class Analysis(Found):
    """What a capture holds. Tables are pandas DataFrames, made when first asked for.

    `capture` (a dict, as in `tcpcap analyze --json`), `capture_facts`, `flows`, `packets`, `events`, `event_counts`, `checksums`,
    `capture_hosts`, `counters`, `increments`, `sockets`, `hosts`, `warnings` (sentences), `damages`.
    """

    def _table(self, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
        """A table as its readers get it: described, with moments as they asked for."""
        return described(table, frame, self._times)

    def close(self) -> None:
        """Remove what was unpacked, or kept, of captures that are no plain files, unless another Analysis reads it: else that goes when the Analysis does.

        Tables that were made stay; what reads the capture again unpacks an archive anew, and cannot read bytes any more.
        """
        if self.reader is not None:
            self.reader.close()

    def __enter__(self) -> Analysis:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per finding; the columns are those of `tables.FINDINGS`."""
        return self._table(FINDINGS, findings_frame(self.diagnosis))

    @cached_property
    def not_checked(self) -> pd.DataFrame:
        """One row per rule that could not run; the columns are those of `tables.NOT_CHECKED`."""
        return self._table(NOT_CHECKED, not_checked_frame(self.diagnosis))

    @property
    def plot(self) -> Any:
        """Its pictures, such as `plot.time_sequence(flow)`: see `analyzer.plot.plots.Plots`, which comes after this module."""
        return self._plots(self) if self._plots else None

    @readable
    def finding(self, number: int) -> Finding:
        """A finding by its number, from 1. Raises UsageError where there is none."""
        findings = self.diagnosis.findings
        if not 1 <= number <= len(findings):
            raise UsageError("finding", f"no finding {number}", f"there are {len(findings)}")
        return findings[number - 1]

    def flow(self, which: int | str) -> Flow:
        """One connection frame by frame, which shows itself as text: `which` is its number in `flows`, or the `ADDRESS:PORT` of one of its ends.

        Reads the capture again. Raises UsageError where there is no such flow, or several have this end.
        """
        from analyzer.follow import flow_number, flow_row, follow

        refuse_pipe(self.paths, "flow")
        row = flow_row(self.flow_tracker, flow_number(self.flow_tracker, str(which)))
        found = follow(
            self.paths,
            row,
            max_flows=self.flow_tracker.max_flows,
            checksums=self.checksum_result is not None,
            choice=self.choice,
        )
        found.findings = [each for each in self.diagnosis.findings if found.number in each.flows]
        found.waits = self.notes_of(found.number)
        if self._show_flow is not None:
            found.shown = self._show_flow
        return found

    @readable
    def sql(self, query: str) -> pd.DataFrame:
        """The answer to one SELECT in DuckDB's SQL over the tables of `tcpcap schema`: `a.sql("SELECT event, count(*) FROM events GROUP BY ALL")`.

        Only what the query names is made; moments are dates (`time` beside `time_ns`). Nothing can be changed, and no other file
        be read. Raises UsageError for what is no query, or names what is not there.
        """
        found: pd.DataFrame = self._tables_asked.frame(query)
        return found

    @property
    def _tables_asked(self) -> Any:
        """The tables in SQL, which keep what was made for one query for the next; a copy has its own.

        They know this object weakly: what knew each other would stay until cycles are looked for.
        """
        assert self._ask is not None, "made without analyze()"
        of, asked = vars(self).get("_kept_tables", (None, None))
        if of is None or of() is not self:
            asked = self._ask(weakref.proxy(self))
            self._kept_tables = (weakref.ref(self), asked)
        return asked

    @cached_property
    def flow_events(self) -> pd.DataFrame:
        """One row per flow, side, event and cause; the columns are those of `tables.FLOW_EVENTS`."""
        texts = {
            name: np.array([json.dumps(frames) for frames in frames_of(self.gathered, which)], object)
            for name, which in (("frames", "frame"), ("related_frames", "related"))
        }
        return self._table(FLOW_EVENTS, FLOW_EVENTS.frame(self.gathered, texts))

    @cached_property
    def capture_facts(self) -> pd.DataFrame:
        """What decides how all else can be read; the columns are those of `tables.CAPTURE_FACTS`."""
        return self._table(CAPTURE_FACTS, facts_frame(self.facts))

    @cached_property
    def flows(self) -> pd.DataFrame:
        """One row per conversation, whose number is also its index; the columns are those of `tables.FLOWS`. Those that left are not there: see `warnings`."""
        found = FLOWS.frame(self.flow_tracker.rows())
        found.index = found["flow"].to_numpy()
        return self._table(FLOWS, found)

    @cached_property
    def packets(self) -> pd.DataFrame:
        """One row per frame; the columns are those of `tables.PACKETS`. Reads the capture again."""
        return self._table(PACKETS, PACKETS.frame(self._again("packets")))

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per event; the columns are those of `tables.EVENTS`. Reads the capture again."""
        return self._table(EVENTS, EVENTS.frame(self._again("events")))

    @readable
    def frames(self, numbers: Sequence[int]) -> pd.DataFrame:
        """The rows of `packets` of these frames only, which a capture of any size has room for; none for a number that no frame can have. Reads the capture again, as far as the last of them."""
        wanted = np.array(sorted(number for number in set(numbers) if 0 < number <= NO_END), np.int64)
        refuse_pipe(self.paths, "frames")
        found = [np.zeros(0, PACKETS.dtype)]
        for rows in table_rows(self.paths, "packets", max_flows=self.flow_tracker.max_flows, choice=self.choice):
            found.append(taken(rows, np.isin(rows["frame"], wanted)))
            if not len(wanted) or (len(rows) and rows["frame"][-1] >= wanted[-1]):
                break
        return self._table(PACKETS, PACKETS.frame(joined(found)))

    @readable
    def series(self, flow: int | None = None, every: str = "1s") -> pd.DataFrame:
        """One row per interval of a connection, or of all TCP connections together; the columns are those of `tables.SERIES`. Reads the capture again."""
        refuse_pipe(self.paths, "series")
        parts = table_rows(
            self.paths,
            "series",
            max_flows=self.flow_tracker.max_flows,
            every_ns=length_ns(every, "--every"),
            flow=flow,
            choice=self.choice,
        )
        wanted = -1 if flow is None else flow
        rows = [taken(part, part["flow"] == wanted) for part in parts]
        return self._table(SERIES, SERIES.frame(joined(rows) if rows else np.zeros(0, SERIES.dtype)))

    @cached_property
    def checksums(self) -> pd.DataFrame:
        """One row per direction; the columns are those of `tables.CHECKSUMS`. Empty if checksums were not verified."""
        found = CHECKSUMS.frame(self.checksum_result.rows()) if self.checksum_result else CHECKSUMS.empty()
        return self._table(CHECKSUMS, found)

    @cached_property
    def counters(self) -> pd.DataFrame:
        """One row per counter and interval; the columns are those of `tables.COUNTERS`. Empty without snapshots."""
        return self._table(COUNTERS, self.kernel.by_interval)

    @cached_property
    def counters_whole(self) -> pd.DataFrame:
        """The same with one row per counter, from the first snapshot to the last."""
        return self._table(COUNTERS, self.kernel.whole)

    @cached_property
    def increments(self) -> pd.DataFrame:
        """One row per frame and counter that it should have moved; the columns are those of `tables.INCREMENTS`. Reads the capture again.

        Empty where the host that took the capture is not known.
        """
        return self._table(INCREMENTS, self.kernel.increments)

    @cached_property
    def sockets(self) -> pd.DataFrame:
        """One row per socket and list; the columns are those of `tables.SOCKETS`. Empty without lists of sockets."""
        import pandas as pd

        frames = list(self.socket_frames())
        return self._table(SOCKETS, pd.concat(frames, ignore_index=True) if frames else SOCKETS.empty())

    def socket_frames(self) -> Iterator[pd.DataFrame]:
        """The same piece by piece: there may be millions."""
        if self._listed is not None:
            for host, batch in self._listed.batches():
                yield batch.frame(host)

    @cached_property
    def hosts(self) -> pd.DataFrame:
        """One row per host that a bundle or a report describes, and the one that took the capture; the columns are those of `tables.HOSTS`."""
        return self._table(HOSTS, hosts_frame(self.known_hosts(), self.flow_parts()))

    def _again(self, table: str) -> Rows:
        """The rows of a table that is not kept."""
        rows = list(self.parts(table))
        return joined(rows) if rows else np.zeros(0, TABLES[table].dtype)

    def parts(self, table: str, progress: Progress | None = None) -> Iterator[Rows]:
        """The same piece by piece. Reads the capture again."""
        refuse_pipe(self.paths, table)
        verified = self.checksum_result is not None
        most = self.flow_tracker.max_flows
        return table_rows(self.paths, table, max_flows=most, checksums=verified, choice=self.choice, progress=progress)

    def __repr__(self) -> str:
        frames = self.summary.total("frames")
        return f"<Analysis of {', '.join(self.paths)}: {frames:,} frames, {self.flow_tracker.total:,} flows>"

    def __dir__(self) -> list[str]:
        """What is for users, before what the reports need."""
        return [name for name in super().__dir__() if name.startswith("__") or name in PUBLIC]

    def _repr_html_(self) -> str:
        from html import escape

        return self._shown(self) if self._shown else f"<pre>{escape(repr(self))}</pre>"

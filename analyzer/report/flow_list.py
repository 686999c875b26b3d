"""Connections as a list: sorted by what is asked for, with the columns that are asked for. Of any number only those told are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import TcpcapError, UsageError, suggest
from analyzer.flows.names import ends_text
from analyzer.moments import MOMENTS, moments_of, with_texts
from analyzer.report.conversation_text import ENDED
from analyzer.report.grid import grid_lines
from analyzer.report.json_text import SCHEMA_VERSION, TOLD, error_dict, json_lines
from analyzer.report.layout import Style, plain
from analyzer.schema import Rows
from analyzer.tables import FLOW_PROTOCOLS, FLOW_STATES, FLOWS, LOST_TIME
from analyzer.text import duration_text, plural, size_text
from analyzer.together import joined, taken

if TYPE_CHECKING:
    import pandas as pd

TOP = 20
AT_ONCE = 10_000
Key = Callable[[Rows], npt.NDArray[Any]]


def _both(name: str) -> Key:
    return lambda rows: rows[f"client_{name}"].astype(np.float64) + rows[f"server_{name}"]


def _most(name: str) -> Key:
    return lambda rows: np.maximum(rows[f"client_{name}"], rows[f"server_{name}"]).astype(np.float64)


# What `--sort` knows beside the columns of `flows`: most first.
SORTS: dict[str, tuple[str, Key]] = {
    "bytes": ("bytes on the wire", _both("bytes")),
    "packets": ("packets", _both("packets")),
    "duration": ("how long it lasted", lambda rows: rows["duration_ns"].astype(np.float64)),
    "loss": ("packets that were lost", lambda rows: _both("retransmissions")(rows) - _both("spurious")(rows)),
    "retransmissions": ("segments sent again", _both("retransmissions")),
    "timeouts": ("retransmission timeouts", _both("timeouts")),
    "rtt": ("the round trip, usually", _most("rtt_median_ns")),
    "rate": ("payload a second", _most("goodput_bps")),
    "zero-window": ("how long a window was closed", _both("zero_window_ns")),
    "server-time": ("how long the server took to answer", lambda rows: rows["time_server_think_ns"].astype(np.float64)),
    "lost-time": ("what it need not have waited for", lambda rows: sum((rows[f"time_{cause}_ns"].astype(np.float64) for cause in LOST_TIME), np.zeros(len(rows)))),
}  # fmt: skip
COLUMNS = [column.name for column in FLOWS.columns if column.public]
SORTABLE = [column.name for column in FLOWS.columns if column.public and column.kind == "value"]


def sort_key(name: str) -> Key:
    """What a word of SORTS, or a column, sorts by. Raises UsageError for another word."""
    if name in SORTS:
        return SORTS[name][1]
    if name in SORTABLE:
        return lambda rows: rows[name].astype(np.float64)
    raise UsageError("--sort", f"no column {name!r} that can be sorted by", suggest(name, [*SORTS, *SORTABLE]))


def chosen_columns(text: str) -> list[str]:
    """The columns of `flows` in a list with commas. Raises UsageError for one that is not there."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [*COLUMNS, *moments_of(FLOWS).values()]
    for name in names:
        if name not in known:
            raise UsageError("--columns", f"no column {name!r} in flows", suggest(name, known))
    return names


def first_of(parts: Iterable[Rows], key: Key, count: int, ascending: bool = False) -> tuple[Rows, int]:
    """The `count` rows with most of it (or least), in this order, of all parts; and how many there are in all. Of equals the first come first."""
    waiting, total = [np.zeros(0, FLOWS.dtype)], 0
    for rows in parts:
        total += len(rows)
        waiting.append(rows)
        if sum(map(len, waiting)) > 2 * count + AT_ONCE:
            waiting = [_sorted(joined(waiting), key, ascending)[:count]]
    return _sorted(joined(waiting), key, ascending)[:count], total


def _sorted(rows: Rows, key: Key, ascending: bool) -> Rows:
    keys = key(rows)
    return taken(rows, np.lexsort((rows["flow"], keys if ascending else -keys)))


def list_lines(rows: Rows, total: int, columns: Sequence[str] = (), style: Style = plain) -> Iterator[str]:
    """A grid: what matters of each connection, or these columns as they are."""
    if columns:
        frame = with_texts(FLOWS.frame(rows))
        values = [[_plain(value) for value in frame[name].tolist()] for name in columns]
        right = [name in SORTABLE for name in columns]
        yield from grid_lines(columns, right, list(zip(*values, strict=True)), style)
    else:
        titles = [title for title, _, _ in _TOLD]
        cells = [[tell(row) for _, _, tell in _TOLD] for row in rows]
        yield from grid_lines(titles, [number for _, number, _ in _TOLD], cells, style)
    left = total - len(rows)
    yield style(f"... and {left:,} more flows: --top N" if left else f"({plural(total, 'flow')})", "info")


def frames_of(parts: Iterable[Rows], columns: Sequence[str] = (), point: str = "") -> Iterator[pd.DataFrame]:
    """Rows of `flows` as DataFrames, only these columns if some are named, of several capture points with the name of theirs in front."""
    for rows in parts:
        frame = _picked(FLOWS.frame(rows), columns)
        if point:
            frame.insert(0, "point", point)
        yield frame


def list_json(frames: Iterable[pd.DataFrame], total: int | None) -> Iterator[str]:
    """One object: `schema_version`, `flows`, and how many there are in all (`total`; counted on the way where that is None).

    What fails on the way ends the object, too: with `error`, behind those flows that were there already.
    """
    yield f'{{"schema_version": {SCHEMA_VERSION},\n"flows": ['
    count = 0
    try:
        for lines in filter(None, map(json_lines, frames)):
            yield ("\n" if count == 0 else ",\n") + lines.strip().replace("\n", ",\n")
            count += lines.count("\n")
    except TcpcapError as error:
        yield f'],\n"error": {json.dumps(error_dict(error))}}}\n'
        error.add_note(TOLD)
        raise
    yield f'],\n"total": {json.dumps(count if total is None else total)}}}\n'


def list_ndjson(frames: Iterable[pd.DataFrame]) -> Iterator[str]:
    """One object a line."""
    for frame in frames:
        yield json_lines(frame, FLOWS.name)


def _picked(frame: Any, columns: Sequence[str]) -> Any:
    """Only these columns; a moment comes with its text whichever of the two is named."""
    numbers = {text: number for number, text in MOMENTS.items()}
    return frame[list(dict.fromkeys(numbers.get(name, name) for name in columns))] if columns else frame


def _plain(value: Any) -> str:
    return "" if value is None or value != value else f"{value:.6g}" if isinstance(value, float) else str(value)


def _rtt(row: Rows) -> str:
    known = [int(row[f"{side}_rtt_median_ns"]) for side in ("client", "server") if row[f"{side}_rtt_samples"]]
    trip = int(row["handshake_rtt_ns"]) if row["handshake_rtt_ns"] >= 0 else max(known, default=-1)
    return duration_text(trip) if trip >= 0 else ""


def _loss(row: Rows) -> str:
    packets = int(row["client_packets"] + row["server_packets"])
    lost = sum(int(row[f"{side}_retransmissions"]) - int(row[f"{side}_spurious"]) for side in ("client", "server"))
    return f"{max(lost, 0):,} ({max(lost, 0) / packets:.1%})" if lost > 0 and packets else ""


def _count(row: Rows, name: str) -> int:
    return int(row[f"client_{name}"]) + int(row[f"server_{name}"])


_TOLD: tuple[tuple[str, bool, Callable[[Rows], str]], ...] = (
    ("flow", True, lambda row: str(int(row["flow"]))),
    ("ends", False, ends_text),
    ("", False, lambda row: FLOW_PROTOCOLS[int(row["protocol"])]),
    ("ended", False, lambda row: ENDED[FLOW_STATES[int(row["state"])]]),
    ("lasted", True, lambda row: duration_text(int(row["duration_ns"]))),
    ("packets", True, lambda row: f"{_count(row, 'packets'):,}"),
    ("bytes", True, lambda row: size_text(_count(row, "bytes"))),
    ("sent again", True, lambda row: f"{_count(row, 'retransmissions'):,}" if _count(row, "retransmissions") else ""),
    ("lost", True, _loss),
    ("round trip", True, _rtt),
)

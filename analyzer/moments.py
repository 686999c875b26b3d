"""Moments as text that keeps every nanosecond: which columns are points in time, and how one is written (RFC 3339)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.schema import Table

if TYPE_CHECKING:
    import pandas as pd

# Nanoseconds since the epoch by the name of their column, and what the same moment is called as a text or a timestamp. All
# other columns in nanoseconds are lengths of time. Readers that keep numbers as doubles (jq, JavaScript) spoil the last digits.
MOMENTS = {
    "time_ns": "time",
    "start_ns": "start_time",
    "end_ns": "end_time",
    "first_ns": "first_time",
    "last_ns": "last_time",
}
NO_MOMENT = np.iinfo(np.int64).min  # what numpy takes for "not a time"


def moments_of(table: Table) -> dict[str, str]:
    """The columns of a table that are points in time, and their names as text."""
    return {column.name: MOMENTS[column.name] for column in table.columns if column.public and column.name in MOMENTS}


def rfc3339(time_ns: int) -> str | None:
    """Such as `2025-11-20T17:33:20.123456789Z`, always with nine places; None for the one number that is no moment."""
    return None if time_ns == NO_MOMENT else f"{np.datetime64(int(time_ns), 'ns')}Z"


def rfc3339_sql(place: str) -> str:
    """The same as an expression of DuckDB, of a column of nanoseconds as a timestamp. What follows nine places in a format, versions before 2.0.1 write over the last three."""
    return f"strftime({place}, '%Y-%m-%dT%H:%M:%S.%n') || 'Z'"


def rfc3339_texts(times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """The same of many (int64), as an array of objects."""
    times = np.ascontiguousarray(times_ns, np.int64)
    texts = (np.datetime_as_string(times.view("M8[ns]"), unit="ns").astype(object) + "Z").astype(object)
    texts[times == NO_MOMENT] = None
    return texts


def with_texts(frame: pd.DataFrame, table: str = "") -> pd.DataFrame:
    """A table with the text of each moment behind its number; with `table`, its name before all columns."""
    import pandas as pd

    found: dict[str, Any] = {"table": np.full(len(frame), table, object)} if table else {}
    for name in frame.columns:
        found[name] = frame[name]
        if name in MOMENTS:
            found[MOMENTS[name]] = rfc3339_texts(frame[name].to_numpy(np.int64))
    return pd.DataFrame(found)


def timed(row: dict[str, Any], unknown: int | None = None) -> dict[str, Any]:
    """The same of one row, or of any object with such keys; what is inside of its values stays as it is."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        found[name] = value
        if name in MOMENTS:
            found[MOMENTS[name]] = None if value is None or value == unknown else rfc3339(value)
    return found

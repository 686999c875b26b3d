"""What Python gets of a table: its DataFrame with the meaning of columns, dates; and signatures that can be read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from analyzer.moments import MOMENTS
from analyzer.schema import Table
from analyzer.tables import FINDINGS, POINT_TABLES, TABLES

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("ns", "datetime")
EVERY_TABLE: dict[str, Table] = {**TABLES, **POINT_TABLES}  # of one capture, and of several capture points
Function = TypeVar("Function", bound=Callable[..., Any])


def described(table: Table, frame: pd.DataFrame, times: str = "ns") -> pd.DataFrame:
    """The DataFrame, with `attrs`: `table`, `doc` and, by column, `columns` (what it means) and `units`.

    With `times` "datetime" each moment stands, beside its nanoseconds, as a datetime64[ns, UTC]: `time_ns` as `time`, `start_ns` as `start_time`.
    """
    import pandas as pd

    public = [column for column in table.columns if column.name in frame.columns]
    docs = {column.name: column.doc for column in public}
    if times == "datetime":
        for name in [name for name in frame.columns if name in MOMENTS]:
            moments = frame[name].to_numpy(np.int64).view("M8[ns]").copy()
            if table.name == FINDINGS.name:
                moments[moments == np.datetime64(0, "ns")] = np.datetime64("NaT")  # it is not known
            at = list(frame.columns).index(name) + 1
            frame.insert(at, MOMENTS[name], pd.DatetimeIndex(moments).tz_localize("UTC"))
            docs[MOMENTS[name]] = f"The same as a date: {docs[name]}"
    units = {column.name: column.unit for column in public if column.unit}
    frame.attrs = {"table": table.name, "doc": table.doc, "columns": _Words(docs), "units": _Words(units)}
    return frame


class _Words(dict[str, str]):
    """Texts by name. pandas copies `attrs` deeply for each column that is taken: texts cannot be changed, so their dictionary alone is copied."""

    def __deepcopy__(self, memo: object) -> _Words:
        return _Words(self)

    def __reduce__(self) -> tuple[type, tuple[dict[str, str]]]:
        """As a plain one, which can be read where there is no tcpcap."""
        return dict, (dict(self),)


class _AsWritten(str):
    """An annotation that is shown as it was written, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def readable(function: Function) -> Function:
    """Have help() and notebooks show the signature as it is written in the source."""
    shown = inspect.signature(function)
    parameters = [
        each.replace(annotation=_AsWritten(each.annotation)) if isinstance(each.annotation, str) else each
        for each in shown.parameters.values()
    ]
    result = (
        _AsWritten(shown.return_annotation) if isinstance(shown.return_annotation, str) else inspect.Signature.empty
    )
    function.__signature__ = shown.replace(parameters=parameters, return_annotation=result)  # type: ignore[attr-defined]
    return function

"""What a table is: columns declared once, from which storage, checks, DataFrames and documentation follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import UsageError, suggest
from analyzer.fields import of_fields

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.void]  # a structured array of some Table's dtype
NOT_STORED = ("text", "optional")  # kinds of columns that are not in the rows


CACHE_LINE = 64  # bytes


@of_fields(frozen=True, slots=True)
class Column:
    """One column: how it is stored, and what it means.

    `kind` says how the stored number is shown: as it is (`value`), as one of `words` (`enum`), as the set of
    `words` whose bits are set (`bits`), or as the text of an IP address (`address`, stored as two big-endian
    64-bit halves `<name>_hi` and `<name>_lo`; IPv4 is stored as ::ffff:a.b.c.d and `version` names the column
    that tells the two families apart), or as the characters it is (`ascii`). `text` columns hold Python strings and
    exist in DataFrames only, as do `optional` ones: numbers that may not be known, which are missing values then.
    """

    name: str
    dtype: str
    doc: str
    unit: str = ""
    kind: str = "value"
    words: tuple[str, ...] = ()
    version: str = ""
    public: bool = True

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and dtypes of the stored fields."""
        if self.kind == "address":
            return [(f"{self.name}_hi", "u8"), (f"{self.name}_lo", "u8")]
        return [(self.name, self.dtype)]

    @property
    def shown(self) -> str:
        """The dtype as a reader of the documentation sees it."""
        return {"address": "text", "ascii": "text", "text": "text", "enum": "word", "bits": "words"}.get(
            self.kind, self.dtype
        )


@of_fields(frozen=True)
class Table:
    """A named list of columns. `dtype` is the packed storage of a row, in declaration order.

    Where kernels touch some columns of every row and others seldom, `hot` names the former: they are stored first, in
    `hot_bytes` bytes, and of both groups the widest before the narrower, so that a row takes few cache lines. The order in
    which columns are shown does not change.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    appendix: str = ""  # what `markdown` adds behind the columns
    hot: tuple[str, ...] = ()
    hot_bytes: int = field(init=False)
    dtype: np.dtype[np.void] = field(init=False)
    _bits: dict[tuple[str, ...], int] = field(init=False, repr=False, compare=False, default_factory=dict)
    _named: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._named.update((column.name, column) for column in self.columns)
        hot = [self[name] for name in self.hot]
        cold = [column for column in self.columns if column.kind not in NOT_STORED and column not in hot]
        first, rest = ([stored for column in group for stored in column.fields] for group in (hot, cold))
        if hot:
            for fields in (first, rest):
                fields.sort(key=lambda stored: -np.dtype(stored[1]).itemsize)
        packed = np.dtype(first + rest, align=True)
        filler = -packed.itemsize % CACHE_LINE if hot else 0
        unused: list[Any] = [("unused", "u1", (filler,))] if filler else []  # each row begins with a cache line
        object.__setattr__(self, "dtype", np.dtype([*first, *rest, *unused], align=True))
        object.__setattr__(self, "hot_bytes", np.dtype(first, align=True).itemsize)

    def __getitem__(self, name: str) -> Column:
        found = self._named.get(name)
        if found is not None:
            return found
        raise UsageError(f"table {self.name}", f"no column {name!r}", suggest(name, [c.name for c in self.columns]))

    def bit(self, column: str, *words: str) -> int:
        """The mask of the given words in a `bits` column, or the value of one word in an `enum` column."""
        key = (column, *words)
        if key not in self._bits:
            self._bits[key] = self._find_bit(column, words)
        return self._bits[key]

    def _find_bit(self, column: str, words: tuple[str, ...]) -> int:
        found = self[column]
        positions = [found.words.index(word) for word in words]
        if found.kind == "bits":
            return sum(1 << position for position in positions)
        (position,) = positions
        return position

    def empty(self) -> pd.DataFrame:
        """A DataFrame with every public column and no row."""
        return self.frame(np.zeros(0, self.dtype))

    def check(self, rows: Rows) -> Rows:
        """`rows` itself, if it is stored as this table says; a TypeError otherwise."""
        if rows.dtype != self.dtype:
            raise TypeError(f"table {self.name}: rows of {rows.dtype} where {self.dtype} was declared")
        return rows

    def frame(self, rows: Rows, extra: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The rows as a DataFrame with the public columns; `extra` supplies the `text` and `optional` columns."""
        import pandas as pd

        self.check(rows)
        extra = extra or {}
        data: dict[str, Any] = {}
        for column in self.columns:
            if column.public:
                # Without rows the type is that of the column, not of nothing.
                given = column.name in extra and len(rows) > 0
                data[column.name] = extra[column.name] if given else _SHOW[column.kind](column, rows)
        return pd.DataFrame(data)

    def markdown(self) -> str:
        """The columns as a Markdown table, for `tcpcap schema` and the README."""
        lines = [f"### {self.name}", "", self.doc, "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        for column in self.columns:
            if column.public:
                doc = column.doc + (f" One of: {_quoted(column.words)}." if column.kind == "enum" else "")
                doc += f" Words: {_quoted(column.words)}." if column.kind == "bits" else ""
                lines.append(f"| `{column.name}` | {column.shown} | {column.unit} | {doc} |")
        return "\n".join(lines) + "\n" + self.appendix


def bits_text(words: tuple[str, ...], mask: int) -> str:
    """The words whose bits are set, separated by spaces, in the order of the bits."""
    return " ".join(word for position, word in enumerate(words) if mask >> position & 1)


def address_text(high: int, low: int, version: int) -> str:
    """An address as text: '' without an IP version, dotted for 4, RFC 5952 for 6."""
    import ipaddress

    if version == 4:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    if version == 6:
        return str(ipaddress.IPv6Address(high << 64 | low))
    return ""


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


def _categories(codes: npt.NDArray[Any], name: Callable[[Any], str]) -> Any:
    """`codes` as a categorical of the texts that `name` gives for each distinct code."""
    import pandas as pd

    distinct, inverse = np.unique(codes, return_inverse=True)
    texts = [name(code) for code in distinct]
    positions = {text: position for position, text in enumerate(dict.fromkeys(texts))}
    lookup = np.array([positions[text] for text in texts], dtype=np.int32)
    shown = lookup[inverse.reshape(-1)] if len(distinct) else np.zeros(0, np.int32)
    return pd.Categorical.from_codes(shown, categories=pd.Index(list(positions), dtype=str))


def _show_value(column: Column, rows: Rows) -> Any:
    return np.ascontiguousarray(rows[column.name])


def _show_enum(column: Column, rows: Rows) -> Any:
    import pandas as pd

    # Every word is a category, so that the dtype is the same whatever the rows hold.
    return pd.Categorical.from_codes(rows[column.name].astype(np.int8), categories=pd.Index(column.words, dtype=str))


def _show_bits(column: Column, rows: Rows) -> Any:
    return _categories(rows[column.name], lambda code: bits_text(column.words, int(code)))


def _show_ascii(column: Column, rows: Rows) -> Any:
    import pandas as pd

    return pd.array(np.char.decode(rows[column.name], "ascii"), dtype=str)


def _show_address(column: Column, rows: Rows) -> Any:
    keys = np.empty(len(rows), [("high", "u8"), ("low", "u8"), ("version", "u1")])
    keys["high"], keys["low"] = rows[f"{column.name}_hi"], rows[f"{column.name}_lo"]
    keys["version"] = rows[column.version]
    return _categories(keys, lambda key: address_text(int(key["high"]), int(key["low"]), int(key["version"])))


def _show_text(column: Column, rows: Rows) -> Any:
    import pandas as pd

    if len(rows):
        raise TypeError(f"column {column.name}: its texts were not given")
    return pd.array([], dtype=str)


def _show_optional(column: Column, rows: Rows) -> Any:
    if len(rows):
        raise TypeError(f"column {column.name}: its numbers were not given")
    return optional(column, np.zeros(0), np.zeros(0, np.bool_))


def optional(column: Column, values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> Any:
    """The numbers of an `optional` column; missing where they are not `known`."""
    from pandas.arrays import FloatingArray, IntegerArray

    array = FloatingArray if np.dtype(column.dtype).kind == "f" else IntegerArray
    return array(np.ascontiguousarray(values, column.dtype), ~known)


_SHOW: dict[str, Callable[[Column, Rows], Any]] = {
    "value": _show_value,
    "enum": _show_enum,
    "bits": _show_bits,
    "address": _show_address,
    "ascii": _show_ascii,
    "text": _show_text,
    "optional": _show_optional,
}

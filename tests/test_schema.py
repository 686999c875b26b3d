"""Columns and tables: what is declared once must hold everywhere."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from analyzer.capture.records import RECORDS
from analyzer.described import EVERY_TABLE
from analyzer.errors import UsageError
from analyzer.kinds import KINDS as EVENT_KINDS
from analyzer.kinds import kinds_markdown
from analyzer.schema import NOT_STORED, Column, Table, address_text, bits_text, optional
from analyzer.tables import EVENTS, FLOWS, PACKETS, TABLES
from tests.each import for_each

ALL_TABLES = [*EVERY_TABLE.values(), RECORDS]
ALL_COLUMNS = [(table, column) for table in ALL_TABLES for column in table.columns]
KINDS = ("value", "enum", "bits", "address", "ascii", "text", "optional")

SMALL = Table(
    "small",
    "A table for tests.",
    (
        Column("number", "u4", "A number.", unit="bytes"),
        Column("colour", "u1", "A colour.", kind="enum", words=("", "red", "green")),
        Column("marks", "u2", "Marks.", kind="bits", words=("first", "second", "third")),
        Column("version", "u1", "4 or 6."),
        Column("host", "", "An address.", kind="address", version="version"),
        Column("comment", "", "Words of somebody.", kind="text"),
        Column("letters", "S4", "Some letters.", kind="ascii"),
        Column("hidden", "i8", "For other stages.", public=False),
    ),
)


def some_rows() -> np.ndarray:
    """Three rows of the small table."""
    rows = np.zeros(3, SMALL.dtype)
    rows["number"] = (1, 2, 2**32 - 1)
    rows["colour"] = (0, 2, 1)
    rows["marks"] = (0, 0b101, 0b111)
    rows["version"] = (0, 4, 6)
    rows["host_hi"] = (0, 0, 0x20010DB800000000)
    rows["host_lo"] = (0, 0xFFFF_C000_0201, 1)
    rows["letters"] = (b"", b"aB", b"dcba")
    return rows


# Every table


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_tables_are_consistent(table: Table) -> None:
    """Names are unique and in snake case; the dtype has every stored column, in order where none is hot."""
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    stored = [name for column in table.columns if column.kind not in NOT_STORED for name, _ in column.fields]
    assert sorted({*(table.dtype.names or ())} - {"unused"}) == sorted(stored)
    assert table.hot or list(table.dtype.names or ()) == stored
    assert table.doc.endswith(".")
    assert table.dtype.itemsize % table.dtype.alignment == 0


@for_each(("table", "column"), ALL_COLUMNS)
def test_columns_are_documented_and_fit(table: Table, column: Column) -> None:
    """A sentence for each; as many words as the dtype has room for; a version column for each address."""
    assert column.name == column.name.lower()
    assert column.name.isidentifier()
    assert column.doc.endswith(".")
    assert not column.doc.endswith("..")
    assert column.kind in KINDS
    assert column.unit in ("", "bytes", "ns", "s", "packets", "frames", "%", "bytes/s", "ms", "bit/s")
    assert "|" not in column.doc
    if column.kind == "address":
        assert table[column.version].kind == "value"
    elif column.kind == "ascii":
        assert re.fullmatch(r"S\d+", column.dtype)
    elif column.kind != "text":
        size = np.dtype(column.dtype).itemsize
        assert column.kind != "bits" or 0 < len(column.words) <= 8 * size
        assert column.kind != "enum" or 0 < len(column.words) <= min(256, 256**size)
    assert len(set(column.words)) == len(column.words)
    assert bool(column.words) == (column.kind in ("enum", "bits"))
    assert column.kind != "bits" or all(word and " " not in word for word in column.words)
    assert "" not in column.words[1:]
    assert bool(column.version) == (column.kind == "address")
    if column.name.endswith("_ns"):
        assert (column.dtype, column.unit) == ("i8", "ns")


def test_tables_go_by_their_names() -> None:
    """Packets, flows and events are among them."""
    assert all(name == table.name for name, table in TABLES.items())
    assert TABLES["packets"] is PACKETS
    assert TABLES["flows"] is FLOWS
    assert TABLES["events"] is EVENTS


# Column


def test_an_address_is_stored_in_halves() -> None:
    """Two fields of 64 bits; every other column is one field."""
    assert SMALL["host"].fields == [("host_hi", "u8"), ("host_lo", "u8")]
    assert SMALL["number"].fields == [("number", "u4")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("number", "u4"), ("colour", "word"), ("marks", "words"), ("host", "text"), ("letters", "text"), ("hidden", "i8")],
)
def test_the_type_as_a_reader_sees_it(name: str, shown: str) -> None:
    """Words and text instead of how they are stored."""
    assert SMALL[name].shown == shown


# Table


def test_the_dtype_holds_what_is_stored() -> None:
    """Aligned, in order of declaration, without text columns."""
    names = ("number", "colour", "marks", "version", "host_hi", "host_lo", "letters", "hidden")
    assert SMALL.dtype.names == names
    assert SMALL.dtype.isalignedstruct
    assert [SMALL.dtype[name].str[1:] for name in names] == ["u4", "u1", "u2", "u1", "u8", "u8", "S4", "i8"]


def test_hot_columns_are_stored_first_and_shown_where_they_are_declared() -> None:
    """The widest first, so that nothing lies between them; the others behind, and what fills the last cache line."""
    table = Table("small", SMALL.doc, SMALL.columns, hot=("colour", "hidden", "host"))
    names = ("hidden", "host_hi", "host_lo", "colour", "number", "letters", "marks", "version")
    assert table.dtype.names == (*names, "unused")
    assert table.dtype.isalignedstruct
    assert (table.hot_bytes, table.dtype.itemsize) == (32, 64)
    assert SMALL.hot_bytes == 0
    rows = np.zeros(3, table.dtype)
    for name in names:
        rows[name] = some_rows()[name]
    assert table.frame(rows, {"comment": "x"}).equals(SMALL.frame(some_rows(), {"comment": "x"}))
    with pytest.raises(UsageError, match="no column 'hiden'"):
        Table("small", SMALL.doc, SMALL.columns, hot=("hiden",))


def test_packets_take_whole_cache_lines() -> None:
    """Three of six, for a frame without rare headers."""
    assert (PACKETS.hot_bytes, PACKETS.dtype.itemsize) == (3 * 64, 6 * 64)


def test_check_passes_rows_of_the_table_only() -> None:
    """The rows themselves, or a TypeError that names the table."""
    rows = some_rows()
    assert SMALL.check(rows) is rows
    for other in (np.zeros(1, PACKETS.dtype), np.zeros(1, np.uint8), np.zeros(1, [("number", "u4")])):
        with pytest.raises(TypeError, match="table small"):
            SMALL.check(other)


def test_bits_and_enumerations_by_word() -> None:
    """A mask of several bits, the value of one word; other words are errors."""
    assert SMALL.bit("marks") == 0
    assert SMALL.bit("marks", "first") == 1
    assert SMALL.bit("marks", "third", "first") == 0b101
    assert SMALL.bit("colour", "") == 0
    assert SMALL.bit("colour", "green") == 2
    for column, words in (("marks", ["fourth"]), ("colour", ["red", "green"]), ("colour", [])):
        with pytest.raises(ValueError, match=r"not in tuple|values to unpack"):
            SMALL.bit(column, *words)


@pytest.mark.parametrize(
    "column", [column for column in PACKETS.columns if column.words], ids=lambda column: column.name
)
def test_every_word_has_its_own_number(column: Column) -> None:
    """Bits are powers of 2, words of an enumeration count from 0; each fits its column."""
    values = [PACKETS.bit(column.name, word) for word in column.words]
    expected = [1 << place for place in range(len(values))] if column.kind == "bits" else list(range(len(values)))
    assert values == expected
    assert np.array(values, column.dtype).tolist() == values


@pytest.mark.parametrize(("wrong", "right"), [("src_prot", "src_port"), ("windw", "window"), ("ip_leng", "ip_len")])
def test_an_unknown_column_suggests_the_nearest(wrong: str, right: str) -> None:
    """The message names the table, what was asked for, and what may have been meant."""
    with pytest.raises(UsageError) as caught:
        PACKETS[wrong]
    assert "packets" in str(caught.value)
    assert repr(wrong) in str(caught.value)
    assert right in str(caught.value)


def test_the_frame_shows_the_public_columns() -> None:
    """Words, addresses and text; hidden columns stay hidden."""
    shown = SMALL.frame(some_rows(), {"comment": ["a", "b", "c"]})
    assert list(shown.columns) == ["number", "colour", "marks", "version", "host", "comment", "letters"]
    assert shown["number"].dtype == np.dtype("u4")
    assert shown.to_dict("list") == {
        "number": [1, 2, 2**32 - 1],
        "colour": ["", "green", "red"],
        "marks": ["", "first third", "first second third"],
        "version": [0, 4, 6],
        "host": ["", "192.0.2.1", "2001:db8::1"],
        "comment": ["a", "b", "c"],
        "letters": ["", "aB", "dcba"],
    }
    assert shown["letters"].dtype == FLOWS.empty()["history"].dtype == "str"


def test_the_frame_does_not_look_into_the_rows() -> None:
    """Whoever changes the DataFrame leaves the rows alone."""
    rows = some_rows()
    shown = SMALL.frame(rows, {"comment": ["", "", ""]})
    shown["number"] = [0, 0, 0]
    assert rows["number"].tolist() == [1, 2, 2**32 - 1]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_an_empty_table_has_its_columns(table: Table) -> None:
    """Every public column and no row."""
    empty = table.empty()
    assert len(empty) == 0
    assert list(empty.columns) == [column.name for column in table.columns if column.public]


def test_text_of_bits_and_addresses() -> None:
    """In the order of the bits; '' where there is nothing; IPv6 as RFC 5952 writes it."""
    assert bits_text(("one", "two", "four"), 0) == ""
    assert bits_text(("one", "two", "four"), 6) == "two four"
    assert address_text(1, 2, 0) == ""
    assert address_text(0, 0xFFFF_7F00_0001, 4) == "127.0.0.1"
    assert address_text(0x20010DB8_00000000, 0x00010000_00000002, 6) == "2001:db8::1:0:0:2"
    assert address_text(0, 0, 6) == "::"


# Markdown


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_markdown_has_every_public_column(table: Table) -> None:
    """One line for each, with its type, unit, meaning and words."""
    text = table.markdown()
    assert text.endswith("\n" + table.appendix)
    lines = text.removesuffix(table.appendix).splitlines()
    assert lines[:5] == [f"### {table.name}", "", table.doc, "", "| column | type | unit | meaning |"]
    public = [column for column in table.columns if column.public]
    assert len(lines) == 6 + len(public)
    for column, line in zip(public, lines[6:], strict=True):
        _, name, shown, unit, meaning, _ = (cell.strip() for cell in line.split("|"))
        assert (name, shown, unit) == (f"`{column.name}`", column.shown, column.unit)
        assert meaning.startswith(column.doc)
        assert all(f"`{word}`" in meaning for word in column.words if word)


def test_the_appendix_explains_every_event() -> None:
    """What it means, its causes, what its value counts, and where that is written: one line each."""
    assert [table.name for table in TABLES.values() if table.appendix] == ["events"]
    assert EVENTS.markdown().endswith("|\n" + kinds_markdown())
    title, rule, *lines = kinds_markdown().strip().splitlines()
    assert title == "| event | meaning | causes | `value` | reference |"
    assert rule == "|---|---|---|---|---|"
    assert kinds_markdown().startswith("\n| "), "a table of its own"
    for kind, line in zip(EVENT_KINDS, lines, strict=True):
        _, name, meaning, causes, value, reference, _ = (cell.strip() for cell in line.split("|"))
        assert (name, meaning, value, reference) == (f"`{kind.name}`", kind.doc, kind.value, kind.reference)
        assert re.findall(r"`(\w+)`", causes) == list(kind.causes)
        assert kind.doc.endswith(".")
        assert kind.reference
    assert EVENTS["event"].words == tuple(kind.name for kind in EVENT_KINDS)
    assert {cause for kind in EVENT_KINDS for cause in kind.causes} == set(EVENTS["cause"].words) - {""}
    assert PACKETS["events"].words == FLOWS["events"].words == EVENTS["event"].words


def schema_output(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `tcpcap schema` prints."""
    command = [sys.executable, "-W", "error", "-m", "analyzer", "schema", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)


def test_the_command_prints_the_same() -> None:
    """All tables, one after the other."""
    done = schema_output()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n".join(table.markdown() for table in EVERY_TABLE.values())


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_command_prints_one_table(table: Table) -> None:
    """The one that was named."""
    done = schema_output(table.name)
    assert (done.returncode, done.stdout, done.stderr) == (0, table.markdown(), "")


def test_the_command_suggests_a_table() -> None:
    """One line that says which table may have been meant, and exit status 2."""
    done = schema_output("packet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "packets" in done.stderr


def test_a_number_that_is_not_known_is_missing() -> None:
    """Not 0, and not the largest; the numbers of a column are given beside the rows."""
    table = Table("few", "A table.", (Column("perhaps", "u8", "A number, if it is known.", kind="optional"),))
    found = optional(table["perhaps"], np.array([0, 2**64 - 1, 5], np.uint64), np.array([True, True, False]))
    assert found.tolist()[:2] == [0, 2**64 - 1]
    assert found.isna().tolist() == [False, False, True]
    assert str(table.empty()["perhaps"].dtype) == "UInt64"
    assert table.dtype.names == ()
    with pytest.raises(TypeError, match="not given"):
        table.frame(np.zeros(3, table.dtype))

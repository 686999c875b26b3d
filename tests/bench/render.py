"""A recipe in, the bytes of a pcap file out: frames with right checksums, a block at a time, without a loop over frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .make import EXCHANGE, Recipe
from .script import MSS, ROW, Rows, bulk_scripts, knock, short_scripts

Array = npt.NDArray[Any]
BLOCK = 32 << 20  # bytes rendered at once
FILE_HEADER = np.array([(0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)], "<u4, <u2, <u2, <i4, <u4, <u4, <u4").tobytes()
FLOOD_AT_ONCE = 1_000_000  # connections
EPOCH_US = 1_763_660_000_000_000
OPTION_BYTES = np.array([12, 20, 24])  # by STAMPS, HELLO, SACK

RECORD = [("sec", "<u4"), ("usec", "<u4"), ("captured", "<u4"), ("frame", "<u4")]
ETHERNET = [("mac_a", ">u4"), ("mac_b", ">u4"), ("mac_c", ">u4"), ("ethertype", ">u2")]
IPV4 = [("version", ">u2"), ("total", ">u2"), ("ip_id", ">u2"), ("fragment", ">u2"), ("ttl_protocol", ">u2")]
IPV4 += [("ip_checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")]
IPV6 = [("version", ">u4"), ("below", ">u2"), ("next_hop", ">u2")]
IPV6 += [
    ("src_net", ">u8"),
    ("src_middle", ">u4"),
    ("src", ">u4"),
    ("dst_net", ">u8"),
    ("dst_middle", ">u4"),
    ("dst", ">u4"),
]
TCP = [("src_port", ">u2"), ("dst_port", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("offset_flags", ">u2")]
TCP += [("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2")]
STAMP = [("tsval", ">u4"), ("tsecr", ">u4")]
OPTIONS = [
    [("stamp_kind", ">u4"), *STAMP],
    [("mss", ">u4"), ("sack_stamp", ">u4"), *STAMP, ("scale", ">u4")],
    [("stamp_kind", ">u4"), *STAMP, ("sack_kind", ">u4"), ("left", ">u4"), ("right", ">u4")],
]
CONSTANTS = {"stamp_kind": 0x0101080A, "mss": 0x020405B4, "sack_stamp": 0x0402080A, "scale": 0x01030307}
CONSTANTS |= {"sack_kind": 0x0101050A, "mac_a": 0x02005E10, "mac_b": 0x20010200, "mac_c": 0x5E102002}


class Cast:
    """Who plays: per connection its addresses, ports and numbers; and frames of them in the order of the capture."""

    def __init__(self, recipe: Recipe, rng: np.random.Generator, scripts: list[Rows], number: Array) -> None:
        self.rows: Rows = np.concatenate(scripts)
        count = len(number)
        self.v6 = (rng.random(count) < 0.5) & (recipe.kind in ("short", "rounds")) & (number > 0)
        if recipe.kind == "flood":  # each from an address of its own, to one server
            self.host = np.stack([0x0B000000 + number * 0x9E3779 % (1 << 24), np.full(count, 0x0A640001)])
            self.port = np.stack([rng.integers(1024, 1 << 16, count), np.full(count, 5201)])
        else:
            self.host = np.stack([0x0A000000 + 2 + number // 25_000 * 7 + number % 250, 0x0A640001 + number % 16])
            self.port = np.stack([32768 + number // 250 % 100 + number % 250 * 110, np.full(count, 5201)])
        self.isn = rng.integers(0, 1 << 32, (2, count), "u4")
        self.clock = rng.integers(0, 1 << 32, (2, count), "u4")
        self.ip_id = rng.integers(0, 1 << 16, (2, count), "u2")

    def play(self, connection: Array, row: Array, time_us: Array) -> None:
        """The frames, in order: whose they are, which of the scripts' rows, and when."""
        self.connection, self.row, self.time_us = connection, row, time_us
        self.sizes = _record_sizes(self.rows)[row] + 20 * self.v6[connection]
        self.ends = np.cumsum(self.sizes)

    def cut(self, frames: int) -> None:
        """Leave out what comes after so many frames."""
        for name in ("connection", "row", "time_us", "sizes", "ends"):
            setattr(self, name, getattr(self, name)[:frames])


def casts(recipe: Recipe) -> Iterator[Cast]:
    """The cast of a recipe, with frames piece by piece."""
    rng = np.random.default_rng([recipe.seed, 1])
    return {"rounds": _rounds, "flood": _flood}.get(recipe.kind, _lanes)(recipe, rng)


def _lanes(recipe: Recipe, rng: np.random.Generator) -> Iterator[Cast]:
    """Connections one after the other in each lane, cut where the recipe is fulfilled."""
    scripts = (bulk_scripts if recipe.kind == "bulk" else short_scripts)(rng)
    lengths = np.array([len(script) for script in scripts])
    sizes = np.array([_record_sizes(script).sum() for script in scripts])
    lasting = np.array([script["time_us"][-1] for script in scripts])

    wanted = recipe.size or int(recipe.frames * sizes.max() // lengths.min())
    lanes = int(np.clip(wanted // sizes.mean() // 3, 1, recipe.lanes))  # connections alive at any time
    rounds = int(wanted // (sizes.min() * lanes)) + 2
    script = rng.integers(0, len(scripts), (rounds, lanes))
    gaps = rng.integers(50, 4_000, (rounds, lanes))
    starts = np.cumsum(lasting[script] + gaps, axis=0) - lasting[script]
    starts -= (rng.random(lanes) * lasting[script[0]]).astype("i8")  # the lanes begin at different points
    script, starts = script.ravel(), starts.ravel() - starts.min()
    cast = Cast(recipe, rng, scripts, np.arange(len(script)))

    first = np.cumsum(lengths) - lengths
    long = lengths[script]
    connection = np.repeat(np.arange(len(script), dtype="i4"), long)
    row = np.arange(len(connection)) + np.repeat(first[script] - (np.cumsum(long) - long), long)
    time_us = starts[connection] + cast.rows["time_us"][row]
    order = np.argsort(time_us, kind="stable")
    cast.play(connection[order], row[order].astype("i4"), time_us[order])
    enough = int(np.searchsorted(cast.ends, recipe.size - len(FILE_HEADER))) + 1
    cast.cut(enough if recipe.size else recipe.frames)
    yield cast


def _rounds(recipe: Recipe, rng: np.random.Generator) -> Iterator[Cast]:
    """Each connection's first frame, then each one's second, and so on: all are alive from the first to the last round."""
    scripts = short_scripts(rng)
    number = np.arange(recipe.lanes)
    first = EXCHANGE * rng.integers(0, len(scripts), recipe.lanes)
    cast = Cast(recipe, rng, scripts, number)
    for turn in range(EXCHANGE):
        cast.play(number, first + turn, turn * recipe.lanes + number)
        yield cast


def _flood(recipe: Recipe, rng: np.random.Generator) -> Iterator[Cast]:
    """A SYN of each connection, and nothing else; a million of them a second."""
    scripts = [knock()]
    for start in range(0, recipe.frames, FLOOD_AT_ONCE):
        number = np.arange(start, min(start + FLOOD_AT_ONCE, recipe.frames))
        cast = Cast(recipe, rng, scripts, number)
        cast.play(number - start, np.zeros(len(number), "i4"), number)
        yield cast


class Payloads:
    """A pool of random segments, and the sum of the 16-bit words of each of their beginnings."""

    def __init__(self, rng: np.random.Generator, rows: int = 256) -> None:
        self.bytes = rng.integers(0, 256, (rows, MSS), "u1")
        padded = np.zeros((rows, MSS, 2), "u1")
        padded[:, 0::2, 0], padded[:, 1::2] = self.bytes[:, 0::2], self.bytes.reshape(rows, -1, 2)
        words = padded.view("u2")[:, :, 0].astype("u4")  # by length - 1: a zero-padded byte, or a whole word
        self.sums = np.zeros((rows, MSS + 1), "u4")
        self.sums[:, 2::2] = np.cumsum(words[:, 1::2], axis=1)
        self.sums[:, 1::2] = self.sums[:, 0:-1:2] + words[:, 0::2]


def write(recipe: Recipe, out: BinaryIO) -> tuple[int, int]:
    """Write the capture of a recipe; its number of frames and of bytes."""
    payloads = Payloads(np.random.default_rng([recipe.seed, 2]))
    frames, size = 0, out.write(FILE_HEADER)
    for cast in casts(recipe):
        for part in _blocks(cast.ends):
            size += out.write(memoryview(_block(cast, payloads, part)))
        frames += len(cast.ends)
    return frames, size


def _blocks(ends: Array) -> Iterator[slice]:
    """Runs of frames of about BLOCK bytes."""
    start = 0
    while start < len(ends):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + BLOCK)), start + 1)
        yield slice(start, stop)
        start = stop


def _block(cast: Cast, payloads: Payloads, part: slice) -> Array:
    """The records of a run of frames."""
    connection, row, sizes = cast.connection[part], cast.rows[cast.row[part]], cast.sizes[part]
    offsets = cast.ends[part] - sizes
    offsets = offsets - offsets[0]
    block = np.empty(int(sizes.sum()), "u1")
    pool = (row["segment"] + connection * 37) % len(payloads.bytes)
    v6 = cast.v6[connection]
    for version in np.unique(v6):
        for options in np.unique(row["options"]):
            some = np.flatnonzero((v6 == version) & (row["options"] == options))
            if len(some):
                sums = payloads.sums[pool[some], row["length"][some]]
                made = _headers(
                    cast, cast.time_us[part][some], connection[some], row[some], bool(version), options, sums
                )
                _windows(block, made.shape[1])[offsets[some]] = made
    for length in np.unique(row["length"]):
        if length:
            some = np.flatnonzero(row["length"] == length)
            starts = offsets[some] + sizes[some] - length
            _windows(block, int(length))[starts] = payloads.bytes[pool[some], :length]
    return block


def _windows(block: Array, width: int) -> Array:
    """Every run of `width` bytes of a block, as a writable view."""
    return sliding_window_view(block, width, writeable=True)


def _headers(cast: Cast, time_us: Array, connection: Array, row: Rows, v6: bool, options: int, sums: Array) -> Array:
    """The bytes of frames alike in layout, from the record header to the last TCP option."""
    layout = np.dtype(RECORD + ETHERNET + (IPV6 if v6 else IPV4) + TCP + OPTIONS[options])
    made = np.zeros(len(row), layout)
    for name, value in CONSTANTS.items():
        if name in layout.fields:
            made[name] = value
    one, other = row["direction"], 1 - row["direction"]
    segment = 20 + OPTION_BYTES[options] + row["length"]
    made["sec"], made["usec"] = np.divmod(time_us + EPOCH_US, 1_000_000)
    made["captured"] = made["frame"] = 14 + (40 if v6 else 20) + segment
    made["src"], made["dst"] = cast.host[one, connection], cast.host[other, connection]
    if v6:
        made["ethertype"], made["version"], made["below"], made["next_hop"] = 0x86DD, 0x60000000, segment, 0x0640
        made["src_net"] = made["dst_net"] = 0x20010DB8_00000000
    else:
        made["ethertype"], made["version"], made["total"], made["fragment"] = 0x0800, 0x4500, 20 + segment, 0x4000
        made["ip_id"], made["ttl_protocol"] = row["ip_id"] + cast.ip_id[one, connection], 0x4006
    made["src_port"], made["dst_port"] = cast.port[one, connection], cast.port[other, connection]
    ours, theirs = cast.isn[one, connection], cast.isn[other, connection]
    made["seq"] = row["seq"] + ours
    made["ack"] = np.where(row["flags"] & 0x10, row["ack"] + theirs, 0)
    made["offset_flags"] = (20 + OPTION_BYTES[options]) // 4 << 12 | row["flags"].astype("u2")
    made["window"] = row["window"]
    made["tsval"] = row["tsval"] + cast.clock[one, connection]
    made["tsecr"] = np.where(row["flags"] & 0x10, row["tsecr"] + cast.clock[other, connection], 0)
    if "left" in layout.fields:
        made["left"], made["right"] = row["left"] + theirs, row["right"] + theirs
    _fill_checksums(made, v6, segment, sums)
    return made.view("u1").reshape(len(made), layout.itemsize)


def _fill_checksums(made: Array, v6: bool, segment: Array, sums: Array) -> None:
    """The IPv4 and TCP checksums. Their sum is the same in either byte order, so native words will do (RFC 1071)."""
    words = made.view("u2").reshape(len(made), -1)
    ip, tcp = 15, 15 + (20 if v6 else 10)  # after record header and Ethernet, in words
    if not v6:
        words[:, ip + 5] = _folded(words[:, ip:tcp].sum(axis=1, dtype="u4"))
    addresses = words[:, ip + (4 if v6 else 6) : tcp].sum(axis=1, dtype="u4")
    pseudo = segment.astype(">u2").view("u2").astype("u4") + np.array([6], ">u2").view("u2")[0]
    words[:, tcp + 8] = _folded(addresses + pseudo + words[:, tcp:].sum(axis=1, dtype="u4") + sums)


def _folded(total: Array) -> Array:
    """The ones-complement of a sum of 16-bit words."""
    total = (total & 0xFFFF) + (total >> 16)
    return (~((total & 0xFFFF) + (total >> 16))).astype("u2")


def _record_sizes(rows: Rows) -> Array:
    """Bytes in the file of each frame of a script over IPv4."""
    assert rows.dtype == ROW
    return 16 + 14 + 20 + 20 + OPTION_BYTES[rows["options"]] + rows["length"]

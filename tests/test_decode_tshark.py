"""Every decoded column that tshark has a field for, frame by frame, on the samples and on a corpus of captures."""

from __future__ import annotations

import ipaddress
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.capture import open_capture
from analyzer.crosscheck.shape import Shape, shape_of
from analyzer.decode import decode
from analyzer.frames import FrameReader
from analyzer.schema import Rows
from analyzer.tables import PACKETS
from analyzer.together import joined
from tests import build, tshark
from tests.each import for_each
from tests.fragments import Captured, random_fragments
from tests.helpers import FEWER_CAPTURES, is_plain
from tests.tshark import (
    AS_THEY_STAND,
    IPV4_FIELDS,
    IPV6_FIELDS,
    TRANSPORT_FIELDS,
    TUNNEL_FIELDS,
    Captures,
    fields_of,
    needs_tshark,
)

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT.parent / "shared" / "corpus" / "tcp"
WITH_FRAGMENTS = (
    "nfstream_nfstream__tests_pcaps_ip_fragmented_garbage.pcap",
    "seladb_PcapPlusPlus__Tests_ExamplesTest_pcap_examples_ip-frag.pcap",
)
CORPUS = sorted(path for path in FOLDER.glob("*") if path.suffix != ".md")
MOST_FRAMES = None if os.environ.get("TCPCAP_FULL_CORPUS") else 10_000  # of each file, to save time
BEYOND_A_SECOND = "appneta_tcpreplay__test_test2.replay_unique_ip"  # its fractions: mergecap would carry them over

pytestmark = needs_tshark

Row = dict[str, Any]
Said = Callable[[str], list[str]]  # a field of tshark -> all its occurrences in the frame, outermost first

OPTION_FIELDS = tshark.OPTION_FIELDS | {
    "sack_count": "tcp.options.sack.count",
    "mptcp_subtype": "tcp.options.mptcp.subtype",
}
OPTION_WORDS = {
    2: "mss",
    3: "window_scale",
    4: "sack_permitted",
    5: "sack",
    8: "timestamps",
    19: "md5",
    29: "ao",
    30: "mptcp",
    34: "fast_open",
}
EXPERIMENTS = {"0xf989": "fast_open"}  # of the option 254: RFC 7413 appendix A
# The columns that say what an IPv6 header carries; each extension header says it anew.
NEXT_HEADERS = ("ipv6.hopopts.nxt", "ipv6.dstopts.nxt", "ipv6.routing.nxt", "ipv6.fraghdr.nxt", "ah.next_header")
# The fields of types, by the protocol whose header they end.
TYPE_FIELDS = {
    "eth": "eth.type",
    "sll": "sll.etype",
    "vlan": "vlan.etype",
    "ieee8021ad": "vlan.etype",
    "ieee8021ah": "ieee8021ah.etype",
    "llc": "llc.type",
}
FIELDS = [
    *("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.packet_flags", "frame.protocols"),
    *dict.fromkeys(TYPE_FIELDS.values()),
    *("sll.pkttype", "vlan.id", "ieee8021ad.id", "mpls.label"),
    *IPV4_FIELDS.values(),
    *IPV6_FIELDS.values(),
    *NEXT_HEADERS,
    *("ipv6.fraghdr.ident", "ipv6.fraghdr.offset", "ipv6.fraghdr.more"),
    *(name for group in TRANSPORT_FIELDS.values() for name in group.values()),
    *OPTION_FIELDS.values(),
    *("tcp.option_kind", "tcp.options.sack_le", "tcp.options.sack_re", "tcp.options.tfo.cookie"),
    "tcp.options.experimental.exid",
    *TUNNEL_FIELDS.values(),
    *("tcp.seq", "icmp.mtu", "icmpv6.mtu"),
]
PLACES = {name: place for place, name in enumerate(FIELDS)}
PREFERENCES = (*AS_THEY_STAND, "tcp.analyze_sequence_numbers:FALSE")
PUT_TOGETHER = (*PREFERENCES, "ip.defragment:TRUE", "ipv6.defragment:TRUE")
WORDS = {
    (column.name, word): PACKETS.bit(column.name, word)
    for column in PACKETS.columns
    if column.kind in ("bits", "enum")
    for word in column.words
}
ENUMS = {column.name for column in PACKETS.columns if column.kind == "enum"}
STORED = [stored for column in PACKETS.columns for stored, _ in column.fields]


# What the two say


def decoded(path: Path, most: int | None, together: bool = False) -> Rows:
    """The packet rows of a capture, no more than so many; datagrams in fragments put together or not."""
    rows_of = FrameReader(None).rows_of if together else decode
    found, count = [np.zeros(0, PACKETS.dtype)], 0
    with open_capture([str(path)]) as capture:
        for batch in capture:
            found.append(rows_of(batch, capture.interfaces).copy())
            count += len(batch)
            if most is not None and count >= most:
                break
    return joined(found)[:most]


def plain(rows: Rows) -> Iterator[Row]:
    """The rows as plain values."""
    for values in zip(*(rows[name].tolist() for name in STORED), strict=True):
        yield dict(zip(STORED, values, strict=True))


@lru_cache(maxsize=100_000)
def number(text: str) -> int:
    """A number, a truth or an address as tshark prints it."""
    if text in ("True", "False"):
        return int(text == "True")
    try:
        return int(text, 0)
    except ValueError:
        return int(ipaddress.ip_address(text))


def has(row: Row, column: str, word: str) -> bool:
    """Is this word set?"""
    return _has(row[column], column, word)


def _has(value: int, column: str, word: str) -> bool:
    return value == WORDS[column, word] if column in ENUMS else value & WORDS[column, word] > 0


def address(row: Row, name: str, version: int) -> int:
    """A stored address as a number."""
    return row[f"{name}_lo"] & 0xFFFFFFFF if version == 4 else row[f"{name}_hi"] << 64 | row[f"{name}_lo"]


def sack_edges(row: Row, edge: str) -> list[int]:
    """The left or the right edges of the SACK blocks."""
    return [row[f"sack_{edge}_{block}"] for block in range(1, row["sack_count"] + 1)]


# Comparing a frame: each function yields the columns that differ


def record_differences(row: Row, said: Said) -> Iterator[str]:
    """Number, time, lengths and flags."""
    for column, name in (("frame", "frame.number"), ("length", "frame.len"), ("captured", "frame.cap_len")):
        if str(row[column]) != said(name)[0]:
            yield column
    if str(row["time_ns"]).zfill(10) != said("frame.time_epoch")[0].replace(".", ""):
        yield "time_ns"
    if row["record_flags"] != number((said("frame.packet_flags") or ["0"])[0]):
        yield "record_flags"


def link_differences(row: Row, said: Said, shape: Shape) -> Iterator[str]:
    """Tags, labels, EtherType and packet type of the frame's own link layer."""
    tags = shape.link.count("vlan") + shape.link.count("ieee8021ad")
    identifiers = said("ieee8021ad.id") + said("vlan.id")
    if row["vlan_depth"] != tags or (tags and str(row["vlan"]) not in identifiers):
        yield "vlan"
    labels = said("mpls.label")
    if not row["tunnels"] and (row["mpls_depth"], row["mpls_label"]) != (len(labels), number((labels or ["0"])[0])):
        yield "mpls"
    last = next((name for name in reversed(shape.link) if name in TYPE_FIELDS), "")
    if last:
        place = (tags if TYPE_FIELDS[last] == "vlan.etype" else 1) - 1
        kind = number((said(TYPE_FIELDS[last])[place:] or ["0"])[0])
        if kind >= 1536 and kind != row["ethertype"]:
            yield "ethertype"
    if said("sll.pkttype"):
        kind = number(said("sll.pkttype")[0])
        reception = ("unicast", "broadcast", "multicast", "promiscuous", "")[kind]
        if not has(row, "reception", reception) or not has(row, "link_direction", "out" if kind == 4 else "in"):
            yield "reception"


def ip_differences(row: Row, said: Said, shape: Shape) -> Iterator[str]:
    """The innermost IP header, and the addresses of the outermost."""
    version = row["ip_version"]
    fields = IPV4_FIELDS if version == 4 else IPV6_FIELDS
    place = shape.versions.count(version) - 1
    for column, name in fields.items():
        value = address(row, column, version) if column in ("src", "dst") else row[column]
        if column == "fragment_offset":
            value //= 8
        elif column == "ip_len" and version == 6:
            value -= 40
        elif column == "ip_proto" and has(row, "layers", "extension"):
            if value not in [number(text) for header in NEXT_HEADERS for text in said(header)]:
                yield column
            continue
        if value != number((said(name)[place:] or ["0"])[0]):
            yield column
    if version == 6 and has(row, "layers", "fragment"):
        offset, more, ident = (number(said(f"ipv6.fraghdr.{name}")[-1]) for name in ("offset", "more", "ident"))
        if (row["fragment_offset"], row["ip_flags"], row["ip_id"]) != (8 * offset, more, ident):
            yield "fragment_offset"
    if row["tunnel_depth"]:
        outer = shape.versions[0]
        prefix = "ip" if outer == 4 else "ipv6"
        said_addresses = [number(said(f"{prefix}.{name}")[0]) for name in ("src", "dst")]
        if [outer, *said_addresses] != [
            row["outer_version"],
            address(row, "outer_src", outer),
            address(row, "outer_dst", outer),
        ]:
            yield "outer_src"


def transport_differences(row: Row, said: Said, shape: Shape) -> Iterator[str]:
    """TCP with its options, UDP, ICMP, ICMPv6."""
    if not has(row, "layers", shape.transport):
        yield "layers"
        return
    place = shape.transports - 1
    for column, name in TRANSPORT_FIELDS[shape.transport].items():
        if row[column] != number((said(name)[place:] or ["0"])[0]):
            yield column
    if shape.transport == "tcp":
        yield from option_differences(row, said)


def option_differences(row: Row, said: Said) -> Iterator[str]:
    """TCP options; the first of a kind counts."""
    experiments = iter(said("tcp.options.experimental.exid"))
    kinds = {
        OPTION_WORDS.get(int(kind), EXPERIMENTS.get(next(experiments, ""), "other") if kind == "254" else "other")
        for kind in said("tcp.option_kind")
        if kind not in ("0", "1")
    }
    if kinds != {word for word in PACKETS["options"].words if has(row, "options", word)}:
        yield "options"
    for column, name in OPTION_FIELDS.items():
        if row[column] != number((said(name) or ["0"])[0]):
            yield column
    for edge in ("left", "right"):
        blocks = sack_edges(row, edge)
        if blocks != [int(text) for text in said(f"tcp.options.sack_{edge[0]}e")[: len(blocks)]]:
            yield f"sack_{edge}_1"
    if row["fast_open_len"] != len((said("tcp.options.tfo.cookie") or [""])[0].replace(":", "")) // 2:
        yield "fast_open_len"


def quote_differences(row: Row, said: Said, shape: Shape) -> Iterator[str]:
    """What an ICMP error quotes, and the MTU it gives."""
    version = row["quoted_version"]
    prefix, place = ("ip", shape.versions.count(4)) if version == 4 else ("ipv6", shape.versions.count(6))
    for name in ("src", "dst"):
        if [address(row, f"quoted_{name}", version)] != [*map(number, said(f"{prefix}.{name}")[place : place + 1])]:
            yield f"quoted_{name}"
    names = {6: ("tcp.srcport", "tcp.dstport", "tcp.seq"), 17: ("udp.srcport", "udp.dstport")}
    found = names.get(row["quoted_proto"], ())
    for column, name in zip(("quoted_src_port", "quoted_dst_port", "quoted_seq"), found, strict=False):
        place = shape.protocols.count(name[:3])
        if row[column] != number((said(name)[place:] or ["0"])[0]):
            yield column
    said_mtu = said("icmp.mtu") or said("icmpv6.mtu")
    if said_mtu and row["icmp_rest"] & 0xFFFF != number(said_mtu[0]) & 0xFFFF:
        yield "icmp_rest"


def differences(row: Row, said: Said, shape: Shape) -> Iterator[str]:
    """All columns of a frame that differ; `tunnel_depth` where not even the IP headers are the same ones."""
    yield from record_differences(row, said)
    yield from link_differences(row, said, shape)
    if (row["tunnel_depth"] + (row["ip_version"] > 0), row["ip_version"]) != (
        len(shape.versions),
        (shape.versions or (0,))[-1],
    ):
        yield "tunnel_depth"
        return
    if row["ip_version"]:
        yield from ip_differences(row, said, shape)
    if shape.transport:
        yield from transport_differences(row, said, shape)
    elif has(row, "stop", "decoded"):
        yield "stop"
    if row["quoted_version"]:
        yield from quote_differences(row, said, shape)
    words = [word for word in TUNNEL_FIELDS if has(row, "tunnels", word)]
    if len(words) == 1 and row["tunnel_id"] != number((said(TUNNEL_FIELDS[words[0]]) or ["0"])[-1]):
        yield "tunnel_id"


# Where the two differ for a reason


@dataclass(frozen=True)
class Exclusion:
    """Columns in which a frame of which `applies` holds may differ."""

    name: str
    reason: str
    columns: frozenset[str]
    applies: Callable[[Row, Said, Shape], bool]


def names(*groups: dict[str, str]) -> frozenset[str]:
    """The columns of several groups."""
    return frozenset(column for group in groups for column in group)


def overflows(time_ns: int, text: str) -> bool:
    """Is this tshark's text for a time whose fraction in ns does not fit into 32 bits?"""
    seconds, _, fraction = text.lstrip("-").partition(".")
    exact = time_ns - int(seconds) * 10**9
    return exact >= 10**9 and 0 in ((exact - int(fraction)) % 2**32, (exact + int(fraction)) % 2**32)


IP_COLUMNS = names(IPV4_FIELDS, IPV6_FIELDS)
EXCLUSIONS = (
    Exclusion(
        "fraction beyond a second",
        "microseconds that are more than a second: the table adds them up, tshark lets them overflow 32 bits",
        frozenset({"time_ns"}),
        lambda row, said, shape: overflows(row["time_ns"], said("frame.time_epoch")[0]),
    ),
    Exclusion(
        "length 0 in the IP header",
        "tshark shows the length that it assumes, the table what the header says",
        frozenset({"ip_len"}),
        lambda row, said, shape: has(row, "quirks", "ip_length_zero"),
    ),
    Exclusion(
        "bad IP version",
        "tshark reads on behind an EtherType that contradicts the version, as the other version or without any field",
        frozenset({"tunnel_depth"}),
        lambda row, said, shape: has(row, "stop", "bad_ip_version"),
    ),
    Exclusion(
        "bad IP header",
        "tshark shows nothing behind a header length below 20, the table shows what is there",
        IP_COLUMNS,
        lambda row, said, shape: has(row, "stop", "bad_ip_header") and not said("ip.src"),
    ),
    Exclusion(
        "bad TCP header length",
        "tshark shows no fields behind a header length below 20, and not even the sequence number of a short header",
        frozenset({"seq", "ack", "flags", "window", "urgent", "checksum_field"}),
        lambda row, said, shape: has(row, "stop", "bad_tcp_header") and not said("tcp.ack_raw"),
    ),
    Exclusion(
        "bad TCP header end",
        "a header that goes beyond its packet has no options in the table; tshark reads them until the packet ends",
        names(OPTION_FIELDS) | {"options"},
        lambda row, said, shape: has(row, "stop", "bad_tcp_header"),
    ),
    Exclusion(
        "cut option",
        "tshark names the kind of an option of which the rest was not captured",
        frozenset({"options"}),
        lambda row, said, shape: has(row, "stop", "truncated"),
    ),
    Exclusion(
        "frames behind the first of an aggregate",
        "of an 802.11 A-MSDU the table shows the first frame, tshark all of them",
        frozenset({"tunnel_depth"}),
        lambda row, said, shape: ":".join(shape.protocols).partition("wlan")[2].count("llc") > 1,
    ),
)
OF_FRAGMENTS = (
    Exclusion(
        "bad TCP header length of a whole datagram",
        "tshark shows a length of the payload behind a header that is too short",
        frozenset({"payload_len"}),
        lambda row, said, shape: has(row, "layers", "reassembled") and has(row, "stop", "bad_tcp_header"),
    ),
    Exclusion(
        "first fragment",
        "the table shows the ports that the first fragment of a datagram has, and the protocol behind its headers",
        frozenset({"stop", "ip_proto"}),
        lambda row, said, shape: has(row, "layers", "fragment") and row["fragment_offset"] == 0,
    ),
)


# Files


@dataclass
class Outcome:
    """What comparing a file gave."""

    frames: int
    tcp_frames: int  # as tshark counts
    excluded: Counter[str]  # TCP frames per exclusion
    unexplained: list[str]
    seen: Counter[str]  # frames in which a column is not 0, or has a word


SAID = Captures(
    [*FEWER_CAPTURES, *CORPUS],
    FIELDS,
    preferences=PREFERENCES,
    most=MOST_FRAMES,
    alone=lambda path: path.name == BEYOND_A_SECOND,
)


@cache
def outcome(path: Path, together: bool = False) -> Outcome:
    """Compare a file frame by frame, datagrams in fragments put together or not."""
    frames = fields_of(path, FIELDS, preferences=PUT_TOGETHER) if together else SAID[path]
    result = Outcome(len(frames), 0, Counter(), [], Counter())
    rows = decoded(path, MOST_FRAMES, together)
    assert len(rows) == len(frames)
    for row, parts in zip(plain(rows), frames, strict=True):
        said = _reader(parts)
        shape = shape_of(parts[PLACES["frame.protocols"]])
        is_tcp = shape.transport == "tcp"
        result.tcp_frames += is_tcp
        wrong = set(differences(row, said, shape))
        for exclusion in (*EXCLUSIONS, *(OF_FRAGMENTS if together else ())) if wrong else ():
            if wrong & exclusion.columns and exclusion.applies(row, said, shape):
                wrong -= exclusion.columns
                result.excluded[exclusion.name] += is_tcp
        if wrong:
            result.unexplained.append(f"frame {row['frame']}: {sorted(wrong)} in {':'.join(shape.protocols)}")
    for name in STORED:
        result.seen[name] = np.count_nonzero(rows[name])
    values = {column: np.unique(rows[column], return_counts=True) for column in {column for column, _ in WORDS}}
    for column, word in WORDS:
        result.seen[f"{column} {word}"] = sum(
            count
            for value, count in zip(*map(np.ndarray.tolist, values[column]), strict=True)
            if _has(value, column, word)
        )
    return result


def _reader(parts: list[str]) -> Said:
    """The fields of one line."""
    return lambda name: parts[PLACES[name]].split(";") if parts[PLACES[name]] else []


@for_each("path", FEWER_CAPTURES, ids=lambda path: str(path.relative_to(ROOT)))
def test_tshark_reads_the_samples_alike(path: Path) -> None:
    """Every frame of a sample, with no exception but of options that the capture has cut, of which tshark says nothing."""
    result = outcome(path)
    assert result.frames > 0
    assert result.tcp_frames > 0 or not is_plain(path)
    assert result.unexplained == []
    assert set(result.excluded) == ({"cut option"} if path.parts[-3] == "headers-cut" else set())


@pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")
@for_each("path", CORPUS, ids=lambda path: path.name)
def test_tshark_reads_the_corpus_alike(path: Path) -> None:
    """Every frame of a capture, but for the exclusions."""
    result = outcome(path)
    assert result.unexplained == []


@pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")
def test_few_frames_are_excluded() -> None:
    """The exclusions are narrow: less than 1 in 100 TCP frames; and there is none that nothing needs."""
    results = [outcome(path) for path in CORPUS]
    excluded = sum((result.excluded for result in results), Counter())
    tcp_frames = sum(result.tcp_frames for result in results)
    assert tcp_frames > 100_000
    assert excluded.total() < tcp_frames / 100
    used = {name for result in results for name in result.excluded}
    assert used == {exclusion.name for exclusion in EXCLUSIONS}


# Datagrams in fragments


def with_losses(rng: random.Random, frames: list[Captured]) -> list[Captured]:
    """Some frames are missing, some come again at once."""
    chances = [(frame, rng.randint(0, 29)) for frame in frames]
    return [frame for frame, chance in chances for _ in range(2 if chance == 0 else 1) if chance != 1]


def written(path: Path, frames: list[Captured]) -> Path:
    """A capture of frames of several link types."""
    links = sorted({frame.link for frame in frames})
    blocks = [
        build.epb(frame.data, interface=links.index(frame.link), length=frame.length, ticks=frame.time_ns // 1000)
        for frame in frames
    ]
    path.write_bytes(build.pcapng(build.shb(), *(build.idb(link=link) for link in links), *blocks))
    return path


@pytest.mark.parametrize("seed", range(4))
def test_tshark_puts_fragments_together_alike(seed: int, tmp_path: Path) -> None:
    """Each datagram stands on the fragment that completes it, also of tunnels, and inside them."""
    rng = random.Random(seed)
    frames = random_fragments(rng, 500, plain=True)
    path = written(tmp_path / "capture.pcapng", with_losses(rng, frames) if seed % 2 else frames)
    result = outcome(path, together=True)
    assert result.unexplained == []
    assert result.seen["layers reassembled"] > 250
    assert result.seen["first_fragment"] > 250


@pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")
@pytest.mark.parametrize("name", WITH_FRAGMENTS)
def test_tshark_puts_fragments_of_the_corpus_together_alike(name: str) -> None:
    """Captures with fragments of all kinds."""
    result = outcome(FOLDER / name, together=True)
    assert result.unexplained == []
    assert result.seen["layers fragment"] > 0


SEEN = [
    *("length", "captured", "ethertype", "vlan", "vlan_depth", "mpls_label", "mpls_depth", "tunnel_depth", "tunnel_id"),
    *("outer_src_lo", "outer_dst_lo", "src_hi", "src_lo", "dst_hi", "dst_lo", "tos", "ttl", "ip_id", "ip_len"),
    *("ip_flags", "fragment_offset", "ip_proto", "ip_checksum", "flow_label", "src_port", "dst_port", "seq", "ack"),
    *("flags", "window", "urgent", "checksum_field", "header_len", "payload_len", "udp_len", "mss", "window_scale"),
    *("tsval", "tsecr", "sack_left_1", "sack_right_1", "sack_left_3", "icmp_type", "icmp_code", "icmp_rest"),
    *("quoted_proto", "quoted_src_lo", "quoted_dst_lo", "quoted_src_port", "quoted_dst_port", "quoted_seq"),
    *(f"options {word}" for word in ("mss", "window_scale", "sack_permitted", "sack", "timestamps")),
    *("layers extension", "layers fragment", "layers tunnel", "layers icmpv6", "layers pppoe"),
    *("stop truncated", "stop fragment", "stop no_ip", "stop ip_protocol", "stop bad_tcp_header"),
]


@pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")
@for_each("name", SEEN)
def test_the_corpus_holds_what_is_compared(name: str) -> None:
    """A column that is 0 everywhere would agree with anything."""
    assert any(outcome(path).seen[name] for path in CORPUS)

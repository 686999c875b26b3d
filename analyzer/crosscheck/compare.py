"""A capture file read by tcpcap, tshark and dpkt side by side, frame by frame."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, field, replace
from typing import Any, NamedTuple

from analyzer.capture import Damage, open_capture
from analyzer.choose import EVERYTHING, Choice
from analyzer.crosscheck.checksums import (
    AGREEING,
    EXCLUSIONS,
    ODD_EXCLUSIONS,
    Checked,
    of_innermost,
    same_headers,
)
from analyzer.crosscheck.differences import TCPCAP, Difference
from analyzer.crosscheck.headers import Dpkt
from analyzer.crosscheck.programs import refuse_elsewhere, tshark_version
from analyzer.crosscheck.shape import shape_of
from analyzer.crosscheck.sums import proved
from analyzer.crosscheck.tshark import Said, said_of
from analyzer.errors import CaptureError
from analyzer.fields import of_fields
from analyzer.passes import table_rows
from analyzer.schema import Rows
from analyzer.tables import PACKETS

MOST_DIFFERENCES = 1000  # are kept; all are counted
LABELS_OF = "4.0"  # the Wireshark whose labels `packets.wireshark` holds
NUMBERS = (
    "frame", "captured", "flow", "ip_version", "tunnel_depth", "ip_proto", "l3_at", "l4_at", "ip_len", "udp_len", "ttl", "tos",
    "ip_id", "ip_checksum", "flow_label", "src_port", "dst_port", "seq", "ack", "flags", "window", "urgent", "checksum_field",
    "header_len",
)  # fmt: skip
WORDS = ("stop", "checksum", "ip_header_checksum")
SETS = ("layers", "quirks", "wireshark")

SYN = 2

Row = dict[str, Any]


class Begin(NamedTuple):
    """The first frame that a stream and a flow share, and whether it has a SYN."""

    frame: int
    syn: bool


@of_fields()
class Crosscheck:
    """How far several programs agree on a capture file.

    `compared` counts what was compared by what it is (`labels`, `checksums`, `headers`: frames), `left_out` frames by why they
    were not; `differing` counts all differences by column, of which `differences` keeps the first; `grouped` of `streams`
    frames lie in the flow that most of their stream lies in, and the other way round; `damages` is what of the file could not be read.
    `asked` is what part of the capture was asked for: `frames` counts those of it.
    """

    path: str
    asked: str = ""
    frames: int = 0
    programs: list[str] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0
    differences: list[Difference] = field(default_factory=list)
    grouped: int = 0
    streams: int = 0
    damages: list[Damage] = field(default_factory=list)

    def as_dict(self, top: int | None = None) -> dict[str, Any]:
        """The same as plain values, for JSON; of the differences that are kept all, or the first `top`."""
        shown = replace(self, differences=self.differences[:top])
        return {**asdict(shown), "compared": dict(self.compared), "left_out": dict(self.left_out), "differing": dict(self.differing)}  # fmt: skip

    def note(self, difference: Difference) -> None:
        """Count a difference, and keep it while there is room."""
        self.differing[difference.what] += 1
        self.unexplained += not difference.explained
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(difference)


def crosscheck(path: str, choice: Choice = EVERYTHING) -> Crosscheck:
    """Compare what tcpcap says of a capture file with tshark (labels, checksums, streams) and dpkt (headers).

    With a `choice` the frames that it means are compared, as they stand in the whole capture: tshark reads all of it, too.

    Raises UsageError where one of them is not installed or cannot read it (a URL), CaptureError where a file cannot be read, or tshark numbers its
    frames otherwise.
    """
    refuse_elsewhere(path)
    version, dpkt = tshark_version(), Dpkt()
    found = Crosscheck(path, choice.words(), programs=[f"tshark {version}", dpkt.name])
    pairs: Counter[tuple[int, int]] = Counter()
    first: dict[tuple[int, int], Begin] = {}
    for row, data, link_type, said in _side_by_side(found, choice):
        found.frames += 1
        for difference in _of_tshark(found, row, data, said, version):
            found.note(difference)
        for difference in _of_dpkt(found, row, data, link_type, dpkt):
            found.note(difference)
        if row["flow"] >= 0 and row["ip_proto"] == 6 and said.stream >= 0:
            pair = said.stream, row["flow"]
            pairs[pair] += 1
            first.setdefault(pair, Begin(row["frame"], bool(row["flags"] & SYN)))
    _group(found, pairs, first, f"tshark {version}")
    return found


def _side_by_side(found: Crosscheck, choice: Choice) -> Iterator[tuple[Row, bytes, int, Said]]:
    """Of each frame that is meant its row, its bytes, its link type, and what tshark says; where tshark stops reading sooner, up to there."""
    rows = (row for part in table_rows([found.path], "packets") for row in _plain(part))
    meant = _meant(found.path, choice)
    following = next(meant, None)
    with open_capture([found.path]) as capture, closing(said_of(found.path)) as others:
        for batch in capture:
            if following is None:
                break  # no later frame is meant
            links = capture.interfaces.link_types[batch.rows["interface"]].tolist()
            for position, link_type in enumerate(links):
                row, said = next(rows), next(others, None)
                stopped = said is None
                while said is not None and said.captured != row["captured"]:
                    said = next(others, None)  # what tshark numbers besides frames: custom blocks of pcapng
                wanted = row["frame"] == following
                if wanted:
                    following = next(meant, None)
                if said is not None:
                    if wanted:
                        yield row, batch.data(position), link_type, said
                elif stopped:
                    found.left_out["frames behind the place where tshark stopped reading"] += wanted
                else:
                    where = f"tshark has no frame like frame {row['frame']}"
                    raise CaptureError(found.path, where, "compare the two by hand")
        found.damages.extend(capture.damages)


def _meant(path: str, choice: Choice) -> Iterator[int]:
    """The numbers of the frames that are meant, in order."""
    if not choice:
        return itertools.count(1)
    return (number for rows in table_rows([path], "packets", choice=choice) for number in rows["frame"].tolist())


def _plain(rows: Rows) -> Iterator[Row]:
    """Rows as plain values; addresses as numbers."""
    columns: dict[str, list[Any]] = {name: rows[name].tolist() for name in NUMBERS}
    for name in WORDS:
        words = PACKETS[name].words
        columns[name] = [words[value] for value in rows[name].tolist()]
    for name in SETS:
        known: dict[int, frozenset[str]] = {}
        words = PACKETS[name].words
        for value in set(rows[name].tolist()):
            known[value] = frozenset(word for bit, word in enumerate(words) if value >> bit & 1)
        columns[name] = [known[value] for value in rows[name].tolist()]
    for name in ("src", "dst"):
        pairs = zip(rows[f"{name}_hi"].tolist(), rows[f"{name}_lo"].tolist(), columns["ip_version"], strict=True)
        columns[name] = [low & 0xFFFFFFFF if version == 4 else high << 64 | low for high, low, version in pairs]
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def _of_tshark(found: Crosscheck, row: Row, data: bytes, said: Said, version: str) -> Iterator[Difference]:
    """Labels and checksums."""
    program = f"tshark {version}"
    shape = shape_of(said.protocols)
    if said.stream >= 0 or row["wireshark"]:
        found.compared["labels"] += 1
        if row["wireshark"] != said.labels:
            other = "" if version.startswith(LABELS_OF) else f"the labels are those of Wireshark {LABELS_OF}"
            right = "" if other else program  # the column says what Wireshark says
            yield Difference(row["frame"], "wireshark", _words(row["wireshark"]), _words(said.labels), program, right, other, bool(other))  # fmt: skip
    if not same_headers(row, shape):
        found.left_out[
            "frames in which tshark finds other IP headers" if row["ip_version"] else "frames without IP"
        ] += 1
        return
    found.compared["checksums"] += 1
    transport, header = of_innermost(shape, row, said.checksums)
    frame = Checked(row["frame"], data, row, row["checksum"], row["ip_header_checksum"], transport, header, shape)
    if (frame.header, frame.said_header) not in AGREEING:
        right, proof = proved(row, data, header=True)
        theirs = _claim(said=frame.said_header)
        yield Difference(row["frame"], "ip_header_checksum", frame.header, theirs, program, right and _who(right, frame.header, theirs, program), proof)  # fmt: skip
    if (frame.checksum, frame.said_checksum) in AGREEING or not frame.comparable:
        return
    reason = next((each.reason for each in (*EXCLUSIONS, *ODD_EXCLUSIONS) if each.explains(frame)), "")
    right, proof = proved(row, data, header=False)
    theirs = _claim(said=frame.said_checksum)
    who = right and _who(right, frame.checksum, theirs, program)
    yield Difference(row["frame"], "checksum", frame.checksum, theirs, program, who, reason or proof, bool(reason))


def _claim(said: str) -> str:
    return said or "not verified"


def _who(right: str, ours: str, theirs: str, program: str) -> str:
    """Who says what the sum says: `right` is valid or wrong."""
    if (ours == "valid") == (right == "valid") and ours not in ("", "unverifiable", "none"):
        return TCPCAP
    return program if (theirs == "good") == (right == "valid") and theirs in ("good", "bad") else ""


def _of_dpkt(found: Crosscheck, row: Row, data: bytes, link_type: int, dpkt: Dpkt) -> Iterator[Difference]:
    """Headers, where there is one IP header."""
    if not row["ip_version"] or row["tunnel_depth"]:
        found.left_out["frames with tunnels (dpkt)" if row["tunnel_depth"] else "frames without IP (dpkt)"] += 1
        return
    packet, why = dpkt.packet_of(data, link_type)
    if packet is None:
        found.left_out[why] += 1
        return
    found.compared["headers"] += 1
    yield from dpkt.differences(row["frame"], data, row, packet)


def _group(found: Crosscheck, pairs: Mapping[tuple[int, int], int], first: Mapping[tuple[int, int], Begin], program: str) -> None:  # fmt: skip
    """Which streams are which flows, by most of their frames; a stream that lies in several flows, or the other way round, is a difference."""
    best: dict[int, int] = {}
    back: dict[int, int] = {}
    begins: dict[int, int] = {}
    for (stream, flow), _ in sorted(pairs.items(), key=lambda each: -each[1]):
        best.setdefault(stream, flow)
        back.setdefault(flow, stream)
        begins[stream] = min(begins.get(stream, first[stream, flow].frame), first[stream, flow].frame)
    for (stream, flow), count in pairs.items():
        found.streams += count
        if best[stream] == flow and back[flow] == stream:
            found.grouped += count
            continue
        right = reason = ""
        # Of this stream and the one that most of the flow lies in, the later: it begins amid the connection.
        begin, late = max((first[each, flow], each) for each in (stream, back[flow]))
        if back[flow] != stream and not begin.syn and begin.frame == begins[late]:
            right, reason = (
                TCPCAP,
                f"stream {late:,} begins at frame {begin.frame} without a SYN, amid the connection",
            )
        at = first[stream, flow].frame
        found.note(Difference(at, "flow", f"flow {flow:,}", f"stream {stream:,}", program, right, reason))


def _words(words: frozenset[str]) -> str:
    return " ".join(sorted(words)) or "nothing"

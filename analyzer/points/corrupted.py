"""Packets that were damaged on the way -> which of their bytes, by the two captures, which are read again as far as these frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from analyzer.analysis import Analysis
from analyzer.capture import open_capture
from analyzer.capture.pipes import is_pipe
from analyzer.fields import of_fields
from analyzer.frames import FrameReader
from analyzer.points.pending import MET, NEAR, WHOLE
from analyzer.tables import PACKETS, PASSAGES

if TYPE_CHECKING:
    from analyzer.points.points import Points

MOST_COMPARED = 64  # packets of each direction
MOST_RUNS = 32  # of a packet
CORRUPTED = PASSAGES.bit("fate", "corrupted")
TCP, UDP = (PACKETS.bit("layers", name) for name in ("tcp", "udp"))
CHECKSUM = "checksum"
MOVED = ("src", "dst", "src_port", "dst_port")
# Where fields of headers begin; what stands behind the last is options, or the payload. What routers change is not compared.
IPV4 = ((0, "ip_version"), (1, ""), (2, "ip_len"), (4, "ip_id"), (6, "fragment_offset"), (8, ""), (9, "ip_proto"), (10, ""), (12, "src"), (16, "dst"), (20, "ip_options"))  # fmt: skip
IPV6 = ((0, "ip_version"), (1, "flow_label"), (4, "ip_len"), (6, "ip_proto"), (7, ""), (8, "src"), (24, "dst"), (40, "extension_headers"))  # fmt: skip
OF_TCP = ((0, "src_port"), (2, "dst_port"), (4, "seq"), (8, "ack"), (12, "flags"), (14, "window"), (16, CHECKSUM), (18, "urgent"), (20, "options"))  # fmt: skip
OF_UDP = ((0, "src_port"), (2, "dst_port"), (4, "udp_len"), (6, CHECKSUM))
OF_ICMP = ((0, "icmp_type"), (1, "icmp_code"), (2, CHECKSUM), (4, "icmp_rest"))
PAYLOAD = "payload"


@of_fields(frozen=True, slots=True)
class Change:
    """A run of bytes that changed: in which header field, or in the payload, and where there (bytes from its first). `sent` and `came` are hexadecimal."""

    point: str
    other: str
    packet: int
    frame: int
    related_frame: int
    flow: int
    part: str
    offset: int
    sent: str
    came: str


@of_fields(frozen=True, slots=True)
class _Held:
    """The IP packet of a frame, as far as it was captured, and where its transport header and payload begin."""

    data: bytes
    transport: int
    payload: int
    fields: tuple[tuple[int, str], ...]


def changes_of(points: Points) -> Iterator[Change]:
    """What changed in the packets that are `corrupted`, of each direction the first of them; nothing of a capture that was a pipe."""
    for between in points.between:
        # By the side that sent: packet, frames, flow, and which fields were rewritten.
        wanted: dict[int, list[tuple[int, int, int, int, int]]] = {0: [], 1: []}
        rows, told = between.notable.rows, between.notable.passages
        sent = (rows["status"] & NEAR) != 0
        whole = (rows["status"] & (MET | WHOLE)) == MET | WHOLE
        for at in np.flatnonzero(sent & whole & (told["fate"] == CORRUPTED)).tolist():
            some = wanted[int(rows["side"][at])]
            if len(some) < MOST_COMPARED:
                columns = ("packet", "frame", "related_frame", "flow", "fields")
                some.append(tuple(int(rows[name][at]) for name in columns))  # type: ignore[arg-type] # five of them
        names = [points.names[number] for number in between.points]
        held = [
            _held(points.at[names[side]], {each[1] for each in wanted[side]} | {each[2] for each in wanted[1 - side]})
            for side in (0, 1)
        ]
        for side in (0, 1):
            for packet, frame, related, flow, fields in wanted[side]:
                one, other = held[side].get(frame), held[1 - side].get(related)
                if one is None or other is None:
                    continue
                for part, offset, before, after in _differences(one, other, _rewritten(fields))[:MOST_RUNS]:
                    yield Change(
                        names[side],
                        names[1 - side],
                        packet,
                        frame,
                        related,
                        flow,
                        part,
                        offset,
                        before.hex(),
                        after.hex(),
                    )


def _rewritten(fields: int) -> set[str]:
    """The parts that were rewritten on the way, not damaged; the checksum, too, where it was mended for others."""
    found = {name for name in MOVED if fields & PASSAGES.bit("fields", name)}
    return {*found, CHECKSUM} if found else found


def _held(analysis: Analysis, frames: Collection[int]) -> dict[int, _Held]:
    """These frames of a capture, by number."""
    found: dict[int, _Held] = {}
    if not frames or any(map(is_pipe, analysis.paths)):
        return found
    last, wanted = max(frames), np.array(sorted(frames), np.int64)
    reader = FrameReader(None)
    with open_capture(list(analysis.paths)) as capture:
        capture.read_with(reader)
        for batch in capture:
            rows = reader.rows_of(batch, capture.interfaces)
            for at in np.flatnonzero(np.isin(rows["frame"], wanted)).tolist():
                row = rows[at]
                start = int(row["l3_at"])
                end = start + int(row["ip_len"]) if row["ip_len"] else int(row["captured"])
                found[int(row["frame"])] = _Held(
                    batch.data(at)[start:end], int(row["l4_at"]) - start, *_transport(row, int(row["l4_at"]) - start)
                )
            if len(rows) and int(rows["frame"][-1]) >= last:
                break
    return found


def _transport(row: np.void, start: int) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Where the payload begins, and the fields of the transport header."""
    if row["layers"] & TCP:
        return start + int(row["header_len"]), OF_TCP
    return start + 8, OF_UDP if row["layers"] & UDP else OF_ICMP


def _differences(sent: _Held, came: _Held, rewritten: Collection[str]) -> list[tuple[str, int, bytes, bytes]]:
    """Runs of bytes that differ, but for the parts `rewritten`: part, offset in it, what was sent, what came. The checksum only where nothing else differs: a card may have filled it in."""
    size = min(len(sent.data), len(came.data))
    one, other = (np.frombuffer(each.data[:size], np.uint8) for each in (sent, came))
    runs: list[tuple[str, int, int]] = []  # part, where it begins, where the run begins
    found: list[tuple[str, int, bytes, bytes]] = []
    before = -2
    for at in np.flatnonzero(one != other).tolist():
        part, begin = _part(sent, at)
        if not part or part in rewritten:
            continue
        if at == before + 1 and runs and runs[-1][0] == part:
            name, offset, first, second = found[-1]
            found[-1] = (name, offset, first + sent.data[at : at + 1], second + came.data[at : at + 1])
        else:
            runs.append((part, begin, at))
            found.append((part, at - begin, sent.data[at : at + 1], came.data[at : at + 1]))
        before = at
    others = [each for each in found if each[0] != CHECKSUM]
    return others or found


def _part(held: _Held, at: int) -> tuple[str, int]:
    """The field in which a byte of the IP packet lies, and where that begins; empty for what routers change."""
    if at >= held.payload:
        return PAYLOAD, held.payload
    fields, start = (
        (held.fields, held.transport) if at >= held.transport else (IPV4 if held.data[0] >> 4 == 4 else IPV6, 0)
    )
    begin, name = max(each for each in fields if start + each[0] <= at)
    return name, start + begin

"""Anonymised captures against their originals: the same headers, events, flows and checksums, and no address of the original in the bytes.

    python -m tests.anonymized [CAPTURE...]

tries those of the samples where none is named; prints what differs, exit status 1 where anything does.
"""

from __future__ import annotations

import ipaddress
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from analyzer.capture import open_capture
from analyzer.extract import extract
from analyzer.extract.cryptopan import Pan
from analyzer.passes import table_rows
from analyzer.schema import Rows
from analyzer.tables import EVENTS, FLOWS, PACKETS
from tests.helpers import CAPTURES

KEY = bytes(range(100, 132))
ADDRESSES = ("src", "dst", "outer_src", "outer_dst", "quoted_src", "quoted_dst")
# What depends on addresses, on bytes of payload, or on the order in which the two ends of a flow are kept.
CHANGED = {f"{name}_{half}" for name in ADDRESSES for half in ("hi", "lo")} | {"checksum_field", "ip_checksum", "icmp_rest", "place", "left_out", "unused"}  # fmt: skip
TCP, FRAGMENT = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "fragment")
MOST_TOLD = 3


def tables(path: Path) -> dict[str, Rows]:
    """Packets, events and flows of a capture."""
    found = {}
    for name, table in (("packets", PACKETS), ("events", EVENTS), ("flows", FLOWS)):
        rows = list(table_rows([str(path)], name))
        found[name] = np.concatenate(rows) if rows else np.zeros(0, table.dtype)
    return found


def originals(packets: Rows, pan: Pan) -> dict[str, bytes]:
    """The addresses of a capture that must not be found in what was made of it: all but those that stay as they are."""
    found = {}
    for name in ADDRESSES:
        version = (
            "quoted_version"
            if name.startswith("quoted")
            else "outer_version"
            if name.startswith("outer")
            else "ip_version"
        )
        for row in np.unique(packets[[f"{name}_hi", f"{name}_lo", version]]):
            high, low, kind = map(int, row)
            if kind:
                content = (high << 64 | low).to_bytes(16)[12 if kind == 4 else 0 :]
                if pan.address(content) != content:
                    found[str(ipaddress.ip_address(content))] = content
    return found


def content_of(path: Path, packets: Rows) -> bytes:
    """The bytes of all frames, with something between two that belongs to neither.

    TCP headers are left out: numbers, windows, checksums and times look like addresses now and then (10.0.0.1 is the low byte of
    a checksum, no urgent pointer, and a NOP).
    """
    found = []
    with open_capture([path]) as capture:
        for batch in capture:
            for place in range(len(batch)):
                data, row = bytearray(batch.data(place)), packets[batch.first_frame - 1 + place]
                if row["layers"] & TCP and not row["layers"] & FRAGMENT:
                    at = int(row["l4_at"])
                    data[at : at + int(row["header_len"])] = b"\xa5" * len(data[at : at + int(row["header_len"])])
                found.append(bytes(data))
    return b"\xa5\x5a\xc3".join(found)


def macs_of(path: Path) -> set[bytes]:
    """The hardware addresses of Ethernet frames that name somebody."""
    found = set()
    with open_capture([path]) as capture:
        for batch in capture:
            for place, interface in enumerate(batch.rows["interface"]):
                if capture.interfaces[interface].link_type == 1:
                    data = batch.data(place)
                    found |= {data[:6], data[6:12]}
    return {mac for mac in found if len(mac) == 6 and mac not in (bytes(6), b"\xff" * 6)}


def differences(path: Path, folder: Path) -> Iterator[str]:
    """What an anonymised capture says otherwise than its original, or gives away."""
    made = folder / "anonymous.pcapng"
    done = extract(str(path), str(made), frames="1-", anonymize=KEY)
    before, after = tables(path), tables(made)
    # Interfaces without frames are not written; the others keep their order.
    before["packets"]["interface"] = np.unique(before["packets"]["interface"], return_inverse=True)[1]
    for each in (before, after):  # of one moment, those of the flow whose lower address comes first
        each["events"].sort(order=["frame", "flow", "event"])
    if done.emptied:
        yield f"{path}: {done.emptied:,} frames emptied"
    for name, expected in before.items():
        actual = after[name]
        if len(expected) != len(actual):
            yield f"{path}: {len(expected):,} rows of {name}, and {len(actual):,} anonymised"
            continue
        for column in expected.dtype.names or ():
            if (
                not len(expected)
                or column in CHANGED
                or column.startswith(("client_hi", "client_lo", "server_hi", "server_lo"))
            ):
                continue
            wrong = np.flatnonzero((expected[column] != actual[column]).reshape(len(expected), -1).any(axis=1))
            if len(wrong):
                told = [f"{expected[column][at]} is {actual[column][at]} (row {at})" for at in wrong[:MOST_TOLD]]
                yield f"{path}: {name}.{column} differs {len(wrong):,} times: {'; '.join(told)}"
    content, pan = content_of(made, after["packets"]), Pan(KEY)
    for text, address in originals(before["packets"], pan).items():
        if address in content:
            yield f"{path}: {text} is left"
    for mac in macs_of(path):
        if mac in content:
            yield f"{path}: {mac.hex(':')} is left"


def main(names: Sequence[str]) -> int:
    """Try all; 1 where something differs."""
    paths, found = [Path(name) for name in names] or CAPTURES, 0
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            for text in differences(path, Path(folder)):
                print(text)
                found += 1
    print(f"{len(paths)} captures anonymised: {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

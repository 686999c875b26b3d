"""The interfaces of a capture -> the rows of `link.py` that the kernels go by."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from analyzer.capture import Interfaces
from analyzer.decode.link import LINK, MOST_MACS, link_rows
from analyzer.schema import Rows

# Link rows already made, and how many: a file may describe an interface before each of its packets.
_known: WeakKeyDictionary[Interfaces, tuple[Rows, int]] = WeakKeyDictionary()


def links_of(interfaces: Interfaces) -> Rows:
    """At least one LINK row per interface. Interfaces are only ever added."""
    rows, have = _known.get(interfaces, (np.zeros(0, LINK), 0))
    count = len(interfaces)
    if have < count:
        if count > len(rows):
            rows = np.concatenate([rows, np.zeros(count, LINK)])
        rows[have:count] = link_rows(interfaces.link_types[have:count], interfaces.fcs_lens[have:count])
        for at in range(have, count):
            macs = interfaces[at].macs
            if len(macs) <= MOST_MACS:
                rows["macs"][at], rows["mac"][at, : len(macs)] = len(macs), macs
        _known[interfaces] = rows, count
    return rows

"""TAP interfaces: a name in the current namespace becomes a descriptor that reads and writes Ethernet frames.

Every frame has a virtio header in front, which says what offloading left undone: a checksum still to be completed,
a super-segment still to be cut. The relay hands it on unread, as a virtual switch does, so hosts with offloads work;
where a host has a card, `card.py` reads it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection

HEADER_LEN = 10
"""Length of `struct virtio_net_hdr`, which comes before each frame."""

PLAIN = bytes(HEADER_LEN)
"""The header of a frame with which nothing remains to be done."""

_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_OFFLOADS = {"checksum": 0x01, "tso4": 0x02, "tso6": 0x04}


def open_tap(name: str, offloads: Collection[str] = ()) -> int:
    """Make the interface `name` and return its non-blocking descriptor; closing it removes the interface.

    `offloads` (of `checksum`, `tso4`, `tso6`) are what the kernel may leave to the interface; `tso` needs `checksum`.
    """
    import fcntl

    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, sum(_OFFLOADS[each] for each in offloads))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_frame(descriptor: int) -> bytes | None:
    """The next frame with its header, or None when there is none yet."""
    try:
        return os.read(descriptor, 1 << 17)
    except BlockingIOError:
        return None

"""A VLAN interface in user space: frames of a TAP interface go out of `eth0` with a tag, tagged frames come back.

It needs no kernel module for VLANs and works the same on every kernel.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct

from .hosts import INTERFACE, Host
from .tap import HEADER_LEN, PLAIN, open_tap, read_frame
from .worker import Worker

_ETH_P_ALL, _VLAN_TYPE = 0x0003, 0x8100
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_OUTGOING = 263, 8, 4
_AUXDATA = struct.Struct("=IIIHHHH")
_IDLE_S = 0.05


class VlanInterface(Worker):
    """The interface `eth0.ID` of a host, with an address of its own and the MAC of `eth0`; runs until `close`."""

    def __init__(self, host: Host, vlan_id: int, address: str) -> None:
        super().__init__(f"the VLAN interface of {host.name}")
        self.name_on_host = f"{INTERFACE}.{vlan_id}"
        self.address = address
        self._tag = struct.pack("!HH", _VLAN_TYPE, vlan_id)
        self._vlan_id = vlan_id
        with host.inside():
            self._trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._tap = open_tap(self.name_on_host)
        self._trunk.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._trunk.bind((INTERFACE, _ETH_P_ALL))
        self._trunk.setblocking(False)
        self._selector = selectors.SelectSelector()
        self._selector.register(self._tap, selectors.EVENT_READ, self._outward)
        self._selector.register(self._trunk, selectors.EVENT_READ, self._inward)
        host.add_interface(self.name_on_host, address, host.mac)

    def step(self) -> None:
        """Tag and untag what is there."""
        for key, _ in self._selector.select(_IDLE_S):
            key.data()

    def close(self) -> None:
        """End the interface."""
        try:
            self.stop()
        finally:
            self._trunk.close()
            os.close(self._tap)

    def _outward(self) -> None:
        while (read := read_frame(self._tap)) is not None:
            frame = read[HEADER_LEN:]
            self._trunk.send(frame[:12] + self._tag + frame[12:])

    def _inward(self) -> None:
        while True:
            try:
                frame, ancillary, _, sender = self._trunk.recvmsg(1 << 16, socket.CMSG_SPACE(_AUXDATA.size))
            except BlockingIOError:
                return
            # The kernel takes the tag out of the frame and reports it beside; frames that leave are seen here as well.
            tags = [_AUXDATA.unpack(data)[5] for level, _, data in ancillary if level == _SOL_PACKET]
            if sender[2] != _PACKET_OUTGOING and tags and tags[0] & 0x0FFF == self._vlan_id:
                os.write(self._tap, PLAIN + frame)

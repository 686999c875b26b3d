"""THE link types: number, name and how to reach what they carry. A new one is a row here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# How a frame of a link type begins (`begin` of a row); link_kernel.py has the code of each.
(
    UNSUPPORTED, FIXED, FAMILY, VERSION, PPP, PPP_PPPD, PPPOE, FRAME_RELAY, FDDI, TOKEN_RING,
    WLAN, RADIOTAP, PRISM, AVS, PFLOG, NFLOG, SLL, SLL2,
) = range(18)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinkType:
    """A LINKTYPE_ of the registry at tcpdump.org.

    `prefix` bytes are passed first, then `header` bytes; a FIXED header has an EtherType (or, if `ethernet`, an 802.3
    length) at `type_at` in it. `direction` says that the prefix is one byte that gives the direction (0 in, other out).
    """

    number: int
    name: str
    begin: int
    header: int = 0
    prefix: int = 0
    type_at: int = 0
    ethernet: bool = False
    direction: bool = False
    only_version: int = 0
    fcs_len: int = 0  # of frames whose interface does not say it


LINK_TYPES = (
    LinkType(0, "NULL", FAMILY, header=4),
    LinkType(1, "ETHERNET", FIXED, header=14, type_at=12, ethernet=True),
    LinkType(6, "IEEE802_5", TOKEN_RING),
    LinkType(9, "PPP", PPP),
    LinkType(10, "FDDI", FDDI),
    LinkType(12, "RAW", VERSION),
    LinkType(14, "RAW", VERSION),
    LinkType(50, "PPP_HDLC", PPP),
    LinkType(51, "PPP_ETHER", PPPOE),
    LinkType(101, "RAW", VERSION),
    LinkType(104, "C_HDLC", FIXED, header=4, type_at=2),
    LinkType(105, "IEEE802_11", WLAN),
    LinkType(107, "FRELAY", FRAME_RELAY),
    LinkType(108, "LOOP", FAMILY, header=4),
    LinkType(109, "ENC", FAMILY, header=12),
    LinkType(113, "LINUX_SLL", SLL, header=16, type_at=14),
    LinkType(117, "PFLOG", PFLOG),
    LinkType(119, "IEEE802_11_PRISM", PRISM),
    LinkType(127, "IEEE802_11_RADIOTAP", RADIOTAP),
    LinkType(163, "IEEE802_11_AVS", AVS),
    LinkType(166, "PPP_PPPD", PPP_PPPD),
    LinkType(204, "PPP_WITH_DIR", PPP, prefix=1, direction=True),
    LinkType(205, "C_HDLC_WITH_DIR", FIXED, header=4, type_at=2, prefix=1, direction=True),
    LinkType(226, "IPNET", VERSION, prefix=24),
    LinkType(228, "IPV4", VERSION, only_version=4),
    LinkType(229, "IPV6", VERSION, only_version=6),
    LinkType(239, "NFLOG", NFLOG),
    LinkType(242, "IPOIB", FIXED, header=44, type_at=40),
    LinkType(274, "ETHERNET_MPACKET", FIXED, prefix=8, header=14, type_at=12, ethernet=True, fcs_len=4),
    LinkType(276, "LINUX_SLL2", SLL2, header=20, type_at=0),
    LinkType(281, "DSA_TAG_BRCM", FIXED, header=18, type_at=16, ethernet=True),
    LinkType(282, "DSA_TAG_BRCM_PREPEND", FIXED, prefix=4, header=14, type_at=12, ethernet=True),
    LinkType(284, "DSA_TAG_DSA", FIXED, header=18, type_at=16, ethernet=True),
    LinkType(285, "DSA_TAG_EDSA", FIXED, header=22, type_at=20, ethernet=True),
)

LINK = np.dtype(
    [
        ("begin", "u1"),
        ("header", "i8"),
        ("prefix", "i8"),
        ("type_at", "i8"),
        ("ethernet", "u1"),
        ("direction", "u1"),
        ("only_version", "u1"),
        ("fcs_len", "i8"),
    ],
    align=True,
)

# Names of link types that are not decoded, for the report.
OTHER_NAMES = {
    3: "AX25", 8: "SLIP", 11: "ATM_RFC1483", 19: "ATM_CLIP", 112: "ATM_RFC1483", 129: "ARCNET_LINUX", 140: "MTP2",
    143: "DOCSIS", 147: "USER0", 165: "BACNET_MS_TP", 182: "MFR", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX",
    192: "PPI", 195: "IEEE802_15_4_WITHFCS", 196: "SITA", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 220: "USB_LINUX_MMAPPED",
    227: "CAN_SOCKETCAN", 231: "DBUS", 249: "USBPCAP", 251: "BLUETOOTH_LE_LL", 253: "NETLINK",
    255: "BLUETOOTH_BREDR_BB", 256: "BLUETOOTH_LE_LL_WITH_PHDR", 271: "VSOCK", 283: "IEEE802_15_4_TAP",
}  # fmt: skip

_BY_NUMBER = {link.number: link for link in LINK_TYPES}


def link_name(number: int) -> str:
    """The name of a link type, or its number where it has none here."""
    if number in _BY_NUMBER:
        return _BY_NUMBER[number].name
    return OTHER_NAMES.get(number, f"link type {number}")


def is_decoded(number: int) -> bool:
    """Whether frames of this link type are decoded."""
    return number in _BY_NUMBER


def link_rows(link_types: npt.NDArray[np.uint16], fcs_lens: npt.NDArray[np.uint8]) -> npt.NDArray[np.void]:
    """One LINK row per interface, for the kernel."""
    table = np.zeros(len(link_types), LINK)
    for number in np.unique(link_types):
        link = _BY_NUMBER.get(int(number))
        if link is not None:
            table[link_types == number] = (
                link.begin, link.header, link.prefix, link.type_at, link.ethernet, link.direction, link.only_version, link.fcs_len
            )  # fmt: skip
    table["fcs_len"] = np.where(fcs_lens > 0, fcs_lens, table["fcs_len"])
    return table

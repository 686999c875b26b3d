"""THE link types: number, name and how to reach what they carry. A new one is a row here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields

# How a frame of a link type begins (`begin` of a row); link_kernel.py has the code of each.
(
    UNSUPPORTED, FIXED, FAMILY, VERSION, PPP, PPP_PPPD, PPPOE, FRAME_RELAY, FDDI, TOKEN_RING,
    WLAN, RADIOTAP, PRISM, AVS, PFLOG, NFLOG, SLL, SLL2, PPI, PKTAP, PKTAP_USER, JUNIPER, ERF, ARCNET,
) = range(24)  # fmt: skip


@of_fields(frozen=True, slots=True)
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
    inner: int = 0  # the link type of what a JUNIPER header stands before
    fcs_len: int = 0  # of frames whose interface does not say it


LINK_TYPES = (
    LinkType(0, "NULL", FAMILY, header=4),
    LinkType(1, "ETHERNET", FIXED, header=14, type_at=12, ethernet=True),
    LinkType(6, "IEEE802_5", TOKEN_RING),
    LinkType(7, "ARCNET_BSD", ARCNET, header=3),
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
    LinkType(129, "ARCNET_LINUX", ARCNET, header=5),
    LinkType(149, "USER2", PKTAP_USER),
    LinkType(163, "IEEE802_11_AVS", AVS),
    LinkType(166, "PPP_PPPD", PPP_PPPD),
    LinkType(178, "JUNIPER_ETHER", JUNIPER, inner=1),
    LinkType(179, "JUNIPER_PPP", JUNIPER, inner=9),
    LinkType(180, "JUNIPER_FRELAY", JUNIPER, inner=107),
    LinkType(181, "JUNIPER_CHDLC", JUNIPER, inner=104),
    LinkType(192, "PPI", PPI),
    LinkType(197, "ERF", ERF),
    LinkType(204, "PPP_WITH_DIR", PPP, prefix=1, direction=True),
    LinkType(205, "C_HDLC_WITH_DIR", FIXED, header=4, type_at=2, prefix=1, direction=True),
    LinkType(226, "IPNET", VERSION, prefix=24),
    LinkType(228, "IPV4", VERSION, only_version=4),
    LinkType(229, "IPV6", VERSION, only_version=6),
    LinkType(239, "NFLOG", NFLOG),
    LinkType(242, "IPOIB", FIXED, header=44, type_at=40),
    LinkType(258, "PKTAP", PKTAP),
    LinkType(274, "ETHERNET_MPACKET", FIXED, prefix=8, header=14, type_at=12, ethernet=True, fcs_len=4),
    LinkType(276, "LINUX_SLL2", SLL2, header=20, type_at=0),
    LinkType(281, "DSA_TAG_BRCM", FIXED, header=18, type_at=16, ethernet=True),
    LinkType(282, "DSA_TAG_BRCM_PREPEND", FIXED, prefix=4, header=14, type_at=12, ethernet=True),
    LinkType(284, "DSA_TAG_DSA", FIXED, header=18, type_at=16, ethernet=True),
    LinkType(285, "DSA_TAG_EDSA", FIXED, header=22, type_at=20, ethernet=True),
)

MOST_MACS = 16  # of a host with more none are gone by: a search is short
LINK = np.dtype(
    [
        ("begin", "u1"),
        ("header", "i8"),
        ("prefix", "i8"),
        ("type_at", "i8"),
        ("ethernet", "u1"),
        ("direction", "u1"),
        ("only_version", "u1"),
        ("inner", "i8"),
        ("fcs_len", "i8"),
        ("macs", "i8"),  # how many MAC addresses of the capturing host are known; they follow
        ("mac", "u8", (MOST_MACS,)),
    ],
    align=True,
)

# The others of the registry, by name only, for the report: Bluetooth, USB and the like carry no IP that one could read.
OTHER_NAMES = {
    2: "EXP_ETHERNET", 3: "AX25", 4: "PRONET", 5: "CHAOS", 8: "SLIP", 99: "SYMANTEC_FIREWALL", 100: "ATM_RFC1483",
    102: "SLIP_BSDOS", 103: "PPP_BSDOS", 106: "ATM_CLIP", 110: "LANE8023", 111: "HIPPI", 112: "NETBSD_HDLC",
    114: "LTALK", 115: "ECONET", 116: "IPFILTER", 118: "CISCO_IOS", 120: "IEEE802_11_AIRONET", 121: "HHDLC",
    122: "IP_OVER_FC", 123: "SUNATM", 124: "RIO", 125: "PCI_EXP", 126: "AURORA", 128: "TZSP", 130: "JUNIPER_MLPPP",
    131: "JUNIPER_MLFR", 132: "JUNIPER_ES", 133: "JUNIPER_GGSN", 134: "JUNIPER_MFR", 135: "JUNIPER_ATM2",
    136: "JUNIPER_SERVICES", 137: "JUNIPER_ATM1", 138: "APPLE_IP_OVER_IEEE1394", 139: "MTP2_WITH_PHDR", 140: "MTP2",
    141: "MTP3", 142: "SCCP", 143: "DOCSIS", 144: "LINUX_IRDA", 145: "IBM_SP", 146: "IBM_SN", 147: "USER0",
    148: "USER1", 150: "USER3", 151: "USER4", 152: "USER5", 153: "USER6", 154: "USER7", 155: "USER8", 156: "USER9",
    157: "USER10", 158: "USER11", 159: "USER12", 160: "USER13", 161: "USER14", 162: "USER15", 164: "JUNIPER_MONITOR",
    165: "BACNET_MS_TP", 167: "JUNIPER_PPPOE", 168: "JUNIPER_PPPOE_ATM", 169: "GPRS_LLC", 170: "GPF_T", 171: "GPF_F",
    172: "GCOM_T1E1", 173: "GCOM_SERIAL", 174: "JUNIPER_PIC_PEER", 175: "ERF_ETH", 176: "ERF_POS", 177: "LINUX_LAPD",
    182: "MFR", 183: "JUNIPER_VP", 184: "A429", 185: "A653_ICM", 186: "USB_FREEBSD", 187: "BLUETOOTH_HCI_H4",
    188: "IEEE802_16_MAC_CPS", 189: "USB_LINUX", 190: "CAN20B", 191: "IEEE802_15_4_LINUX",
    193: "IEEE802_16_MAC_CPS_RADIO", 194: "JUNIPER_ISM", 195: "IEEE802_15_4_WITHFCS", 196: "SITA", 198: "RAIF1",
    199: "IPMB_KONTRON", 200: "JUNIPER_ST", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 202: "AX25_KISS", 203: "LAPD",
    206: "FRELAY_WITH_DIR", 207: "LAPB_WITH_DIR", 209: "IPMB_LINUX", 210: "FLEXRAY", 211: "MOST", 212: "LIN",
    213: "X2E_SERIAL", 214: "X2E_XORAYA", 215: "IEEE802_15_4_NONASK_PHY", 216: "LINUX_EVDEV", 217: "GSMTAP_UM",
    218: "GSMTAP_ABIS", 219: "MPLS", 220: "USB_LINUX_MMAPPED", 221: "DECT", 222: "AOS", 223: "WIHART", 224: "FC_2",
    225: "FC_2_WITH_FRAME_DELIMS", 227: "CAN_SOCKETCAN", 230: "IEEE802_15_4_NOFCS", 231: "DBUS", 232: "JUNIPER_VS",
    233: "JUNIPER_SRX_E2E", 234: "JUNIPER_FIBRECHANNEL", 235: "DVB_CI", 236: "MUX27010", 237: "STANAG_5066_D_PDU",
    238: "JUNIPER_ATM_CEMIC", 240: "NETANALYZER", 241: "NETANALYZER_TRANSPARENT", 243: "MPEG_2_TS", 244: "NG40",
    245: "NFC_LLCP", 246: "PFSYNC", 247: "INFINIBAND", 248: "SCTP", 249: "USBPCAP", 250: "RTAC_SERIAL",
    251: "BLUETOOTH_LE_LL", 252: "WIRESHARK_UPPER_PDU", 253: "NETLINK", 254: "BLUETOOTH_LINUX_MONITOR",
    255: "BLUETOOTH_BREDR_BB", 256: "BLUETOOTH_LE_LL_WITH_PHDR", 257: "PROFIBUS_DL", 259: "EPON", 260: "IPMI_HPM_2",
    261: "ZWAVE_R1_R2", 262: "ZWAVE_R3", 263: "WATTSTOPPER_DLM", 264: "ISO_14443", 265: "RDS", 266: "USB_DARWIN",
    267: "OPENFLOW", 268: "SDLC", 269: "TI_LLN_SNIFFER", 270: "LORATAP", 271: "VSOCK", 272: "NORDIC_BLE",
    273: "DOCSIS31_XRA31", 275: "DISPLAYPORT_AUX", 277: "SERCOS_MONITOR", 278: "OPENVIZSLA", 279: "EBHSCR",
    280: "VPP_DISPATCH", 283: "IEEE802_15_4_TAP", 286: "ELEE", 287: "Z_WAVE_SERIAL", 288: "USB_2_0", 289: "ATSC_ALP",
    290: "ETW", 291: "NETANALYZER_NG", 292: "ZBOSS_NCP", 293: "USB_2_0_LOW_SPEED", 294: "USB_2_0_FULL_SPEED",
    295: "USB_2_0_HIGH_SPEED", 296: "AUERSWALD_LOG", 297: "ZWAVE_TAP", 298: "SILABS_DEBUG_CHANNEL", 299: "FIRA_UCI",
    300: "MDB", 301: "DECT_NR",
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
    for number in set(link_types.tolist()):
        link = _BY_NUMBER.get(number)
        if link is not None:
            table[link_types == number] = (
                link.begin, link.header, link.prefix, link.type_at, link.ethernet, link.direction, link.only_version, link.inner, link.fcs_len, 0, 0
            )  # fmt: skip
    table["fcs_len"] = np.where(fcs_lens > 0, fcs_lens, table["fcs_len"])
    return table

"""What a file is that is no capture in a known format: a capture of another kind, an archive, a text, or what a download left."""

from __future__ import annotations

import re
from collections.abc import Callable

from analyzer.errors import CaptureError

Sniffer = Callable[[bytes], bool]

LOOK_AT = 4096  # bytes at the beginning that tell
_CAPTURE = "name a pcap or pcapng file"
_CONVERT = "convert it with `editcap -F pcapng IN OUT`"
_UNPACK = "unpack it and name the capture inside"
_AGAIN = "copy it again in binary mode"
_ERF_TYPES = range(1, 49)
_ERF_HEADER = 16


def unreadable(path: str, head: bytes) -> CaptureError:
    """The error for a file in no known format, of which `head` are the first bytes (up to LOOK_AT): what it is, and what to do with it."""
    for mark, name, todo in _KNOWN:
        if mark(head) if callable(mark) else head.startswith(mark):
            return CaptureError(path, name, todo)
    if _is_text(head):
        return CaptureError(path, "a text file", _CAPTURE)
    return CaptureError(
        path,
        f"not a capture (begins with {head[:4].hex(' ')})",
        "pcap, pcapng and snoop are read; `editcap -F pcapng IN OUT` converts other formats",
    )


def _is_text(head: bytes) -> bool:
    ascii_bytes = sum(byte in b"\t\n\r\f\x1b" or 32 <= byte < 127 for byte in head)
    return 2 * ascii_bytes > len(head) and all(byte >= 128 or byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head)


def _matches(pattern: bytes) -> Sniffer:
    """Does the beginning match, whatever blanks or byte order mark stand before, in letters of either size?"""
    expression = re.compile(rb"(?:\xef\xbb\xbf)?\s*" + pattern, re.IGNORECASE | re.DOTALL)
    return lambda head: expression.match(head) is not None


def _is_locked_zip(head: bytes) -> bool:
    """Is the first file in it encrypted (APPNOTE.TXT 4.4.4, bit 0)?"""
    return head.startswith(b"PK\x03\x04") and len(head) > 6 and bool(head[6] & 1)


def _is_openpgp(head: bytes) -> bool:
    """Does it begin with a packet of an encrypted message (RFC 9580 section 4.2): a session key, version 3 or 6, or 4 to 6 by password?"""
    if len(head) < 4 or not head[0] & 0x80:
        return False
    if head[0] & 0x40:
        tag, at = head[0] & 0x3F, 2 if head[1] < 192 else 3
    else:
        tag, at = head[0] >> 2 & 0xF, 1 + (1, 2, 4, 0)[head[0] & 3]
    version = head[at] if at < len(head) else -1
    return (tag == 1 and version in (3, 6)) or (tag == 3 and version in (4, 5, 6))


def _is_erf(head: bytes) -> bool:
    """Are these several records of an Endace capture, which has no magic: known types, each behind the other, times that do not go back?"""
    at, count, before = 0, 0, 0
    while at + _ERF_HEADER <= len(head):
        time = int.from_bytes(head[at : at + 8], "little")
        length = int.from_bytes(head[at + 10 : at + 12], "big")
        if head[at + 8] & 0x7F not in _ERF_TYPES or length < _ERF_HEADER or time < before or not time >> 32:
            return False
        at, count, before = at + length, count + 1, time
    return count >= 2


def _is_lanalyzer(head: bytes) -> bool:
    """A record with the beginning of a trace (0x1001), of a version of that time, as Novell wrote it."""
    kind, length = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    return kind in (0x1001, 0x1007) and 2 <= length < 1024 and len(head) > 6


def _is_empty(head: bytes) -> bool:
    return len(head) > 0 and not head.strip(b"\0")


# What begins so; the first that fits is told. More exact ones stand before those that others begin like.
_KNOWN: tuple[tuple[bytes | Sniffer, str, str], ...] = (
    (_is_locked_zip, "an encrypted zip archive", "unpack it with its password (`7z x IN`) and name the capture inside"),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", f"{_UNPACK} (`7z x IN`; it asks for the password if there is one)"),
    (b"Rar!\x1a\x07", "a RAR archive", f"{_UNPACK} (`unrar x IN`; it asks for the password if there is one)"),
    (b"age-encryption.org/", "a file encrypted with age", "`age --decrypt -o OUT IN`, and name OUT"),
    (b"-----BEGIN AGE ENCRYPTED FILE", "a file encrypted with age", "`age --decrypt -o OUT IN`, and name OUT"),
    (b"-----BEGIN PGP MESSAGE", "a file encrypted with OpenPGP", "`gpg -o OUT --decrypt IN`, and name OUT"),
    (b"Salted__", "a file encrypted with `openssl enc`", "decrypt it with `openssl enc -d`, and name what it writes"),
    (b"LUKS\xba\xbe", "an encrypted disk (LUKS)", "open it with `cryptsetup`, and name the capture on it"),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", _CONVERT),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", _CONVERT),
    (b"TRSNIFF data", "a Sniffer capture", _CONVERT),
    (b"XCP\0", "a Sniffer capture", _CONVERT),
    (b"VL\0\0", "a NetXRay capture", _CONVERT),
    (b"iptrace 1.0", "an AIX iptrace capture", _CONVERT),
    (b"iptrace 2.0", "an AIX iptrace capture", _CONVERT),
    (b"\xaa\xaa\xaa\xaa", "a 5View capture", _CONVERT),
    (b"\0\0\x02\0\x12\x05\0\x10", "a Tektronix K12 capture", _CONVERT),
    (b"+---------+---------------+----------+", "a Tektronix K12 capture in text form", _CONVERT),
    (b"\x05VNF", "a Visual Networks capture", _CONVERT),
    (b"\x7fver", "an EtherPeek or OmniPeek capture", _CONVERT),
    (b"ObserverPktBuf", "a Network Instruments Observer capture", _CONVERT),
    (b"btsnoop\0", "a Bluetooth capture (btsnoop), in which there is no TCP", _CAPTURE),
    (lambda head: b"NetScaler" in head[:64], "a NetScaler trace", _CONVERT),
    (_is_lanalyzer, "a Novell LANalyzer capture", _CONVERT),
    (_is_openpgp, "a file encrypted with OpenPGP", "`gpg -o OUT --decrypt IN`, and name OUT"),
    (_is_erf, "an Endace ERF capture", _CONVERT),
    (_matches(rb"<(?:!doctype html|html|head|body)\b"), "a web page, not a capture: perhaps that of a login, or an error", "download the file itself"),
    (_matches(rb"<\?xml.{0,200}?<Error>"), "the error message of a file store, not a capture", "read it, and download again"),
    (b"version https://git-lfs.github.com/", "a pointer to a file in Git LFS, not the file", "fetch it with `git lfs pull`"),
    (_matches(rb"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d+ (?:\w+ +(?:In|Out|M|B) +)?(?:IP6?|ARP)\b"), "the text that tcpdump printed, not a capture", "capture with `tcpdump -w FILE`"),
    (_matches(rb"[0-9a-f]{4,8}:? +[0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2} "), "a hex dump of frames, not a capture", "convert it with `text2pcap IN OUT`"),
    (b"\x7fELF", "a program, not a capture", _CAPTURE),
    (b"SQLite format 3", "an SQLite database, not a capture", _CAPTURE),
    (b"PAR1", "a Parquet file, not a capture", _CAPTURE),
    (b"\x0a\x0a\x0d\x0a", "a pcapng file damaged by a text-mode transfer", _AGAIN),
    (b"\x0a\x0d\x0a\x0a", "a pcapng file damaged by a text-mode transfer", _AGAIN),
    (b"\x0d\x0a\x0d\x0d\x0a", "a pcapng file damaged by a text-mode transfer", _AGAIN),
    (_is_empty, "zeros only: room for a file that never arrived (a download, or a copy, that was cut off)", "copy it again"),
)  # fmt: skip

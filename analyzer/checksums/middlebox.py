"""A checksum that is wrong by a constant: which field was rewritten without updating it (RFC 1624)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analyzer.fields import of_fields
from analyzer.schema import Rows, address_text

ALL_ONES = 0xFFFF
MSS = (536, 1220, 1360, 1380, 1400, 1412, 1420, 1432, 1440, 1452, 1460, 8860, 8940, 8960, 65475, 65495)  # usual ones
ICMP = 1  # its checksum covers no address
FEW = 1000  # addresses: among more one fits by chance
SERVICES = (
    20, 21, 22, 23, 25, 53, 67, 69, 80, 88, 110, 111, 123, 143, 161, 162, 179, 389, 443, 445, 465, 500, 514, 515, 554, 587,
    631, 636, 853, 873, 990, 993, 995, 1433, 1521, 1883, 2049, 3128, 3306, 3389, 4500, 5060, 5061, 5222, 5432, 5672, 5900,
    6379, 6443, 8000, 8080, 8443, 8883, 9000, 9092, 9200, 11211, 27017,
)  # fmt: skip


@of_fields(frozen=True, slots=True)
class Rewritten:
    """A field that explains the error: what is in the packets now, and what the checksum was made for."""

    field: str
    now: str
    before: str
    likely: bool

    def __str__(self) -> str:
        return f"{self.field} {self.before} became {self.now}"


def address_sum(high: int, low: int, version: int) -> int:
    """The sum of an address, as it goes into a pseudo-header, modulo 65535."""
    value = low & 0xFFFFFFFF if version == 4 else high << 64 | low
    total = 0
    while value:
        total += value & 0xFFFF
        value >>= 16
    return total % ALL_ONES


def rewritten(direction: Rows, offset: int, addresses: Mapping[int, Sequence[str]]) -> list[Rewritten]:
    """What explains that the sum of every wrong frame is off by `offset` (new value less old, modulo 65535), likeliest first.

    `addresses` are those of the capture of the same IP version, by their sums; empty where nothing explains it.
    """
    found = [*_of_syn(direction, offset), *_addresses(direction, offset, addresses), *_ports(direction, offset)]
    return sorted(found, key=lambda each: not each.likely)


def _of_syn(direction: Rows, offset: int) -> Iterator[Rewritten]:
    """Only SYNs are wrong: an option of theirs was changed, usually the MSS."""
    bad = int(direction["offset_frames"].sum()) + int(direction["other_offsets"])
    mss = int(direction["bad_mss"])
    before = (mss - offset) % ALL_ONES
    if int(direction["bad_syn"]) == bad and 0 < mss < before and before >= MSS[0]:  # it is only ever made smaller
        usual = before in MSS
        if usual or int(direction["good_run"]):
            yield Rewritten("the MSS option", str(mss), str(before), usual)


def _addresses(direction: Rows, offset: int, addresses: Mapping[int, Sequence[str]]) -> Iterator[Rewritten]:
    """An address of the capture that the checksum was made for."""
    if int(direction["proto"]) == ICMP:
        return
    version = int(direction["version"])
    is_telling = sum(map(len, addresses.values())) <= FEW
    for side, field in (("src", "source address"), ("dst", "destination address")):
        high, low = int(direction[f"{side}_hi"]), int(direction[f"{side}_lo"])
        wanted = (address_sum(high, low, version) - offset) % ALL_ONES
        now = address_text(high, low, version)
        matching = [text for text in addresses.get(wanted, ()) if text != now]
        for text in matching[:2]:
            yield Rewritten(field, now, text, is_telling and len(matching) == 1)
        if version == 4 and not matching:
            neighbour = _in_same_net(low & 0xFFFFFFFF, offset)
            if neighbour is not None:
                yield Rewritten(field, now, address_text(0, neighbour, 4), False)


def _in_same_net(address: int, offset: int) -> int | None:
    """The IPv4 address that the checksum would fit, if it has the first 24 bits of this one."""
    before = (address & 0xFFFF) - offset % ALL_ONES
    before += ALL_ONES if before < 0 else 0
    return address & ~0xFFFF | before if before >> 8 == address >> 8 & 0xFF else None


def _ports(direction: Rows, offset: int) -> Iterator[Rewritten]:
    """A port that all wrong frames share."""
    if int(direction["proto"]) not in (6, 17):
        return
    for name, field in (("bad_dst_port", "destination port"), ("bad_src_port", "source port")):
        now = int(direction[name])
        before = (now - offset) % ALL_ONES
        if now >= 0 and before:
            yield Rewritten(field, str(now), str(before), before in SERVICES)

"""Prefix-preserving pseudonyms of addresses, by a key: Crypto-PAn.

J. Xu, J. Fan, M. H. Ammar, S. B. Moon: Prefix-Preserving IP Address Anonymization (ICNP 2002). Two addresses that have n bits in
common from the left have as many in common afterwards. What an address is for stays as it is: the prefixes of KEPT stand for
themselves, and so nothing else can become one of them. The price is that the first bits of addresses near them stay, too.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from importlib import import_module
from typing import Any

from analyzer.errors import TcpcapError, UsageError

KEY_LEN, BLOCK = 32, 16
# Value, length, and how many bits stay of an address in it.
Kept = tuple[tuple[int, int, int], ...]
KEPT4: Kept = (
    (0x00000000, 8, 32),  # this host (RFC 1122)
    (0x7F000000, 8, 32),  # loopback
    (0xA9FE0000, 16, 16),  # link-local
    (0xE0000000, 4, 4),  # multicast
    (0xE0000000, 24, 32),  # of which what routers do not forward names protocols, not groups
    (0xFFFFFFFF, 32, 32),  # broadcast
)
KEPT6: Kept = (
    (0, 127, 128),  # unspecified and loopback
    (0xFE80 << 112, 10, 64),  # link-local
    (0xFF << 120, 8, 16),  # multicast, with its scope
    (0xFF02 << 112, 112, 128),  # groups of the link that name protocols
)


class Pan:
    """Gives addresses their pseudonyms. The key has 32 bytes: whoever has it can find the addresses again.

    Raises UsageError for a key of another length, TcpcapError where the package cryptography is not installed.
    """

    def __init__(self, key: bytes | None = None, kept4: Kept = KEPT4, kept6: Kept = KEPT6) -> None:
        key = secrets.token_bytes(KEY_LEN) if key is None else key
        if len(key) != KEY_LEN:
            raise UsageError("the key", f"of {len(key)} bytes", f"give one of {KEY_LEN} random bytes")
        self._encrypt = _cipher(key[:BLOCK])
        self._pad = int.from_bytes(self._encrypt(key[BLOCK:]))
        self._kept = {32: kept4, 128: kept6}
        self.address = lru_cache(1 << 16)(self._address)
        self.mac = lru_cache(1 << 14)(self._mac)

    def _address(self, address: bytes) -> bytes:
        """The pseudonym of an address of 4 or 16 bytes."""
        bits = 8 * len(address)
        number = int.from_bytes(address)
        wide = number << (128 - bits)
        blocks = []
        for known in range(bits):
            mask = (1 << known) - 1 << (128 - known)
            blocks.append((wide & mask | self._pad & ~mask & (1 << 128) - 1).to_bytes(BLOCK))
        firsts = self._encrypt(b"".join(blocks))[::BLOCK]
        flips = int("".join("1" if first & 0x80 else "0" for first in firsts), 2)
        free = bits - _stays(number, bits, self._kept[bits])
        return (number ^ flips & (1 << free) - 1).to_bytes(len(address))

    def _mac(self, address: bytes) -> bytes:
        """The pseudonym of a MAC address: of a group a group, of a local one a local one; broadcast and nothing at all stay."""
        if address in (b"\xff" * 6, bytes(6)):
            return address
        found: bytes = self._encrypt(b"MAC".ljust(10, b"\0") + address)[:6]
        return bytes([found[0] & 0xFC | address[0] & 0x03]) + found[1:]


def _stays(number: int, bits: int, kept: Kept) -> int:
    """How many bits of an address stay: all that decide whether it is in a prefix that is kept, or near one."""
    found = 0
    for value, length, inside in kept:
        common = bits - (number ^ value).bit_length()
        found = max(found, inside if common >= length else common + 1)
    return found


def _cipher(key: bytes) -> Any:
    """AES of one block after the other, each for itself: a pseudo-random function of 16 bytes."""
    try:
        ciphers = import_module("cryptography.hazmat.primitives.ciphers")
    except ModuleNotFoundError:
        todo = "install it: pip install 'tcpcap[anonymize]'"
        raise TcpcapError("--anonymize", "the package cryptography is not installed", todo) from None
    cipher = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.ECB())

    def encrypted(blocks: bytes) -> bytes:
        return bytes(cipher.encryptor().update(blocks))

    return encrypted

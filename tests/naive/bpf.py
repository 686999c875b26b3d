"""Naive twin of the filter machine: one frame, one instruction after the other, as the paper on BPF describes it."""

from __future__ import annotations

from collections.abc import Sequence

WORD = 0xFFFFFFFF
SIZES = {0x00: 4, 0x08: 2, 0x10: 1}
OPERATIONS = {
    0x00: lambda a, b: a + b,
    0x10: lambda a, b: a - b,
    0x20: lambda a, b: a * b,
    0x30: lambda a, b: a // b,
    0x40: lambda a, b: a | b,
    0x50: lambda a, b: a & b,
    0x60: lambda a, b: a << b if b < 32 else 0,
    0x70: lambda a, b: a >> b if b < 32 else 0,
    0x80: lambda a, b: -a,
    0x90: lambda a, b: a % b,
    0xA0: lambda a, b: a ^ b,
}
JUMPS = {0x10: lambda a, b: a == b, 0x20: lambda a, b: a > b, 0x30: lambda a, b: a >= b, 0x40: lambda a, b: a & b != 0}


def passes(program: Sequence[tuple[int, int, int, int]], frame: bytes, length: int) -> bool:
    """Does the program let the frame pass, which had `length` bytes on the wire?"""
    a = x = at = 0
    memory = [0] * 16
    while True:
        code, jt, jf, k = program[at]
        at += 1
        kind, mode = code & 7, code & 0xE0
        operand = x if code & 8 else k
        if kind in (0, 1):
            if kind == 0 and mode in (0x20, 0x40):
                where, size = k + (x if mode == 0x40 else 0), SIZES[code & 0x18]
                if where + size > len(frame):
                    return False
                value = int.from_bytes(frame[where : where + size])
            elif mode == 0xA0:
                if k >= len(frame):
                    return False
                value = 4 * (frame[k] & 15)
            else:
                value = {0x00: k, 0x60: memory[k % 16], 0x80: length}[mode]
            a, x = (value, x) if kind == 0 else (a, value)
        elif kind in (2, 3):
            memory[k] = a if kind == 2 else x
        elif kind == 4:
            if code & 0xF0 in (0x30, 0x90) and operand == 0:
                return False
            a = OPERATIONS[code & 0xF0](a, operand) & WORD
        elif kind == 5:
            if code == 5:
                at += k - (1 << 32) if k >> 31 else k
            else:
                at += jt if JUMPS[code & 0xF0](a, operand) else jf
        elif kind == 6:
            return bool(a if code & 0x10 else k)
        elif code & 0x80:
            a = x
        else:
            x = a

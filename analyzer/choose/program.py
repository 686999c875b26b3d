"""A filter as the machine runs it that tcpdump's language is compiled to: classic BPF, checked before it runs.

S. McCanne, V. Jacobson: The BSD Packet Filter (1993). A program is checked once, so that whoever runs it need check no more than
the bounds of a packet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import UsageError

INSTRUCTION = np.dtype([("code", "u2"), ("jt", "u1"), ("jf", "u1"), ("k", "u4")])  # struct bpf_insn
Program = npt.NDArray[np.void]

LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)  # classes
W, H, B = 0x00, 0x08, 0x10  # sizes
IMM, ABS, IND, MEM, LEN, MSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0  # modes
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR = range(0x00, 0xB0, 0x10)
JA, JEQ, JGT, JGE, JSET = range(0x00, 0x50, 0x10)
K, X, A = 0x00, 0x08, 0x10  # sources
TAX, TXA = 0x00, 0x80
SIGN = 1 << 31
CELLS = 16  # of scratch memory
MOST = 1 << 16  # instructions
MOST_STEPS = 1 << 20  # of a frame: `protochain` goes round for each header, and a header has 8 bytes at least

_LOADS = {LD | mode | size for mode in (ABS, IND) for size in (W, H, B)} | {LD | mode for mode in (IMM, MEM, LEN)}
_LOADS |= {LDX | mode for mode in (IMM, MEM, LEN)} | {LDX | MSH | B}
_OPERATIONS = {ALU | operation | source for operation in range(ADD, XOR + 1, 0x10) for source in (K, X)}
_JUMPS = {JMP | jump | source for jump in (JEQ, JGT, JGE, JSET) for source in (K, X)}
_CODES = _LOADS | _OPERATIONS | _JUMPS | {ST, STX, JMP | JA, RET | K, RET | A, MISC | TAX, MISC | TXA}
_ACCEPT = np.array([(RET | K, 0, 0, 1)], INSTRUCTION)


def accept_all() -> Program:
    """The program of the empty filter."""
    return _ACCEPT


def checked(instructions: Any, text: str) -> Program:
    """A program (INSTRUCTION) that cannot leave itself or its memory; a UsageError that names the filter `text` for any other.

    Every instruction is known, every jump leads to an instruction that is there (forward, but for JA, by which libpcap makes
    loops), scratch memory has CELLS cells, and the last instruction returns.
    """
    program = np.array(instructions, INSTRUCTION)
    for at, (code, jt, jf, k) in enumerate(program.tolist()):
        behind = len(program) - at - 1
        good = code in _CODES
        if code in _JUMPS:
            good = max(jt, jf) < behind
        elif code == JMP | JA:
            good = 0 <= at + 1 + (k ^ SIGN) - SIGN < len(program)
        elif code in (ST, STX, LD | MEM, LDX | MEM):
            good = k < CELLS
        elif code in (ALU | DIV | K, ALU | MOD | K):
            good = k > 0
        if not good:
            raise UsageError(
                "--filter", f"{text!r} is compiled to what no filter holds (instruction {at})", "say it otherwise"
            )
    if not 0 < len(program) <= MOST or program["code"][-1] & 7 != RET:
        raise UsageError("--filter", f"{text!r} is compiled to no program that ends", "say it otherwise")
    return program

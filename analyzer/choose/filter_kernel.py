"""Compiled: the bytes of frames -> which of them a filter lets pass, by running its classic BPF program on each."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel, rows_of, view_of
from analyzer.capture.records import RECORDS
from analyzer.choose.program import (
    ABS,
    ADD,
    ALU,
    AND,
    CELLS,
    DIV,
    IMM,
    IND,
    INSTRUCTION,
    JA,
    JEQ,
    JGE,
    JGT,
    JMP,
    LD,
    LDX,
    LEN,
    LSH,
    MOD,
    MOST_STEPS,
    MSH,
    MUL,
    NEG,
    OR,
    RET,
    RSH,
    SIGN,
    ST,
    STX,
    SUB,
    TAX,
    A,
    B,
    H,
    X,
)

WORD = 0xFFFFFFFF


@kernel(
    buffer=view_of(np.uint8),
    records=view_of(RECORDS.dtype),
    program=view_of(INSTRUCTION),
    interfaces=view_of(np.uint8),
    memory=rows_of(np.int64),
    left_out=rows_of(np.uint8),
)
def filter_frames(buffer: Any, records: Any, program: Any, interfaces: Any, memory: Any, left_out: Any) -> None:
    """Set `left_out` (uint8, as long as `records`) to 1 for each frame that the program does not let pass, to 0 for others.

    Only frames of the interfaces whose place in `interfaces` (uint8) is not 0 are looked at. `program` is one that `checked`
    has passed; `memory` (int64, CELLS) is scratch.
    """
    for n in range(len(records)):
        record = records[n]
        if interfaces[record["interface"]]:
            start = np.int64(record["offset"])
            stop = start + np.int64(record["captured"])
            left_out[n] = 0 if passes(buffer, start, stop, np.int64(record["length"]), program, memory) else 1


@inline
def passes(buffer: Any, start: Int, stop: Int, length: Int, program: Any, memory: Any) -> Any:
    """Does the program let the frame pass that stands in `buffer` from `start` to `stop`, and had `length` bytes on the wire?

    A program that reads beyond the frame, divides by zero or goes round without end does not.
    """
    a: Int = 0
    x: Int = 0
    at: Int = 0
    for i in range(CELLS):
        memory[i] = 0
    for _ in range(MOST_STEPS):
        instruction = program[at]
        code, k = np.int64(instruction["code"]), np.int64(instruction["k"])
        at += 1
        kind = code & 7
        if kind == LD:
            mode = code & 0xE0
            if mode == ABS or mode == IND:
                where = start + k + (x if mode == IND else 0)
                size = code & 0x18
                width = 2 if size == H else (1 if size == B else 4)
                if where + width > stop:
                    return False
                a = 0
                for i in range(width):
                    a = a << 8 | np.int64(buffer[where + i])
            else:
                a = k if mode == IMM else (length if mode == LEN else memory[k])
        elif kind == LDX:
            mode = code & 0xE0
            if mode == MSH:
                if start + k >= stop:
                    return False
                x = (np.int64(buffer[start + k]) & 15) << 2
            else:
                x = k if mode == IMM else (length if mode == LEN else memory[k])
        elif kind == ST:
            memory[k] = a
        elif kind == STX:
            memory[k] = x
        elif kind == ALU:
            value = x if code & X else k
            operation = code & 0xF0
            if (operation == DIV or operation == MOD) and value == 0:
                return False
            a = operated(operation, a, value)
        elif kind == JMP:
            jump = code & 0xF0
            if jump == JA:
                at += (k ^ SIGN) - SIGN
            else:
                value = x if code & X else k
                at += np.int64(instruction["jt"]) if holds(jump, a, value) else np.int64(instruction["jf"])
        elif kind == RET:
            return (a if code & 0x18 == A else k) != 0
        elif code & 0xF8 == TAX:
            x = a
        else:
            a = x
    return False


@inline
def holds(jump: Int, a: Int, value: Int) -> Any:
    """What a jump asks."""
    if jump == JEQ:
        return a == value
    if jump == JGT:
        return a > value
    if jump == JGE:
        return a >= value
    return a & value != 0


@inline
def operated(operation: Int, a: Int, value: Int) -> Int:
    """The result of an arithmetic operation on two 32-bit numbers."""
    if operation == ADD:
        return (a + value) & WORD
    if operation == SUB:
        return (a - value) & WORD
    if operation == MUL:  # in halves, whose products fit
        return (a * (value & 0xFFFF) + ((a * (value >> 16) & 0xFFFF) << 16)) & WORD
    if operation == DIV:
        return a // value
    if operation == MOD:
        return a % value
    if operation == OR:
        return a | value
    if operation == AND:
        return a & value
    if operation == LSH:
        return (a << value) & WORD if value < 32 else np.int64(0)
    if operation == RSH:
        return a >> value if value < 32 else np.int64(0)
    if operation == NEG:
        return -a & WORD
    return a ^ value

"""libpcap's compiler of tcpdump's filter language, where it is installed."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
import sys
from functools import cache
from typing import Any

import numpy as np

from analyzer.choose.program import INSTRUCTION, Program, checked
from analyzer.ending import within
from analyzer.errors import UsageError

NAMES = {"win32": ("wpcap.dll",), "darwin": ("libpcap.A.dylib", "/usr/lib/libpcap.A.dylib")}
OTHERS = ("libpcap.so.1", "libpcap.so.0.8")
SHORT = 1000  # characters, of which a program is made in no time
MOST_S = 60
MAGIC, SNAPLEN, ERROR = 0xA1B2C3D4, 262_144, 256


class _Filter(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


@cache
def library() -> ctypes.CDLL | None:
    """libpcap; None where there is none."""
    for name in NAMES.get(sys.platform, OTHERS):
        try:
            return _declared(ctypes.CDLL(name))
        except OSError:
            continue
    found = ctypes.util.find_library("pcap")
    try:
        return _declared(ctypes.CDLL(found)) if found else None
    except OSError:  # there, but for another machine
        return None


def _declared(found: ctypes.CDLL) -> ctypes.CDLL:
    found.pcap_fopen_offline.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    found.pcap_fopen_offline.restype = ctypes.c_void_p
    found.pcap_compile.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32)
    found.pcap_compile.restype = ctypes.c_int
    found.pcap_geterr.argtypes, found.pcap_geterr.restype = (ctypes.c_void_p,), ctypes.c_char_p
    found.pcap_freecode.argtypes, found.pcap_freecode.restype = (ctypes.c_void_p,), None
    found.pcap_close.argtypes, found.pcap_close.restype = (ctypes.c_void_p,), None
    return found


@cache
def _libc() -> ctypes.CDLL:
    """What C programs have, whichever library holds it."""
    found = ctypes.CDLL(None)
    found.fmemopen.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p)
    found.fmemopen.restype = ctypes.c_void_p
    found.fclose.argtypes, found.fclose.restype = (ctypes.c_void_p,), ctypes.c_int
    return found


def compiled(found: ctypes.CDLL, text: str, link_type: int) -> Program:
    """The program of a filter for frames of a link type, as `tcpdump -r` compiles it. Raises UsageError with what libpcap says against it."""
    if "\0" in text:
        raise UsageError("--filter", "a filter with a NUL in it", "leave that out")
    if len(text) <= SHORT:
        return _compiled(found, text, link_type)
    try:  # nobody can stop C, and its optimizer may take days
        return within(MOST_S, lambda: _compiled(found, text, link_type))
    except TimeoutError:
        raise UsageError("--filter", f"libpcap makes no program of it in {MOST_S} s", "shorten it") from None


def _compiled(found: ctypes.CDLL, text: str, link_type: int) -> Program:
    handle = _opened(found, link_type)
    program = _Filter()
    try:
        if found.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, 0):
            said = found.pcap_geterr(handle).decode(errors="replace")
            raise UsageError("--filter", f"{text!r}: {said}", "`man pcap-filter` explains the language")
        try:
            size = program.length * INSTRUCTION.itemsize
            content = ctypes.string_at(program.instructions, size)
        finally:
            found.pcap_freecode(ctypes.byref(program))
    finally:
        found.pcap_close(handle)
    return checked(np.frombuffer(content, INSTRUCTION), text)


def _opened(found: ctypes.CDLL, link_type: int) -> Any:
    """A capture without frames, in memory: libpcap takes its link type for what a file's means."""
    content = struct.pack("=IHHiIII", MAGIC, 2, 4, 0, 0, SNAPLEN, link_type)
    said = ctypes.create_string_buffer(ERROR)
    stream = _libc().fmemopen(content, len(content), b"rb")
    opened = found.pcap_fopen_offline(stream, said) if stream else None
    if not opened:
        if stream:
            _libc().fclose(stream)
        what = said.value.decode(errors="replace")
        raise UsageError("--filter", f"libpcap cannot filter link type {link_type} ({what})", "leave the filter out")
    return opened

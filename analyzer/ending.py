"""How the process of the command `tcpcap` ends, whatever ends it: what is begun is undone, and the status says why."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, TypeVar, cast

T = TypeVar("T")

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name))
UNREADABLE = 2
LOOK_S = 0.2  # between two looks whether the end was asked for
_came: list[int] = []
_handlers: list[Any] = []  # of signals that Python cannot handle; empty where the process is not that of the command
_statuses: list[int] = []  # that with which the command has ended


class Ended(KeyboardInterrupt):
    """A signal asks for the end. It is taken as Ctrl-C is: by all that must be undone."""


def pass_on(words: str) -> None:
    """Raise Ended again where it stands in the words of another: DuckDB makes a text of what comes while Python makes a table for it."""
    if _came and f"{Ended.__name__}:" in words:
        raise Ended


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives or raises, from a thread of its own that the end of the process does not wait for: for what nobody can end.

    Raises TimeoutError after so many seconds, and Ended when a signal has asked for the end, which may come to another thread.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # noqa: BLE001 # it is raised there where it was asked for
            done.put((None, error))

    Thread(target=run, daemon=True, name="within").start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if _came:
            raise Ended
        with suppress(Empty):
            found, error = done.get(timeout=LOOK_S)
            if error is not None:
                raise error
            return cast(T, found)
    raise TimeoutError(f"no answer in {seconds:g} s")


def status_of_signal() -> int:
    """128 and the signal that came first, as shells have it."""
    return 128 + (_came[0] if _came else signal.SIGINT)


def words_of_signal() -> str:
    """The same for people."""
    first = _came[0] if _came else signal.SIGINT
    return "interrupted" if first == signal.SIGINT else f"ended by {signal.Signals(first).name}"


def run(command: Callable[[], Any]) -> NoReturn:
    """Run it and exit; a signal ends it well, a second one at once. What was ignored stays so, as nohup wants it."""
    try:
        _run(command)
    except Ended:  # before the command began, or when it had ended
        _exit_by_signal()


def _run(command: Callable[[], Any]) -> NoReturn:
    _have_standard_files()
    _keep_no_half_modules()
    atexit.register(_leave)  # what is registered first is called last
    _handlers.append(None)
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _begin_to_end)
    try:
        sys.exit(command())
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):  # else Python prints it
            _statuses.append(end.code or 0)
        raise
    except BaseException:
        if not _came:
            raise
        _exit_by_signal()  # what was interrupted while it was imported says so in many ways
    finally:
        for number in ENDING:  # what is removed now is removed by the handler as well
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _end)


def _leave() -> None:
    """Exit without taking apart every module and object, which costs as much as a tenth of a short run, when all else is done and printed."""
    if not _statuses:
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return  # Python says it, and exits with a status of its own
    _undo()
    os._exit(_statuses[-1] & 0xFF)


def _exit_by_signal() -> NoReturn:
    """Say which one came, in a line."""
    if sys.stderr is not None:
        sys.stderr.write(f"tcpcap: {words_of_signal()}\n")
    _statuses.append(status_of_signal())
    sys.exit(_statuses[-1])


def _begin_to_end(number: int, _: FrameType | None) -> NoReturn:
    _came.append(number)
    for each in ENDING:
        if signal.getsignal(each) is _begin_to_end:
            signal.signal(each, _end)
    raise Ended


def watch_mappings() -> None:
    """Where a page of a mapped file is gone, since another process made the file shorter or its disk failed, the process of the command says so before it ends.

    In Python and in notebooks nothing is changed: there the system ends the process.
    """
    if _handlers != [None] or not hasattr(signal, "SIGBUS"):
        return
    import ctypes

    # A handler of Python's own would wait for the end of the instruction that cannot be finished.
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(_gone)
    _handlers.append(handler)
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    libc.signal(signal.SIGBUS, ctypes.cast(handler, ctypes.c_void_p))


def _gone(_: int) -> NoReturn:
    os.write(
        2,
        b"tcpcap: a file was made shorter, or its disk failed, while it was read; "
        b"copy it first, or read it through a pipe: cat FILE | tcpcap analyze -\n",
    )
    _undo()
    os._exit(UNREADABLE)


def _end(number: int, _: FrameType | None) -> NoReturn:
    """At once: but for what would stay behind."""
    _undo()
    os._exit(128 + number)


def _undo() -> None:
    if output := sys.modules.get("analyzer.output"):  # else nothing was written
        output.remove_temporary()


def _keep_no_half_modules() -> None:
    """Where files may not grow as they like, Python would cut the modules that it compiles, and could not be started again."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        sys.dont_write_bytecode = True


def _have_standard_files() -> None:
    """Where one of the three is closed, the next file that is opened would take its place, and what is printed would go there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)

"""A program that captures, started and stopped: it ends when the recording does, however that ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from analyzer.output import growing
from analyzer.patterns import regex
from analyzer.record.programs import Program
from analyzer.record.rights import User, acting_as
from analyzer.record.tally import Tallied

READABLE = 0o022  # what another user writes into a folder that nobody else may look into
START_S, STOP_S = 20.0, 10.0
ASK_S, ANSWER_S = 0.1, 0.5
# The shell that starts the program does what it is told in a word: the recorder may be another user by then, who may send no signals to
# the program. The end of its input comes when the recorder was killed: then it lets the program take what the kernel still holds, and ends it.
LINGER_S = 2
ASK, STOP, KILL = "ask", "stop", "kill"
KEEPER = f"""
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo "pid $pid" >&2
exec >/dev/null 2>&1
ended=
while read -r told <&3; do
    case $told in
    {ASK}) kill -USR1 $pid ;;
    {STOP}) kill -TERM $pid ;;
    {KILL}) kill -KILL $pid ;;
    esac
    [ "$told" = {ASK} ] || ended=yes
done
[ "$ended" ] || sleep {LINGER_S}
kill -TERM $pid
wait $pid
"""


class Capture:
    """One program, from `start` to `stop`; `kill` ends it in any case.

    Parameters
    ----------
    program : what to start, and how to read what it says
    folder : where its files go
    on_end : called from another thread when the program has ended
    owner : whose the file is that it writes to its standard output; None for this user
    """

    def __init__(self, program: Program, folder: Path, on_end: Callable[[], None], owner: User | None = None) -> None:
        self.said: list[str] = []
        self.ended = False
        self._program = program
        self._on_end = on_end
        self._listening = threading.Event()
        self._answered = threading.Event()
        self._pid = 0
        with contextlib.ExitStack() as stack:
            with acting_as(owner):
                output = stack.enter_context(growing(folder / program.file, new=True)) if program.to_output else None
            # In a session of its own: Ctrl-C and the end of a terminal are for the recorder, which then stops it.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "sh", *program.command],
                stdin=subprocess.PIPE,
                stdout=output or subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                cwd=folder,
                start_new_session=True,
                umask=READABLE if program.user else -1,
                group=owner.group if owner and not program.user else None,
                env=os.environ | {"LC_ALL": "C"},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            words = text.strip()
            if words.startswith("pid ") and not self._pid:
                self._pid = int(words[4:])
                continue
            self.said = [*self.said[-50:], words]
            if self._program.begins in words:
                self._listening.set()
            if "dropped by kernel" in words:
                self._answered.set()
        self.ended = True
        self._listening.set()
        self._answered.set()
        self._on_end()

    def wait_until_listening(self) -> None:
        """Return as soon as no frame can be missed any more. Raises RecordError where the program does not capture, with its reason."""
        if self._listening.wait(START_S) and not self.ended:
            return
        self.kill()
        raise self._program.refused(self.words())

    def words(self) -> str:
        """What the program said, but for its numbers."""
        return "; ".join(text for text in self.said if text and not _NUMBERS.search(text))

    def tallied(self) -> Tallied:
        """The last numbers that it gave."""
        return self._program.tallied(self.said)

    def drained(self, hurry: Callable[[], bool]) -> None:
        """Wait until what the kernel has captured by now is with the program: blocks of frames are handed over when full, or once a second.

        `hurry` says whether to wait no longer.
        """
        end = time.monotonic() + self._program.handover_s
        first = self._ask() if self._program.answers else Tallied()
        while time.monotonic() < end and not (hurry() or self.ended):
            if first.received >= 0 and self._ask().captured >= first.received - max(first.dropped, 0):
                return
            time.sleep(ASK_S)

    def _ask(self) -> Tallied:
        """Its numbers now."""
        self._answered.clear()
        if not self.ended:
            self._tell(ASK)
            self._answered.wait(ANSWER_S)
        return self.tallied()

    def stop(self) -> Tallied:
        """End it as its own signal does, so that its file is complete; its numbers."""
        self._tell(STOP)
        self._reader.join(STOP_S)
        self.kill()
        return self.tallied()

    def _tell(self, word: str) -> None:
        """Say a word to the shell."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            with contextlib.suppress(OSError):  # it has ended
                stdin.write(f"{word}\n")
                stdin.flush()

    def kill(self) -> None:
        """End it in any case, and whoever waits for it."""
        self._tell(STOP)
        self._reader.join(1.0)
        if not self.ended:
            self._tell(KILL)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the word before was not heard any more
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        if self._process.poll() is None:
            with contextlib.suppress(PermissionError):  # the rights are given up, and it ends when its program does
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_S)
        if self._process.stderr is not None and not self._reader.is_alive():
            self._process.stderr.close()


_NUMBERS = regex(r"\d packets? (?:captured|received|dropped)|^listening on|listening on .*link-type|^Packets")


@contextlib.contextmanager
def capturing(
    program: Program, folder: Path, on_end: Callable[[], None], owner: User | None = None
) -> Iterator[Capture]:
    """A capture that is running; it has ended when the body is left, in whatever way."""
    capture = Capture(program, folder, on_end, owner)
    try:
        capture.wait_until_listening()
        yield capture
    finally:
        capture.kill()

"""A capture that is followed while it is written: by a thread into a file, or through a pipe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer import Analysis, analyze
from analyzer.capture.live import Growing
from analyzer.cli.live import follower
from analyzer.errors import CaptureError
from analyzer.report import live
from analyzer.report.console import console_text
from analyzer.report.layout import UNFOLDED, columns
from analyzer.report.live import Follower
from tests.command import COMMAND, TIMEOUT_S, environment
from tests.helpers import interrupts_on

SAMPLE = Path(__file__).parent.parent / "samples" / "zero-window" / "server" / "capture.pcap"


class Writer(threading.Thread):
    """Writes a capture record by record, and waits before some of them until it is told to go on."""

    def __init__(self, path: Path, waits: dict[int, threading.Event]) -> None:
        super().__init__(daemon=True)
        self._path, self._waits = path, waits
        self._content = SAMPLE.read_bytes()

    def run(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(self._content[:24])
            at, frame = 24, 1
            while at < len(self._content):
                if frame in self._waits:
                    self._waits[frame].wait(TIMEOUT_S)
                end = at + 16 + int.from_bytes(self._content[at + 8 : at + 12], "little")
                file.write(self._content[at : at + 7])  # a record comes in pieces
                file.write(self._content[at + 7 : end])
                at, frame = end, frame + 1


def followed(path: Path, told: Callable[[str, Follower], None]) -> Analysis:
    """Follow it until `told`, which gets each line, has seen enough."""
    lines = Follower(lambda line: told(line, lines), lambda _: None)
    return analyze(path, watcher=lines)


def test_a_file_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened is told before the rest is written; the answer is that of the whole file."""
    monkeypatch.setattr(live, "LEAST_S", 0.0)
    path = tmp_path / "growing.pcap"
    path.touch()
    go_on, seen = threading.Event(), []
    writer = Writer(path, {22: go_on})

    def told(line: str, lines: Follower) -> None:
        seen.append(line)
        if line.startswith("warning: "):
            go_on.set()
            writer.join(TIMEOUT_S)
            lines.stop()

    writer.start()
    analysis = followed(path, told)
    assert re.fullmatch(r"#0 at 0\.033 s: sent again \(retransmission\), tlp, frame 8; 10\.0\.0\.1:40001 > .*", seen[0])
    assert re.search(r"\(receiver-not-reading; #0 at 0\.059 s, frame 9\)$", seen[-1])
    assert analysis.summary.total("frames") in (21, 22)  # the last may be written and not read
    assert not analysis.damages


def test_the_answer_is_that_of_the_whole_file(tmp_path: Path) -> None:
    """Word for word, where the writer of a pipe ends."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Writer(pipe, {}).start()
    analysis = analyze(pipe, watcher=Follower(lambda _: None, lambda _: None))
    with columns(UNFOLDED):
        texts = [
            console_text(each).replace(str(path), "it") for each, path in ((analysis, pipe), (analyze(SAMPLE), SAMPLE))
        ]
    assert texts[0] == texts[1]


def test_a_file_whose_name_goes_to_the_next_one_ends(tmp_path: Path) -> None:
    """As tcpdump -C and -G do it: what was written before is read."""
    path = tmp_path / "ring.pcap"
    path.write_bytes(b"first")
    lines = Follower(lambda _: None, lambda _: None)
    with path.open("rb") as file:
        growing = Growing(str(path), file, lines)
        assert growing.read(100) == b"first"
        with path.open("ab") as again:
            again.write(b", and last")
        path.rename(tmp_path / "ring0.pcap")
        path.write_bytes(b"the next")
        assert growing.read(100) == b", and last"
        assert growing.read(100) == b""


def test_nothing_was_written(tmp_path: Path) -> None:
    """Stopped before the first byte: an error that says so; and several captures cannot be followed."""
    path = tmp_path / "empty.pcap"
    path.touch()
    lines = Follower(lambda _: None, lambda _: None)
    lines.stop()
    with pytest.raises(CaptureError, match="nothing was written to it; begin the capture first"):
        analyze(path, watcher=lines)
    with pytest.raises(CaptureError, match="follow one at a time"):
        analyze([SAMPLE, path], watcher=lines)


def test_an_interrupt_ends_it_once() -> None:
    """The first Ctrl-C asks for the answer, the second one interrupts; afterwards all is as before."""
    with interrupts_on():
        with follower(lines=False) as lines:
            os.kill(os.getpid(), signal.SIGINT)
            assert lines.stopped
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_command_reads_a_pipe() -> None:
    """Events and findings first, the whole answer when its sender ends."""
    command = [*COMMAND, "analyze", "--follow", "-"]
    done = subprocess.run(
        command, input=SAMPLE.read_bytes(), capture_output=True, timeout=TIMEOUT_S, env=environment(), check=True
    )
    told, _, answer = done.stdout.decode().partition("\n\n")
    assert told.startswith("#0 at 0.033 s: sent again (retransmission)")
    assert answer.startswith("warning  The application on 10.0.0.2:80 paused")
    assert done.stderr == b""

"""Watching a host: its capture by tcpdump and its snapshots, from before the first frame until after the last."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from analyzer.record.host import described
from analyzer.record.kernel import counted

from .bundle import Bundle, Snapshot
from .errors import LabError
from .hosts import INTERFACE, Host
from .worker import Worker

_TIMEOUT_S = 10.0
_EVERY_S = 0.5


class Capture:
    """One tcpdump on one host, which writes to its standard output so that it needs no right to make files."""

    def __init__(self, host: Host, path: Path, *, interface: str = INTERFACE, snaplen: int = 0) -> None:
        self.path = path
        # Immediate mode hands over each frame at once, so the last ones are not left in the kernel when tcpdump
        # stops; it needs the large buffer. A session of its own keeps Ctrl-C for the lab, which then stops tcpdump.
        options = ["-U", "--immediate-mode", "--time-stamp-precision=nano", "-n", "-B", "16384"]
        command = ["tcpdump", "-i", interface, "-s", str(snaplen), *options, "-w", "-"]
        with host.inside(), path.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
        self._stderr: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            self._stderr.append(text.strip())
            if "listening on" in text:
                self._listening.set()
        self._listening.set()

    def wait_until_listening(self) -> None:
        """Return as soon as no frame can be missed any more."""
        if not self._listening.wait(_TIMEOUT_S) or self._process.poll() is not None:
            raise LabError(f"tcpdump does not capture: {' '.join(self._stderr)}")

    def stop(self) -> dict[str, int]:
        """End the capture; the numbers that tcpdump gives at its end. Frames dropped by the kernel are a LabError."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_TIMEOUT_S)
        self._reader.join()
        numbers = parse_statistics(" ".join(self._stderr))
        if numbers.get("dropped", 1):
            raise LabError(f"the capture {self.path.parent.name} is not complete: {' '.join(self._stderr)}")
        return numbers

    def kill(self) -> None:
        """End tcpdump in any case."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stderr:
            self._process.stderr.close()


def parse_statistics(text: str) -> dict[str, int]:
    """The three numbers in tcpdump's last words."""
    phrases = {"captured": "captured", "received": "received by filter", "dropped": "dropped by kernel"}
    found = {name: re.search(rf"(\d+) packets? {phrase}", text) for name, phrase in phrases.items()}
    return {name: int(match[1]) for name, match in found.items() if match}


class Sampler(Worker):
    """Takes a snapshot of all hosts at once, when asked and every half second between `start` and `stop`."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        super().__init__("the sampler")
        self.bundles = {host.name: Bundle(describe(host)) for host in hosts}
        self._hosts = hosts

    def step(self) -> None:
        """Sample after a while, but not when stopped meanwhile."""
        if not self.stopping.wait(_EVERY_S):
            self.sample()

    def sample(self) -> None:
        """Take one snapshot of each host now."""
        for host in self._hosts:
            self.bundles[host.name].snapshots.append(snapshot(host))


def snapshot(host: Host) -> Snapshot:
    """The counters and sockets of a host now; the time is that of the counters."""
    with host.inside():
        now = counted()
    return Snapshot(now.time_ns, now.values, host.run("ss", "-tanimoeOH"))


def describe(host: Host) -> dict[str, object]:
    """The content of `host.json`."""
    with host.inside():
        return described(host.name)

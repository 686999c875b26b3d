"""Watching a host: its capture by tcpdump and its snapshots, from before the first frame until after the last."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from .bundle import Bundle, Snapshot, host_facts, parse_pairs, parse_tables
from .errors import LabError
from .hosts import INTERFACE, Host
from .tools import kernel
from .worker import Worker

_TIMEOUT_S = 10.0
_EVERY_S = 0.5
_SYSCTLS = [
    "core.somaxconn",
    "ipv4.icmp_msgs_per_sec",
    "ipv4.icmp_ratelimit",
    "ipv4.ip_forward",
    "ipv4.ip_local_port_range",
    "ipv4.ipfrag_high_thresh",
    "ipv4.ipfrag_time",
    "ipv4.tcp_abort_on_overflow",
    "ipv4.tcp_adv_win_scale",
    "ipv4.tcp_challenge_ack_limit",
    "ipv4.tcp_comp_sack_nr",
    "ipv4.tcp_congestion_control",
    "ipv4.tcp_dsack",
    "ipv4.tcp_early_retrans",
    "ipv4.tcp_ecn",
    "ipv4.tcp_ecn_fallback",
    "ipv4.tcp_fastopen",
    "ipv4.tcp_fin_timeout",
    "ipv4.tcp_frto",
    "ipv4.tcp_invalid_ratelimit",
    "ipv4.tcp_keepalive_intvl",
    "ipv4.tcp_keepalive_probes",
    "ipv4.tcp_keepalive_time",
    "ipv4.tcp_max_orphans",
    "ipv4.tcp_max_syn_backlog",
    "ipv4.tcp_max_tw_buckets",
    "ipv4.tcp_mem",
    "ipv4.tcp_mtu_probing",
    "ipv4.tcp_orphan_retries",
    "ipv4.tcp_recovery",
    "ipv4.tcp_reordering",
    "ipv4.tcp_retries1",
    "ipv4.tcp_retries2",
    "ipv4.tcp_rfc1337",
    "ipv4.tcp_rmem",
    "ipv4.tcp_rto_max_ms",
    "ipv4.tcp_rto_min_us",
    "ipv4.tcp_sack",
    "ipv4.tcp_shrink_window",
    "ipv4.tcp_slow_start_after_idle",
    "ipv4.tcp_syn_linear_timeouts",
    "ipv4.tcp_syn_retries",
    "ipv4.tcp_synack_retries",
    "ipv4.tcp_syncookies",
    "ipv4.tcp_timestamps",
    "ipv4.tcp_tw_reuse",
    "ipv4.tcp_tw_reuse_delay",
    "ipv4.tcp_window_scaling",
    "ipv4.tcp_wmem",
    "ipv6.conf.all.forwarding",
    "ipv6.ip6frag_time",
]
"""Settings of a host that decide what its kernel does and counts, below /proc/sys/net."""


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
    before_ns = time.time_ns()
    snmp, netstat, snmp6 = (_proc_net(host, name) for name in ("snmp", "netstat", "snmp6"))
    time_ns = (before_ns + time.time_ns()) // 2
    counters = parse_tables(snmp) | parse_tables(netstat) | parse_pairs(snmp6)
    return Snapshot(time_ns, counters, host.run("ss", "-tanimoeOH"))


def _proc_net(host: Host, name: str) -> str:
    try:
        return host.read(f"/proc/thread-self/net/{name}")
    except FileNotFoundError:  # a kernel without IPv6 has no snmp6
        return ""


def describe(host: Host) -> dict[str, object]:
    """The content of `host.json`."""
    names = [row.split(":")[1].strip().split("@")[0] for row in host.run("ip", "-oneline", "link").splitlines()]
    offloads = {name: host.run("ethtool", "-k", name) for name in names}
    sysctls = {}
    for name in _SYSCTLS:
        try:
            sysctls[f"net.{name}"] = " ".join(host.read(f"/proc/sys/net/{name.replace('.', '/')}").split())
        except FileNotFoundError:  # not in every kernel, and some belong to the machine and not to a namespace
            continue
    addresses = host.run("ip", "-json", "address")
    return host_facts(host.name, kernel(), addresses, offloads, sysctls)

"""What became of the checksums of a capture: counts, verdicts, and the host that took it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.checksums.capture_host import NEARLY_ALL, CaptureHost, addresses, capture_hosts
from analyzer.checksums.checker import Checker
from analyzer.checksums.patterns import commonest_offset
from analyzer.checksums.state import BAD, HEADER_BAD, HEADER_ZERO, PARTIAL, ZERO
from analyzer.checksums.verdict import HARMFUL as HARMFUL
from analyzer.checksums.verdict import Verdict
from analyzer.checksums.verdicts import Judge
from analyzer.schema import Rows
from analyzer.tables import CHECKED_PROTOCOLS, CHECKSUM_STATES, CHECKSUM_VERDICTS, CHECKSUMS, HEADER_CHECKSUM_STATES

ERROR_COUNTERS = {
    (4, 6): "TcpInCsumErrors", (6, 6): "TcpInCsumErrors",
    (4, 17): "UdpInCsumErrors", (6, 17): "Udp6InCsumErrors",
    (4, 1): "IcmpInCsumErrors", (6, 58): "Icmp6InCsumErrors",
}  # fmt: skip


class Checksums:
    """The result of a Checker that has seen the whole capture.

    Parameters
    ----------
    checker : what counted
    flows : rows of `flows` whose round-trip times tell who is near
    recorded : addresses of the host of the bundle, and the file that says so
    given : addresses named by the user
    told : tells which directions are asked for, where not all are; all of them are evidence
    """

    def __init__(
        self,
        checker: Checker,
        flows: Rows,
        recorded: Mapping[str, str] | None = None,
        given: Sequence[str] = (),
        told: Callable[[Rows], npt.NDArray[np.bool_]] | None = None,
    ) -> None:
        self._all = checker.directions
        self._told = np.ones(len(self._all), np.bool_) if told is None else told(self._all)
        self.directions = self._all if told is None else self._all[self._told]
        self._others = checker.others
        self._flows, self._recorded, self._given = flows, recorded, given

    @cached_property
    def hosts(self) -> list[CaptureHost]:
        """Addresses of the host that took the capture, surest first; empty where nothing tells."""
        return capture_hosts(self._all, self._flows, self._recorded, self._given)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """One for each row of `directions`."""
        found = Judge(self._all, self.hosts).verdicts()
        return [verdict for verdict, told in zip(found, self._told, strict=True) if told]

    @property
    def counts(self) -> dict[str, int]:
        """Frames per state of `packets.checksum`."""
        totals = self._inner["states"].sum(axis=0) + self._others["states"][0]
        return {word: int(count) for word, count in zip(CHECKSUM_STATES, totals, strict=True) if word and count}

    @property
    def outer_counts(self) -> dict[str, int]:
        """Headers of tunnels per state of their UDP or GRE checksums."""
        totals = self.directions["states"][self.directions["outer"] == 1].sum(axis=0)
        return {word: int(count) for word, count in zip(CHECKSUM_STATES, totals, strict=True) if word and count}

    @property
    def _inner(self) -> Rows:
        """The directions of the innermost packets."""
        found: Rows = self.directions[self.directions["outer"] == 0]
        return found

    @property
    def header_counts(self) -> dict[str, int]:
        """Frames per state of `packets.ip_header_checksum`."""
        totals = self._inner["headers"].sum(axis=0) + self._others["headers"][0]
        return {word: int(count) for word, count in zip(HEADER_CHECKSUM_STATES, totals, strict=True) if word and count}

    @property
    def uncounted(self) -> int:
        """Frames of directions for which there was no room."""
        return int(self._others["frames"][0])

    @property
    def unjudged(self) -> int:
        """Of these, frames whose checksum, or that of the IPv4 header, is wrong or not finished."""
        states, headers = self._others["states"][0], self._others["headers"][0]
        return int(max(states[[PARTIAL, ZERO, BAD]].sum(), headers[[HEADER_ZERO, HEADER_BAD]].sum()))

    def rows(self) -> Rows:
        """The rows of the table `checksums`, in order of first frames."""
        found = np.zeros(len(self.directions), CHECKSUMS.dtype)
        given = self.directions
        found["ip_version"] = given["version"]
        for name in ("outer", "src_hi", "src_lo", "dst_hi", "dst_lo", "frames", "repaired", "acknowledged"):
            found[name] = given[name]
        for number, protocol in enumerate(CHECKED_PROTOCOLS, start=1):
            found["protocol"][given["proto"] == protocol] = number
        for state, word in enumerate(CHECKSUM_STATES):
            if word:
                found[word] = given["states"][:, state]
        for state, word in enumerate(HEADER_CHECKSUM_STATES):
            if word:
                found[f"ip_header_{word}"] = given["headers"][:, state]
        found["verdict"] = [CHECKSUM_VERDICTS.index(verdict.word) for verdict in self.verdicts]
        firsts = np.concatenate(
            [given["first"][:, [BAD, ZERO]], given["first_header"][:, [HEADER_BAD, HEADER_ZERO]]], axis=1
        )
        never = np.iinfo(np.int64).max
        first = np.where(firsts == 0, never, firsts).min(axis=1, initial=never)
        found["first_wrong"] = np.where(first == never, 0, first)
        found["offset"] = -1
        wrong = given["states"][:, BAD] + given["states"][:, ZERO]
        for at in np.flatnonzero(wrong).tolist():
            offset, frames = commonest_offset(given[at])
            if frames >= NEARLY_ALL * int(wrong[at]):
                found["offset"][at] = offset
        found["start_ns"], found["end_ns"] = given["first_ns"], given["last_ns"]
        return found

    def expected_errors(self) -> dict[str, tuple[int, int, int]]:
        """What the capture lets the host's counters of checksum errors say: {counter: (frames, first ns, last ns)}.

        Wrong frames that reached the capturing host, but for those that only look wrong; empty where that host is not known.
        """
        local = {host.address for host in self.hosts}
        found = dict.fromkeys(ERROR_COUNTERS.values(), (0, 0, 0)) if local else {}
        for row, verdict, address in zip(self.directions, self.verdicts, self.destinations, strict=True):
            counter = ERROR_COUNTERS.get((int(row["version"]), int(row["proto"])))
            wrong = _reaching_transport(row)
            if row["outer"] or address not in local or counter is None or verdict.word not in HARMFUL or wrong == 0:
                continue
            frames, first, last = found[counter]
            begin, end = int(row["wrong_first_ns"]), int(row["wrong_last_ns"])
            found[counter] = (frames + wrong, min(first or begin, begin), max(last, end))
        return found

    @cached_property
    def destinations(self) -> list[str]:
        """The destination of each direction, as text."""
        return addresses(self.directions, "dst")

    @cached_property
    def sources(self) -> list[str]:
        """The source of each direction, as text."""
        return addresses(self.directions, "src")


def _reaching_transport(row: Rows) -> int:
    """Wrong frames of a direction, but for those whose IPv4 header is wrong too: IP drops these (IpInHdrErrors)."""
    wrong = int(row["states"][BAD]) + int(row["states"][ZERO])
    at_once = wrong and int(row["first"][BAD]) == int(row["first_header"][HEADER_BAD])
    return max(wrong - int(row["headers"][HEADER_BAD]), 0) if at_once else wrong

"""Counts per direction -> a verdict on each, with its evidence in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.checksums.capture_host import LIKELY, NEARLY_ALL, CaptureHost, Endpoint, endpoints, share
from analyzer.checksums.checker import Checker
from analyzer.checksums.middlebox import address_sum, rewritten
from analyzer.checksums.patterns import bits, commonest_offset, fate, is_one_bit, is_same_field
from analyzer.checksums.state import (
    BAD,
    HEADER_BAD,
    HEADER_ZERO,
    PARTIAL,
    VALID,
    ZERO,
)
from analyzer.checksums.verdict import HARMFUL, Verdict, all_right, unverified, worse
from analyzer.schema import Rows, address_text

ENOUGH = 3  # wrong frames, before a pattern is one
MOST = 0.5
LARGEST_UNMERGED = 1600  # bytes: an ordinary Ethernet carries no larger packet
OUTER_ONLY = "wrong are the outer headers of the tunnel, whatever they carry: nobody computes their checksum"


class Judge:
    """Looks at all directions of a capture together: a host offloads for all its peers or for none."""

    def __init__(self, directions: Rows, hosts: Sequence[CaptureHost] = ()) -> None:
        self._directions = directions
        self._local = {host.address for host in hosts if host.confidence >= LIKELY}

    @cached_property
    def _ends(self) -> dict[int, dict[str, Endpoint]]:
        return {outer: endpoints(self._directions[self._directions["outer"] == outer]) for outer in (0, 1)}

    @cached_property
    def _by_sum(self) -> dict[int, dict[int, list[str]]]:
        """The addresses, by version and sum."""
        known = {
            ends
            for side in ("src", "dst")
            for ends in zip(
                *(self._directions[name].tolist() for name in ("version", f"{side}_hi", f"{side}_lo")), strict=True
            )
        }
        found: dict[int, dict[int, list[str]]] = {4: {}, 6: {}}
        for version, high, low in sorted(known):
            total = address_sum(high, low, version)
            found[version].setdefault(total, []).append(address_text(high, low, version))
        return found

    def verdicts(self) -> list[Verdict]:
        """One for each direction, in their order."""
        found = [
            all_right(total) if is_right else self._verdict(row)
            for row, total, is_right in zip(self._directions, *self._right(), strict=True)
        ]
        states = self._directions["states"].sum(axis=0)
        if int(states[VALID]) == 0 and any(verdict.word == "rewritten" for verdict in found):
            # Of what came in one direction only, or was changed in several places, no pair tells.
            none = f"not one of {int(states[[BAD, ZERO]].sum()):,} checksums in the capture is right"
            return [
                Verdict("rewritten", (verdict.evidence[0], none)) if verdict.word in HARMFUL else verdict
                for verdict in found
            ]
        return found

    def _right(self) -> tuple[list[int], list[bool]]:
        """Of each direction, how many frames are right, and whether these are all that can be verified, and no IPv4 header is wrong: most are so."""
        states, headers = self._directions["states"], self._directions["headers"]
        unfinished = states[:, [PARTIAL, ZERO, BAD]].any(axis=1) | headers[:, [HEADER_BAD, HEADER_ZERO]].any(axis=1)
        right = states[:, VALID]
        return right.tolist(), ((right > 0) & ~unfinished).tolist()

    def _verdict(self, row: Rows) -> Verdict:
        valid, partial, zero, bad = (int(row["states"][state]) for state in (VALID, PARTIAL, ZERO, BAD))
        total = valid + partial + zero + bad
        if not total:
            found = unverified(row)
        elif valid == total:
            found = all_right(total)
        elif bad == 0 and (
            zero == 0
            or partial
            or self._is_from_here(row)
            or (zero >= NEARLY_ALL * total and not self._is_dropped(row))
        ):
            found = self._unfinished(row, total)
        else:
            found = self._wrong(row, total)
        headers = int(row["headers"][HEADER_BAD]) + int(row["headers"][HEADER_ZERO])
        return worse(found, self._header_verdict(row, headers)) if headers else found

    def _sender(self, row: Rows) -> Endpoint:
        return self._end(row, "src")

    def _receiver(self, row: Rows) -> Endpoint:
        return self._end(row, "dst")

    def _end(self, row: Rows, side: str) -> Endpoint:
        """One end of a direction: what is inside a tunnel and what is around it have nothing to do with each other."""
        address = address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"]), int(row["version"]))
        return self._ends[int(row["outer"])][address]

    def _wrong_headers_back(self, row: Rows) -> float:
        """Part of the packets of the way back whose IPv4 header checksum is wrong; 0 where there are none."""
        headers = self._directions[int(row["reverse"]) - 1]["headers"] if int(row["reverse"]) else np.zeros(5)
        return int(headers[HEADER_BAD] + headers[HEADER_ZERO]) / max(int(headers.sum()), 1)

    def _is_from_here(self, row: Rows) -> bool:
        return self._sender(row).address in self._local

    def _is_to_here(self, row: Rows) -> bool:
        return self._receiver(row).address in self._local

    def _unfinished(self, row: Rows, total: int) -> Verdict:
        """Partial or zero, and nothing worse."""
        valid, partial, zero = (int(row["states"][state]) for state in (VALID, PARTIAL, ZERO))
        what = f"{partial + zero:,} of {total:,} verified frames have "
        if partial:
            what += "the sum of the pseudo-header in the checksum field, for the card to finish"
        else:
            what += "0 in the checksum field"
        sender, receiver = self._sender(row), self._receiver(row)
        if valid and not int(row["bare_partial"]) and not self._is_from_here(row):
            least = int(row["partial_least"])
            return Verdict(
                "merged", (what, f"only packets with data, of {least:,} bytes and more: merged on arrival (GRO)")
            )
        back = _share_back(sender)
        finished = share(sender.received, "valid")
        if (
            sender is receiver
            or back >= MOST
            or (self._is_to_here(row) and not (self._is_from_here(row) and finished))  # several captures merged
        ):
            evidence = [what]
            if back >= MOST:
                evidence.append(
                    f"so have {back:.0%} of the frames that come back: nothing between the two finishes checksums"
                )
            else:
                evidence.append("and they came in like this: no card was between the sender and here")
            return Verdict("virtual", tuple(evidence))
        evidence = [what]
        if finished:
            evidence.append(f"{finished:.0%} of what {sender.address} received is right")
        if self._is_from_here(row):
            evidence.append(f"the capture was taken on {sender.address}")
        return Verdict("offload", tuple(evidence))

    def _wrong(self, row: Rows, total: int) -> Verdict:
        """Some or all are neither right nor unfinished."""
        wrong = int(row["states"][BAD]) + int(row["states"][ZERO])
        what = f"{wrong:,} of {total:,} verified frames are wrong"
        here, there = self._is_from_here(row), self._is_to_here(row)
        fates = int(row["repaired"]) + int(row["acknowledged"])
        accepted = int(row["acknowledged"]) >= NEARLY_ALL * fates if fates else None
        if (
            wrong == int(row["bad_super"])
            and int(row["states"][VALID])
            and (accepted or (accepted is None and int(row["valid_largest"]) <= LARGEST_UNMERGED))
            and not here
        ):
            return Verdict(
                "merged",
                (
                    what,
                    *fate(row),
                    "only packets larger than every right one: merged on arrival (LRO), with the checksum of the first",
                ),
            )
        rewritten = self._is_edited(row, wrong, total)
        if rewritten:
            return Verdict("rewritten", (what, rewritten))
        # A changed sequence number looks acknowledged, and so does what was sent again in pieces.
        doubtful = wrong < MOST * total and not here and (there or int(row["acknowledged"]) < ENOUGH)
        accepted = None if accepted and doubtful else accepted
        evidence = [what, *fate(row, bool(fates) and accepted is None)]
        offset, frames = commonest_offset(row)
        if self._is_broken_tunnel(row, wrong, total, offset):
            return Verdict("tunnel", (*evidence, *self._pattern(row), OUTER_ONLY))
        if not accepted and frames >= NEARLY_ALL * wrong and self._is_rewritten(row, wrong, total, offset):
            return Verdict("middlebox", (*evidence, *self._explained(row, offset, frames)))
        from_a_card = here or (not there and not int(row["followed"]) and self._is_offloader(row))
        if accepted or (accepted is None and wrong >= NEARLY_ALL * total and from_a_card):
            return Verdict("stale", (*evidence, *self._pattern(row)))
        if wrong < MOST * total or int(row["repaired"]):
            return Verdict("corruption", (*evidence, *bits(row), *self._origin(row)))
        return Verdict("wrong", (*evidence, *self._pattern(row), "nothing tells what the receiver made of them"))

    def _is_edited(self, row: Rows, wrong: int, total: int) -> str:
        """How one knows that it was not the packets that were changed, but what the capture shows of them; else empty.

        Whoever changes addresses or ports of a connection in both directions, and no checksum, breaks it: the first packet
        that is changed is dropped, and nothing comes back.
        """
        if wrong == int(row["bad_blank"]) and int(row["states"][VALID]) == int(row["bare_valid"]):
            zeros = (
                "nothing but zeros is in the payload of the" if wrong > 1 else "the payload is nothing but zeros in the"
            )
            return f"{zeros} wrong, and nothing else has any that can be verified: it was erased in the file"
        if wrong < NEARLY_ALL * total or not int(row["reverse"]):
            return ""
        back = self._directions[int(row["reverse"]) - 1]
        wrong_back = int(back["states"][BAD]) + int(back["states"][ZERO])
        offset, frames = commonest_offset(row)
        if (
            wrong + wrong_back < ENOUGH
            or wrong_back < NEARLY_ALL * int(back["states"][[VALID, PARTIAL, ZERO, BAD]].sum())
            or commonest_offset(back)[0] != offset
            or min(frames, wrong) < NEARLY_ALL * wrong
            or commonest_offset(back)[1] < NEARLY_ALL * wrong_back
            or self._is_offloader(row)
        ):
            return ""
        return (
            f"the sums are off by the same amount ({offset:#06x}) in both directions: addresses or ports of both were changed, "
            "and still they answered each other, so that the packets were right on their way"
        )

    def _is_broken_tunnel(self, row: Rows, wrong: int, total: int, offset: int) -> bool:
        """Are the outer checksums of a tunnel never computed: nearly all are wrong, and of what they cover nothing arrives?

        A field that was rewritten on the way explains it as well, unless they all hold the same.
        """
        if not row["outer"] or wrong < NEARLY_ALL * total or not int(row["followed"]) or int(row["acknowledged"]):
            return False
        found = rewritten(row, offset, self._by_sum[int(row["version"])])
        return is_same_field(row, wrong) or not any(each.likely for each in found)

    def _is_rewritten(self, row: Rows, wrong: int, total: int, offset: int) -> bool:
        """Is it a field rewritten on the way that makes the sum of all wrong frames off by the same?"""
        if wrong < ENOUGH or int(row["bits"]):  # a retransmission shows what was changed: the payload
            return False
        if wrong >= NEARLY_ALL * total and is_same_field(row, wrong) and not int(row["followed"]):
            # The same packet again and again is always off by the same; a card's field leaves nothing to explain.
            found = rewritten(row, offset, self._by_sum[int(row["version"])])
            return not self._is_from_here(row) and any(each.likely for each in found)
        # A memory cell that is stuck changes one bit of some frames, not of all that follow, nor of what comes again.
        lasting = not int(row["good_run"]) or (
            int(row["followed"]) - int(row["acknowledged"]) >= ENOUGH and not int(row["repaired"])
        )
        return wrong >= NEARLY_ALL * total or lasting or not is_one_bit(offset)

    def _is_dropped(self, row: Rows) -> bool:
        """Does it come from elsewhere to here, over something that finishes checksums?"""
        return self._is_to_here(row) and not self._is_from_here(row) and _share_back(self._sender(row)) < MOST

    def _origin(self, row: Rows) -> Iterator[str]:
        if self._is_from_here(row):
            yield f"the capture was taken on {self._sender(row).address}: it sends them so, nothing changes on the way"

    def _is_offloader(self, row: Rows) -> bool:
        """Is nearly all that the sender sends wrong, and what it receives right?"""
        sender = self._sender(row)
        return (
            share(sender.sent, "bad", "zero", "partial") >= NEARLY_ALL and share(sender.received, "valid") >= NEARLY_ALL
        )

    def _pattern(self, row: Rows) -> Iterator[str]:
        wrong = int(row["states"][BAD]) + int(row["states"][ZERO])
        if is_same_field(row, wrong):
            yield f"the field holds the same value ({int(row['last_field']):#06x}) in nearly all of them: nobody computed it"
        elif self._is_offloader(row) and not self._is_dropped(row):
            sender = self._sender(row)
            yield f"nearly all that {sender.address} sends is wrong, and what it receives right: its card fills the field in"

    def _explained(self, row: Rows, offset: int, frames: int) -> Iterator[str]:
        yield f"the sum is off by the same amount ({offset:#06x}) in {frames:,} of them: a field was rewritten on the way"
        found = rewritten(row, offset, self._by_sum[int(row["version"])])
        likely = [str(each) for each in found if each.likely] or [str(each) for each in found]
        if likely:
            certainty = "perhaps " if not found[0].likely else "probably " if len(likely) == 1 else "one of: "
            yield certainty + " or ".join(likely[:3])

    def _header_verdict(self, row: Rows, headers: int) -> Verdict:
        """IPv4 headers are wrong."""
        total = int(row["headers"].sum())
        what = f"{headers:,} of {total:,} IPv4 header checksums are wrong"
        here = self._is_from_here(row)
        is_zero = int(row["headers"][HEADER_ZERO]) == headers
        drops = "the next router or the receiver drops such packets"
        if headers < NEARLY_ALL * total and not (here and is_zero):
            return Verdict("corruption", (what, drops, *self._origin(row)))
        if self._wrong_headers_back(row) >= NEARLY_ALL:
            nobody = "so are those that come back: nobody minds them, or the file was changed after it was captured"
            return Verdict("offload" if is_zero else "stale", (what, nobody))
        answered = share(self._sender(row).received, "valid", "partial") > 0
        if here or (not self._is_dropped(row) and (is_zero or answered)):
            fills = "nearly all of them: the card of the sender fills them in"
            return Verdict("offload" if is_zero else "stale", (what, fills))
        return Verdict("wrong", (what, drops))


def _share_back(sender: Endpoint) -> float:
    """Part of the frames that reached the sender without a finished checksum; merged ones (GRO) count only where there are no others."""
    bare = sender.got_partial + sender.got_valid
    return sender.got_partial / bare if bare else share(sender.received, "partial", "zero")


def offloaded(checker: Checker) -> npt.NDArray[np.bool_]:
    """Per direction: are its wrong checksums those of a host whose card fills them in?"""
    from analyzer.checksums.capture_host import capture_hosts
    from analyzer.tables import FLOWS

    directions = checker.directions
    hosts = capture_hosts(directions, np.zeros(0, FLOWS.dtype))
    words = [verdict.word for verdict in Judge(directions, hosts).verdicts()]
    return np.array([word in ("offload", "stale") for word in words], np.bool_)

"""An Analysis -> what `tcpcap checksums` prints: the answer, a table per direction, evidence, and what to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from analyzer.analysis import Analysis
from analyzer.checksums import CaptureHost, Checksums
from analyzer.report.json_text import SCHEMA_VERSION
from analyzer.report.layout import Style, plain, wrapped
from analyzer.schema import Rows
from analyzer.tables import CHECKED_PROTOCOLS, CHECKSUM_STATES, CHECKSUM_VERDICTS, HEADER_CHECKSUM_STATES
from analyzer.text import plural, printable

if TYPE_CHECKING:
    from analyzer.checksums.fix import Fixed

TOP = 20
MANY = 3
TITLES = {
    "": "not TCP, UDP or ICMP",
    "valid": "right",
    "offload": "finished by the sender's card",
    "virtual": "a virtual link: finished by nobody",
    "merged": "merged on arrival",
    "stale": "only looks wrong",
    "rewritten": "only looks wrong: changed in the file, or beside the capture",
    "corruption": "CORRUPT: changed on the way",
    "middlebox": "BROKEN by a middlebox",
    "tunnel": "BROKEN: the checksum offload of a tunnel",
    "wrong": "WRONG, cause unknown",
    "unverifiable": "cannot be verified",
    "none": "no checksum (UDP)",
}
TODO = {
    "offload": "Nothing: stop worrying. The card finishes these checksums after the capture point. Should a capture show them finished, switch it off for as long as that takes: `ethtool -K IFACE tx off rx off` (costs processor time, and segmentation offload goes with it), or capture at the other end. `tcpcap fix-checksums IN OUT` mends the file.",
    "virtual": "Nothing: stop worrying. Between namespaces, containers, virtual machines and on loopback no wire can corrupt a packet, so nobody computes the sum. A reader who insists: `tcpcap fix-checksums IN OUT`.",
    "merged": "Nothing: stop worrying. The kernel (GRO) or the card (LRO) verified the segments before it merged them. To see them as they came: `ethtool -K IFACE gro off lro off` (costs processor time).",
    "stale": "Nothing: stop worrying. The receiver accepted these segments, so their checksums were right on the wire; the capture saw them earlier. `tcpcap fix-checksums IN OUT` mends the file.",
    "rewritten": "Nothing, where the file was anonymised or edited: `tcpcap fix-checksums --all IN OUT` makes it right. If nobody did that, NAT on the host of the capture has changed the addresses, and finishes the checksums behind the place of the capture.",
    "corruption": "Look for what changes bits: error counters of each port on the path (`ethtool -S IFACE`), cables and optics, memory of middleboxes and of the sender's card. Ethernet's own check sequence catches what a wire does: a packet that arrives corrupt was usually changed inside a device. At the sender `ethtool -K IFACE tx off` tells whether its card is the one.",
    "middlebox": "Find the device that rewrites this field (NAT, load balancer, firewall, MSS clamping, XDP or tc program) and have it update the checksum (RFC 1624). The receiver drops every one of these packets.",
    "tunnel": "Have the kernel of the sending host compute the outer checksums: `ethtool -K DEVICE tx-checksum-ip-generic off` on the tunnel's device (vxlan.calico, flannel.1, cilium_vxlan). The receiver drops every one of these packets, whatever is in them.",
    "wrong": "Capture at the other end: if the packets are right there, the sender's card finishes them (offload), else they are corrupt. The receiver's TcpInCsumErrors tells as well: `nstat -az TcpInCsumErrors`.",
    "unverifiable": "Capture whole frames to verify these: `tcpdump -s 0`.",
}
ORDER = (
    "corruption",
    "middlebox",
    "tunnel",
    "wrong",
    "rewritten",
    "stale",
    "offload",
    "virtual",
    "merged",
    "unverifiable",
    "none",
    "valid",
    "",
)
HARMLESS = ("offload", "virtual", "merged", "stale")


def checksum_text(analysis: Analysis, top: int = TOP, style: Style = plain) -> str:
    """The whole answer, at most 80 columns wide."""
    result = analysis.checksum_result
    assert result is not None, "asked for without verifying checksums"
    lines = [style(line, "answer") for line in wrapped(answer(result), "")]
    lines += ["", style("captured on", "title"), *_hosts(result)]
    order = _order(result)
    if order:
        lines += [
            "",
            style(f"directions ({min(top, len(order)):,} of {len(order):,})", "title"),
            *_table(result, order[:top]),
        ]
    if result.uncounted:
        text = f"and {plural(result.uncounted, 'frame')} of more directions, which were only counted"
        lines += wrapped(text, "  ")
    found = [word for word in ORDER if word in TODO and any(verdict.word == word for verdict in result.verdicts)]
    for word in found:
        lines += ["", style(TITLES[word], "title"), *_evidence(result, word, order), *wrapped(TODO[word], "  -> ")]
    if analysis.checksum_fits:
        lines += [
            "",
            style("counters", "title"),
            *(line for text in fit_texts(analysis) for line in wrapped(text, "  ")),
        ]
    return "\n".join(lines) + "\n"


def answer(result: Checksums) -> str:
    """What a reader wants to know first."""
    counts = Counter(result.counts) + Counter(result.outer_counts)
    wrong = [(verdict.word, row) for verdict, row in zip(result.verdicts, result.rows(), strict=True)]
    parts = []
    for word, text in (
        ("corruption", "corrupt"),
        ("middlebox", "broken by a middlebox"),
        ("tunnel", "broken in the outer header of a tunnel"),
        ("wrong", "wrong without a known cause"),
    ):
        frames = sum(troubled(row) for found, row in wrong if found == word)
        if frames:
            parts.append(f"{plural(frames, 'frame')} {'is' if frames == 1 else 'are'} {text}")
    harmless = sum(troubled(row) for word, row in wrong if word in HARMLESS)
    edited = sum(troubled(row) for word, row in wrong if word == "rewritten")
    verified = sum(counts.get(word, 0) for word in ("valid", "partial", "zero", "bad"))
    if result.unjudged:
        frames = result.unjudged
        parts.append(f"{plural(frames, 'frame')} of directions beyond the first {len(result.directions):,} not judged")
    if not parts and not harmless and not edited:
        if not verified:
            return "No checksum can be verified in this capture."
        if verified == 1:
            return "The only checksum that can be verified is right."
        return f"All {verified:,} checksums that can be verified are right."
    text = ", ".join(parts) + "." if parts else "Nothing is corrupt."
    text = text[0].upper() + text[1:]
    if harmless:
        text += f" {plural(harmless, 'frame')} only look{'s' if harmless == 1 else ''} wrong (offload)."
    if edited:
        text += f" {plural(edited, 'frame')} only look{'s' if edited == 1 else ''} wrong (changed in the file, or beside the capture)."
    rights = [f"{counts.get('valid', 0):,} of {verified:,}"] if verified else []
    headers = result.header_counts
    verified_headers = sum(headers.get(word, 0) for word in ("valid", "zero", "bad"))
    if verified_headers > headers.get("valid", 0):
        rights.append(f"{headers.get('valid', 0):,} of {verified_headers:,} IPv4 headers")
    return f"{text} {', and '.join(rights)} are right."


def troubled(row: Rows) -> int:
    """Frames of a row of `checksums` of which the checksum, or that of the IPv4 header, is wrong or not finished."""
    headers = int(row["ip_header_bad"]) + int(row["ip_header_zero"])
    return min(_wrong(row) + int(row["partial"]) + headers, int(row["frames"]))


def fit_texts(analysis: Analysis) -> list[str]:
    """What the kernel's counters of checksum errors say, a sentence each; of those that stay at zero one for all."""
    told = [fit.sentence for fit in analysis.checksum_fits if fit.expected or fit.counted]
    if analysis.checksum_fits and not told:
        return ["no counter of checksum errors moved, and nothing wrong arrived"]
    return told


def host_text(host: CaptureHost) -> str:
    """An address, how sure it is, and why."""
    sure = "certain" if host.confidence >= 0.999 else f"{host.confidence:.0%} sure"
    return f"{host.address} ({sure}): {'; '.join(host.evidence)}"


def json_text(analysis: Analysis, top: int | None = None) -> str:
    """Everything as one JSON object; of the directions all, or the first `top` of those that the text shows."""
    result = analysis.checksum_result
    assert result is not None, "asked for without verifying checksums"
    order, told = _order(result), list(_objects(result))
    directions = told if top is None else [told[at] for at in order[:top]]
    content = {
        "schema_version": SCHEMA_VERSION,
        "checksums": result.counts,
        "outer_checksums": result.outer_counts,
        "ip_header_checksums": result.header_counts,
        "capture_hosts": [
            {"address": host.address, "confidence": host.confidence, "evidence": list(host.evidence)}
            for host in result.hosts
        ],
        "directions": directions,
        "directions_total": len(order),
        "frames_of_more_directions": result.uncounted,
        "counters": [
            {
                "counter": fit.counter,
                "expected": fit.expected,
                "counted": fit.counted,
                "fits": fit.fits,
                "says": fit.sentence,
            }
            for fit in analysis.checksum_fits
        ],
        "warnings": analysis.warnings,
    }
    return json.dumps(content, indent=1) + "\n"


LEFT = {
    "corrupt": "corrupt, left as they are (--all makes them right too)",
    "cut": "cut short: not all that the checksum covers is in the file",
    "fragment": "fragments of datagrams that are not all in the file",
    "other": "not what their headers say",
}


def fixed_text(fixed: Fixed) -> str:
    """What `tcpcap fix-checksums` says when it is done."""
    changed = {name: count for name, count in fixed.fixed.items() if count}
    what = ", ".join(f"{name} {count:,}" for name, count in changed.items())
    nothing = "nothing" if any(fixed.left.values()) else "nothing, all was right"
    lines = wrapped(f"{plural(fixed.frames, 'frame')}; made right: {what or nothing}", "")
    for reason, count in fixed.left.items():
        if count:
            lines += wrapped(f"{plural(count, 'frame')} {LEFT[reason]}", "  left  ")
    return "\n".join(lines) + "\n"


def _objects(result: Checksums) -> Iterator[dict[str, object]]:
    """The directions for JSON."""
    for row, verdict, src, dst in zip(result.rows(), result.verdicts, result.sources, result.destinations, strict=True):
        yield {
            "src": src,
            "dst": dst,
            "protocol": _protocol(row),
            "outer": bool(row["outer"]),
            "frames": int(row["frames"]),
            "checksums": {word: int(row[word]) for word in CHECKSUM_STATES if word and row[word]},
            "ip_header_checksums": {
                word: int(row[f"ip_header_{word}"])
                for word in HEADER_CHECKSUM_STATES
                if word and row[f"ip_header_{word}"]
            },
            "first_wrong": int(row["first_wrong"]) or None,
            "repaired": int(row["repaired"]),
            "acknowledged": int(row["acknowledged"]),
            "verdict": verdict.word,
            "evidence": list(verdict.evidence),
            "next": TODO.get(verdict.word, ""),
        }


def _hosts(result: Checksums) -> Iterator[str]:
    for host in result.hosts[:MANY]:
        yield from wrapped(printable(host_text(host)), "  ")
    if len(result.hosts) > MANY:
        yield f"  and {plural(len(result.hosts) - MANY, 'more address', 'more addresses')}"
    if not result.hosts:
        yield from wrapped("not known: nothing in the packets tells; --host ADDRESS names the host", "  ")


def _order(result: Checksums) -> list[int]:
    """The directions, those in trouble first, then by frames."""
    frames = result.directions["frames"]
    return sorted(range(len(frames)), key=lambda i: (ORDER.index(result.verdicts[i].word), -int(frames[i])))


def _table(result: Checksums, order: list[int]) -> Iterator[str]:
    yield f"  {'frames':>12} {'right':>12} {'partial':>10} {'wrong':>8} {'not verified':>13}  verdict"
    rows = result.rows()
    for i in order:
        row = rows[i]
        yield from wrapped(f"{result.sources[i]} > {result.destinations[i]}  {_name(row)}", "  ")
        hidden = int(row["unverifiable"]) + int(row["none"])
        counts = f"  {int(row['frames']):>12,} {int(row['valid']):>12,} {int(row['partial']):>10,} {_wrong(row):>8,} {hidden:>13,}"
        yield f"{counts}  {CHECKSUM_VERDICTS[int(row['verdict'])]}".rstrip()


def _evidence(result: Checksums, word: str, order: list[int]) -> Iterator[str]:
    """Why the first directions have this verdict."""
    mine = [i for i in order if result.verdicts[i].word == word]
    rows = result.rows()
    for i in mine[:MANY]:
        yield from wrapped(f"{result.sources[i]} > {result.destinations[i]}  {_name(rows[i])}", "  ")
        for sentence in result.verdicts[i].evidence:
            yield from wrapped(sentence, "    - ")
        first = _example(result.directions[i])
        if first:
            yield from wrapped(first, "    - ")
    if len(mine) > MANY:
        yield f"  and {plural(len(mine) - MANY, 'more direction')}"


def _example(direction: Rows) -> str:
    """The first frame of each state that is not right."""
    found = [
        f"{word} {int(frame)}" for word, frame in zip(CHECKSUM_STATES, direction["first"], strict=True)
        if frame and word in ("partial", "zero", "bad", "unverifiable")
    ]  # fmt: skip
    return f"first frames: {', '.join(found)}" if found else ""


def _wrong(row: Rows) -> int:
    return int(row["bad"]) + int(row["zero"])


def _name(row: Rows) -> str:
    return _protocol(row) + (", around others" if row["outer"] else "")


def _protocol(row: Rows) -> str:
    return ("", *CHECKED_PROTOCOLS.values())[int(row["protocol"])] or "other"

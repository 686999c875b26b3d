"""The catalogue as text: one counter for the terminal, all of them for the documentation."""

from __future__ import annotations

import textwrap

from analyzer.catalogue.counter import CONFIDENCE, OBSERVABILITY, UNITS, Counter
from analyzer.catalogue.entries import CATALOGUE, group
from analyzer.correlate.slow_start import SLOW_START
from analyzer.counters.names import GROUPS
from analyzer.prediction import INFERRED, NUMBER

_WIDTH = 79
_LABEL = 12


def _paragraph(label: str, text: str) -> str:
    """A label, and the text beside it."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _versions(counter: Counter) -> str:
    """Since when, until when, and what came after; empty if nothing is known."""
    parts = []
    if counter.since:
        parts.append(f"since Linux {counter.since}")
    if counter.until:
        parts.append(f"until Linux {counter.until}")
    if counter.renamed_to:
        parts.append(f"now {counter.renamed_to}")
    return ", ".join(parts)


def _predicted(name: str) -> str:
    """Does the analysis of a capture say what this counter must be?"""
    if name not in NUMBER:
        return "no; `tcpcap analyze` lists it as unpredicted where it moves"
    if name in SLOW_START:
        return "from how much each connection has sent, and from lists of sockets; no single frame tells when it moves"
    how = "by a model of Linux" if name in INFERRED else "from each frame that moves it"
    return f"{how}; `tcpcap counters trace BUNDLE {name}` lists the frames"


def explain_text(counter: Counter) -> str:
    """What `tcpcap counters explain NAME` prints: everything the catalogue says of a counter, within 80 columns."""
    paragraphs = [
        ("counts", counter.meaning),
        ("unit", UNITS[counter.unit]),
        ("moves", counter.moves),
        ("points at", counter.points_at),
        ("packets", f"{counter.observability}: {OBSERVABILITY[counter.observability]}. {counter.why}"),
        ("predicted", _predicted(counter.name)),
        ("kernel", _versions(counter)),
        ("source", counter.reference),
        ("confidence", f"{counter.confidence}: {CONFIDENCE[counter.confidence]}"),
    ]
    return "\n".join([counter.name, *(_paragraph(label, text) for label, text in paragraphs if text)]) + "\n"


def counters_markdown() -> str:
    """The whole catalogue as one page of Markdown, a table per line of /proc/net."""
    lines = [
        "# Counters",
        "",
        f"All {len(CATALOGUE)} counters that Linux shows in `/proc/net/snmp`, `/proc/net/netstat` and "
        "`/proc/net/snmp6`, those of older kernels included. `tcpcap counters explain NAME` says more of each.",
        "",
        *(f"- *{word}*: {meaning}." for word, meaning in OBSERVABILITY.items()),
        "",
    ]
    for name in GROUPS:
        lines += [f"## {name}", "", "| Counter | Counts | Unit | Packets | Kernel |", "|---|---|---|---|---|"]
        lines += [_row(counter) for counter in group(name)]
        lines.append("")
    return "\n".join(lines)


def _row(counter: Counter) -> str:
    """A row of its group's table."""
    cells = (
        f"`{counter.name}`",
        counter.meaning,
        counter.unit.replace("_", " "),
        f"*{counter.observability}*: {counter.why}",
        _versions(counter),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

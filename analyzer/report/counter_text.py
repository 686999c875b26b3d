"""Kernel counters as text: what moved between two snapshots, the catalogue, and predictions beside what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from analyzer.catalogue import CATALOGUE, find
from analyzer.catalogue.entries import first_sentence
from analyzer.correlate import (
    EVERY_FLOW,
    INFERRED_RELATION,
    NOT_COMPARABLE,
    OVER,
    UNDER,
    UNLIMITED,
    UNOBSERVABLE,
    Coincidence,
    Compared,
    Comparison,
    Fit,
)
from analyzer.counters import Change
from analyzer.counters.names import NSTAT_OMITS
from analyzer.errors import UsageError
from analyzer.patterns import regex
from analyzer.report.layout import Style, plain, wrapped
from analyzer.tables import RELATIONS
from analyzer.text import command, plural, printable

MAX_UNPREDICTED = 12
MAX_FRAMES = 5
WEIGHTS = {"points to trouble": 0, "other": 1, "traffic": 2}
TROUBLE = regex(
    "Err|Drop|Fail|Overflow|Prune|Discard|NoRoute|NoPort|NotFound|Rsts|Resets|Abort|Retrans|Timeout|Lost|Loss|Spurious"
    "|Reneging|Recovery|Reorder|Undo|DSACK|PAWS|ZeroWindow|WinProbe|Pressure|Cookie|Challenge|Skipped|BeyondWindow"
    "|Unreachs|TimeExcds|TooBig|Truncated|UnknownProtos|Rejected|Mismatch|Corruption|(?<!Shift)Fallback|Blackhole|Unexpected|RcvQ"
    "|Collapsed|CEPkts|DeliveredCE|OOM|MTUP|Filter|OutOfWindow|Stale|Locked"
)
TRAFFIC = regex(
    "(?:In|Out)(?:Receives|Delivers|Requests|Transmits|ForwDatagrams|Octets|Segs|Datagrams|Msgs|Type\\d+)$|Octets$|Pkts$"
    "|OrigDataSent|TCPDelivered$|HPHits|HPAcks|PureAcks|RcvCoalesce|Coalesce$|AutoCorking"
)
"""What names of counters that tell of trouble have in common, and of those that rise with all that goes over the network."""
HOW_SURE = ("", " (in range)", " (inferred)", "")  # by relation
MAX_COINCIDENCES = 6


def diff_text(changes: Sequence[Change], style: Style = plain) -> str:
    """What moved, first what points to trouble, with a line of meaning each; at most 80 columns wide."""
    lines: list[str] = []
    for title, weight in WEIGHTS.items():
        rows = sorted((row for row in changes if weight_of(row) == weight), key=lambda row: -abs(row.change or 0))
        if rows:
            lines += [*([""] if lines else []), style(title, "title")]
        for change in rows:
            amount = "?" if change.change is None else f"{change.change:+,}"
            lines.append(f"  {printable(change.name):<36}{amount:>16}")
            lines += wrapped(meaning(change.name), "      ")
            if change.note:
                lines += wrapped(printable(change.note), "      ! ")
    return "\n".join(lines or ["nothing moved"]) + "\n"


def weight_of(change: Change) -> int:
    """How much a change matters: one of WEIGHTS, or more for a setting that only one of the two lists."""
    if change.name in NSTAT_OMITS and change.name != "TcpCurrEstab" and None in (change.before, change.after):
        return len(WEIGHTS)
    if not change.group:
        return WEIGHTS["other"]
    if TROUBLE.search(change.name):
        return WEIGHTS["points to trouble"]
    return WEIGHTS["traffic" if TRAFFIC.search(change.name) else "other"]


def list_text(rows: Iterable[dict[str, str]]) -> str:
    """The catalogue, a counter with its first sentence each."""
    lines = []
    for row in rows:
        lines.append(f"{row['name']:<44}{row['observability']:>14}  {row['unit'].replace('_', ' ')}".rstrip())
        lines += wrapped(row["meaning"], "    ")
    return "\n".join(lines) + "\n"


def meaning(name: str) -> str:
    """The first sentence of what a counter counts."""
    if name in CATALOGUE:
        return first_sentence(CATALOGUE[name].meaning)
    try:  # types of ICMP messages, of which there are more than entries
        return first_sentence(find(name).meaning)
    except UsageError:
        return "Not in the catalogue."


def disagreeing(comparison: Comparison) -> list[Compared]:
    """The counters that are not what the packets say, over all intervals."""
    return [each for each in comparison.whole() if each.verdict in (UNDER, OVER)]


def comparison_lines(
    comparison: Comparison, frames: Mapping[str, Sequence[int]] | None = None, paths: Sequence[str] = ()
) -> Iterator[str]:
    """Clocks and coverage, disagreements, then what agrees, then what packets do not predict.

    `frames` : those that should have moved the counters that disagree; `paths` : what was read
    """
    compared = comparison.whole()
    if clocks := clock_sentence(comparison.fit):
        yield from wrapped(clocks, "  clock       ")
    for sentence in comparison.coverage().sentences():
        yield from wrapped(printable(sentence), "  coverage    ")
    wrong = sorted(disagreeing(comparison), key=lambda each: each.relation)
    hidden = [each for each in compared if each.verdict == NOT_COMPARABLE and each.relation != UNOBSERVABLE]
    agreeing = [each for each in compared if each not in wrong and each not in hidden and each.relation != UNOBSERVABLE]
    for each in wrong:
        behind = _frames((frames or {}).get(each.counter, ()), command("counters", "trace", *paths, each.counter))
        # A model that is wrong is no contradiction between capture and kernel.
        label = "  differs     " if each.relation == INFERRED_RELATION else "  DISAGREES   "
        yield from wrapped(f"{_line(each)}; {each.reason}{behind}", label)
    for each in hidden:
        yield from wrapped(_line(each), "  unclear     ")
    moved = [each for each in agreeing if each.observed]
    if moved:
        sorts = Counter(HOW_SURE[each.relation].strip(" ()") or "exactly" for each in moved)
        how = ", ".join(f"{count:,} {word}" for word, count in sorts.items())
        yield from wrapped(
            f"{plural(len(moved), 'counter')} as the packets say ({how}); --json lists them", "  agree       "
        )
    others = sorted((each for each in compared if each.relation == UNOBSERVABLE), key=lambda each: -each.observed)
    if others:
        names = ", ".join(f"{each.counter} {each.observed:,}" for each in others[:MAX_UNPREDICTED])
        more = f" and {len(others) - MAX_UNPREDICTED} more" if len(others) > MAX_UNPREDICTED else ""
        yield from wrapped(f"{names}{more}", "  unpredicted ")
        amounts = {each.counter: each.observed for each in others}
        for found in comparison.coincidences()[:MAX_COINCIDENCES]:
            yield from wrapped(_coincidence(found, amounts), "              ")


def clock_sentence(fit: Fit) -> str:
    """How the clock of the snapshots goes beside that of the capture; empty where nothing is to be said."""
    if fit.as_stamped:
        return ""
    if fit.range_ns is None:
        return (
            "the times of the snapshots do not fit those of the capture; the traffic does not tell how far they are off"
        )
    how = "behind" if fit.shift_ns > 0 else "ahead of"
    if fit.offset is not None:
        amount, unsure = abs(fit.offset.ns) / 1e9, fit.offset.uncertainty_ns / 1e9
        return f"the snapshots' clock is {amount:,.3f} s (give or take {unsure:.3f}) {how} the capture's; corrected"
    low, high = sorted(abs(each) / 1e9 for each in fit.range_ns)
    return (
        f"the snapshots' clock is between {low:,.3f} and {high:,.3f} s {how} the capture's, which the traffic"
        " does not tell more closely; corrected by the mean"
    )


def _frames(frames: Sequence[int], lister: str) -> str:
    """The first frames that should have moved a counter."""
    if not frames:
        return ""
    named = ", ".join(f"{frame}" for frame in frames[:MAX_FRAMES])
    more = f" and {len(frames) - MAX_FRAMES:,} more" if len(frames) > MAX_FRAMES else ""
    return f": {'frame' if len(frames) == 1 else 'frames'} {named}{more} (`{lister}` lists them)"


def _coincidence(found: Coincidence, amounts: dict[str, int]) -> str:
    """A counter and the event that came with it."""
    whose = "any flow" if found.flow == EVERY_FLOW else f"flow {found.flow}"
    amount = f"{amounts[found.counter]:,}" if found.counter in amounts else "moved"
    return f"{found.counter} {amount}: in the intervals of {found.event} of {whose} ({found.share:.0%})"


def forecast_text(each: Compared) -> str:
    """What the packets say, as a number or a range; empty where they say nothing."""
    if each.relation == UNOBSERVABLE:
        return ""
    if each.is_range:
        return f"{each.low:,} or more" if each.high == UNLIMITED else f"{each.low:,} to {each.high:,}"
    return f"{each.predicted:,}"


def _line(each: Compared) -> str:
    """Observed beside predicted."""
    forecast = forecast_text(each)
    whose = "a model of Linux says" if each.relation == INFERRED_RELATION else "the packets say"
    return f"{each.counter}: the kernel counted {each.observed:,}, {whose} {forecast} ({RELATIONS[each.relation]})"

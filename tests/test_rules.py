"""The rules that come with tcpcap: bound, with cases on both sides, right on every sample, silent on clean traffic; and the text that tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.cases import bound, places_of, wrong_in
from analyzer.catalogue import CATALOGUE
from analyzer.diagnosis.finding import Diagnosis
from analyzer.diagnosis.rule import CHECKOUT, Case, Rule, own_rules
from analyzer.report.finding_text import LOOKED_FOR, finding_lines
from analyzer.tables import SEVERITIES
from samples.scripted.__main__ import FOLDER as SCRIPTED
from tests import pkt
from tests.command import run_here
from tests.each import for_each
from tests.helpers import CAPTURES, SAMPLES, fitting
from tests.readme import ROOT
from tests.test_report import checked, joined, section, told_of

RULES = own_rules()
CASES = [(rule, case) for rule in RULES for case in rule.cases]
BUNDLES = [path.parent for path in CAPTURES]
CLEAN = [
    path.parent for path in CAPTURES if re.match(r"clean-|counters-|handshake$|offload-|any-sll2|vlan$", path.parts[-3])
]
TABLE = ROOT / "tests" / "findings.txt"


@dataclass(frozen=True)
class Told:
    """What an analysis says of a sample, without the analysis itself: of all samples together those take gigabytes."""

    diagnosis: Diagnosis
    text: str
    facts: Sequence[str]
    frames: int
    flows: int  # that there ever were
    followed: int  # of which there are rows
    tcp: int
    troubled: int
    protocols: int


@cache
def told_about(path: Path) -> Told:
    """Each sample is analysed once."""
    analysis = analyze(path)
    return Told(
        analysis.diagnosis,
        checked(analysis),
        [fact.text for fact in analysis.facts],
        analysis.summary.total("frames"),
        analysis.flow_tracker.total,
        len(analysis.flows),
        sum(analysis.flow_tracker.state_counts().values()),
        analysis.troubled,
        len(analysis.summary.protocols),
    )


def diagnosis_of(path: Path) -> Diagnosis:
    """What the rules say of a sample."""
    return told_about(path).diagnosis


@cache
def told_between(places: tuple[tuple[str, str], ...]) -> Diagnosis:
    """What the rules say of the ways between capture points."""
    return analyze(at=dict(places)).diagnosis


def name_of(path: Path) -> str:
    """Of a sample, for the name of a test."""
    return "-".join(path.parts[-2:])


def test_every_rule_is_bound_and_complete() -> None:
    """Each query fits the tables, each counter is in the catalogue, each rule that is explained exists; both sorts of cases; steps and references."""
    bound(RULES)
    names = {rule.id for rule in RULES}
    for rule in RULES:
        assert {case.fires for case in rule.cases} == {True, False}, rule.id
        assert rule.next and rule.references and rule.why, rule.id
        assert set(rule.covers) <= set(rule.explains) <= names - {rule.id}, rule.id
        assert [name for name in rule.counters if name not in CATALOGUE] == [], rule.id
        assert rule.path == str(CHECKOUT / rule.family / f"{rule.id}.toml")


@for_each(
    ("rule", "case"), CASES, ids=lambda each: each.id if isinstance(each, Rule) else f"{each.sample} {each.fires}"
)
def test_every_case(rule: Rule, case: Case) -> None:
    """It fires and says what it should, or is silent."""
    places = places_of(rule, case)
    assert places, "no such sample"
    found = told_between(places) if case.at else diagnosis_of(Path(places[0][1]))
    assert wrong_in(rule, case, found) == ""


@for_each("path", CLEAN, ids=name_of)
def test_nothing_is_wrong_with_clean_traffic(path: Path) -> None:
    """Nothing above info."""
    assert [finding.summary for finding in diagnosis_of(path).at_least("warning")] == []


@for_each("path", BUNDLES, ids=name_of)
def test_findings_of_samples_are_sound(path: Path) -> None:
    """No rule fails, sentences are whole, frames and flows exist, causes stand before what they explain, the text fits."""
    told, found = told_about(path), diagnosis_of(path)
    assert [each.text for each in found.not_checked if not each.needs] == []
    for number, finding in enumerate(found.findings, start=1):
        assert finding.number == number > finding.because_of
        assert re.search(r"[.?!)]$", finding.summary) and "?" not in finding.summary and "None" not in finding.summary
        assert all(1 <= frame <= told.frames for frame in finding.frames)
        assert all(0 <= flow < told.flows for flow in finding.flows)
        assert finding.cost_ns >= 0 and finding.failed >= 0 and finding.cost_bytes >= 0
        assert [step for step in finding.next if re.search(r"\{[a-z_]+\}", step)] == []
    fitting("\n".join(finding_lines(found)) + "\n")


@for_each("path", BUNDLES, ids=name_of)
def test_the_text_of_samples(path: Path) -> None:
    """The findings or that there are none, what was read, trouble, capture, protocols and conversations are all there."""
    told, text = told_about(path), joined(told_about(path).text)
    worst = told.diagnosis.at_least("warning")
    if worst:
        assert text.startswith(f"{worst[0].severity} {joined(worst[0].summary)} ({worst[0].rule.id})")
    else:
        absent = f"No ({'|'.join(LOOKED_FOR)})(, no ({'|'.join(LOOKED_FOR)}))*"
        opening = f"(Nothing wrong|Nothing that needs action|{absent}) found in {told.tcp} TCP connection"
        assert re.match(opening if told.tcp else "Nothing wrong found", text)
    with open_capture([str(path)]) as capture:
        assert f"{path}: {sum(map(len, capture)):,} frames in " in text
    for fact in told.facts:
        assert text.count(fact[1:]) == 1
    assert (f"connections in trouble ({told.troubled})" in text) == bool(told.troubled)
    assert not told.troubled or told_of(told.text) == told.troubled
    flows = min(told.followed, 10)
    assert (f"busiest conversations ({flows} of {told.followed})" in text) == bool(flows)
    assert [line.split("  ")[1] for line in section(told.text, "capture")][:1] == ["file"]
    assert not flows or len(section(told.text, "busiest")) == 1 + 2 * flows
    assert len(section(told.text, "protocols")) == told.protocols


def test_which_rule_fires_where() -> None:
    """The table of all samples and their findings is current: `python -m tests.test_rules` writes it anew."""
    assert TABLE.read_text(encoding="utf-8").splitlines() == list(table())


def table() -> Iterator[str]:
    """A line for each finding on each sample."""
    scripted = {path.parent if path.stem == "capture" else path for path in SCRIPTED.rglob("*.pcap")}
    for path in sorted({path.parent for path in CAPTURES} | scripted):
        name = path.relative_to(SAMPLES).as_posix()
        told = [
            f"{each.severity} {each.rule.id}" + (f" < {each.because_of}" if each.because_of else "")
            for each in diagnosis_of(path).findings
        ]
        yield f"{name}: {', '.join(told) or 'nothing'}"


def test_scripted_captures_are_what_their_scripts_say(tmp_path: Path) -> None:
    """Byte by byte: `python -m samples.scripted` writes them anew."""
    scripts = sorted(SCRIPTED.rglob("*.pkt"))
    assert [path.with_suffix(".pcap") for path in scripts] == sorted(SCRIPTED.rglob("*.pcap"))
    for path in scripts:
        (scenario,) = pkt.read(path)
        made = scenario.write(tmp_path / "made.pcap").read_bytes()
        assert made == path.with_suffix(".pcap").read_bytes(), path.name


@pytest.mark.parametrize("where", ["elsewhere", "checkout", "checkout/below"])
def test_rules_without_their_samples(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installed tcpcap has none: those of the checkout in which we are, or else it is said, and nothing is called wrong."""
    rule = next(rule for rule in RULES if rule.id == "accept-queue-overflow")
    (tmp_path / "checkout" / "below").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkout" / "samples").symlink_to(SAMPLES)
    (tmp_path / "checkout" / "analyzer").mkdir()
    monkeypatch.setattr("analyzer.cases.CHECKOUT", tmp_path / "site" / "rules")
    monkeypatch.chdir(tmp_path / where)
    ran = run_here("rules", "test", "--rule", rule.id, capsys=capsys)
    count = len(rule.cases)
    assert ran.out == f"1 rule, {count} cases, 0 wrong\n"
    if where == "elsewhere":
        assert (ran.status, f"{count} cases not tried" in ran.err) == (2, True)
    else:
        assert (ran.status, ran.err) == (0, "")


def test_what_was_lost_before_a_window_closed_is_no_consequence_of_that() -> None:
    """And nobody says that the network is fine."""
    findings = {each.rule.id: each for each in diagnosis_of(SCRIPTED / "loss-and-closed-window.pcap").findings}
    assert findings["packet-loss"].because_of == 0
    assert "fine" not in findings["receiver-not-reading"].summary


def test_a_loss_costs_what_its_own_side_waited() -> None:
    """Where both sides lose their last segment."""
    found = [each for each in diagnosis_of(SCRIPTED / "tail-loss-both.pcap").findings if each.rule.id == "tail-loss"]
    assert [each.cost_ns // 1_000_000 for each in found] == [260, 160]


def test_what_only_the_clock_tells_is_not_certain(tmp_path: Path) -> None:
    """An ACK that came too soon to answer the repetition; a timer shorter than the round trip; an ACK that came too late."""
    path = tmp_path / "too-soon.pcap"
    scripts = pkt.read(ROOT / "tests" / "events" / "spurious_retransmission.pkt")
    next(each for each in scripts if each.title.startswith("too_soon: no timestamps, and")).write(path)
    spurious = {each.rule.id: each.confidence for each in diagnosis_of(path).findings}
    assert spurious["spurious-retransmission"] == "likely"
    slow = {each.rule.id: each.confidence for each in diagnosis_of(SCRIPTED / "slow-line.pcap").findings}
    assert slow == {"packet-loss": "possible", "retransmission-timeouts": "possible"}
    late = {each.rule.id: each.confidence for each in diagnosis_of(SCRIPTED / "tail-late.pcap").findings}
    assert late == {"tail-loss": "possible"}


def test_a_network_that_leaves_probes_unanswered_is_not_called_fine() -> None:
    """The last probe of a closed window was answered, and the answer did not come."""
    findings = {each.rule.id: each for each in diagnosis_of(SAMPLES / "zero-window-probe-timeout" / "client").findings}
    assert "does not even answer probes" in findings["receiver-not-reading"].summary
    assert "fine" not in findings["receiver-not-reading"].summary


@pytest.mark.parametrize("sample", ["no-ports/client", "icmp-errors-to-client/client", "loss-ipv4/client"])
def test_an_address_that_is_given_twice_is_one(sample: str) -> None:
    """Also in another form; and a rule that asks whose an address is counts nothing twice."""
    path = str(SAMPLES / sample)
    flows = analyze(path).flows
    for address in sorted({*flows["client"], *flows["server"]}):
        once, twice, doubled = (analyze(path, hosts=hosts) for hosts in ([address], [address, address], [address]))
        doubled.host_addresses.append(address)  # past what analyze() sees to
        assert (twice.local, doubled.local) == ([address], [address, address])
        told, *others = ([each.summary for each in found.diagnosis.findings] for found in (once, twice, doubled))
        assert len(told) > 0 and others == [told, told]


def test_severities_are_ordered() -> None:
    """As ranking takes them."""
    assert SEVERITIES == ("info", "warning", "error")


if __name__ == "__main__":
    TABLE.write_text("\n".join(table()) + "\n", encoding="utf-8")

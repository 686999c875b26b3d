"""The catalogue of counters: every name of every kernel at hand has an entry, and every entry says all it should."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter as Tally
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.catalogue import (
    CATALOGUE,
    CONFIDENCE,
    OBSERVABILITY,
    UNITS,
    Counter,
    find,
    group,
    list_rows,
)
from analyzer.correlate.slow_start import SLOW_START
from analyzer.counters import GAUGES, GROUPS
from analyzer.counters.prose import TABLES
from analyzer.errors import UsageError
from analyzer.prediction import NUMBER
from analyzer.report.catalogue_text import counters_markdown, explain_text
from analyzer.report.trace_text import trace_lines
from tests.each import for_each

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "analyzer" / "catalogue").glob("*.py"))
REFERENCE = sorted((ROOT.parent / "shared" / "reference").glob("*.txt"))
SAMPLES = sorted((ROOT / "samples").rglob("counters.jsonl"))
PROC = Path("/proc/net")
ENTRIES = list(CATALOGUE.values())
LIMITS = {"meaning": 420, "moves": 260, "points_at": 320, "why": 380, "reference": 200}
SENTENCES = ("meaning", "moves", "points_at", "why")

EXACT = """
    IpInReceives IpInDelivers IpOutRequests IpForwDatagrams IpReasmTimeout IpReasmReqds IpReasmOKs IpReasmFails IpFragOKs
    IpFragFails IpFragCreates Ip6ReasmOKs Ip6FragOKs
    IpExtInOctets IpExtOutOctets IpExtInMcastOctets IpExtOutMcastOctets IpExtInBcastOctets IpExtOutBcastOctets
    IpExtInNoECTPkts IpExtInECT1Pkts IpExtInECT0Pkts IpExtInCEPkts IpExtInMcastPkts IpExtOutMcastPkts IpExtInBcastPkts
    IpExtOutBcastPkts UdpOutDatagrams UdpNoPorts Udp6OutDatagrams Udp6NoPorts
    TcpActiveOpens TcpPassiveOpens TcpAttemptFails TcpEstabResets TcpInSegs TcpOutSegs TcpRetransSegs TcpInErrs
    TcpInCsumErrors TcpOutRsts
    TCPSynRetrans TCPOrigDataSent TCPDSACKRecv TCPDSACKOfoRecv TCPDSACKRecvSegs
    TCPToZeroWindowAdv TCPFromZeroWindowAdv TCPOFOQueue PAWSActive PAWSEstab TCPKeepAlive TCPWinProbe
    TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenListenOverflow
    TCPFastOpenCookieReqd TCPFastOpenBlackhole TCPFastOpenPassiveAltKey
    EmbryonicRsts TW TCPSACKDiscard TCPDelivered TCPDeliveredCE
"""
NOT_EXACT = """
    TCPHPHits TCPHPAcks TCPPureAcks DelayedACKs DelayedACKLost TCPLossProbes TCPLossProbeRecovery TCPFastRetrans
    TCPSlowStartRetrans TCPTimeouts TCPLostRetransmit TCPSackRecovery TCPRenoRecovery TCPFullUndo TCPPartialUndo
    TCPDSACKUndo TCPLossUndo TCPSpuriousRTOs TCPSACKReorder TCPTSReorder TCPRenoReorder TCPOFOMerge TCPOFODrop
    TCPRcvCoalesce ListenOverflows ListenDrops TCPReqQFullDoCookies TCPReqQFullDrop TCPAbortOnData TCPAbortOnClose
    TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPChallengeACK TCPSYNChallenge TCPACKSkippedSynRecv
    TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge
    TCPTimeWaitOverflow TWRecycled TWKilled PAWSOldAck PAWSTimewait TCPBacklogDrop TCPRcvQDrop TCPZeroWindowDrop
    SyncookiesSent SyncookiesRecv SyncookiesFailed PruneCalled TCPRcvCollapsed TCPHystartTrainDetect TCPHystartDelayCwnd
    IpInAddrErrors IpExtInNoRoutes IpOutNoRoutes UdpInDatagrams Udp6InDatagrams TCPDSACKOldSent TCPDSACKOfoSent
"""


def entry(short: str) -> Counter:
    """The entry of a name that is full, or one of TcpExt."""
    return CATALOGUE.get(short) or CATALOGUE[f"TcpExt{short}"]


def names_of_pairs(file: Path) -> list[str]:
    """The names in /proc/net/snmp or netstat: lines of names, each followed by one of values."""
    found = []
    for line in file.read_text().splitlines()[::2]:
        prefix, *names = line.split()
        found += [prefix.removesuffix(":") + name for name in names]
    return found


def words(text: str) -> list[str]:
    """The words of a text, whatever stands between them."""
    return re.findall(r"[a-z0-9_]+", text.lower())


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """Every run of so many words."""
    found = words(text)
    return {tuple(found[index : index + length]) for index in range(len(found) - length + 1)}


# ---- Every counter there is


@pytest.mark.parametrize("name", ["snmp", "netstat"])
@pytest.mark.skipif(not (PROC / "snmp").exists(), reason="needs /proc/net/snmp")
def test_every_counter_of_the_running_kernel_has_an_entry(name: str) -> None:
    assert [counter for counter in names_of_pairs(PROC / name) if counter not in CATALOGUE] == []


@pytest.mark.skipif(not (PROC / "snmp6").exists(), reason="needs /proc/net/snmp6")
def test_every_ipv6_counter_of_the_running_kernel_has_an_entry() -> None:
    names = [line.split()[0] for line in (PROC / "snmp6").read_text().splitlines()]
    assert [name for name in names if find(name).name != name] == []


def test_every_counter_of_the_samples_has_an_entry() -> None:
    assert SAMPLES
    names: set[str] = set()
    for file in SAMPLES:
        for line in file.read_text().splitlines():
            names |= set(json.loads(line)["counters"])
    assert len(names) > 300
    assert sorted(name for name in names if find(name).name != name) == []


def test_every_counter_that_netstat_names_has_an_entry() -> None:
    """The sentences of `netstat -s` stand for counters; groups of other protocols (SCTP) are not in the catalogue."""
    named = {of + short for of, table in TABLES.items() if of in GROUPS for short in table.values()}
    assert len(named) > 100
    unknown = {name for name in named if name not in CATALOGUE}
    assert {name for name in unknown if "Ip6" not in name and "Udp6" not in name} == set()


def test_every_gauge_that_is_no_counter_has_an_entry() -> None:
    assert {name for name in GAUGES if not name.startswith("Sctp")} == {
        counter.name for counter in ENTRIES if counter.unit == "gauge"
    }


def test_every_group_has_entries_in_the_order_of_groups() -> None:
    assert list(dict.fromkeys(counter.group for counter in ENTRIES)) == list(GROUPS)
    sizes = Tally(counter.group for counter in ENTRIES)
    assert {name: sizes[name] for name in ("Ip", "Icmp", "Tcp", "Udp", "UdpLite", "IpExt")} == {
        "Ip": 20,
        "Icmp": 29,
        "Tcp": 15,
        "Udp": 9,
        "UdpLite": 9,
        "IpExt": 18,
    }
    assert sizes["UdpLite6"] == 8


# ---- What an entry says


@for_each("counter", ENTRIES, ids=lambda counter: counter.name)
def test_an_entry_is_complete(counter: Counter) -> None:
    assert counter.group in GROUPS
    assert counter.group + counter.short == counter.name
    assert counter.unit in UNITS
    assert counter.observability in OBSERVABILITY
    assert counter.confidence in CONFIDENCE
    for field, limit in LIMITS.items():
        text = getattr(counter, field)
        assert 0 < len(text) <= limit, field
        assert text == " ".join(text.split()), f"{field}: spaces"
    for field in SENTENCES:
        assert getattr(counter, field).endswith("."), field
    assert not counter.reference.endswith(".")
    for version in (counter.since, counter.until):
        assert re.fullmatch(r"(?:[2-9]\.\d+(?:\.\d+)?)?", version)
    assert not counter.renamed_to or counter.until, "renamed, but not gone"
    assert not counter.renamed_to or not CATALOGUE[counter.renamed_to].until


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        find("TcpInSegs").meaning = ""  # type: ignore[misc]


def test_no_two_entries_are_alike() -> None:
    assert [text for text, times in Tally(counter.meaning for counter in ENTRIES).items() if times > 1] == []
    assert [name for name, times in Tally(name.lower() for name in CATALOGUE).items() if times > 1] == []
    assert [name for name, counter in CATALOGUE.items() if counter.name != name] == []


def test_every_counter_that_a_text_names_exists() -> None:
    """Names within the texts are those of counters, or of nothing that looks like one."""
    known = {name for counter in ENTRIES for name in (counter.name, counter.short)}
    looks = re.compile(r"\b[A-Z][A-Za-z0-9]*[a-z][A-Z][A-Za-z0-9]*\b")
    others = {"HyStart", "KeyID", "KiB", "NetBIOS"}
    for counter in ENTRIES:
        text = " ".join(getattr(counter, field) for field in SENTENCES)
        assert set(looks.findall(text)) - known <= others, counter.name


@for_each("short", EXACT.split())
def test_packets_decide(short: str) -> None:
    assert entry(short).observability == "exact"


@for_each("short", NOT_EXACT.split())
def test_packets_do_not_decide_alone(short: str) -> None:
    assert entry(short).observability in ("bounded", "inferred")


def test_every_icmp_type_is_decided_by_packets() -> None:
    totals = {"Msgs", "Errors", "CsumErrors", "RateLimitGlobal", "RateLimitHost"}
    kinds = [
        counter
        for counter in ENTRIES
        if counter.group.startswith("Icmp") and re.sub("^(In|Out)", "", counter.short) not in totals
    ]
    assert len(kinds) > 100
    assert {counter.observability for counter in kinds} == {"exact"}


def test_pure_and_predicted_acks_are_exact_only_together() -> None:
    assert "TCPHPAcks together" in find("TCPPureAcks").why
    assert "together with TCPPureAcks" in find("TCPHPAcks").why


@pytest.mark.skipif(not REFERENCE, reason="needs ../shared/reference")
def test_nothing_is_copied() -> None:
    """No twelve words in a row are those of a text that was read for its facts."""
    read = set().union(*(runs(file.read_text(), 12) for file in REFERENCE))
    for counter in ENTRIES:
        for field in SENTENCES:
            assert not runs(getattr(counter, field), 12) & read, f"{counter.name}: {field}"


# ---- Finding one


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("TcpExtTCPDSACKRecv", "TcpExtTCPDSACKRecv"),
        ("TCPDSACKRecv", "TcpExtTCPDSACKRecv"),
        ("DSACKRecv", "TcpExtTCPDSACKRecv"),
        ("dsackrecv", "TcpExtTCPDSACKRecv"),
        (" TCPEXTTCPDSACKRECV ", "TcpExtTCPDSACKRecv"),
        ("RetransSegs", "TcpRetransSegs"),
        ("timeoutrehash", "TcpExtTcpTimeoutRehash"),
        ("mpcapablesynrx", "MPTcpExtMPCapableSYNRX"),
        ("TW", "TcpExtTW"),
        ("InDestUnreachs", ""),
        ("PAWSPassive", "TcpExtPAWSPassive"),
        ("icmpmsginTYPE200", "IcmpMsgInType200"),
        ("Icmp6OutType255", "Icmp6OutType255"),
        ("Icmp6InType135", "Icmp6InType135"),
    ],
)
def test_a_name_finds_its_entry(typed: str, name: str) -> None:
    if name:
        assert find(typed).name == name
    else:
        with pytest.raises(UsageError, match="more than one counter"):
            find(typed)


def test_every_name_finds_itself_in_any_case() -> None:
    for name in CATALOGUE:
        assert find(name).name == find(name.lower()).name == find(name.upper()).name == name


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("InErrors", "InErrors: more than one counter has this name; say which: IcmpInErrors, UdpInErrors,"),
        ("packets", "no such counter"),
        ("time_squeeze", "a column of /proc/net/softnet_stat"),
        ("softnet_stat", "net.core.netdev_max_backlog"),
        ("sockstat", "TcpExtTCPMemoryPressures for mem (in pages)"),
        ("TCPDSACKReceived", "no such counter; did you mean TcpExtTCPDSACKRecv"),
        ("IcmpMsgInType256", "no such counter"),
        ("IcmpMsgInType07", "no such counter"),
        ("xyzzy", "xyzzy: no such counter; tcpcap counters list shows all of them"),
        ("", "no such counter"),
    ],
)
def test_other_names_get_a_hint(typed: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(typed)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("WinProbe", "TcpExtTCPWinProbe"),
        ("RcvPruned", "TcpExtRcvPruned"),
        ("segments retransmitted", "TcpRetransSegs"),
        ("    8 segments retransmited", "TcpRetransSegs"),
        ("Quick ack mode was activated 19,329 times", "TcpExtDelayedACKLost"),
        ("delayed acks sent", "TcpExtDelayedACKs"),
        ("bad segments received.", "TcpInErrs"),
        ("node_netstat_TcpExt_TCPTimeouts", "TcpExtTCPTimeouts"),
        ("node_netstat_Icmp6_InMsgs", "Icmp6InMsgs"),
        ("tcp_retranssegs", "TcpRetransSegs"),
    ],
)
def test_names_of_other_programs(typed: str, name: str) -> None:
    """Exporters, sentences of `netstat -s` with their numbers or without; TcpExt's before another group's."""
    assert find(typed).name == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TCPAbortOnMemory", "else silently"),
        ("TCPBacklogDrop", "nothing to do with the backlog of listen()"),
        ("ListenDrops", "three quarters of net.ipv4.tcp_max_syn_backlog"),
        ("PAWSEstab", "PAWSPassive"),
        ("PruneCalled", "calls, not packets"),
        ("TCPMemoryPressures", "is in pages"),
    ],
)
def test_what_is_often_misread_is_said(name: str, text: str) -> None:
    """And the text ends with its line."""
    explained = explain_text(find(name))
    assert text in " ".join(explained.split())
    assert explained.endswith("\n")


def test_a_group_holds_its_counters() -> None:
    assert group("tcp") == group("Tcp")
    assert [counter.short for counter in group("Tcp")][:2] == ["RtoAlgorithm", "RtoMin"]
    with pytest.raises(UsageError, match="TcpEx: no such group of counters; did you mean TcpExt"):
        group("TcpEx")


def test_rows_fit_what_is_asked() -> None:
    assert [row["name"] for row in list_rows()] == list(CATALOGUE)
    rows = list_rows(group="tcpext", observability="Bounded", word="listener")
    assert "TcpExtListenOverflows" in [row["name"] for row in rows]
    assert {row["group"] for row in rows} == {"TcpExt"}
    assert {row["observability"] for row in rows} == {"bounded"}
    assert all(row["meaning"].endswith((".", ":")) for row in rows)
    assert list_rows(word="no text says this") == []
    with pytest.raises(UsageError, match="exacto: no such observability; did you mean exact"):
        list_rows(observability="exacto")
    with pytest.raises(UsageError, match="known are: Ip, Icmp"):
        list_rows(group="xyzzy")


# ---- Showing them


@for_each("counter", ENTRIES, ids=lambda counter: counter.name)
def test_an_explanation_fits_the_terminal_and_says_all(counter: Counter) -> None:
    text = explain_text(counter)
    assert max(len(line) for line in text.splitlines()) < 80
    assert text.splitlines()[0] == counter.name
    flat = " ".join(text.split())
    for field in (*SENTENCES, "reference", "observability", "since", "until", "renamed_to"):
        assert getattr(counter, field) in flat, field


def test_what_is_sent_to_the_trace_is_told_there() -> None:
    """And what no frame moves is sent nowhere, but says what it is predicted from."""
    analysis = analyze(ROOT / "samples" / "loss-ipv4" / "server")
    predicted = [name for name in NUMBER if name in CATALOGUE]
    assert {name for name in SLOW_START if "+" not in name} < set(predicted)
    for name in predicted:
        flat = " ".join(explain_text(find(name)).split())
        if f"`tcpcap counters trace BUNDLE {name}` lists the frames" in flat:
            assert next(trace_lines(analysis, name)) == name
            continue
        assert "predicted from how much each connection has sent, and from lists of sockets;" in flat, name
        assert "counters trace" not in flat, name
        with pytest.raises(UsageError, match="packets do not tell"):
            next(trace_lines(analysis, name))


def test_the_page_of_the_documentation_holds_every_counter() -> None:
    page = counters_markdown()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(CATALOGUE)
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")] == list(GROUPS)


# ---- The module


def test_import_is_cheap() -> None:
    heavy = "{'numpy', 'pandas', 'numba', 'duckdb', 'rich'} & set(sys.modules)"
    code = f"import sys, analyzer.catalogue; print({heavy} or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_every_module_of_entries_has_a_size_to_read() -> None:
    data = [file for file in MODULES if "\nCOUNTERS = " in file.read_text()]
    assert len(data) >= 20
    for file in data:
        assert 60 <= len(file.read_text().splitlines()) <= 300, file.name

"""What people type: the examples of each command, for its help and for the man page. A test runs them all."""

from __future__ import annotations

# By the words of the command; each line can be copied. What they read: trace.pcap, a bundle, snapshots before.txt and after.txt, lists in ss.txt.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "analyze": (
        "tcpcap analyze trace.pcap",
        "tcpcap analyze bundle --html report.html  # a page to hand on",
        "tcpcap analyze trace.pcap --snapshots before.txt --snapshots after.txt",
        "tcpcap analyze trace.pcap --sockets ss.txt --host 10.0.0.2",
        "tcpcap analyze --at client=trace.pcap --at server=bundle  # two capture points",
        "tcpcap analyze -q trace.pcap --fail-on warning  # the exit status tells",
        "tcpcap analyze --jobs 8 trace.pcap  # a large one, on eight cores",
        "tcpcap analyze --jobs 8 --resume work trace.pcap  # goes on where it ended",
        "tcpcap analyze --cluster tcp://taps:8786 --on tap1:/data/ring  # where it lies",
        "tcpcap analyze trace.pcap --json | jq '.findings[].summary'",
        "tcpdump -U -i any -w - | tcpcap analyze --follow -  # live, until Ctrl-C",
    ),
    "checksums": (
        "tcpcap checksums trace.pcap",
        "tcpcap checksums trace.pcap --host 10.0.0.2  # the host that took the capture",
    ),
    "fix-checksums": (
        "tcpcap fix-checksums trace.pcap fixed.pcap",
        "tcpcap fix-checksums --all trace.pcap fixed.pcap.gz  # corrupt ones, too",
    ),
    "export": (
        "tcpcap export trace.pcap --table flows -o flows.csv",
        "tcpcap export trace.pcap --table events -o events.parquet",
        "tcpcap export trace.pcap --table series --every 100ms --flow 0 -o series.csv",
        "tcpcap export --at client=trace.pcap --at server=bundle --table paths",
        "tcpcap export bundle --table counters --format jsonl | head",
    ),
    "extract": (
        "tcpcap extract trace.pcap --flow 0 --around 5s -o cut.pcapng",
        "tcpcap extract bundle --finding 1 --anonymize -o cut.pcapng",
        "tcpcap extract trace.pcap --event retransmission -o cut.pcapng",
    ),
    "schema": (
        "tcpcap schema flows",
        "tcpcap schema events  # what each event means",
        "tcpcap schema --json >tcpcap.schema.json",
    ),
    "flow": (
        "tcpcap flow trace.pcap 0",
        "tcpcap flow trace.pcap 10.0.0.1:40001 --all",
        "tcpcap flow bundle 0 --json | jq '.stalls'",
        "tcpcap flow --at client=trace.pcap --at server=bundle 0  # at both points",
    ),
    "flows": (
        "tcpcap flows trace.pcap --sort loss --top 20",
        "tcpcap flows trace.pcap --sort rtt --columns flow,client,handshake_rtt_ns",
        "tcpcap flows trace.pcap --ndjson | jq -r .start_time",
    ),
    "sql": (
        'tcpcap sql trace.pcap "SELECT event, count(*) FROM events GROUP BY event"',
        'tcpcap sql trace.pcap "FROM flows WHERE client_spurious > 0" -o out.parquet',
        'tcpcap sql trace.pcap "SELECT time FROM packets WHERE payload_len > 0" --json',
        "tcpcap sql --at a=trace.pcap --at b=bundle \"FROM passages WHERE fate = 'lost'\"",
        "tcpcap sql trace.pcap",
    ),
    "mcp": (
        "tcpcap mcp /var/captures",
        "claude mcp add tcpcap -- tcpcap mcp /var/captures",
    ),
    "plot": (
        "tcpcap plot trace.pcap -o worst.html  # the connection that matters most",
        "tcpcap plot trace.pcap --flow 0 --kind time-sequence -o flow.svg",
        "tcpcap plot --at a=trace.pcap --at b=bundle -o both.html  # at both points",
        "tcpcap plot bundle --kind counters --counter TcpRetransSegs -o counters.html",
    ),
    "show": (
        "tcpcap show trace.pcap 9",
        "tcpcap show trace.pcap 9 --no-wireshark",
    ),
    "crosscheck": ("tcpcap crosscheck trace.pcap",),
    "notebook": ("tcpcap notebook bundle -o post-mortem.ipynb",),
    "counters diff": ("tcpcap counters diff before.txt after.txt",),
    "counters explain": (
        "tcpcap counters explain TcpExtTCPTimeouts",
        'tcpcap counters explain "segments retransmitted"',
        "tcpcap counters explain node_netstat_TcpExt_ListenDrops",
    ),
    "counters list": (
        "tcpcap counters list --group TcpExt --observability exact",
        "tcpcap counters list --word SACK",
    ),
    "counters trace": ("tcpcap counters trace bundle TcpRetransSegs",),
    "rules list": ("tcpcap rules list", "tcpcap rules list --rules my-rules"),
    "rules show": ("tcpcap rules show receiver-not-reading",),
    "rules test": ("tcpcap rules test my-rules", "tcpcap rules test --rule packet-loss"),
    "completion": (
        "tcpcap completion bash --install",
        'eval "$(tcpcap completion zsh)"  # for this shell only',
        "tcpcap completion fish | source",
    ),
    "record": (
        "tcpcap record -i eth0 -o incident --duration 60s",
        "tcpcap record -i eth0 -o incident --ring 10m --until 'TcpRetransSegs>100'",
        "tcpcap record -i eth0 -o web --pid 4711 --filter 'tcp port 443' --pack",
        "tcpcap record -i eth0 -o incident --duration 60s --script >record.sh",
    ),
}


def examples(path: str) -> tuple[str, ...]:
    """The examples of a command, such as `tcpcap counters diff`."""
    return EXAMPLES.get(path.partition(" ")[2], ())

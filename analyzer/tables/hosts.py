"""The table of hosts."""

from __future__ import annotations

from analyzer.schema import Column, Table

HOST_ROLES = ("", "client", "server", "both", "router")
KNOWN_FROM = ("host.json", "sosreport", "supportconfig", "--host", "capture")

HOSTS = Table(
    "hosts",
    "One row per host of which more is known than that it sent packets: those that a bundle or a report describes, and the one that took the capture.",
    (
        Column("host", "", "Its name, or its addresses: as in `counters` and `sockets`.", kind="text"),
        Column("addresses", "", "Its addresses, with a comma and a space between them.", kind="text"),
        Column("role", "u1", "What it was in the conversations of the capture: `client`, `server` or `both`; `router` it forwards, and most of them are of others. Empty where it was in none.", kind="enum", words=HOST_ROLES),
        Column("client_flows", "i8", "How many conversations it began."),
        Column("server_flows", "i8", "How many others began with it."),
        Column("known_from", "u1", "Who says that these are its addresses: `host.json` of a bundle, a `sosreport` or `supportconfig`, the option `--host`, or what the packets of the `capture` tell.", kind="enum", words=KNOWN_FROM),
        Column("kernel", "", "Its kernel, such as `Linux 6.18.1`; empty where nothing says it.", kind="text"),
        Column("mtu", "i8", "The largest MTU of its interfaces but loopback; missing where nothing says it.", unit="bytes", kind="optional"),
        Column("sysctls", "", "Its settings as a JSON object of text by name, such as `{\"net.core.somaxconn\": \"4096\"}`: `sysctls ->> '$.\"net.core.somaxconn\"'` in SQL.", kind="text"),
    ),
)  # fmt: skip

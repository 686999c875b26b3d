"""The hosts of which more is known than their packets: the rows of `hosts`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.capture.bundle import host_of
from analyzer.capture.sysctls import sysctls_of
from analyzer.fields import of_fields
from analyzer.flows.addresses import among
from analyzer.schema import Rows, optional
from analyzer.tables import HOST_ROLES, HOSTS, KNOWN_FROM

if TYPE_CHECKING:
    import pandas as pd

FORWARDS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


@of_fields(slots=True)
class KnownHost:
    """A host; `known_from` is a word of KNOWN_FROM, `mtu` 0 where it is not known."""

    name: str
    addresses: tuple[str, ...]
    known_from: str
    kernel: str
    mtu: int
    sysctls: dict[str, str]
    began: int = 0
    accepted: int = 0


def known_hosts(paths: Sequence[str], named: Sequence[str], told: Sequence[str], name: str) -> list[KnownHost]:
    """Those of bundles and reports, each once; then the one that took the capture, where none of these is it.

    Parameters
    ----------
    named : its addresses by `--host`
    told : its addresses by the packets
    name : what it is called in other tables
    """
    found: dict[tuple[str, tuple[str, ...]], KnownHost] = {}
    for path in paths:
        host = host_of(path)
        if host is None:
            continue
        called = host.name or ", ".join(host.addresses) or path
        key = (host.name, () if host.name else host.addresses)
        made = KnownHost(called, host.addresses, host.known_from, host.kernel, host.mtu, sysctls_of(path))
        if before := found.get(key):  # the same host, recorded again: what is said later holds
            made.sysctls = before.sysctls | made.sysctls
            made.addresses = tuple(dict.fromkeys((*made.addresses, *before.addresses)))
        found[key] = made
    hosts = list(found.values())
    recorded = {address for host in hosts for address in host.addresses}
    for addresses, whence in ((named, "--host"), (() if named or hosts else told, "capture")):
        if addresses and recorded.isdisjoint(addresses):
            hosts.append(KnownHost(name or ", ".join(addresses), tuple(addresses), whence, "", 0, {}))
    return hosts


def hosts_frame(hosts: Sequence[KnownHost], flows: Iterable[Rows]) -> pd.DataFrame:
    """The table `hosts`; `flows` are all rows of the table of that name, piece by piece."""
    rows, texts, mtus = hosts_rows(hosts, flows)
    return HOSTS.frame(rows, {**texts, "mtu": optional(HOSTS["mtu"], mtus, mtus > 0)})


def hosts_rows(
    hosts: Sequence[KnownHost], flows: Iterable[Rows]
) -> tuple[Rows, dict[str, npt.NDArray[np.object_]], npt.NDArray[np.int64]]:
    """What is stored of it, its texts, and the MTUs (0 where one is not known)."""
    total = 0
    for part in flows:
        total += len(part)
        for host in hosts:
            if host.addresses:
                client = among(part["client_hi"], part["client_lo"], host.addresses)
                host.began += int(client.sum())
                host.accepted += int((among(part["server_hi"], part["server_lo"], host.addresses) & ~client).sum())
    rows = np.zeros(len(hosts), HOSTS.dtype)
    rows["role"] = [HOST_ROLES.index(_role(host, total)) for host in hosts]
    rows["known_from"] = [KNOWN_FROM.index(host.known_from) for host in hosts]
    rows["client_flows"], rows["server_flows"] = [host.began for host in hosts], [host.accepted for host in hosts]
    mtus = np.array([host.mtu for host in hosts], np.int64)
    texts: dict[str, Any] = {
        "host": [host.name for host in hosts],
        "addresses": [", ".join(host.addresses) for host in hosts],
        "kernel": [host.kernel for host in hosts],
        "sysctls": [json.dumps(host.sysctls, sort_keys=True) for host in hosts],
    }
    return rows, {name: np.array(values, object) for name, values in texts.items()}, mtus


def _role(host: KnownHost, flows: int) -> str:
    own = host.began + host.accepted
    if 2 * own < flows and any(host.sysctls.get(name) == "1" for name in FORWARDS):
        return "router"
    if host.began and host.accepted:
        return "both"
    return "client" if host.began else "server" if host.accepted else ""

"""Sockets as they were listed -> rows of the table `sockets`, some thousands at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.schema import Rows, optional
from analyzer.sockets.details import Details, details_of
from analyzer.sockets.endpoint import Endpoint
from analyzer.sockets.sockets import LISTEN, NO_ACCEPT, Listed, Process
from analyzer.sockets.words import DECIMALS, WHOLES
from analyzer.tables import SOCKETS

if TYPE_CHECKING:
    import pandas as pd

Numbers = npt.NDArray[np.int64]
Known = npt.NDArray[np.bool_]


@of_fields(frozen=True, slots=True)
class Ends:
    """One end of each socket: addresses as two numbers of 64 bits, as the other tables store them.

    `version` is 4 or 6, 0 where it is not known; `any_family` where the address is `*`. `port` is -1 for none.
    """

    endpoints: Sequence[Endpoint]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    version: Numbers
    port: Numbers


@of_fields(frozen=True, slots=True)
class Batch:
    """Some sockets. `rows` are those of SOCKETS; what is not stored there is made by `frame`.

    `recv_q`, `send_q`, `limit` are -1 where they are not known; `listening` marks listeners, of which `recv_q` is the
    accept queue and `limit` its limit.
    """

    listed: Sequence[Listed]
    rows: Rows
    local: Ends
    peer: Ends
    recv_q: Numbers
    send_q: Numbers
    limit: Numbers
    listening: Known
    details: Details
    listener_flows: Numbers

    def __len__(self) -> int:
        return len(self.rows)

    def whole(self, column: str) -> Numbers:
        """A column of whole numbers, -1 where it was not printed; numbers of more than 63 bits are cut there."""
        number = WHOLES.index(column)
        values = np.minimum(self.details.wholes[:, number], np.uint64((1 << 63) - 1)).astype(np.int64)
        return np.where(self.details.known[:, number] > 0, values, -1)

    def frame(self, host: str) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        texts = {name: pd.array(values, dtype=str) for name, values in self._texts(host).items()}
        return SOCKETS.frame(self.rows, texts | self._numbers())

    def _texts(self, host: str) -> dict[str, list[str]]:
        details = self.details
        text, spans = details.text, details.spans.tolist()
        cookies = details.wholes[:, WHOLES.index("cookie")].tolist()
        printed = details.known[:, WHOLES.index("cookie")].tolist()
        first = [each.processes[0].name if each.processes else "" for each in self.listed]
        found = {
            "host": [host] * len(self),
            "process": first,
            "processes": [_processes_text(each.processes) if each.processes else "" for each in self.listed],
            "cookie": [f"{cookie:x}" if known else "" for cookie, known in zip(cookies, printed, strict=True)],
            "congestion": [_text(text[span[0] : span[1]]) for span in spans],
            "cgroup": [_text(text[span[2] : span[3]]) for span in spans],
        }
        for side, ends in (("local", self.local.endpoints), ("peer", self.peer.endpoints)):
            found[side] = [end.address or "" for end in ends]
            found[f"{side}_interface"] = [end.interface for end in ends]
            found[f"{side}_service"] = [end.service for end in ends]
            found[f"{side}_printed"] = [end.printed for end in ends]
        return found

    def _numbers(self) -> dict[str, Any]:
        first = [each.processes[0] if each.processes else None for each in self.listed]
        found = {
            "recv_q": self.recv_q,
            "send_q": self.send_q,
            "accept_queue": np.where(self.listening, self.recv_q, -1),
            "accept_limit": self.limit,
            "local_port": self.local.port,
            "peer_port": self.peer.port,
            "listener_flows": self.listener_flows,
            "pid": _optional_numbers(first, lambda each: each.pid),
            "fd": _optional_numbers(first, lambda each: each.fd),
            "timer_probes": _optional_numbers(self.listed, lambda each: each.probes),
        }
        shown = {name: optional(SOCKETS[name], values, values >= 0) for name, values in found.items()}
        # Turned once, columns are read one after another.
        known = np.ascontiguousarray(self.details.known.T).view(np.bool_)
        wholes, decimals = (np.ascontiguousarray(each.T) for each in (self.details.wholes, self.details.decimals))
        for name, values, there in zip((*WHOLES, *DECIMALS), (*wholes, *decimals), known, strict=True):
            if SOCKETS[name].kind == "optional":
                shown[name] = optional(SOCKETS[name], values, there)
        return shown


def batch_of(listed: Sequence[Listed], first_snapshot: int, file_ns: int) -> Batch:
    """The rows of some sockets. `file_ns` is their time where nothing better is known, `first_snapshot` the number of the first list."""
    count = len(listed)
    netids, states, recv, send, locals_, peers, limited, words, _, times, snapshots, versions, _ = (
        zip(*listed, strict=True) if listed else ((),) * len(Listed._fields)
    )
    details = details_of(words)
    rows = np.zeros(count, SOCKETS.dtype)
    local, peer = _ends(locals_), _ends(peers)
    state, netid = np.array(states, np.int64), np.array(netids, np.int64)
    recv_q = _numbers(recv)
    send_q = _numbers(send)
    listening = (state == LISTEN) & ~np.isin(netid, NO_ACCEPT)
    time_ns = np.array(times, np.int64)
    rows["time_ns"] = np.where(time_ns != 0, time_ns, file_ns)
    rows["snapshot"] = np.array(snapshots, np.int64) + first_snapshot
    rows["netid"], rows["state"] = netid, state
    said = np.array(versions, np.int64)
    mapped = np.fromiter((end.mapped for end in locals_), np.bool_, count)
    address_version = np.where(local.version != 0, local.version, peer.version)
    rows["ip_version"] = np.where(address_version != 0, address_version, said)
    rows["v4_mapped"] = mapped | ((said == 6) & (address_version == 4))
    rows["flow"] = -1
    rows["flags"], rows["shutdown"], rows["timer"] = details.codes.T
    return Batch(
        listed,
        rows,
        local,
        peer,
        recv_q,
        send_q,
        np.where(listening & np.array(limited, np.bool_), send_q, -1),
        listening,
        details,
        np.full(count, -1, np.int64),
    )


def _ends(endpoints: Sequence[Endpoint]) -> Ends:
    _, ports, versions, packed, *_ = zip(*endpoints, strict=True) if endpoints else ((),) * len(Endpoint._fields)
    halves = np.frombuffer(b"".join(packed), ">u8").reshape(len(endpoints), 2)
    return Ends(
        endpoints,
        halves[:, 0].astype(np.uint64),
        halves[:, 1].astype(np.uint64),
        np.array(versions, np.int64),
        _numbers(ports),
    )


def _numbers(values: Sequence[int | None]) -> Numbers:
    return np.array([-1 if value is None else value for value in values], np.int64)


def _optional_numbers(each: Sequence[Any], number: Callable[[Any], int | None]) -> Numbers:
    return _numbers([None if one is None else number(one) for one in each])


@lru_cache(1 << 12)
def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _processes_text(processes: tuple[Process, ...]) -> str:
    return f"[{', '.join(map(_process_text, processes))}]"


def _process_text(process: Process) -> str:
    text = f'{{"name": {_quoted(process.name)}, "pid": {process.pid}'
    for name, value in (("fd", process.fd), ("tid", process.tid)):
        if value is not None:
            text += f', "{name}": {value}'
    return text + (f', "context": {_quoted(process.context)}}}' if process.context else "}")


@lru_cache(1 << 12)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

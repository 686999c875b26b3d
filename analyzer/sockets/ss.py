"""A row of `ss`, of iproute2 2.6.32 to 6.x with any of its flags, as one line -> a socket."""

from __future__ import annotations

import re

from analyzer.patterns import regex
from analyzer.sockets.endpoint import Endpoint, endpoint_of
from analyzer.sockets.sockets import Listed, Process
from analyzer.tables import NETIDS
from analyzer.tables import SOCKET_STATES as STATES

_OTHER_FAMILIES = r"u_str|u_dgr|u_seq|u_raw|unix|nl|p_raw|p_dgr|v_str|v_dgr|v_\w+|ti|tipc|xdp|icmp6?|\?\?\?"
NETID = rf"{'|'.join(NETIDS[1:])}|{_OTHER_FAMILIES}"
STATE = "|".join(state for state in STATES if state)
ROW = regex(
    rf"(?:(?=[a-z?])({NETID})\s+)?({STATE})\s+(\d{{1,18}})\s+(\d{{1,18}})\s+(\S+:[^\s:]+)\s+(\S+:[^\s:]+)(?:\s+(.*))?$",
    re.DOTALL,
)
SPARSE_ROW = regex(
    rf"(?:({NETID})\s+)?(?:({STATE})\s+)?(?:(\d{{1,18}})\s+(\d{{1,18}})\s+)?(\S+:[^\s:]+)\s+(\S+:[^\s:]+)(?:\s+(.*))?$",
    re.DOTALL,
)
"""Columns are left out: of one family or one state there is none for it, and -Q leaves out the queues."""
BEGINNING = regex(rf"(?:(?:{NETID})\s+)?(?:{STATE})(?:\s+\d+){{0,2}}(?:\s+\S+:[^\s:]+)?$")
"""A row that a mail program cut before the address of the peer."""
OTHER_ROW = regex(rf"(?:({_OTHER_FAMILIES})\s+)(?:{STATE}|\d+)\s+\d+")
HEADER = regex(r"(?:Netid\s+)?(?:State\s+)?(?:Recv-Q\s+Send-Q\s+)?Local\s+Address:\s*Port\s+(?:Peer|Remote)\s+Address")
_USERS = "users:(("
_PROCESS = regex(
    r'"(.*?)",pid=(\d+)(?:,tid=(\d+))?(?:,proc_ctx=(.*?))?,fd=(\d+)(?:,sock_ctx=[^)]*)?\)(,\(|\))', re.DOTALL
)
_ONE_PROCESS = regex(r'users:\(\("([^"\s]*)",pid=(\d{1,18}),fd=(\d{1,18})\)\)(?=\s|$)')
_OLD_PROCESS = regex(r'"(.*?)",(\d+)()(),(\d+)\)(,\(|\))', re.DOTALL)
"""Before iproute2 4.0: `("sshd",1231,4)`."""

_STATE_CODES = {state: code for code, state in enumerate(STATES)}
_NETID_CODES = {name: code for code, name in enumerate(NETIDS)}
_KEPT = 1 << 16
TCP, UDP = NETIDS.index("tcp"), NETIDS.index("udp")
_UNCONN = STATES.index("UNCONN")


class Rows:
    """Rows of ss -> sockets. Remembers addresses, which come again and again, and of what kind the list is."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self.netid = TCP
        self.state = 0  # the only one, where the list has no column for it
        self.others: dict[str, int] = {}

    def begin(self) -> None:
        """Another list begins."""
        self.netid = TCP

    def other(self, text: str) -> bool:
        """Is it a socket of another family? They are counted."""
        found = OTHER_ROW.match(text)
        if found is None:
            return False
        self.others[found[1]] = self.others.get(found[1], 0) + 1
        return True

    def listed(self, found: re.Match[str], more: str, time_ns: int, snapshot: int) -> Listed | None:
        """The socket of a row that ROW or SPARSE_ROW matched, with what its other lines hold; None for what is none."""
        family, state, recv_q, send_q, local_text, peer_text, words = found.groups()
        local = self._endpoints.get(local_text) or self._endpoint(local_text)
        peer = self._endpoints.get(peer_text) or self._endpoint(peer_text)
        if local is None or peer is None:
            return None
        if state is None and recv_q is None and not (local.address and peer.address):
            return None
        code = _STATE_CODES[state] if state else self.state
        if family is not None:
            if family not in _NETID_CODES:
                return None
            netid = _NETID_CODES[family]
        else:
            # A list of UDP alone has no column that says so; TCP lists no socket without a peer as unconnected.
            if code == _UNCONN and peer.port is None:
                self.netid = UDP
            netid = self.netid
        words = f"{words} {more}" if words and more else words or more
        processes: tuple[Process, ...] = ()
        if (at := words.find(_USERS)) >= 0:
            words, processes = processes_in(words, at)
        limited = recv_q is not None
        recv, send = (int(recv_q), int(send_q)) if limited else (None, None)
        # As Listed(...) would, in a third of the time.
        return tuple.__new__(
            Listed, (netid, code, recv, send, local, peer, limited, words, processes, time_ns, snapshot, 0, None)
        )

    def _endpoint(self, text: str) -> Endpoint | None:
        found = endpoint_of(text)
        if found is not None:
            if len(self._endpoints) >= _KEPT:
                self._endpoints.clear()
            self._endpoints[text] = found
        return found


def whole(text: str) -> int | None:
    """A queue, which has 32 bits; None for what cannot be one."""
    return int(text) if len(text) <= 18 else None


def processes_in(words: str, at: int) -> tuple[str, tuple[Process, ...]]:
    """`users:(("sshd",pid=1,fd=3),...)` taken out of the words, where it stands at `at`. Names are printed raw: only `",pid=N` ends one."""
    if one := _ONE_PROCESS.match(words, at):  # as nearly always: one word more, which is no other
        name, pid, fd = one.groups()
        return words, (tuple.__new__(Process, (name, int(pid), int(fd), None, "")),)
    before, text = words[:at], words[at + len(_USERS) :]
    pattern = _PROCESS if '",pid=' in text else _OLD_PROCESS
    at, found = 0, []
    while match := pattern.match(text, at):
        name, pid, thread, context, fd, behind = match.groups()
        number = whole(pid)
        if number is not None:
            found.append(Process(name, number, whole(fd), whole(thread) if thread else None, context or ""))
        at = match.end()
        if behind == ")":
            return f"{before} {text[at:]}", tuple(found)
    return f"{before} {text[at:].partition('))')[2]}", tuple(found)

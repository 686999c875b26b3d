"""Settings of a host that decide what its kernel does where something is lost, or comes twice."""

from __future__ import annotations

import time

from ..impair import delay, drop, duplicate
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial

_MS = 1_000_000
_PIECE = 14_480


@scenario
def no_loss_probes(lab: Lab) -> None:
    """The end of a burst is lost, at a host without tail loss probes and without DSACK.

    net.ipv4.tcp_early_retrans is 0: no probe goes out after two round trips, and the retransmission timer has to run out
    (TCPTimeouts). With other settings the same capture would show TCPLossProbes.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_early_retrans": "0", "ipv4.tcp_dsack": "0"})
    rules = [drop("client", lambda segment: segment.is_new_data, nth={10, 19, 20})]
    with lab.recording(client, server, rules=rules, delay_ms=5, counters="TcpExtTCPTimeouts TcpExtTcpTimeoutRehash"):
        connection = dial(client, server, 40001)
        for _ in range(3):
            connection.upload(_PIECE)
            time.sleep(0.4)
        connection.close()


@scenario
def duplicates_out_of_order(lab: Lab) -> None:
    """Segments that wait behind a hole come twice, faster than ACKs go out: some are counted, and never reported.

    The receiver notes each duplicate (TCPDSACKOfoSent) and answers when it is time for an ACK; its DSACK names the last one only.
    """
    client, server = lab.pair()
    hole = lab.random.randrange(12, 15)
    rules = [
        delay("client", lambda segment: segment.is_new_data, 30 * _MS, nth={hole}),
        duplicate("client", lambda segment: segment.is_new_data, nth=range(hole + 4, hole + 14)),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=5, counters="TcpExtTCPDSACKOfoSent TcpExtTCPOFOMerge"):
        connection = dial(client, server, 40001)
        connection.upload(_PIECE)
        connection.upload(60_000)
        connection.close()


@scenario
def duplicate_acks_from_network(lab: Lab) -> None:
    """The network delivers every duplicate ACK three times, to a sender without SACK, which counts all of them.

    What the sender itself sends is never there twice: it is no capture that doubles, and the kernel has received each copy.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_sack": "0"})
    late = {lab.random.randrange(11, 14), lab.random.randrange(23, 26)}
    rules = [delay("client", lambda segment: segment.is_new_data, 15 * _MS, nth=late)]
    rules += [
        duplicate("server", lambda segment: segment.is_pure_ack, nth=range(3, 60), after_ns=n * 5000) for n in (1, 2)
    ]
    with lab.recording(client, server, rules=rules, delay_ms=5, counters="TcpExtTCPPureAcks TcpInSegs"):
        connection = dial(client, server, 40001)
        for _ in range(3):
            connection.upload(_PIECE)
            time.sleep(0.2)
        connection.close()


@scenario
def settings_changed(lab: Lab) -> None:
    """Somebody tunes the hosts while they are recorded: host.json has the settings of before.

    With the first connection DSACKs report what came twice. Then tcp_dsack, tcp_comp_sack_nr and tcp_frto become 0, and
    tcp_fin_timeout is shorter: the second connection, on which the same happens, counts otherwise.
    """
    client, server = lab.pair()
    rules = [
        drop("client", lambda segment: segment.is_new_data, nth={7, 17}),
        duplicate("client", lambda segment: segment.is_new_data, nth={2, 3, 9, 12, 13, 19}),
    ]
    counters = "TcpExtTCPDSACKOldSent TcpExtTCPDSACKRecv TcpRetransSegs"
    with lab.recording(client, server, rules=rules, delay_ms=5, counters=counters):
        for number in range(2):
            connection = dial(client, server, 40001 + number)
            for _ in range(2):
                connection.upload(_PIECE // 2)
                time.sleep(0.3)
            connection.close()
            for name, value in (("dsack", 0), ("comp_sack_nr", 0), ("frto", 0), ("fin_timeout", 3)):
                for host in (client, server):
                    host.sysctl(f"ipv4.tcp_{name}", str(value))


@scenario
def no_saved_acks(lab: Lab) -> None:
    """Losses, and a silence of the path, between hosts that hold no ACK back and take no timeout for needless.

    net.ipv4.tcp_comp_sack_nr is 0: every segment that comes out of order is answered at once, and TCPAckCompressed does not move.
    net.ipv4.tcp_frto is 0: a timeout whose ACKs show that nothing was lost moves no TCPSpuriousRTOs.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_comp_sack_nr": "0", "ipv4.tcp_frto": "0"})
    rules = [
        drop("client", lambda segment: segment.is_new_data, nth={12, 16}),
        delay("server", lambda segment: segment.is_pure_ack, 400 * _MS, nth=range(20, 32)),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=5, counters="TcpExtTCPOFOQueue TcpExtTCPSackRecovery"):
        connection = dial(client, server, 40001)
        for _ in range(3):
            connection.upload(24_000)
            time.sleep(0.1)
        connection.close()

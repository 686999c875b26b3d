"""Resets, the ACKs that challenge them, and segments that belong to nothing."""

from __future__ import annotations

import contextlib
import time

from .. import forge
from ..frames import ACK, RST, SYN
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, stream
from ..traffic import text

_PORTS = (40001, 80)


@scenario
def challenge_ack_reset(lab: Lab) -> None:
    """Forged resets that nearly fit: a challenge ACK is the answer, and the connection lives.

    Somebody sends RSTs in the client's name whose sequence numbers lie in the server's window but are not the next one.
    The server does not believe them (RFC 5961): it sends a challenge ACK (TCPChallengeACK) for the first and none within
    half a second of it (TCPACKSkippedChallenge). To the real client that ACK is nothing new. It sends more data, and
    closes in order.
    """
    client, server = lab.pair()
    offsets = sorted(lab.random.sample(range(100, 20_000), 3))
    with lab.recording(client, server, delay_ms=2, counters="TcpExtTCPChallengeACK TcpExtTCPACKSkippedChallenge"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.1)
        now = forge.position(connection.client)
        for offset in offsets:
            forge.send(client, server, _PORTS, now.seq + offset, now.ack, RST)
            time.sleep(0.05)
        connection.upload(lab.random.randrange(200, 1400))
        connection.close()


@scenario
def challenge_ack_syn(lab: Lab) -> None:
    """A SYN in the middle of a connection: a challenge ACK, for each but those that come too fast.

    Somebody sends SYNs in the client's name on an open connection. The server answers with challenge ACKs
    (TCPSYNChallenge, TCPChallengeACK) and skips those within half a second of the last (TCPACKSkippedChallenge).
    The connection goes on.
    """
    client, server = lab.pair()
    counters = "TcpExtTCPSYNChallenge TcpExtTCPChallengeACK TcpExtTCPACKSkippedChallenge TcpInErrs"
    with lab.recording(client, server, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.1)
        now = forge.position(connection.client)
        for _ in range(3):
            forge.send(client, server, _PORTS, now.seq + lab.random.randrange(9000), 0, SYN)
            time.sleep(0.05)
        connection.upload(lab.random.randrange(200, 1400))
        connection.close()


@scenario
def reset_forged(lab: Lab) -> None:
    """A reset with exactly the next sequence number: the connection is gone at one end.

    Somebody sends a RST in the client's name that fits. The server ends the connection (TcpEstabResets); the
    client, which did not send it, goes on, and its next segment finds no connection: the server answers with a RST of its
    own (TcpOutRsts). The client's kernel never counted the first RST, though its capture shows it.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=2, counters="TcpEstabResets TcpOutRsts"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.1)
        now = forge.position(connection.client)
        forge.send(client, server, _PORTS, now.seq, now.ack, RST | ACK)
        time.sleep(0.1)
        connection.client.sendall(text(59))
        time.sleep(0.1)
    connection.abandon()


@scenario
def reset_half_open(lab: Lab) -> None:
    """The server has forgotten its connections, as after a restart: data is answered by a reset.

    The server's socket vanishes without a word (the kernel is told to forget it). The client sends its next request and
    gets a RST for a connection that nobody knows (TcpOutRsts at the server, TcpEstabResets at the client). That the server
    counts one in TcpEstabResets too comes from how its socket was removed; a host that starts anew counts from 0.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=2, counters="TcpEstabResets TcpOutRsts"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.1)
        forge.forget(connection.server)
        connection.client.sendall(text(lab.random.randrange(200, 1400)))
        time.sleep(0.1)
    connection.abandon()


@scenario
def reset_by_firewall(lab: Lab) -> None:
    """A firewall on the server that rejects with resets: the kernel's TCP counts none of them.

    A rule of iptables (REJECT with tcp-reset) on the server answers each SYN to port 81. On the wire it looks like a
    closed port, but neither TcpOutRsts nor TcpInSegs moves at the server. A connection to port 80 is not affected.
    """
    client, server = lab.pair()
    server.run(*["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "REJECT", "--reject-with", "tcp-reset"])
    count = lab.random.choice((3, 5, 7))
    with lab.recording(client, server, delay_ms=2, counters="TcpAttemptFails TcpActiveOpens"):
        for number in range(count):
            with stream(client, 40001 + number) as near, contextlib.suppress(ConnectionRefusedError):
                near.connect((server.address, 81))
        connection = dial(client, server, 41001)
        connection.upload(59)
        connection.close()


@scenario
def firewall_drops(lab: Lab) -> None:
    """A firewall on the server that drops in silence: it looks like loss, but the server's capture has every segment.

    A rule of iptables drops what comes for port 81. The SYNs are in the server's capture and in IpInReceives, but
    IpInDelivers and TcpInSegs do not know them. The client tries again each second.
    """
    client, server = lab.pair()
    server.run(*["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP"])
    counters = "TcpExtTCPSynRetrans TcpExtTCPTimeouts IpInReceives TcpInSegs"
    with lab.recording(client, server, delay_ms=2, counters=counters):
        for number in range(lab.random.choice((2, 3))):
            near = lab.keep(stream(client, 40001 + number))
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                near.connect((server.address, 81))
        time.sleep(1.1)
        connection = dial(client, server, 41001)
        connection.upload(59)
        connection.close()


@scenario
def refused(lab: Lab) -> None:
    """Connections to a port where nobody listens: refused at once.

    Each SYN is answered with RST: TcpOutRsts at the server, TcpAttemptFails at the client.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=2, counters="TcpAttemptFails TcpOutRsts TcpActiveOpens"):
        for number in range(lab.random.choice((3, 5, 7))):
            with stream(client, 40001 + number) as near, contextlib.suppress(ConnectionRefusedError):
                near.connect((server.address, 81))


@scenario
def given_up_in_handshake(lab: Lab) -> None:
    """A client that goes away before the handshake is over: the SYN-ACK finds nobody.

    The client's application gives up 20 ms after its SYN, when the SYN-ACK is still on its way. Its kernel answers the
    SYN-ACK with RST, and the server's half-open connection is gone (TcpAttemptFails there).
    """
    client, server = lab.pair()
    lab.keep(listener(server))
    with lab.recording(client, server, delay_ms=30, counters="TcpOutRsts TcpAttemptFails TcpExtEmbryonicRsts"):
        for number in range(lab.random.choice((3, 5))):
            with stream(client, 40001 + number) as near:
                near.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    near.connect((server.address, 80))
                time.sleep(0.02)
        time.sleep(0.1)

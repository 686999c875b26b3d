"""Traffic that is fine, in frames that are not plain Ethernet, IP and TCP."""

from __future__ import annotations

from ..impair import drop, duplicate
from ..lab import Lab
from ..scenario import scenario
from ..traffic import connect


@scenario
def vlan(lab: Lab) -> None:
    """A connection within VLAN 5, captured on the interface below.

    Each frame carries an IEEE 802.1Q tag with VLAN 5. The hosts have a VLAN interface with the addresses 10.0.5.1 and
    10.0.5.2 on top of the captured `eth0`. 20,011 bytes go to the server and 10,007 back, nothing is lost.
    """
    client, server = lab.pair()
    near, far = lab.vlan(5, client, server)
    with lab.recording(client, server, delay_ms=2):
        connection = connect(client, server, 80, 40001, client_address=near, server_address=far)
        connection.upload(20_011)
        connection.download(10_007)
        connection.close()


@scenario
def tunnel_vxlan(lab: Lab) -> None:
    """A connection through a VXLAN tunnel between the hosts, captured below, with three inner segments lost.

    The inner addresses are 10.0.7.1 and 10.0.7.2 in the VXLAN network 7, the outer ones 10.0.0.1 and 10.0.0.2 with UDP
    port 4789. The relay looks into the tunnel and loses three inner data segments of the 30,011 bytes to the server.
    """
    client, server = lab.pair()
    near, far = lab.vxlan(7, client, server)
    rules = [drop("client", lambda segment: segment.is_new_data, nth=(5, 11, 13))]
    with lab.recording(client, server, rules=rules, delay_ms=2):
        connection = connect(client, server, 80, 40001, client_address=near, server_address=far)
        connection.upload(30_011)
        connection.close()


@scenario
def any_sll2(lab: Lab) -> None:
    """A connection captured with `-i any`: Linux cooked frames (SLL2) that tell their direction.

    The link-layer header is LINUX_SLL2 instead of Ethernet; its packet type says which frames left the host (4) and
    which came in (0). 20,011 bytes go to the server and 10,007 back, nothing is lost.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=2, interface="any"):
        connection = connect(client, server, 80, 40001)
        connection.upload(20_011)
        connection.download(10_007)
        connection.close()


@scenario
def snaplen(lab: Lab) -> None:
    """A connection of which only 96 bytes of each frame were captured, with three data segments lost.

    The headers are all there, the payload is not: lengths must come from the headers, and the checksums of the large
    segments cannot be verified. The relay loses three data segments of the 100,003 bytes to the server.
    """
    client, server = lab.pair()
    rules = [drop("client", lambda segment: segment.is_new_data, nth=(17, 29, 43))]
    with lab.recording(client, server, rules=rules, delay_ms=10, snaplen=96):
        connection = connect(client, server, 80, 40001)
        connection.upload(100_003)
        connection.close()


@scenario
def headers_cut(lab: Lab) -> None:
    """A connection of which only 60 bytes of each frame were captured: the options are cut off, and with them SACK and timestamps.

    IP's header and the fixed one of TCP are whole, and with them addresses, numbers and flags. Three data segments are lost, one
    arrives twice: what SACK blocks said of it nobody can know any more.
    """
    client, server = lab.pair()
    rules = [
        drop("client", lambda segment: segment.is_new_data, nth=(12, 17, 18)),
        duplicate("client", lambda segment: segment.is_new_data, nth={21}),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=10, snaplen=60):
        connection = connect(client, server, 80, 40001)
        connection.upload(40_009)
        connection.close()


@scenario
def copies_and_duplicates(lab: Lab) -> None:
    """A capture of all interfaces that holds every packet twice, of which the network has doubled a few.

    The hosts talk within VLAN 5: each frame is captured on the VLAN's interface and, with its tag, on the one below. The host has
    received each once (TcpInSegs), and only what the relay has delivered twice, some data and some ACKs, twice.
    """
    client, server = lab.pair()
    near, far = lab.vlan(5, client, server)
    rules = [
        duplicate("client", lambda segment: segment.is_new_data, nth={3, 6}),
        duplicate("server", lambda segment: segment.is_pure_ack, nth={3}, after_ns=30_000),
    ]
    # Without a limit tcpdump's buffer has room for few frames of all interfaces.
    with lab.recording(client, server, rules=rules, delay_ms=5, interface="any", snaplen=2048):
        connection = connect(client, server, 80, 40001, client_address=near, server_address=far)
        connection.upload(12_007)
        connection.close()

"""An address and a port as ss, netstat and /proc print them -> their parts; what is no address is kept as it was printed."""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

# What /etc/services calls the ports that people run; the file itself differs from host to host.
SERVICES = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69,
    "gopher": 70, "finger": 79, "http": 80, "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "auth": 113, "ident": 113,
    "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap2": 143,
    "imap": 143, "snmp": 161, "snmp-trap": 162, "bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445,
    "kpasswd": 464, "submissions": 465, "urd": 465, "isakmp": 500, "login": 513, "shell": 514, "syslog": 514,
    "printer": 515, "rtsp": 554, "dhcpv6-client": 546, "dhcpv6-server": 547, "nntps": 563, "submission": 587, "ipp": 631,
    "ldaps": 636, "kerberos-adm": 749, "domain-s": 853, "rsync": 873, "ftps-data": 989, "ftps": 990, "telnets": 992,
    "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433, "ms-sql-m": 1434, "ncube-lm": 1521,
    "datametrics": 1645, "radius": 1812, "radius-acct": 1813, "mqtt": 1883, "nfs": 2049, "zookeeper": 2181,
    "docker": 2375, "docker-s": 2376, "etcd-client": 2379, "etcd-server": 2380, "iscsi-target": 3260, "squid": 3128,
    "mysql": 3306, "ms-wbt-server": 3389, "svn": 3690, "epmd": 4369, "ipsec-nat-t": 4500, "sip": 5060, "sip-tls": 5061,
    "xmpp-client": 5222, "mdns": 5353, "hostmon": 5355, "llmnr": 5355, "postgresql": 5432, "postgres": 5432,
    "rfb": 5900, "amqps": 5671, "amqp": 5672, "x11": 6000, "redis": 6379, "ircd": 6667, "font-service": 7100,
    "afs3-fileserver": 7000, "afs3-callback": 7001, "http-alt": 8080, "webcache": 8080, "us-cli": 8082, "puppet": 8140,
    "jetdirect": 9100, "git": 9418, "zabbix-agent": 10050, "zabbix-trapper": 10051, "amanda": 10080, "memcache": 11211,
}  # fmt: skip
_PLAIN = re.compile(r"[0-9.]+:(?:[0-5]?[0-9]{1,4})$").match
_MAPPED = bytes(10) + b"\xff\xff"


class Endpoint(NamedTuple):
    """One end of a socket.

    `address` is '*' for any address of either family, and None where it is not known: then `printed` holds what stands
    there, the name of a host or an IPv6 address that was cut. IPv4 addresses mapped into IPv6 are IPv4 here, and `mapped`.
    `packed` has 16 bytes as the other tables store addresses; `version` 4 or 6, or 0 for none.
    """

    address: str | None
    port: int | None
    version: int = 0
    packed: bytes = bytes(16)
    interface: str = ""
    service: str = ""
    printed: str = ""
    mapped: bool = False


def endpoint_of(text: str, cut: bool = False) -> Endpoint | None:
    """The parts of `10.0.0.1%eth0:80`, `[::1]:80`, `fe80::1%eth0:80`, `:::22` or `*:*`; None where there is no port.

    `cut` says that the text is as long as netstat prints: an IPv6 address in it may be the beginning of a longer one.
    """
    host, colon, name = text.rpartition(":")
    if not colon or not name:
        return None
    if _PLAIN(text):  # as nearly always
        try:
            packed = _MAPPED + inet_pton(AF_INET, host)
            return tuple.__new__(Endpoint, (host, int(name), 4, packed, "", "", "", False))
        except OSError:
            return Endpoint(None, int(name), printed=host)
    port, service = _port(name)
    interface = ""
    if host.startswith("["):
        host, _, behind = host[1:].partition("]")
        interface = behind.removeprefix("%")
    if "%" in host:
        host, _, interface = host.partition("%")
    if host in ("*", ""):
        return Endpoint("*", port, interface=interface, service=service)
    if cut and ":" in host:
        return Endpoint(None, port, 6, interface=interface, service=service, printed=host)
    try:
        if ":" in host:
            return address_of(inet_pton(AF_INET6, host), port, interface, service)
        packed = inet_pton(AF_INET, host)
    except (OSError, ValueError):
        return Endpoint(None, port, interface=interface, service=service, printed=host)
    return Endpoint(host, port, 4, _MAPPED + packed, interface, service)


def address_of(packed: bytes, port: int | None, interface: str = "", service: str = "") -> Endpoint:
    """An IPv6 address of 16 bytes; one that maps an IPv4 address is that."""
    if packed.startswith(_MAPPED):
        host = inet_ntop(AF_INET, packed[12:])
        return Endpoint(host, port, 4, packed, interface, service, mapped=True)
    return Endpoint(inet_ntop(AF_INET6, packed), port, 6, packed, interface, service)


def address4_of(packed: bytes, port: int | None) -> Endpoint:
    """An IPv4 address of four bytes."""
    return Endpoint(inet_ntop(AF_INET, packed), port, 4, _MAPPED + packed)


def _port(name: str) -> tuple[int | None, str]:
    """A port and its name, where one was printed."""
    if name.isascii() and name.isdecimal():
        return (int(name), "") if len(name) <= 5 and int(name) < 1 << 16 else (None, name)
    return (None, "") if name == "*" else (SERVICES.get(name), name)

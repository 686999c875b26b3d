"""What the ends of a conversation are called: its row of `flows` -> text."""

from __future__ import annotations

from analyzer.schema import Rows, address_text
from analyzer.tables import FLOWS
from analyzer.text import endpoint


def ends_text(row: Rows) -> str:
    """Who talked to whom: `client > server` where the handshake told who is who, else `a - b`."""
    client, server = (endpoint(address(row, side), int(row[f"{side}_port"])) for side in ("client", "server"))
    return f"{client} {'>' if row['roles'] == FLOWS.bit('roles', 'handshake') else '-'} {server}"


def address(row: Rows, side: str) -> str:
    """The address of one side."""
    return address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"]), int(row["ip_version"]))

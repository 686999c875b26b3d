"""Compiled prediction of what TCP MD5 signatures refuse (RFC 2385, tcp_inbound_md5_hash()): nobody else sees those segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_MD5
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER

SYN = 2
IN_SEGS = NUMBER["TcpInSegs"]
NOT_FOUND, UNEXPECTED, FAILURE = (
    NUMBER["TcpExtTCPMD5NotFound"],
    NUMBER["TcpExtTCPMD5Unexpected"],
    NUMBER["TcpExtTCPMD5Failure"],
)


@inline
def is_unsigned(row: Any, talk: Any, side: Int, out: Any) -> Any:
    """Is it dropped because the host signs this connection, and the segment is not signed?

    Of one that is signed nobody without the key can say whether it is right; of a SYN the answer tells (see opening).
    """
    if row["options"] & O_MD5:
        if not row["flags"] & SYN:
            add_range(row, FAILURE if talk["signs"][side] else UNEXPECTED, 0, 0, 1, out)
        return False
    if not talk["signs"][side]:
        return False
    add(row, IN_SEGS, 1, out)
    add(row, NOT_FOUND, 1, out)
    return True


@inline
def note_signature(row: Any, talk: Any) -> None:
    """The host signs what it sends."""
    talk["signs"][np.int64(row["direction"])] = row["options"] & O_MD5 != 0

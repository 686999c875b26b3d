"""What the prediction keeps of a connection whose segments carry options of Multipath TCP."""

from __future__ import annotations

import numpy as np

# Of each end of a connection, 0 client and 1 server, as in `packets.direction`.
MPTCP = np.dtype(
    [
        ("opened", "u1", (2,)),  # by its last SYN: 0 none yet, else 1 and the subtype of the option, 17 without one
        ("announced", "u1", (2,)),  # addresses that it has announced and the other end has not echoed
    ],
    align=True,
)

"""Several capture points: what was sent at one, what came to the other, and what became of it on the way.

Each point is analysed as any capture is, and what the packets of its connections are known by is put aside. Connections that two
points share are found by their sequence numbers, the clocks by the packets that passed both, and then the packets of both points
are matched in order of time.
"""

from __future__ import annotations

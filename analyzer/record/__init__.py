"""A live host -> a bundle: its frames, counters, sockets and settings, recorded together so that they can be compared.

from analyzer.record import plan, record
record(plan("eth0", "incident", duration="60s"))
"""

from __future__ import annotations

from analyzer.record.plan import Limit, Plan, plan
from analyzer.record.recorder import Recorded, record

__all__ = ["Limit", "Plan", "Recorded", "plan", "record"]

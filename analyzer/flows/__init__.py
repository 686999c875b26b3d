"""Packet rows -> flows: who talked to whom, how much, and how it ended. Knows state; passes no judgement."""

from analyzer.flows.tracker import FlowTracker

__all__ = ["FlowTracker"]

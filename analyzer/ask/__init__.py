"""SQL over the tables of a capture: only what a query reads is made, streamed into a database that can reach nothing else."""

from __future__ import annotations

from analyzer.ask.database import Answer, Ask
from analyzer.ask.rows import Request

__all__ = ["Answer", "Ask", "Request"]

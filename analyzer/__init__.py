"""tcpcap: what is in a packet capture, and how its connections began and ended.

from analyzer import analyze
a = analyze("trace.pcap")
a.flows, a.packets, a.capture, a.warnings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.run import analyze

__all__ = ["Analysis", "__version__", "analyze"]
__version__: str


def __getattr__(name: str) -> Any:
    """Load the stages when they are first used: `tcpcap --help` needs none of them."""
    if name == "__version__":
        from importlib.metadata import version

        return version("tcpcap")
    if name in __all__:
        from analyzer import run

        return getattr(run, name)
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")

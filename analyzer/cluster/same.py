"""What must be the same wherever tasks of one work are done."""

from __future__ import annotations

from importlib.metadata import version

from analyzer.accelerate.sources import digest, file_of, kernel_modules, sources


def about() -> dict[str, str]:
    """The versions of what does them."""
    kernels = digest(sources(*map(file_of, kernel_modules())))
    return {"tcpcap": version("tcpcap"), "kernels": str(kernels)[:12], "numpy": version("numpy")}

"""`python -m analyzer.accelerate [FOLDER]` compiles the kernels into the library that this checkout loads, or into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from analyzer.accelerate.build import build
from analyzer.accelerate.library import FOLDER
from analyzer.errors import TcpcapError


def main() -> None:
    """Build, and say what was made."""
    try:
        build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, tell=lambda text: print(text, flush=True))  # noqa: T201
    except TcpcapError as error:
        sys.exit(f"tcpcap: {error}")


if __name__ == "__main__":
    main()

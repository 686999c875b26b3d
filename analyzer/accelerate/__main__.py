"""`python -m analyzer.accelerate` compiles the kernels into the library that this checkout loads; with `--if-older`, only where it must. With
`--checked` it is the library in which every index is checked, which is loaded where TCPCAP_KERNELS=checked-library says so.

The last line that it prints names the files.
"""

from __future__ import annotations

import sys

from analyzer.accelerate.build import build
from analyzer.accelerate.library import FOLDER, KernelsError, Library, names_of
from analyzer.errors import TcpcapError


def main(arguments: list[str]) -> None:
    """Build where that is needed, and say what was made."""
    checked = "--checked" in arguments
    if "--if-older" not in arguments or not _is_fresh(checked):
        try:
            build(FOLDER, tell=lambda text: print(text, flush=True), checked=checked)  # noqa: T201
        except (TcpcapError, ImportError) as error:
            sys.exit(f"tcpcap: {error}")
    print(*names_of(checked))  # noqa: T201


def _is_fresh(checked: bool) -> bool:
    """Is the library there that was made from these sources?"""
    try:
        Library(checked=checked)
    except KernelsError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])

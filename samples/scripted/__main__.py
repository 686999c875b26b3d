"""Make the captures of this folder anew from their scripts: `python -m samples.scripted`."""

from __future__ import annotations

from pathlib import Path

from tests import pkt

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """One capture for each script, of its only scenario."""
    for path in sorted(FOLDER.rglob("*.pkt")):
        (scenario,) = pkt.read(path)
        scenario.write(path.with_suffix(".pcap"))


if __name__ == "__main__":
    main()

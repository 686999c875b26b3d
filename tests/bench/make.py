"""A recipe in, the path of its capture out, made at most once: `python -m tests.bench.make NAME` makes one by hand.

Only the making itself imports NumPy, and the bench makes captures in a process of its own: a process that was started
by a large one is credited with the memory of that one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

VERSION = 1  # of the generator: to be raised when the same recipe gives other bytes
DEFAULT_SIZE = 1_260_000_000
EXCHANGE = 10  # frames of a short connection
FRAME_BYTES = 130  # at most, of a frame of a capture whose frames are counted
DEFAULT_DIR = Path(tempfile.gettempdir()) / "tcpcap-bench"
SPARE = 500_000_000  # bytes that stay free on the disk
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Recipe:
    """What a capture is made of: the kind of its connections, and how many bytes or frames.

    `lanes` connections are alive at any time, each lane with one after the other; of `rounds` there are no others.
    """

    name: str
    kind: str  # bulk, short, rounds (short ones in step: all SYNs, then all SYN-ACKs ...) or flood (SYNs only)
    size: int = 0
    frames: int = 0
    lanes: int = 200
    seed: int = 1

    @property
    def file_name(self) -> str:
        """A name that changes with anything that changes the bytes."""
        text = json.dumps({**asdict(self), "version": VERSION}, sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.pcap"

    @property
    def room(self) -> int:
        """Bytes the capture may take on the disk."""
        return (self.size or self.frames * FRAME_BYTES) + SPARE


@dataclass(frozen=True)
class Capture:
    """A capture on disk."""

    name: str
    path: Path
    frames: int
    size: int
    made_s: float


def recipes(size: int = DEFAULT_SIZE, full: bool = False, seed: int = 1) -> dict[str, Recipe]:
    """The captures of the bench by name; `size` is that of `mtu`, the others follow it.

    `million` holds as many connections at a time, `flood` ten times as many half-open ones, if `size` is the default.

    Memory is compared between `mtu` and `longer`: two and a half times of it, or ten times if `full`.
    """
    connections = max(size // (DEFAULT_SIZE // 1_000_000), 1)
    made = [
        Recipe("mtu", "bulk", size, seed=seed),
        Recipe("small", "short", size * 4 // 5, lanes=1000, seed=seed),
        Recipe("ten", "short", frames=EXCHANGE, lanes=1, seed=seed),
        Recipe("million", "rounds", frames=EXCHANGE * connections, lanes=connections, seed=seed),
        Recipe("flood", "flood", frames=10 * connections, seed=seed),
        Recipe("longer", "bulk", size * 10 if full else size // 4 * 10, seed=seed),
    ]
    return {recipe.name: recipe for recipe in made}


def capture(recipe: Recipe, folder: Path) -> Capture:
    """The capture of a recipe, from the cache in `folder` or made there now."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / recipe.file_name
    note = path.with_suffix(".json")
    if path.exists() and note.exists():
        known = json.loads(note.read_text())
        if path.stat().st_size == known["size"]:
            return Capture(recipe.name, path, **known)
    free = shutil.disk_usage(folder).free
    if free < recipe.room:
        raise SystemExit(
            f"{folder}: {free / 1e9:.1f} GB free, {recipe.room / 1e9:.1f} GB needed for the capture"
            f" {recipe.name!r}; choose another place with --dir or a smaller --size"
        )
    from .render import write

    started = time.perf_counter()
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as out:
            frames, size = write(recipe, out)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    known = {"frames": frames, "size": size, "made_s": round(time.perf_counter() - started, 2)}
    note.write_text(json.dumps(known))
    return Capture(recipe.name, path, **known)


def capture_apart(name: str, size: int, folder: Path, full: bool, seed: int) -> Capture:
    """The same, by name, in a process of its own."""
    command = [sys.executable, "-m", __name__, name, "--size", str(size), "--dir", str(folder), "--seed", str(seed)]
    done = subprocess.run([*command, *(["--full"] if full else [])], cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(done.returncode)
    return capture(recipes(size, full, seed)[name], folder)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that choose the captures."""
    parser.add_argument(
        "--size", type=int, default=DEFAULT_SIZE, help="bytes of the capture mtu (default: %(default)s)"
    )
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIR, help="where captures are kept (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the generator (default: %(default)s)")
    parser.add_argument(
        "--full", action="store_true", help="compare memory on mtu and ten times of it, not two and a half times"
    )


def main() -> None:
    """Make the captures named on the command line and say where they are."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.make", description=main.__doc__)
    parser.add_argument("name", nargs="+", choices=list(recipes()))
    add_arguments(parser)
    options = parser.parse_args()
    for name in options.name:
        made = capture(recipes(options.size, options.full, options.seed)[name], options.dir.resolve())
        print(f"{made.path}  {made.frames:,} frames, {made.size:,} bytes, made in {made.made_s} s")


if __name__ == "__main__":
    main()

"""All kernels -> the library and its manifest. `python -m analyzer.accelerate` makes them in place; a wheel's build does the same.

Groups of kernels are typed and lowered, optimised and emitted, by several processes; then a linker joins the objects.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.accelerate.library import FOLDER, LIBRARY, KernelsError, names_of
from analyzer.accelerate.sources import PACKAGE, digest, file_of, kernel_modules, sources
from analyzer.fields import of_fields

if TYPE_CHECKING:
    from analyzer.accelerate.emit import Texts

LINKERS = ("cc", "gcc", "clang", "ld", "ld.lld")


@of_fields(frozen=True, slots=True)
class Made:
    """What was made of some modules: an object file, and of each of their kernels symbol and types."""

    content: bytes
    kernels: dict[str, dict[str, str]]


def build(
    folder: Path = FOLDER, jobs: int = 0, tell: Callable[[str], None] = print, *, checked: bool = False
) -> list[Path]:
    """Compile every kernel into `folder`: the library and its manifest, each replaced at once. Returns their paths.

    `jobs` is the number of processes, by default one for each core; with `checked` every index is checked in what is made.
    Raises KernelsError where there is no linker, or it fails; ImportError without numba.
    """
    command = linker()
    started = time.perf_counter()
    files = sources(*map(file_of, kernel_modules()))
    made_from = digest(files)
    jobs = jobs or os.cpu_count() or 1
    tell(f"compiling the kernels in {jobs} processes, for half a minute or longer")
    made = _compiled(_groups(kernel_modules()), jobs, checked)
    content = _linked([each.content for each in made], command)
    manifest = {
        "library": hashlib.sha256(content).hexdigest(),
        "sources": made_from,
        "files": sorted(file.relative_to(PACKAGE).as_posix() for file in files),
        "kernels": {name: entry for each in made for name, entry in each.kernels.items()},
    }
    paths = [folder / name for name in names_of(checked)]
    for path, data in zip(paths, (content, json.dumps(manifest, indent=1).encode()), strict=True):
        _write(path, data)
    tell(f"{len(manifest['kernels'])} kernels, {len(content):,} bytes, {time.perf_counter() - started:.0f} s")
    return paths


def _compiled(groups: Sequence[Sequence[str]], jobs: int, checked: bool) -> list[Made]:
    """Each group typed and lowered, then optimised and emitted. What was lowered waits behind what is not, so that no core waits at the end."""
    environment = get_context("spawn")
    with ProcessPoolExecutor(jobs, environment, initializer=_end_with, initargs=(os.getpid(),)) as processes:
        texts = [processes.submit(texts_of, group, checked) for group in groups]
        made = {done: processes.submit(made_of, done.result(), checked) for done in as_completed(texts)}
        return [made[done].result() for done in texts]


def texts_of(modules: Sequence[str], checked: bool = False) -> Texts:
    """The kernels of these modules, typed and lowered."""
    os.environ["TCPCAP_KERNELS"] = "checked" if checked else "jit"
    gc.disable()  # the compiler makes millions of objects, of which hardly any can go before the end: a fifth of the time
    from analyzer.accelerate.front import kernel_names, lowered

    return lowered(kernel_names(modules))


def made_of(texts: Texts, checked: bool = False) -> Made:
    """The same, optimised and emitted. What is checked runs on small inputs: how soon it is made counts, not how fast it is."""
    from analyzer.accelerate.emit import emitted, entry_symbol

    content = emitted(texts, platform.machine().lower(), level=0 if checked else 3)
    return Made(content, {each.name: {"symbol": entry_symbol(each), "types": each.types} for each in texts.kernels})


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, however that ended: nobody waits for what is made here."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def linker() -> list[str]:
    """The command that links objects to a library: the system's, or that of ziglang; KernelsError where there is none."""
    found = next(filter(None, map(shutil.which, LINKERS)), None)
    if found:
        return [found]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise KernelsError("linker", f"none of {', '.join(LINKERS)} found", "install one, or: pip install ziglang")


def _linked(objects: Sequence[bytes], command: list[str]) -> bytes:
    """The library of these objects. What they need of C: memset, log2."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{position}.o" for position in range(len(objects))]
        for path, content in zip(paths, objects, strict=True):
            path.write_bytes(content)
        shared = ["-dynamiclib", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
        mathematics = [] if Path(command[0]).name.startswith("ld") else ["-lm"]
        target = folder / LIBRARY
        done = subprocess.run(
            [*command, *shared, "-o", str(target), *map(str, paths), *mathematics],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise KernelsError(command[0], f"failed: {done.stderr.strip()[-500:]}", "is it a linker of this system?")
        return target.read_bytes()


def _groups(modules: Sequence[str]) -> list[list[str]]:
    """The modules in groups that have little in common, the largest first: what several of one group call is compiled once."""
    needs = {module: {file for file in sources(file_of(module)) if file.stem.endswith("_kernel")} for module in modules}
    groups: list[list[str]] = []
    held: list[set[Path]] = []

    def cost(files: set[Path]) -> int:
        return sum(file.stat().st_size for file in files)

    for module in sorted(modules, key=lambda module: (-cost(needs[module]), module)):
        files = needs[module]
        shared = [cost(files & others) for others in held]
        if shared and max(shared) * 2 >= cost(files):
            best = shared.index(max(shared))
            groups[best].append(module)
            held[best] |= files
        else:
            groups.append([module])
            held.append(files)
    return groups


def _write(path: Path, content: bytes) -> None:
    """Replace a file at once: a process that has loaded the old one keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)

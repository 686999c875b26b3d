"""The build of a wheel: compiles the kernels, reads the rules, and puts what that makes into it. Loaded by hatchling alone, as pyproject.toml says.

A wheel with the library is of one platform and of any Python 3: the library knows nothing of Python. Where none can be made, the wheel
is of any platform, and needs numba at run time: `pip install 'tcpcap[jit]'`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("analyzer") / "accelerate"
RULES = Path("analyzer") / "diagnosis"
SYSTEM_LINKERS = ("cc", "gcc", "clang", "ld", "ld.lld")


class KernelsHook(BuildHookInterface[Any]):
    """Makes the library in the checkout, where an editable install finds it, unless the one there is of these sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beside pyproject's own list: a linker, where the system has none."""
        return [] if any(map(shutil.which, SYSTEM_LINKERS)) else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is put together (`version`: standard or editable)."""
        if self.target_name != "wheel":
            return
        done = self._run("analyzer.diagnosis")
        if done.returncode:
            raise RuntimeError(f"the rules cannot be read: {done.stderr.strip()[-300:]}")
        if version == "standard":
            build_data["artifacts"].append(f"/{(RULES / done.stdout.strip()).as_posix()}")
        done = self._run("analyzer.accelerate", "--if-older")
        if done.returncode:
            self.app.display_warning(
                f"the kernels could not be compiled ({done.stderr.strip()[-300:]}): this wheel has none, and needs "
                "numba at run time: pip install 'tcpcap[jit]'"
            )
            return
        self.app.display_info(done.stdout.strip())
        if version == "standard":
            build_data["artifacts"] += [
                f"/{(FOLDER / name).as_posix()}" for name in done.stdout.splitlines()[-1].split()
            ]
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"

    def _run(self, module: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A module of the checkout, in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([self.root, os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-m", module, *options]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

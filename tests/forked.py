"""The command `tcpcap` in processes that need not begin anew: a server that has imported everything forks one for each call.

    with Server(words) as server:                     what these words import is imported before
        status, said = server.ended(words, folder, variables, after=0.2, number=signal.SIGTERM)

What is forked runs the command as `python -m analyzer` does, from its first line to the end of the interpreter.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.command import environment

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 300.0  # on a busy machine
# What a run of the command has imported from files, which is printed behind what it says.
IMPORTED = """
import json, sys
from analyzer.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
found = [name for name, module in sys.modules.items() if getattr(module, "__spec__", None) and module.__spec__.name == name]
sys.stderr.write("\\n" + json.dumps([name for name in found if sys.modules[name].__spec__.has_location]))
"""


class Server:
    """Forks a process for each call; `variables` are put into the environment of what these processes are forked from, which has imported `first`."""

    def __init__(self, words: Sequence[str], folder: Path, variables: Mapping[str, str], first: str = "") -> None:
        known = environment(PYTHONPATH=str(ROOT), **variables)
        told = subprocess.run(
            [sys.executable, "-c", f"import {first}\n{IMPORTED}" if first else IMPORTED, *words], cwd=folder, env=known, text=True, check=True, timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ).stderr.splitlines()[-1]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked"], cwd=ROOT, env=known, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )  # fmt: skip
        self._ask(imports=json.loads(told))

    def __enter__(self) -> Server:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The number of the process that forks."""
        return self._process.pid

    def begun(self, words: Sequence[str], folder: Path, variables: Mapping[str, str], said: Path) -> int:
        """Begin a command in `folder`, which writes its standard error to the file `said`: the number of its process."""
        return int(self._ask(words=list(words), folder=str(folder), variables=dict(variables), said=str(said))["pid"])

    def status(self, process: int, within: float = PATIENCE_S) -> int | None:
        """The status with which it has ended, negative for a signal that ended it; None where it runs on after so many seconds."""
        status = self._ask(process=process, within=within)["status"]
        return None if status is None else int(status)

    def ended(
        self, words: Sequence[str], folder: Path, variables: Mapping[str, str], after: float = PATIENCE_S, number: int = signal.SIGKILL
    ) -> tuple[int, str]:  # fmt: skip
        """Status and standard error of a command that gets a signal after some seconds."""
        with tempfile.NamedTemporaryFile() as file:
            said = Path(file.name)
            process = self.begun(words, folder, variables, said)
            status = self.status(process, after)
            if status is None:
                os.kill(process, number)
                status = self.status(process)
            if status is None:
                os.kill(process, signal.SIGKILL)
                status = self.status(process)
            assert status is not None
            return status, said.read_text(errors="replace")

    def both(self, words: Sequence[str], folder: Path) -> tuple[list[int | None], list[str]]:
        """Status and standard error of two at once of the same command."""
        with tempfile.TemporaryDirectory() as place:
            said = [Path(place) / f"{number}" for number in range(2)]
            for file in said:
                file.touch()
            begun = [self.begun(words, folder, {}, file) for file in said]
            return [self.status(each) for each in begun], [file.read_text() for file in said]

    def _ask(self, **asked: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> bool:
    """Answer questions until there are none; True in a process that was forked, which shall be the command now."""
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        if "imports" in asked:
            for name in asked["imports"]:
                if name not in sys.modules and name != "__main__":
                    import_module(name)
            gc.freeze()  # else a process that was forked copies all of it when it looks for what nobody knows any more
        elif "process" in asked:
            answer["status"] = _status(asked["process"], asked["within"])
        else:
            answer["pid"] = os.fork()
            if not answer["pid"]:
                _become(asked)
                return True
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return False


def _status(process: int, within: float) -> int | None:
    """How a process has ended, once it has, or None after so many seconds."""
    watched = os.pidfd_open(process)
    try:
        select.select([watched], [], [], within)
    finally:
        os.close(watched)
    which, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if which else None


def _become(asked: Mapping[str, Any]) -> None:
    """What a process of the command is when it begins."""
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(asked["said"], os.O_WRONLY | os.O_TRUNC)
    for ours, standard in ((nothing, 0), (nothing, 1), (said, 2)):
        os.dup2(ours, standard)
    os.close(nothing)
    os.close(said)
    sys.stdin = open(0)  # noqa: SIM115 what the server reads from stays where it is
    os.chdir(asked["folder"])
    os.environ.update(asked["variables"])
    tempfile.tempdir = None
    sys.argv = ["tcpcap", *asked["words"]]
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        signal.signal(number, handler)


if __name__ == "__main__" and _serve():
    from analyzer.__main__ import main

    main()

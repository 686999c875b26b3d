"""The command `tcpcap`, also as python -m analyzer."""

from typing import Any, NoReturn

from analyzer.beginning import begin
from analyzer.ending import run


def main() -> NoReturn:
    """Entry point of the process: from the first import on it ends as it should."""
    begin()
    run(_command)


def _command() -> Any:
    from analyzer.cli import main as command

    return command()


if __name__ == "__main__":
    main()

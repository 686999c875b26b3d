"""tcpcap completion: names that the shell completes when Tab is pressed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from analyzer.cli.base import cli, say

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_TCPCAP_COMPLETE"  # what click's scripts ask the command with
IN_ZSHRC = "fpath+=({folder}); autoload -Uz compinit && compinit"


@cli.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Put it where the shell finds it, instead of printing it.")
def completion(shell: str | None, install: bool) -> None:
    """Print the script with which a shell completes commands, options and names; or install it.

    Completed are commands and options, files, and the names of tables, events, counters and rules. SHELL is bash (4.4 or newer), zsh or
    fish; without it, the shell of the login.
    """
    from click.shell_completion import get_completion_class

    from analyzer.errors import UsageError
    from analyzer.output import appearing

    name = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name) if name in SHELLS else None
    if kind is None:
        raise UsageError(
            "SHELL", f"{name!r} is none of {', '.join(SHELLS)}", "name one, such as `tcpcap completion bash`"
        )
    script = kind(cli, {}, "tcpcap", VARIABLE).source()
    if not install:
        say(script)
        return
    place = _place(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    with appearing(str(place), []) as file:
        file.write(script.encode())
    say(f"{place}: written; it works in shells that are opened from now on")
    if name == "zsh":
        say(f"if it does not: have this line in .zshrc: {IN_ZSHRC.format(folder=place.parent)}")
    if name == "bash":
        say("(through the package bash-completion)")


def _place(shell: str) -> Path:
    """Where a shell looks for what it loads when it is needed."""
    home = Path.home()
    if shell == "zsh":
        return Path(os.environ.get("ZDOTDIR") or home) / ".zfunc" / "_tcpcap"
    if shell == "fish":
        return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "tcpcap.fish"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "bash-completion" / "completions" / "tcpcap"

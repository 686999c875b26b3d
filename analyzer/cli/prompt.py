"""The prompt of `tcpcap sql`: statements until a semicolon, a history that stays, completion of tables and columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analyzer.ask.plan import columns_shown
from analyzer.cli.base import say
from analyzer.tables import TABLES

PROMPT, GOES_ON = "tcpcap> ", "   ...> "
HISTORY, MOST_HISTORY = "sql_history", 1000
WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "JOIN", "USING", "COUNT(*)", "SUM", "MIN", "MAX", "AVG",
    "MEDIAN", "QUANTILE", "DESC", "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "AND", "OR", "NOT", "NULL", "LIKE", "BETWEEN", "IN", "AS",
    "DESCRIBE", "SUMMARIZE",
)  # fmt: skip
HELP = """\
A question ends with a semicolon:  SELECT event, count(*) FROM events GROUP BY event;
  .tables         the tables, and what a row of each is
  .schema TABLE   its columns (also DESCRIBE TABLE;)
  .quit           leave (also Ctrl-D)
"""


def statements(interactive: bool) -> Iterator[str]:
    """What is typed, or comes through a pipe, statement by statement; lines that begin with a dot are one each. Ctrl-C drops what was begun."""
    begun: list[str] = []
    while True:
        try:
            line = input(GOES_ON if begun else PROMPT) if interactive else sys.stdin.readline() or None
        except KeyboardInterrupt:
            begun.clear()
            say(err=True)
            continue
        except EOFError:
            line = None
        if line is None:
            if interactive:
                say()
            break
        if not begun and (line.strip().startswith(".") or not line.strip()):
            if line.strip():
                yield line.strip()
            continue
        begun.append(line)
        if ends(text := "\n".join(begun)):
            yield text
            begun.clear()
    if begun:
        yield "\n".join(begun)


def ends(text: str) -> bool:
    """Does a semicolon end it that stands in no text and no comment?"""
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*", "", text)
    return "'" not in bare and bare.rstrip().endswith(";")


def answer_dots(line: str, say: Callable[[str], None]) -> bool:
    """Do what a line that begins with a dot says; False to leave."""
    word, _, name = line.partition(" ")
    name = name.strip()
    if word in (".quit", ".exit", ".q"):
        return False
    if word == ".tables":
        width = max(map(len, TABLES))
        for table in TABLES.values():
            say(f"{table.name:<{width}}  {table.doc.split('. ')[0].rstrip('.')}.\n")
    elif word == ".schema" and name in TABLES:
        columns = {column.name: column for column in TABLES[name].columns}
        shown = columns_shown(TABLES[name])
        width = max(map(len, shown))
        for each in shown:
            say(f"{each:<{width}}  {columns[each].doc if each in columns else 'The same moment as a TIMESTAMP_NS.'}\n")
    else:
        say(HELP)
    return True


def completions(text: str) -> list[str]:
    """Tables, columns and words of SQL that begin like this; as they are, or in the case that is typed."""
    names = sorted({*TABLES, *(column for table in TABLES.values() for column in columns_shown(table))})
    found = [name for name in names if name.startswith(text.lower())]
    words = [word if text.isupper() else word.lower() for word in WORDS if word.startswith(text.upper())]
    return found + [word for word in words if word not in found]


class Editing:
    """Line editing with history and completion, where Python has readline. Use it with `with`."""

    def __init__(self) -> None:
        try:
            import readline
        except ImportError:  # Windows
            self._readline: Any = None
        else:
            self._readline = readline
        self._found: list[str] = []

    def __enter__(self) -> Editing:
        readline = self._readline
        if readline is not None:
            libedit = getattr(readline, "backend", "") == "editline" or "libedit" in (readline.__doc__ or "")
            readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
            readline.set_completer_delims(" \t\n,()=<>+-*/;.\"'")
            readline.set_completer(self.complete)
            readline.set_history_length(MOST_HISTORY)
            if history_file().exists():
                readline.read_history_file(history_file())
        return self

    def __exit__(self, *_: object) -> None:
        if self._readline is not None:
            try:
                history_file().parent.mkdir(parents=True, exist_ok=True)
                self._readline.write_history_file(history_file())
            except OSError as error:
                say(f"tcpcap: {history_file()}: the history cannot be kept ({error.strerror})", err=True)
            self._readline.set_completer(None)

    def complete(self, text: str, state: int) -> str | None:
        """As readline asks: one suggestion after the other."""
        if state == 0:
            self._found = completions(text)
        return self._found[state] if state < len(self._found) else None


def history_file() -> Path:
    """Where the history of the user is kept."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tcpcap")) / HISTORY

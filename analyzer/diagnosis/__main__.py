"""`python -m analyzer.diagnosis` reads the rules that come with tcpcap, so that no start has to read them again; it prints the name of the file."""

from __future__ import annotations

from analyzer.diagnosis.parsed import FILE, made_of
from analyzer.diagnosis.rule import PATTERN, own_folder
from analyzer.output import appearing

if __name__ == "__main__":
    with appearing(str(FILE), ()) as file:
        file.write(made_of(own_folder().rglob(PATTERN)))
    print(FILE.name)  # noqa: T201

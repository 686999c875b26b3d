"""README.md is true: its generated parts are current, and its test command is the one that .ci/run runs."""

from __future__ import annotations

import re

from tests import house as rooms_of_the_package
from tests.house import ENTRANCES, PACKAGE
from tests.readme import BLOCK, BLOCKS, CONTRIBUTING, FILES, README, ROOT, SAMPLE, body_of, regenerated


def test_generated_parts_are_current() -> None:
    """`python -m tests.readme` would change nothing; test_prediction.py, which has compared all samples, looks at `agreement`."""
    texts = [file.read_text() for file in FILES]
    assert sorted(found["name"] for text in texts for found in BLOCK.finditer(text)) == sorted(BLOCKS)
    for text in texts:
        assert text == regenerated(text, but="agreement")


def test_links_of_the_pages_exist() -> None:
    """What README and the pages behind it link to in the repository is there."""
    for file in FILES:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", file.read_text())
        assert [link for link in links if not (file.parent / link).exists()] == [], file.name
    assert "](.github/site/content/time.md)" in README.read_text()


def test_set_up_is_two_commands_and_ci_runs_the_second() -> None:
    """Both lines make their own environment; the test command stands in .ci/run word for word."""
    lines = re.findall(r"^python3 -m venv .*$", README.read_text(), re.MULTILINE)
    assert len(lines) == 2
    install, test = lines
    assert install.endswith(f"tcpcap analyze {SAMPLE}")
    assert test.endswith("-m pytest")
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_room_is_in_the_house_once() -> None:
    """And says in a line what it does; nothing else is in it."""
    rows = re.findall(r"^\| `analyzer/(.+?)` \| (.+) \|$", body_of("house"), re.MULTILINE)
    rooms = {file.relative_to(PACKAGE).parts[0] for file in rooms_of_the_package.FILES} - {
        f"{name}.py" for name in ENTRANCES
    }
    assert sorted(name for name, _ in rows) == sorted(room if room.endswith(".py") else f"{room}/" for room in rooms)
    assert [text for _, text in rows if len(text) > 120 or not text.endswith(".")] == []


def test_files_named_in_the_house_exist() -> None:
    """Paths in the table of the house are there."""
    house = CONTRIBUTING.read_text().split("## The house")[1]
    named = re.findall(r"`((?:analyzer|notebooks|rules|samples|tests)/[\w/.]*)`", house)
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []

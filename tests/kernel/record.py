"""One random recording: a seed goes in, a folder with the bundles of both ends and the plan comes out."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from samples.lab.lab import Lab

from .applications import APPLICATIONS, Ends
from .impairments import IMPAIRMENTS, Course

_WEIGHTS = {"transfer": 5, "bulk": 5, "requests": 3, "slow_reader": 3}
"""How often an application is drawn; once where it is not named."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn beforehand."""

    seed: str
    family: int
    delay_ms: float
    congestion: str
    timestamps: bool
    sack: bool
    offloads: tuple[str, ...]
    mtu: int
    application: str
    impairments: tuple[str, ...]
    upload: bool
    piece: int
    pieces: int
    pause_s: float

    @property
    def name(self) -> str:
        """What the folder of the recording is called."""
        return "-".join([self.seed.replace("/", "-"), self.application, *self.impairments]).replace("_", "")


def draw(seed: int, number: int) -> tuple[Plan, Random]:
    """The plan of a recording, and the source of chance for the rest; each impairment comes round in turn."""
    random = Random(f"{seed}/{number}")
    names = list(IMPAIRMENTS)
    impairments = [names[number % len(names)]]
    if random.random() < 0.6:
        impairments.append(random.choice(names))
    application = random.choices(list(APPLICATIONS), [_WEIGHTS.get(name, 1) for name in APPLICATIONS])[0]
    plan = Plan(
        seed=f"{seed}/{number:03}",
        family=random.choice([4, 4, 6]),
        delay_ms=random.choice([0.5, 2.0, 10.0, 10.0, 30.0, 60.0]),
        congestion=random.choice(["cubic", "cubic", "reno", "bbr"]),
        timestamps=random.random() > 0.2,
        sack=random.random() > 0.15,
        offloads=random.choice([(), (), (), (), ("checksum", "tso4", "tso6")]),
        mtu=random.choice([1500, 1500, 1500, 1500, 1300, 9000]),
        application=application,
        impairments=tuple(dict.fromkeys(impairments)),
        upload=random.random() < 0.6,
        piece=random.choice([1000, 5000, 15_000, 40_000, 150_000, 400_000]),
        pieces=random.randrange(1, 6),
        pause_s=random.choice([0.05, 0.3]),
    )
    return plan, random


def record(seed: int, number: int, into: Path) -> Path:
    """Make the recording; its folder lies below `into`."""
    plan, random = draw(seed, number)
    folder = into / plan.name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _record(plan, random, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _record(plan: Plan, random: Random, folder: Path) -> None:
    course = Course(*(("client", "server") if plan.upload else ("server", "client")), plan.piece)
    rules = [rule for name in plan.impairments for rule in IMPAIRMENTS[name](random, course)]
    sysctls = {"ipv4.tcp_timestamps": str(int(plan.timestamps)), "ipv4.tcp_sack": str(int(plan.sack))}
    with Lab(folder, random.randrange(1 << 30)) as lab:
        client, server = lab.pair(family=plan.family, sysctls=sysctls, offloads=plan.offloads, mtu=plan.mtu)
        with lab.recording(client, server, rules=rules, delay_ms=plan.delay_ms):
            ends = Ends(client, server, 80, 40001, plan.congestion, plan.upload, plan.piece, plan.pieces, plan.pause_s)
            APPLICATIONS[plan.application](random, ends)
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")

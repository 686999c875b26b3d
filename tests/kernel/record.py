"""One random recording: a seed goes in, a folder with the bundles of both ends and the plan comes out."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from samples.lab.lab import Lab

from .applications import APPLICATIONS, Ends
from .impairments import IMPAIRMENTS, Course
from .rough import ROUGH

_WEIGHTS = {"transfer": 5, "bulk": 5, "requests": 3, "slow_reader": 3}
"""How often an application is drawn; once where it is not named."""
_SETTINGS: dict[str, tuple[str, ...]] = {
    "tcp_recovery": ("0", "2", "5"),
    "tcp_early_retrans": ("0", "2"),
    "tcp_frto": ("0",),
    "tcp_dsack": ("0",),
    "tcp_comp_sack_nr": ("0", "5", "200"),
    "tcp_comp_sack_delay_ns": ("0", "9000000"),
    "tcp_ecn": ("1",),
    "tcp_window_scaling": ("0",),
    "tcp_reordering": ("8",),
    "tcp_fin_timeout": ("3",),
    "tcp_max_tw_buckets": ("0",),
    "tcp_retrans_collapse": ("0",),
    "tcp_autocorking": ("0",),
    "tcp_slow_start_after_idle": ("0",),
    "tcp_limit_output_bytes": ("65536",),
    "tcp_mtu_probing": ("2",),
    "tcp_shrink_window": ("1",),
    "tcp_fastopen": ("3",),
    "tcp_syncookies": ("0", "2"),
}
"""What a host may be told to do otherwise than it usually does: settings below net.ipv4, and values."""


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
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the folder of the recording is called."""
        return "-".join([self.seed.replace("/", "-"), self.application, *self.impairments]).replace("_", "")


def draw(seed: int, number: int, rough: bool = False) -> tuple[Plan, Random]:
    """The plan of a recording, and the source of chance for the rest; each impairment comes round in turn.

    Where it is rough, every other one has no impairment, and hosts do what is in ROUGH.
    """
    random = Random(f"{seed}/{number}")
    names = list(IMPAIRMENTS)
    impairments = [names[number % len(names)]]
    if random.random() < 0.6:
        impairments.append(random.choice(names))
    if rough and random.random() < 0.5:
        impairments = ["nothing"]
    known = ROUGH if rough else APPLICATIONS
    application = random.choices(list(known), [_WEIGHTS.get(name, 1) for name in known])[0]
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
        settings=_settings(random),
    )
    return plan, random


def _settings(random: Random) -> dict[str, str]:
    """The settings of every other recording: one or two that are not as usual; without ECN nothing can be marked."""
    names = random.sample(sorted(_SETTINGS), random.choice([0, 0, 1, 2]))
    return {f"ipv4.{name}": random.choice(_SETTINGS[name]) for name in names}


def record(seed: int, number: int, into: Path, rough: bool = False) -> Path:
    """Make the recording; its folder lies below `into`."""
    plan, random = draw(seed, number, rough)
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
    sysctls |= plan.settings | ({"ipv4.tcp_ecn": "1"} if "marks" in plan.impairments else {})
    with Lab(folder, random.randrange(1 << 30)) as lab:
        client, server = lab.pair(family=plan.family, sysctls=sysctls, offloads=plan.offloads, mtu=plan.mtu)
        with lab.recording(client, server, rules=rules, delay_ms=plan.delay_ms):
            ends = Ends(client, server, 80, 40001, plan.congestion, plan.upload, plan.piece, plan.pieces, plan.pause_s)
            {**APPLICATIONS, **ROUGH}[plan.application](random, ends)
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")

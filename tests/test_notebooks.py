"""The notebooks run from top to bottom, and what they claim is so."""

from __future__ import annotations

import contextlib
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks import cells_of, ran

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def book(name: str) -> dict[str, Any]:
    """A notebook as it is stored."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return found


@cache
def left_by(name: str) -> dict[str, Any]:
    """The names that its cells leave, run in its own folder."""
    with contextlib.chdir(FOLDER):
        return ran(book(name))[0]


def test_there_are_five_and_a_tour() -> None:
    """And the tour names the others."""
    assert len(NAMES) == 6
    text = "\n".join(cells_of(book("tour"), "markdown"))
    assert [name for name in NAMES if name != "tour" and f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_stored_without_outputs(name: str) -> None:
    """As nbformat 4.5; and every cell of code is led up to by words."""
    stored = book(name)
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    kinds = [cell["cell_type"] for cell in stored["cells"]]
    assert ("code", "code") not in list(pairwise(kinds))
    for cell in stored["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert len({cell["id"] for cell in stored["cells"]}) == len(kinds)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tour"])
def test_a_post_mortem_goes_from_the_question_to_what_would_have_misled(name: str) -> None:
    """A question in an engineer's words, a verdict, what to do, and the traps."""
    text = "\n".join(cells_of(book(name), "markdown"))
    assert text.startswith("# ")
    assert "\n> " in text
    assert text.index("## Verdict") < text.index("**What would have misled**")
    assert "**What to " in text or "| what to do |" in text


def test_the_window_was_taken_back_and_the_repairs_refused() -> None:
    """The buffer is full of data out of order; the edge goes back; three repairs arrive and are dropped."""
    names = left_by("zero-window-empty-queue")
    held = names["held"]
    assert (held["recv_q"], held["bytes_received"], held["rcv_ooopack"], held["skmem_d"]) == (0, 96, 31, 24 + 3)
    assert (held["skmem_r"], held["skmem_rb"]) == (15_360, 16_384)
    assert (names["segment"], names["waiting"], names["closed"], names["lost"]) == (24, 744, 73, 97)
    acks = names["acks"].set_index("frame")
    assert acks.loc[11:, "acked"].unique().tolist() == [97]
    assert acks["right_edge"].max() == acks.loc[11, "right_edge"] == 6881
    assert acks.loc[73:, "right_edge"].unique().tolist() == [97]
    assert ((names["steps"] < 0).sum(), (names["steps"] > 0).sum()) == (27, 1)
    assert names["settings"] == {"tcp_shrink_window": "1", "tcp_rmem": "4096 16384 16384"}
    assert (len(names["sent"]), len(names["arrived"])) == (4, 3)
    assert names["refused"]["window"].tolist() == [0, 0, 0]
    assert names["refused"]["acked"].tolist() == [97, 97, 97]
    assert names["refused"]["us"].max() < 50
    counted = names["counted"]
    assert counted.loc[names["names"], "observed"].tolist() == [3, 31, 24, 1]
    assert set(counted["verdict"]) == {"agree"}
    assert names["ruled_out"]["a window update was lost"].startswith("0 of 27 ")
    assert names["ruled_out"]["the host has no memory"].startswith("0 ")
    assert names["tries"] == [272, 544]
    assert names["shares"]["zero_window"] == 90.5
    assert names["verdict"].rule.id == "zero-window-empty-receive-queue"


def test_two_clocks_share_an_address() -> None:
    """Of the classic the fourth connection is ignored; of the new kernel the detour is one of 15 ms."""
    names = left_by("syns-behind-nat")
    clocks = names["clocks"]
    by_port = clocks.groupby("src_port")["at_start"].first()
    assert by_port[40000] - by_port[40002] == pytest.approx(0, abs=50)
    assert by_port[40001] - by_port[40003] == pytest.approx(0, abs=50)
    assert by_port[40000] - by_port[40001] == pytest.approx(4_005_000, abs=100)
    assert clocks.groupby("src_port")["answered_us"].count().to_dict() == {40000: 1, 40001: 1, 40002: 1, 40003: 0}
    assert names["place"].address == "198.51.100.2"
    assert (names["verdict"].rule.id, names["verdict"].confidence) == ("nat-timestamp-drop", "likely")
    second = names["second"].set_index("frame")
    assert second.loc[[9, 10, 11, 12, 13], "flag"].tolist() == ["S", "A", "R", "S", "SA"]
    assert second.loc[10, "seq"] == names["first"]["ack"].max()
    assert names["clock_back"] == 706_026_332
    assert names["cost_ms"] == pytest.approx(15.3, abs=0.05)
    assert len(names["waiting"]) == 2
    assert names["counted"].loc["TcpExtPAWSTimewait", ["observed", "predicted"]].tolist() == [1, 1]
    assert names["ruled_out"]["the queues of the listener are full"] == "0 dropped; 0 of 64 wait"
    assert names["ruled_out"]["SYNs are lost before the server"] == "3 of 3 came to the server"


def test_the_red_lines_are_the_healthy_ones() -> None:
    """Where most checksums are wrong nothing is; where few are, the kernel dropped just these."""
    names = left_by("corrupt-packets")
    assert names["shares"]["wrong"].to_dict() == {"A": 68, "B": 54, "C": 3, "D": 8}
    assert names["shares"]["percent"]["B"] == 100
    by_capture = names["rows"].groupby("capture")
    assert by_capture["bad"].sum().to_dict() == {"A": 0, "B": 0, "C": 3, "D": 8}
    assert by_capture["verdict"].agg(set).to_dict() == {
        "A": {"offload"},
        "B": {"virtual"},
        "C": {"corruption"},
        "D": {"corruption"},
    }
    assert (names["sent"], names["came"]["wrong"].sum(), names["came"]["frames"].sum()) == (68, 0, 113)
    assert names["taken"]["arrived partial"].to_dict() == {"A": 0, "B": 25, "C": 0, "D": 0}
    assert (names["taken"]["arrived bad"] == names["taken"]["kernel dropped"]).all()
    assert names["taken"]["sent again"].to_dict() == {"A": 0, "B": 0, "C": 3, "D": 0}
    assert names["damage"].frames == [24, 39, 62, 64, 72, 88]
    assert len(names["bad"]) == len(names["at_sender"]) == 3
    assert set(names["at_sender"]["checksum"]) == {"valid"}
    assert round(names["cost_ms"]) == 21


def test_the_accept_queue_does_not_drain() -> None:
    """Six SYNs arrive, six are counted; and the neighbours differ in what the table says."""
    names = left_by("server-stopped-accepting")
    assert names["arrival"] == {"sent": 10, "arrived": 10}
    assert (len(names["silent"]), len(names["unanswered"])) == (6, 3)
    assert names["counted"](names["server"]).tolist() == [6, 6, 0, 0]
    assert names["overflows"]["observed"].tolist() == names["overflows"]["predicted"].tolist() == [3, 3]
    assert names["listening"][["recv_q", "send_q"]].to_numpy().tolist() == [[0, 1], [2, 1], [2, 1], [2, 1]]
    assert (names["established"].to_dict(), set(names["waiting"].index)) == (
        {40001: 3, 40002: 3},
        {40003, 40004, 40005},
    )
    assert names["waits_ms"] == [1004, 1017, 1029]
    assert names["compared"]["accept queue"].tolist() == [3, "2 of 1", 0, 6, 6, 0, 0]
    assert names["compared"]["SYN queue"].tolist() == [3, "0 of 8", 9, 0, 3, 3, 0]
    assert names["compared"]["SYN cookies"].tolist() == [0, "0 of 8", 9, 0, 0, 0, 3]
    assert (names["verdict"].rule.id, names["verdict"].confidence) == ("accept-queue-overflow", "certain")
    assert (names["told"].rule.id, names["told"].confidence) == ("syn-unanswered", "likely")


def test_the_network_is_not_slow() -> None:
    """It is acquitted by numbers; of one connection 88 % is delayed ACKs, of the other 65 % the server's application."""
    names = left_by("network-is-slow")
    acquitted = names["acquitted"]
    assert acquitted.loc["round trip in the handshake, ms"].tolist() == ["2.4", "25.2"]
    trouble = [row for row in acquitted.index if row.startswith(("segments", "times", "wrong"))]
    assert len(trouble) == 4
    assert (acquitted.loc[trouble] == 0).all(axis=None)
    assert acquitted.loc["kbit/s, busiest 100 ms"].max() < 250
    assert names["shares"].loc["delayed_ack"].tolist() == [88.0, 0.0]
    assert names["shares"].loc["server_think", "slow service"] == 65.1
    assert names["shares"].loc["client_think", "slow service"] == 28.1
    assert (len(names["requests"]), len(names["held"]), names["delayed"]) == (17, 16, 16)
    assert names["requests"]["held_ms"].iloc[0] == pytest.approx(2.3)
    assert (names["stuck"]["send_q"], names["on_its_way"]) == (49 + 64, 49)
    assert names["answers"] == {
        "answers": 5,
        "think time of the server, ms": 312,
        "round trip, ms": 21,
        "largest Recv-Q at the server": 0,
        "segments it sent again": 0,
    }
    assert [a.finding(1).rule.id for a in names["cases"].values()] == ["delayed-ack-stall", "slow-server"]


def test_the_tour_finds_what_was_sent_again() -> None:
    """Seven data segments by three ways, and the SYN, which carries no data, by two of them."""
    names = left_by("tour")
    assert len(names["packets"]) == names["a"].capture["frames"] == 216
    resent = names["resent"]
    assert len(names["again"]) == 7
    assert set(names["again"]["frame"]) < set(resent["frame"])
    assert sorted(resent["frame"]) == sorted(names["moved"]["frame"])
    assert (resent["related_frame"] < resent["frame"]).all()
    assert names["both"]["seq"].nunique() == 1
    assert names["counters"].loc["TcpRetransSegs", ["observed", "predicted"]].tolist() == [8, 8]
    assert names["disagree"] == 0
    assert names["spent"].idxmax() == "handshake"
    assert names["table"]["sent again"].sum() == 7
    assert names["host"].address == "10.0.0.1"
    assert (len(names["a"].not_checked), len(names["alone"].not_checked) > 10) == (0, True)
    marks = [x for layer in names["picture"].panels[0].layers if "fast" in layer.name for x in layer.x]
    assert len(marks) == 7

"""The page of `analyze --html`, opened in Chromium: it asks no address, draws every plot, and what a capture holds stays text."""

from __future__ import annotations

import functools
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from analyzer import Analysis, analyze
from analyzer.errors import TcpcapError
from analyzer.plot.palette import DARK, LIGHT
from analyzer.report import html as report
from analyzer.report.html import html_text
from tests import build
from tests.command import run, run_here
from tests.readme import ROOT
from tests.test_report import pcap_of, segment

LOSS, OVERFLOW = ROOT / "samples" / "loss-ipv4" / "client", ROOT / "samples" / "listen-overflows" / "server"
CLICK = 'onerror="window.owned=1"'
HOSTILE = f"</script><script>window.owned=1</script><img src=x {CLICK}>"
LARGEST = 10_000_000
CLEAN = "drawn"
BACKGROUNDS = {"light": LIGHT["paper"], "dark": DARK["paper"]}


class Opened(NamedTuple):
    """A page that has drawn, and what happened meanwhile."""

    page: Page
    complaints: list[str]
    requests: list[str]


def hostile_bundle(folder: Path) -> Path:
    """A sample whose names are all attacks: of the bundle, the host, the interface, a process and a counter."""
    bundle = folder / f"<img src=x {CLICK}>"
    shutil.copytree(OVERFLOW, bundle)
    data = (bundle / "capture.pcap").read_bytes()
    packets, at = [], 24
    while at < len(data):
        seconds, rest, length, _ = struct.unpack_from("<IIII", data, at)
        packets.append(build.epb(data[at + 16 : at + 16 + length], ticks=seconds * 10**9 + rest))
        at += 16 + length
    (bundle / "capture.pcap").unlink()
    interface = build.idb(resolution=9, name=HOSTILE)
    (bundle / "capture.pcapng").write_bytes(build.pcapng(build.shb(), interface, *packets))
    host = json.loads((bundle / "host.json").read_text())
    (bundle / "host.json").write_text(json.dumps(host | {"hostname": HOSTILE}))
    lists = [json.loads(line) for line in (bundle / "sockets.jsonl").read_text().splitlines()]
    for each in lists:
        each["ss"] = each["ss"].replace(" ino:", f' users:(("{HOSTILE}",pid=1,fd=3)) ino:', 1)
    (bundle / "sockets.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lists))
    snapshots = [json.loads(line) for line in (bundle / "counters.jsonl").read_text().splitlines()]
    for number, each in enumerate(snapshots):
        each["counters"]["TcpExt" + HOSTILE] = number
    (bundle / "counters.jsonl").write_text("".join(json.dumps(each) + "\n" for each in snapshots))
    return bundle


@functools.cache
def loss() -> Analysis:
    """A sample with findings, connections and counters."""
    return analyze(LOSS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it, else as playwright installed it."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: Browser, path: Path, **options: Any) -> Opened:
    """The page when all of its plots are drawn."""
    page = browser.new_page(**options)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(f"html[data-plots={CLEAN}]", state="attached")
    return Opened(page, complaints, requests)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two pages: of a sample, and of one whose names are attacks."""
    folder = tmp_path_factory.mktemp("pages")
    pages = {"loss": folder / "loss.html", "hostile": folder / "hostile.html"}
    pages["loss"].write_text(html_text(loss()))
    pages["hostile"].write_text(html_text(analyze(hostile_bundle(folder))))
    return pages


@pytest.fixture(scope="module")
def good(browser: Browser, written: dict[str, Path]) -> Opened:
    """The page of the sample, in the light, wide."""
    return opened(
        browser,
        written["loss"],
        color_scheme="light",
        viewport={"width": 1300, "height": 900},
        bypass_csp=True,  # else what a page tried might stay unseen; and tests may wait for what becomes true
    )


def test_the_page_draws_every_plot_and_asks_no_address(good: Opened, written: dict[str, Path]) -> None:
    """No error on the console, no request but for the file itself; each figure has lines in each of its panels."""
    assert good.complaints == []
    assert good.requests == [written["loss"].as_uri()]
    drawn = good.page.evaluate(
        "[...document.querySelectorAll('.plot')].map(plot => [plot.data.length,"
        " plot.querySelectorAll('.scatterlayer .trace, .barlayer .trace').length])"
    )
    assert len(drawn) == 1 + 2  # the whole capture, and both connections
    assert all(wanted == there > 0 for wanted, there in drawn)
    assert written["loss"].stat().st_size < LARGEST


def test_findings_come_first_and_link_to_their_plots(good: Opened) -> None:
    """Each finding that stands for itself; its links lead to figures of its connections, and to the whole capture."""
    links = good.page.evaluate(
        "[...document.querySelectorAll('.finding')].map(each => [each.querySelector('h3').innerText,"
        " [...each.querySelectorAll('.links a')].map(a => a.getAttribute('href'))])"
    )
    findings = [each for each in loss().diagnosis.findings if not each.because_of]
    assert [text for text, _ in links] == [f"{each.number} · {each.severity} {each.summary}" for each in findings]
    for finding, (_, targets) in zip(findings, links, strict=True):
        assert targets == [*(f"#flow-{flow}" for flow in finding.flows), "#overview"]
        assert all(good.page.locator(f"{target} .plot").count() == 1 for target in targets)
    tops = good.page.evaluate(
        "['.finding', '#overview', '.connection', '#counters'].map(each => document.querySelector(each).offsetTop)"
    )
    assert tops == sorted(tops)


def test_pointing_at_a_mark_tells_the_frame(good: Opened) -> None:
    """In the frame's number as Wireshark counts."""
    said = good.page.evaluate(
        """() => {
            const plot = document.querySelector("#flow-0 .plot");
            const mark = plot.data.findIndex(each => each.name.startsWith("sent again: fast"));
            Plotly.Fx.hover(plot, [{ curveNumber: mark, pointNumber: 0 }]);
            return plot.querySelector(".hoverlayer").textContent;
        }"""
    )
    events = loss().events
    first = events["frame"][(events["event"] == "retransmission") & (events["flow"] == 0)].iloc[0]
    assert f"frame {first}" in said


def test_the_keyboard_zooms_all_panels_at_once(good: Opened) -> None:
    """One axis of time for all plots of a connection."""
    axes = "Object.keys(document.querySelector('#flow-0 .plot')._fullLayout).filter(key => /^xaxis/.test(key))"
    assert good.page.evaluate(axes) == ["xaxis"]
    length = "(() => { const [start, end] = document.querySelector('#flow-0 .plot')._fullLayout.xaxis.range; return end - start; })()"
    before = good.page.evaluate(length)
    good.page.locator("#flow-0 [data-move=in]").focus()
    good.page.keyboard.press("Enter")
    good.page.wait_for_function(f"{length} < {0.6 * before}")
    good.page.locator("#flow-0 [data-move=whole]").press("Enter")
    good.page.wait_for_function(f"{length} > {0.99 * before}")


def test_paper_is_light_and_has_no_buttons(good: Opened) -> None:
    """What is printed has all plots, and nothing to click at."""
    good.page.emulate_media(media="print", color_scheme="dark")
    good.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert good.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert not good.page.locator(".tools").first.is_visible()
    widths = "[...document.querySelectorAll('.plot')].every(plot => plot._fullLayout.width === {})"
    good.page.wait_for_function(widths.format(680))
    good.page.evaluate("dispatchEvent(new Event('afterprint'))")
    good.page.emulate_media(media="screen", color_scheme="light")
    good.page.wait_for_function(widths.format(1260))
    assert good.page.locator(".tools").first.is_visible()


@pytest.mark.parametrize(
    ("scheme", "width", "ground"), [("light", 1300, "rgb(255, 255, 255)"), ("dark", 420, "rgb(21, 25, 31)")]
)
def test_axe_finds_nothing(good: Opened, scheme: Literal["light", "dark"], width: int, ground: str) -> None:
    """In the light and in the dark, wide and narrow, with everything opened; and nothing sticks out of a narrow page."""
    page = good.page
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.wait_for_function(f"document.querySelector('#flow-0 .plot')._fullLayout.width <= {width}")
    page.wait_for_function(
        f"document.querySelector('#flow-0 .plot')._fullLayout.paper_bgcolor === {BACKGROUNDS[scheme]!r}"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    violations = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_narrow_page_has_its_legends_below_the_plots(browser: Browser, written: dict[str, Path]) -> None:
    """And below the title of the axis, which takes two lines there."""
    narrow = opened(browser, written["loss"], viewport={"width": 500, "height": 900})
    boxes = narrow.page.evaluate(
        "[...document.querySelectorAll('.plot')].map(plot => ['.g-xtitle', '.legend .traces'].map("
        "name => plot.querySelector(name).getBoundingClientRect()).map(box => [box.top, box.bottom]))"
    )
    narrow.page.close()
    assert len(boxes) == 3
    assert all(title[1] - title[0] > 20 and title[1] <= legend[0] for title, legend in boxes)


@pytest.mark.parametrize(("scripts", "most"), [(False, 1.0), (True, 6.0)])
def test_the_page_opens_quickly(scripts: bool, most: float, browser: Browser, written: dict[str, Path]) -> None:
    """In seconds of its thread on a processor, with room for a busy machine: until all can be read, and until the first plot is drawn."""
    page = browser.new_page(viewport={"width": 1300, "height": 900}, java_script_enabled=scripts)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(written["loss"].as_uri())
    if scripts:
        page.wait_for_selector("[data-drawn=yes]", state="attached")
    assert page.locator(".finding").count() == 2
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < found["TaskDuration"] < most
    page.close()


def test_names_in_a_capture_stay_text(browser: Browser, written: dict[str, Path]) -> None:
    """Nothing of them runs or becomes an element, and each is there to be read."""
    found = opened(browser, written["hostile"])
    assert found.complaints == []
    assert found.requests == [written["hostile"].as_uri()]
    assert found.page.evaluate("window.owned") is None
    assert found.page.locator("img").count() == 0
    read = found.page.evaluate("document.body.textContent")
    assert f"0 {HOSTILE}" in " ".join(read.split())  # the interface
    assert "TcpExt" + HOSTILE in found.page.locator("#counters").inner_text()
    assert f"<img src=x {CLICK}>" in found.page.locator("h1").inner_text()  # the bundle
    found.page.close()


def test_a_name_in_a_plot_stays_text(browser: Browser, written: dict[str, Path], tmp_path: Path) -> None:
    """plotly reads some HTML in titles: links among it."""
    name = 'TcpExt<a href="https://example.org">x</a><b>y</b>'
    bundle = tmp_path / "b"
    shutil.copytree(OVERFLOW, bundle)
    text = (bundle / "counters.jsonl").read_text()
    (bundle / "counters.jsonl").write_text(text.replace("TcpExtListenOverflows", json.dumps(name)[1:-1]))
    target = tmp_path / "x.html"
    analyze(bundle).plot.counters([name]).save(str(target))
    found = opened(browser, target)
    assert found.complaints == []
    assert found.page.locator("a").count() == 0
    assert name in found.page.locator(".plot .annotation-text").first.text_content()
    found.page.close()


def test_what_was_found_can_be_read_without_scripts(browser: Browser, written: dict[str, Path]) -> None:
    """Where a mail reader runs none."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written["loss"].as_uri())
    assert loss().finding(1).summary in page.locator("#findings").inner_text()
    assert "need JavaScript" in page.locator("body").inner_text()
    context.close()


def test_the_command_writes_the_page_beside_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same text as without; and the page has it, too."""
    monkeypatch.chdir(ROOT)
    target = tmp_path / "report.html"
    words = ("analyze", OVERFLOW.relative_to(ROOT))
    plain = run_here(*words, capsys=capsys)
    both = run_here(*words, "--html", target, capsys=capsys)
    assert both == plain
    assert both.out.splitlines()[-1] in target.read_text()


def test_of_a_pipe_there_is_a_page_without_plots(tmp_path: Path) -> None:
    """With its findings; the page says why there is no plot."""
    target = tmp_path / "report.html"
    capture = (LOSS / "capture.pcap").read_bytes()
    done = run("analyze", "-", "--html", target, stdin=capture)
    assert done.status == 0
    text = target.read_text()
    assert 'id="finding-1"' in text
    assert "a pipe can be read only once" in text
    assert "data-figure" not in text.partition("<script>")[0]


def test_the_page_never_replaces_what_is_read(tmp_path: Path) -> None:
    """Neither a capture nor a part of a bundle."""
    from analyzer.cli import cli

    bundle = tmp_path / "b"
    shutil.copytree(OVERFLOW, bundle)
    before = (bundle / "host.json").read_bytes()
    with pytest.raises(TcpcapError, match="a part of the bundle"):
        cli.main(["analyze", str(bundle), "--html", str(bundle / "host.json")], standalone_mode=False)
    assert (bundle / "host.json").read_bytes() == before


def test_a_single_frame_has_a_page_and_none_has_one_too(tmp_path: Path) -> None:
    """Though no time passes in it, and nothing can be drawn of nothing."""
    nothing = html_text(analyze(pcap_of(tmp_path / "none.pcap", [])))
    assert "the capture holds no frame" in nothing
    assert "data-figure=" not in nothing.partition("<script>")[0]
    text = html_text(analyze(pcap_of(tmp_path / "one.pcap", [segment(flags=2)])))
    assert "1 frame, 1 TCP connection" in text
    assert text.count("data-figure=") == 2


def test_what_would_make_the_page_too_large_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst connection is drawn in any case."""
    monkeypatch.setattr(report, "LARGEST", 0)
    text = html_text(loss())
    assert 'id="flow-1"' in text
    assert 'id="flow-0"' not in text
    assert "1 more would not fit into this page" in text

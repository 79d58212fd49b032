"""The scorecard in a real browser: from a disk, without a network, on a screen, on a telephone, on paper."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from day2.operations.dr_drill import actions, card, corrective, scorecard
from tests.unit.drill.drills import T0, Drill, backups, whole

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on this machine (Debian package chromium)")
# Quiet: without these Chromium looks for hosts of its maker's at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BOXES = """all => all.map(text => {
    const box = text.getBoundingClientRect();
    return [text.textContent, box.x, box.y, box.right, box.bottom];
})"""
# Where screenshots go, for a person to look at; nowhere unless asked.
SHOTS = os.environ.get("DAY2_SCREENSHOTS")


def story(*, well: bool) -> bytes:
    """A drill with a history: three earlier drills, twelve backups, and what it found wanting."""
    entries = backups()
    for number, (verdict, rto, days) in enumerate(
        (("FAILED", 74.0, 540), ("PASSED", 31.2, 370), ("PASSED", 22.9, 180)), 2
    ):
        earlier = Drill(number, at=T0 - timedelta(days=days), seq=len(entries))
        entries += earlier.plan().record(verdict, rto_seconds=rto, rpo_seconds=0.0, lost=0).entries
    drill = whole(1, seq=len(entries)) if well else whole(1, seq=len(entries), lost=3, leftovers=1, readiness=1)
    for gap in corrective.gaps(card.gather(entries + drill.entries, drill.run)):
        due = drill.at.date() + timedelta(days=30)
        new = actions.opened(gap, environment="production", run=drill.run, owner="shop-team", due=due)
        drill.tell("corrective_action", **new.body(1))
    return scorecard.render(card.gather(entries + drill.entries, drill.run))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[True, False], ids=["passed", "failed"])
def page(browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, opened from a file. Whatever it says to the console or asks the network for is kept."""
    path = tmp_path_factory.mktemp("scorecard") / "scorecard.html"
    path.write_bytes(story(well=request.param))
    opened = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    asked: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda each: asked.append(each.url))
    opened.on("console", lambda each: complaints.append(each.text))
    opened.on("pageerror", lambda each: complaints.append(str(each)))
    opened.goto(path.as_uri())
    assert asked == [path.as_uri()], "a scorecard asks nobody for anything"
    assert complaints == []
    yield opened
    opened.close()


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"scorecard-{name}.png", full_page=True)


def test_the_verdict_is_seen_without_scrolling(page: Page) -> None:
    verdict = page.locator(".verdict b")
    assert verdict.inner_text() in ("PASSED", "FAILED")
    box = verdict.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 300
    assert page.locator(".tile").count() == 3
    look(page, verdict.inner_text().lower())


def test_every_plot_is_drawn_and_described(page: Page) -> None:
    plots = page.locator("svg.plot")
    assert plots.count() == 3, "recovery, the whole of it, the trend"
    for index in range(3):
        plot = plots.nth(index)
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 900
        assert box["height"] > 100
        assert len(plot.get_attribute("aria-label") or "") > 30


def test_the_names_in_a_plot_do_not_cover_each_other(page: Page) -> None:
    """Text boxes of a plot, as the browser really drew them."""
    for index in range(page.locator("svg.plot").count()):
        texts = page.locator("svg.plot").nth(index).locator("text")
        boxes = texts.evaluate_all(BOXES)
        covered = [
            (one[0], other[0])
            for at, one in enumerate(boxes)
            for other in boxes[at + 1 :]
            if min(one[3], other[3]) - max(one[1], other[1]) > 2 and min(one[4], other[4]) - max(one[2], other[2]) > 3
        ]
        assert covered == []


def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_on_a_telephone_only_plots_scroll_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    try:
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        page.set_viewport_size({"width": 1280, "height": 1000})


def test_on_paper_it_is_a_few_pages_of_a4(page: Page, tmp_path: Path) -> None:
    data = page.pdf(prefer_css_page_size=True)
    if SHOTS:
        (Path(SHOTS) / "scorecard.pdf").write_bytes(data)
    sizes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data))
    assert {(round(float(wide)), round(float(high))) for wide, high in sizes} == {(595, 842)}
    assert 3 <= len(re.findall(rb"/Type /Page\b", data)) <= 7

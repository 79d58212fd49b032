"""What the three people see, in a real browser: the graph, the form, the runbook, the names, the log."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.booted import Finished, Suite

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
DAG = "database_backup.production"
# Where screenshots go, for a person to look at; nowhere unless asked.
SHOTS = os.environ.get("DAY2_SCREENSHOTS")
SECONDS = 60_000


@pytest.fixture(scope="module")
def finished(suite: Suite) -> Finished:
    return suite.run(DAG, reason="to be looked at")


@pytest.fixture(scope="module")
def page(suite: Suite) -> Iterator[Page]:
    """Signed in as the operator."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_context(viewport={"width": 1500, "height": 1000}).new_page()
        page.set_default_timeout(SECONDS)
        expect.set_options(timeout=SECONDS)
        page.goto(f"{suite.lab.airflow.url}/auth/login")
        page.fill('input[name="username"]', "operator")
        page.fill('input[name="password"]', suite.lab.airflow.passwords["operator"])
        page.click("button[type=submit]")
        page.wait_for_url(re.compile(r"/$"))
        yield page
        browser.close()


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def run_url(suite: Suite, finished: Finished) -> str:
    return f"{suite.lab.airflow.url}/dags/{DAG}/runs/{quote(finished.run_id)}"


def test_the_list_shows_each_operation_with_its_environment(page: Page, suite: Suite) -> None:
    page.goto(f"{suite.lab.airflow.url}/dags")
    for environment in ("production", "staging"):
        expect(page.get_by_text(f"database_backup.{environment}", exact=True).first).to_be_visible()
    look(page, "dags")


def test_the_graph_names_the_steps(page: Page, suite: Suite, finished: Finished) -> None:
    page.goto(run_url(suite, finished))
    for step in ("plan", "approve", "lock", "validate", "expire", "undo", "close"):
        expect(page.get_by_text(step, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Show graph").click()
    for step in ("plan", "approve", "lock", "validate", "record", "close"):
        expect(page.get_by_test_id(f"node-{step}").or_(page.get_by_text(step, exact=True)).first).to_be_visible()
    page.wait_for_timeout(1500)
    look(page, "graph")
    page.get_by_role("button", name="Show grid").click()


def test_mapped_tasks_are_named_after_databases(page: Page, suite: Suite, finished: Finished) -> None:
    page.goto(run_url(suite, finished))
    for name in ("orders", "billing"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    look(page, "run")


def test_the_log_reads_like_a_story(page: Page, suite: Suite, finished: Finished) -> None:
    page.goto(f"{run_url(suite, finished)}/tasks/database.restore_test/mapped/0")
    expect(page.get_by_text("restored and started in").first).to_be_visible()
    expect(page.get_by_text("tables equal to the source as of the snapshot").first).to_be_visible()
    look(page, "log")


def test_the_runbook_is_a_click_away(page: Page, suite: Suite) -> None:
    page.goto(f"{suite.lab.airflow.url}/dags/{DAG}")
    page.get_by_role("button", name=re.compile("Dag Docs", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", name="A stored object is damaged")).to_be_visible()
    look(page, "runbook")
    page.keyboard.press("Escape")


def test_the_form_offers_this_environments_databases(page: Page, suite: Suite) -> None:
    page.goto(f"{suite.lab.airflow.url}/dags/{DAG}")
    page.get_by_role("button", name=re.compile("Trigger")).first.click()
    form = page.get_by_role("dialog")
    for text in ("Databases", "Reason", "Ticket", "Dry run", "A run by hand needs one", "orders", "billing"):
        expect(form.get_by_text(text).filter(visible=True).first).to_be_visible()
    look(page, "form")

"""The fleet's report: nothing is hidden, nothing is loaded, and the same fleet gives the same bytes."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from day2.hosts.model import Package
from day2.operations.security_patching import compliance, fleet_csv, report, sla, states
from day2.operations.security_patching.compliance import Run, Summary
from day2.operations.security_patching.states import Course
from tests.unit.patching.making import NOW, OPENSSL, SET, environment, installed, scan

OLD = sla.lookup(sla.remember((), [scan("web-01", OPENSSL, at="2027-01-20T00:00:00Z")]))
DONE = installed("openssl", "zlib1g")
EXCEPTION = {
    "name": "exc-openssl", "package": "openssl", "hosts": ["web-03"], "owner": "shop-team",
    "reason": "<b>the module</b> breaks", "compensating_control": "a filter", "expires": "2027-06-30",
}  # fmt: skip


def fleet(register=(EXCEPTION,), **changes):
    """Six hosts with nothing waiting, one late, one excused, one in time, one that nobody could look at."""
    made = environment(patch_exceptions=list(register))
    scans = {each.name: replace(DONE, host=each.name) for each in made.hosts}
    scans |= {"web-02": scan("web-02", OPENSSL), "web-03": scan("web-03", OPENSSL)}
    scans["web-04"] = scan("web-04", Package("curl", "amd64", "8.1", "8.2", security=True))
    del scans["web-10"]
    return compliance.fleet(made, scans | changes, OLD, now=NOW)


def test_every_host_stands_somewhere_and_unknown_is_not_compliant():
    made = fleet()
    assert {each.host.name: each.standing for each in made.rows if each.standing != "current"} == {
        "web-02": "late", "web-03": "excused", "web-04": "in_time", "web-10": "unknown",
    }  # fmt: skip
    assert made.summary.without_breach == pytest.approx(0.8)
    assert report.verdict(made) == {"kind": "bad", "word": "IN BREACH", "says": "1 host late beyond the SLA"}


def test_an_old_scan_or_a_repository_that_cannot_be_trusted_is_unknown():
    stale = replace(DONE, host="web-01", at="2027-03-01T00:00:00Z")
    blind = replace(DONE, host="web-01", repository_errors=("Release file expired",))
    for each in (stale, blind):
        assert fleet(**{"web-01": each}).rows[0].standing == "unknown"


def test_an_expired_exception_is_a_breach_again_and_the_register_says_so():
    made = fleet(register=[EXCEPTION | {"expires": "2027-03-13"}])
    assert {each.host.name: each.standing for each in made.rows}["web-03"] == "late"
    assert [(each.expired, each.hosts) for each in made.register] == [(True, ("web-03",))]
    assert "exception exc-openssl expired" in report.render(made).decode()


def test_an_exception_holds_on_its_last_day():
    made = fleet(register=[EXCEPTION | {"expires": "2027-03-14"}])
    assert {each.host.name: each.standing for each in made.rows}["web-03"] == "excused"
    assert [(each.expired, each.days_left) for each in made.register] == [(False, 0)]


def test_a_compliant_fleet_says_so_and_an_unknown_host_takes_it_back():
    scans = {each.name: replace(DONE, host=each.name) for each in environment().hosts}
    made = compliance.fleet(environment(), scans, {}, now=NOW)
    assert report.verdict(made)["word"] == "COMPLIANT"
    del scans["web-10"]
    assert report.verdict(compliance.fleet(environment(), scans, {}, now=NOW))["word"] == "NOT PROVEN"


def run_of(made) -> Run:
    course = Course("web-02", scan("web-02"), scan("web-02"), "rolled_back", "connection refused")
    rows = states.became(course, SET, made.environment.policies.security_patching)
    times = (NOW - timedelta(days=7), NOW - timedelta(days=7) + timedelta(minutes=9))
    return Run(
        "security_patching.production/w1", "FAILED", "canary", *times, SET.digest, {"web-02": "rolled_back"}, rows
    )


def test_the_page_loads_nothing_escapes_names_and_is_the_same_twice():
    made = fleet()
    trend = [Summary(f"2027-0{month}-01T00:00:00Z", 10, 4, 2, 1, 2, 1, 5, 40) for month in (1, 2, 3)]
    made = replace(made, trend=(*trend, made.summary), run=run_of(made))
    page = report.render(made)
    assert page == report.render(made)
    text = page.decode()
    assert "&lt;b&gt;the module&lt;/b&gt;" in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert len(re.findall(r'<svg class="plot"', text)) == 3
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "last run: rolled back" in text


def test_a_fleet_without_history_run_or_updates_has_a_page_too():
    scans = {each.name: replace(DONE, host=each.name) for each in environment().hosts}
    text = report.render(compliance.fleet(environment(), scans, {}, now=NOW)).decode()
    assert "no update is waiting" in text
    assert "the first report of this fleet" in text


@pytest.mark.parametrize(("share", "says"), [(0.9996, "99.9 %"), (1.0, "100 %"), (0.975, "97.5 %"), (0.0, "0 %")])
def test_a_share_is_never_rounded_up(share, says):
    assert report.percent(share) == says


def test_the_csv_names_every_host_also_those_without_updates():
    table = list(csv.DictReader(io.StringIO(fleet_csv.due(fleet()).decode())))
    assert {each["host"] for each in table} == {f"web-{n:02}" for n in range(1, 11)}
    late = next(each for each in table if each["host"] == "web-02")
    assert (late["package"], late["age_days"], late["standing"], late["due"]) == (
        "openssl", "53", "late", "2027-02-19T00:00:00Z",
    )  # fmt: skip
    excused = next(each for each in table if each["host"] == "web-03")
    assert (excused["exceptions"], excused["excused_until"]) == ("exc-openssl", "2027-06-30")
    assert {each["host_standing"] for each in table if each["host"] == "web-10"} == {"unknown"}


def test_a_version_that_looks_like_a_formula_is_text_in_a_spreadsheet():
    made = fleet(**{"web-04": scan("web-04", replace(OPENSSL, candidate="=cmd()|'/c'!A1"))})
    assert "'=cmd()|'/c'!A1" in fleet_csv.due(made).decode()


def test_the_csv_of_a_run_has_a_row_for_each_package_and_host():
    table = list(csv.DictReader(io.StringIO(fleet_csv.states(run_of(fleet()).states).decode())))
    assert [(each["package"], each["state"], each["why"]) for each in table] == [
        ("openssl", "rolled_back", "connection refused"), ("zlib1g", "rolled_back", "connection refused"),
    ]  # fmt: skip


def test_exceptions_that_excuse_nothing_today_stay_in_the_register():
    [found] = fleet(register=[EXCEPTION | {"package": "emacs"}]).register
    assert (found.updates, found.hosts, found.days_left) == (0, (), 108)

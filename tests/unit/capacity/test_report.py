"""The review's page: worst first, nothing hidden, nothing loaded, and the same review gives the same bytes."""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import replace

import pytest

from bench import capacity_page
from day2.operations.capacity_review import numbers_csv, report, review
from tests.unit.capacity.frames import NOW, line
from tests.unit.capacity.reviews import OPEN, SUBJECTS, made, subject


@pytest.fixture(scope="module")
def page() -> str:
    return report.render(made()).decode()


def test_the_worst_stands_first():
    assert [(row.subject.target, row.standing) for row in made().rows] == [
        ("is-full", "full"),
        ("grows-fast", "act"),
        ("grows", "plan"),
        ("is-new", "unknown"),
        ("has-no-limit", "unknown"),
        ("has-room", "enough"),
    ]


@pytest.mark.parametrize(
    ("targets", "word"),
    [(("is-full", "grows"), "ACT"), (("grows-fast",), "ACT"), (("grows", "has-room"), "PLAN"),
     (("is-new", "has-room"), "NOT KNOWN"), (("has-room",), "ENOUGH")],
)  # fmt: skip
def test_the_word_at_the_top_is_the_worst(targets, word):
    assert report.verdict(made(*[each for each in SUBJECTS if each.target in targets]))["word"] == word


def test_a_review_of_nothing_says_so():
    nothing = replace(made(), rows=[], comparisons=[], earlier=())
    assert report.verdict(nothing)["word"] == "NOT KNOWN"
    page = report.render(nothing).decode()
    assert "There is no earlier forecast to compare with what happened." in page
    assert "There were none." in page


def test_every_resource_is_on_the_page_with_its_reason(page):
    for each in SUBJECTS:
        assert each.target in page
    assert "not enough: 3 days of history, 30 are needed" in page
    assert "no limit is known" in page


def test_earlier_requests_come_before_new_ones(page):
    assert page.index("a larger volume") < page.index("What needs a decision")
    assert "overdue" in page


def test_how_good_the_last_forecast_was_is_said(page):
    assert "The forecast of 2026-08-25 was nearer than repeating the last week for 1 of 1 series" in page


def test_a_page_loads_nothing_and_runs_nothing(page):
    assert "<script" not in page
    assert set(re.findall(r'https?://[^"\s<]+', page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_names_are_text_and_not_markup():
    bad = subject("<b>x</b>", line(418), 540.0)
    page = report.render(made(bad, earlier=(replace(OPEN, note="<script>1</script>"),))).decode()
    assert "<b>x</b>" not in page
    assert "<script>" not in page


def test_the_same_review_gives_the_same_bytes():
    assert report.render(made()) == report.render(made())


def test_a_fan_is_drawn_for_what_needs_a_decision_only(page):
    assert page.count('class="card ') == 3


def test_the_numbers_have_a_row_for_every_resource():
    rows = list(csv.DictReader(io.StringIO(numbers_csv.resources(made()).decode())))
    assert [each["target"] for each in rows] == [row.subject.target for row in made().rows]
    assert rows[0]["standing"] == "full"
    assert rows[3]["refused"].startswith("not enough")


def test_the_paths_have_a_row_for_every_day_of_every_forecast():
    review = made()
    rows = list(csv.DictReader(io.StringIO(numbers_csv.paths(review).decode())))
    assert len(rows) == sum(len(row.forecast.median) for row in review.rows)
    for each in rows:
        assert float(each["low"]) <= float(each["median"]) <= float(each["high"])


def test_a_whole_fleet_is_one_page():
    page = report.render(capacity_page.fleet(14))
    assert len(page) < 1_000_000
    assert page.count(b"<svg") == 3 + report.PLOTTED


def test_many_resources_with_long_names_still_fit():
    many = [
        subject(
            "a-host-with-a-name-that-somebody-thought-should-say-everything.example", line(60), 500.0, resource=name
        )
        for name in (f"tablespace {number} of the archive" for number in range(16))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report.render(made(*many))


def test_a_review_asks_for_what_would_keep_the_headroom():
    asked = review.requests(made())
    assert [each.target for each in asked] == ["is-full", "grows-fast", "grows"]
    assert re.fullmatch(r"data volume: 8\d\d instead of 640, or less use", asked[2].what)
    assert {each.owner for each in asked} == {"platform-team"}
    assert min(each.due for each in asked) >= NOW.date()


def test_a_request_is_overdue_from_the_day_after_it_was_due():
    assert not OPEN.is_overdue(OPEN.due)
    assert OPEN.is_overdue(NOW.date())
    assert not replace(OPEN, fate="done").is_overdue(NOW.date())

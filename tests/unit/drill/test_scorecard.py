"""The scorecard: one page that needs nothing else, says what the ledger says, and is the same each time."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser

import pytest

from day2.errors import PlanRefused
from day2.operations.dr_drill import actions, card, corrective, scorecard, timeline
from day2.operations.dr_drill.actions import Gap
from day2.operations.dr_drill.card import Card
from tests.unit.drill.drills import CHARTER, NORMAL, T0, Drill, backups, whole

EVIL = '<script>alert("x")</script>'


def gathered(drill: Drill) -> Card:
    return card.gather(drill.entries, drill.run)


def page(drill: Drill) -> str:
    return scorecard.render(gathered(drill)).decode()


@cache
def good() -> str:
    """The page of a drill that went well."""
    return page(whole())


def words(html: str) -> str:
    """What a reader sees: text without tags, blanks as one."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.said: list[str] = []
            self.silent = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.silent += tag in ("style", "script")

        def handle_endtag(self, tag: str) -> None:
            self.silent -= tag in ("style", "script")

        def handle_data(self, data: str) -> None:
            if not self.silent:
                self.said.append(data)

    reader = Reader()
    reader.feed(html)
    return " ".join(" ".join(reader.said).split())


def test_the_same_entries_give_the_same_bytes() -> None:
    assert scorecard.render(gathered(whole())) == scorecard.render(gathered(whole()))


def test_it_refers_to_nothing_outside_itself() -> None:
    html = good()
    named = set(re.findall(r"""https?://[^"'\s<)]+""", html))
    assert named == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, "names of XML, never fetched"
    assert not re.search(r"<(script|link|img|iframe|object|embed|base)\b", html)
    assert not re.search(r"@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_no_two_elements_share_an_id() -> None:
    ids = re.findall(r'\sid="([^"]+)"', good())
    assert len(ids) > 50
    assert len(ids) == len(set(ids))


def test_every_reference_inside_a_plot_leads_somewhere() -> None:
    html = good()
    ids = set(re.findall(r'\sid="([^"]+)"', html))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html))
    assert used
    assert used <= ids


def test_what_people_wrote_is_text_and_never_markup() -> None:
    charter = CHARTER | {"scenario": EVIL, "roles": {EVIL: EVIL}, "abort_criteria": [EVIL]}
    drill = Drill().plan(charter=charter).approval().lock()
    drill.step("declare", 0.2, declared_at=T0.isoformat(), state=EVIL, readiness=[])
    drill.step("fence", 0.2, failed=EVIL, state=EVIL).manual(EVIL, 2, "failed")
    html = page(drill)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 8


def test_a_dollar_in_a_name_is_no_formula() -> None:
    drill = whole()
    drill.manual(r"pay $\frac{1}{0}$ now", 2)
    assert r"pay $\frac{1}{0}$ now" in page(drill)


def test_it_says_what_was_promised_and_measured() -> None:
    text = words(good())
    for each in ("RTO ✓ met 15.6 s promised: 1 min 00 s", "RPO ✓ met 0 s promised: 5.0 s", "0 of 214", "PASSED"):
        assert each in text


def test_a_missed_objective_reads_missed_in_words_not_only_in_colour() -> None:
    drill = (
        Drill().plan().approval().lock().step("verify", 2, rto_seconds=75.0, rpo_seconds=9.0, lost=3, acknowledged=9)
    )
    text = words(page(drill))
    assert "RTO ✗ missed 1 min 15 s" in text
    assert "RPO ✗ missed 9.0 s" in text
    assert "Lost commits ✗ missed 3 of 9" in text


def test_what_was_not_measured_is_not_met() -> None:
    text = words(page(Drill().plan().approval().lock().step("fence", 1, failed="it still runs", state=NORMAL)))
    assert text.count("✗ not measured") == 3
    assert "FAILED" in text
    assert "nothing was checked" in text


@pytest.mark.parametrize(("lost", "rpo", "met"), [(0, 0.0, True), (3, 1.7, True), (3, 9.0, False), (3, 0.0, False)])
def test_lost_commits_are_met_only_within_the_rpo(lost: int, rpo: float, met: bool) -> None:
    drill = Drill().plan().step("verify", 2, rto_seconds=5.0, rpo_seconds=rpo, lost=lost)
    *_, told = scorecard.objectives(gathered(drill).targets[0], "drill")
    assert told.met is met


def test_failed_checks_come_first_and_are_named_at_the_top() -> None:
    text = words(page(whole(leftovers=2)))
    assert "Failed: nothing is left behind (orders)." in text
    checks = text[text.index("what must hold expected observed") :]
    assert checks.index("nothing is left behind") < checks.index("everything was ready")


def test_simulated_parts_are_said_at_the_top() -> None:
    drill = Drill().plan().approval().lock().step("route", 1, simulated=True, kind="route53")
    assert "Simulated, and therefore not proven: orders: route (route53)" in words(page(drill))
    assert "Nothing on this page was simulated" in words(good())


def test_the_point_of_no_return_and_the_state_of_every_server_are_told() -> None:
    text = words(good())
    assert "takes writes: state promoted writes on timeline 2 costs" in text
    assert "The point of no return was 06:31:00.5 UTC" in text


def test_a_killed_worker_shows_as_interrupted() -> None:
    drill = Drill().plan().approval().lock()
    drill.tell("intent", step="promote", target="orders", host="w", pid=1, started=T0.isoformat(), **{"try": 1})
    assert "interrupted" in words(page(drill))


def test_actions_of_this_drill_and_open_ones_of_earlier_drills_are_listed() -> None:
    first, second = whole(1), whole(2, seq=100)
    for drill, name in ((first, "recloned"), (second, "rto_missed")):
        due = (T0 + timedelta(days=30)).date()
        action = actions.opened(
            Gap("orders", name, f"because {name}"), environment="production", run=drill.run, owner="shop-team", due=due
        )
        drill.tell("corrective_action", **action.body(1))
    text = words(scorecard.render(card.gather(first.entries + second.entries, second.run)).decode())
    assert "because rto_missed" in text
    assert "because recloned (open from an earlier drill)" in text


def test_the_trend_is_of_drills_before_this_one() -> None:
    before, later = Drill(2).plan().record(rto_seconds=31.0), Drill(3, seq=200).plan().record(rto_seconds=99.0)
    drill = whole(1, seq=before.seq)
    points = card.gather(before.entries + drill.entries + later.entries, drill.run).targets[0].history
    assert [each.rto_seconds for each in points] == [31.0, 15.58]


def test_the_forecast_is_made_from_this_environments_restore_tests() -> None:
    history = backups()
    drill = whole(seq=len(history))
    assert gathered_with(history, drill).targets[0].forecast.samples == 12
    for entry in history:
        entry.body["environment"] = "staging"
    assert gathered_with(history, drill).targets[0].forecast.kind == "too_few"


def gathered_with(history: list[card.Entry], drill: Drill) -> Card:
    return card.gather(history + drill.entries, drill.run)


def test_before_the_sign_off_there_is_room_for_a_signature_and_after_it_a_name() -> None:
    drill = whole()
    assert "Not signed yet. Whoever signs has read this page, and is not marta" in words(page(drill))
    assert "signed ruth , 2026-11-15" in words(page(drill.sign_off("ab" * 32)))


def test_a_run_without_a_drills_plan_has_no_card() -> None:
    with pytest.raises(PlanRefused, match="no plan of a drill"):
        card.gather(whole().entries, "dr_drill.production/other")


def test_a_stored_page_can_be_made_again() -> None:
    drill = whole()
    before = gathered(drill)
    kept = {"uri": "file:///x", "sha256": "cd" * 32, "size": 3, "retain_until": None, "upto": before.last_seq}
    drill.tell("evidence", step="scorecard", artefacts=[kept]).sign_off()
    found = scorecard.stored(drill.entries, drill.run)
    assert found == (before.last_seq, "cd" * 32)
    again = card.gather([each for each in drill.entries if each.seq <= found[0]], drill.run)
    assert scorecard.render(again) == scorecard.render(before)


def test_time_is_accounted_for_between_the_declaration_and_the_end() -> None:
    line = timeline.build(gathered(whole()).targets[0])
    assert line is not None
    lane = [each for each in line.bars if each.kind not in ("serving", "outage")]
    assert line.of("human") == pytest.approx(5.6)
    assert line.of("hold") == pytest.approx(61)
    covered = sum(each.seconds for each in lane)
    assert covered == pytest.approx(line.end, abs=0.2), "every moment belongs to one lane"
    clients = line.of("serving") + line.of("outage")
    assert clients == pytest.approx(line.end)


def test_the_part_up_to_the_first_write_is_drawn_alone_when_the_whole_is_long() -> None:
    line = timeline.build(gathered(whole()).targets[0])
    assert line is not None
    part = timeline.failover(line)
    assert part is not None
    assert part.end == pytest.approx(15.58 * 1.25)
    assert all(each.end <= part.end for each in part.bars)
    assert timeline.failover(part) is None


def test_without_a_declaration_there_is_no_timeline() -> None:
    assert timeline.build(gathered(Drill().plan().approval().lock().step("fence", 1)).targets[0]) is None


def test_a_failback_promises_nothing_and_still_tells_what_happened() -> None:
    drill = Drill().plan("failback", act_steps=["declare", "rejoin", "switch_back"]).approval().lock()
    drill.step("declare", 0.1, declared_at=T0.isoformat(), state=NORMAL).step("rejoin", 3, means="rewind", streams=True)
    text = words(page(drill))
    assert "Failback: home to the primary region" in text
    assert "promised:" not in text
    assert "rejoin" in text


def test_the_briefing_is_what_a_signer_reads_first() -> None:
    first, *rest = scorecard.briefing(gathered(whole(leftovers=1)))
    assert first.startswith("FAILED: ")
    assert "orders: failover: RTO 15.6 s (met, promised 1 min 00 s)" in rest[0]
    assert "FAILED orders: nothing is left behind: observed 1" in rest


def test_a_check_that_does_not_apply_is_not_shown_as_passed() -> None:
    drill = whole()
    told = {"id": "not_applicable", "name": "it is said what does not apply", "target": "orders", "expected": "",
            "observed": "fence_proven: nothing is fenced; rejoined: nobody left", "severity": "critical",
            "passed": True, "error": None}  # fmt: skip
    checks = [*drill.entries[-1].body["checks"], told]
    text = words(page(drill.tell("checks", suite="dr_drill", passed=True, checks=checks)))
    assert "does not apply orders the old primary follows the new one nobody left" in text
    assert "✓ passed orders the old primary follows the new one" not in text


def test_checks_that_a_fact_was_measured_are_counted_and_shown_only_when_they_failed() -> None:
    drill = whole()
    measured = [
        drill.entries[-1].body["checks"][0] | {"id": f"measured.{each}", "name": f"{each} is known"} for each in "ab"
    ]
    measured[1] |= {"passed": False, "observed": None}
    text = words(page(drill.tell("checks", suite="dr_drill", passed=False, checks=measured)))
    assert "✗ failed orders b is known" in text
    assert "a is known" not in text
    assert "And 1 checks that the facts behind these were measured" in text


def test_what_cannot_be_counted_is_neither_met_nor_missed() -> None:
    drill = Drill().plan().step("verify", 2, rto_seconds=5.0, rpo_seconds=3.0, lost=None, rpo_method="recovery point")
    _, rpo, lost = scorecard.objectives(gathered(drill).targets[0], "drill")
    assert (rpo.word, lost.word, lost.kind) == ("✓ met", "cannot be counted", "none")
    assert "snapshot" in rpo.meaning


def test_a_failed_step_explains_the_checks_it_left_unmeasured() -> None:
    drill = (
        Drill().plan().approval().lock().step("fence", 1, failed="it still runs").checks(rto=None, fence_proven=False)
    )
    names = {each.name for each in corrective.gaps(gathered(drill))}
    assert names == {"step_failed:fence", "check:fence_proven"}


def test_once_it_is_recorded_the_record_rules() -> None:
    drill = whole()
    assert "the run’s record is written after the sign-off" in words(page(drill))
    recorded = whole().close()
    assert gathered(recorded).verdict == "PASSED"
    assert "the run’s record is written after" not in words(page(recorded))

"""The report of a run of tuning: nothing is hidden or loaded, and the same run gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict, replace

import pytest

from day2.operations.performance_tuning import figures, report, story, tuning_csv
from day2.operations.performance_tuning.model import Advice, NotPossible
from day2.operations.performance_tuning.story import Watched
from tests.unit.tuning_report.runs import FASTER, INDEX, NOW, kept, other, tried
from tests.unit.tuning_report.runs import story as run

BLIND = NotPossible(("slow_statement",), "others' statements are hidden", "GRANT pg_read_all_stats TO day2_tuning;")


def test_the_page_loads_nothing_escapes_names_and_is_the_same_twice():
    made = run(tried(), tried("reverted", recommendation=other()), earlier=(kept(6), kept(9)))
    page = report.render(made)
    assert page == report.render(made)
    text = page.decode()
    assert "shop.&#34;&lt;b&gt;Orders&lt;/b&gt;&#34;" in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert len(re.findall(r'<svg class="plot"', text)) == 4
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_every_change_shows_its_statement_and_its_way_back():
    text = report.render(run(tried())).decode()
    assert '<pre class="copy">CREATE INDEX CONCURRENTLY day2_x ON shop.orders (customer)</pre>' in text
    assert '<pre class="copy">DROP INDEX CONCURRENTLY shop.day2_x</pre>' in text


def test_what_could_not_be_looked_at_is_told_with_the_statement_that_helps():
    made = run(advice=(Advice("shop", NOW.isoformat(), (), (BLIND,)),))
    assert report.verdict(made)["word"] == "NOT SEEN"
    assert "GRANT pg_read_all_stats TO day2_tuning;" in report.render(made).decode()


def test_a_run_without_findings_has_a_page_too():
    made = run()
    assert (report.verdict(made)["word"], report.headline(made)) == ("WELL KEPT", "Nothing to improve")
    assert "nothing is left" in report.render(made).decode()


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["kept"], "FASTER"),
        (["kept", "reverted"], "FASTER"),
        (["kept", "unmeasured"], "PARTIAL"),
        (["unmeasured"], "PARTIAL"),
        (["reverted"], "AS BEFORE"),
        (["deferred"], "ADVISED"),
        (["kept", "failed"], "FAILED"),
    ],
)
def test_the_word_at_the_top_never_says_more_than_was_measured(outcomes, word):
    made = run(*[tried(each, recommendation=other(name=f"a{n}")) for n, each in enumerate(outcomes)])
    assert report.verdict(made)["word"] == word


def test_the_headline_counts_what_was_tried_and_not_what_was_put_off():
    assert report.headline(run(tried(), tried("deferred", recommendation=other()))) == "1 of 1 change tried was kept"


def test_what_was_tried_is_not_told_again_among_what_is_left():
    made = run(tried())
    made = replace(made, advice=(replace(made.advice[0], recommendations=(INDEX, other(score=0.1))),))
    assert [each.object for _, each in made.left] == ["work_mem"]


def test_findings_come_by_kind_and_the_most_pressing_kind_first():
    found = [("shop", other("setting", "a", score=0.2)), ("shop", other("unused_index", "i", score=0.5)),
             ("shop", other("setting", "b", score=0.9))]  # fmt: skip
    assert [(each.title, [item.object for _, item in each.found]) for each in report.grouped(found)] == [
        ("Setting", ["b", "a"]), ("Unused index", ["i"]),
    ]  # fmt: skip


def test_a_change_saves_the_servers_time_at_the_load_measured():
    # 60 ms less a call, ten calls a second: 0.6 s a second, 2160 s an hour.
    assert tried().saved == pytest.approx(2160)
    assert tried("reverted").saved == 0
    assert tried(effects=()).saved == 0


def test_time_that_cannot_be_told_from_noise_saves_nothing_and_blocks_are_told_instead():
    noisy = replace(FASTER, high=0.02)
    fewer = replace(FASTER, metric="blocks", share=-0.2, low=-0.21, high=-0.19)
    made = run(tried(effects=(noisy, fewer)))
    assert made.tried[0].saved == 0
    [kept_one] = made.kept
    assert (kept_one.metric, kept_one.share) == ("blocks", -0.2)
    assert "20 % fewer blocks" in report.render(made).decode()
    assert tried(effects=(noisy,)).gain is None


def test_what_got_worse_is_a_list_below_the_decision_and_told_once():
    says = ["deadlocks: 0 before, 2 with it", "WAL: 40 % more"]
    guards = tuple(Watched(each, worse=True, says=each) for each in says)
    made = tried("reverted", guards=guards, decision=f"it made something worse: {'; '.join(says)}")
    assert report.decided(made) == ("it made something worse:", says)
    assert report.decided(tried()) == ("60 % less; nothing else got worse", [])


@pytest.mark.parametrize(
    ("text", "says"), [("no gain", "No gain"), ("shop.a is", "shop.a is"), ("work_mem is", "work_mem is"), ("", "")]
)
def test_a_sentence_begins_with_a_capital_letter_and_a_name_as_it_is_written(text, says):
    assert report.sentence(text) == says


def test_a_kind_is_not_said_twice():
    assert replace(kept(6), key="setting:setting work_mem").what == "setting work_mem"
    assert replace(kept(6), key="missing_index:shop.a (b)").what == "missing index shop.a (b)"


def test_the_year_adds_up_what_was_kept_and_forgets_what_is_older():
    old = replace(kept(1), at="2026-03-05T02:00:00+00:00")
    assert report.past_year((old, kept(6)), NOW) == (kept(6),)
    text = report.render(run(tried(), earlier=(old, kept(6)))).decode()
    assert "<strong>2,260 s</strong>" in text
    assert "2 kept changes since 2026-06-05" in text


def test_one_run_alone_is_no_development_to_plot():
    assert figures.year((kept(6),)) is None
    assert figures.year((kept(6), kept(7))) is not None


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (-0.9999, "99.9 % less"), (-0.6, "60 % less"), (0.04, "4 % more"), (0.0001, "as before"),
        (1.6, "2.6 times as much"), (None, "without end"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_up(share, says):
    assert figures.percent(share) == says


def test_a_cost_that_grew_without_end_is_drawn_and_told():
    endless = tried("reverted", effects=(replace(FASTER, before=0.0, share=None, low=None, high=None),))
    assert figures.effects([endless], minimum=0.1) is None
    assert "reverted" in report.render(run(endless)).decode()


def test_a_record_read_back_tells_the_same():
    made = tried()
    record = {
        "key": INDEX.key, "recommendation": asdict(INDEX), "outcome": "kept", "decision": made.decision,
        "effects": [asdict(FASTER)], "guards": [asdict(each) | {"metric": "deadlocks"} for each in made.guards],
        "seen": [asdict(each) | {"problems": []} for each in made.seen],
    }  # fmt: skip
    assert story.tried("shop", made.at, json.loads(json.dumps(record))) == made


def test_an_advice_read_back_is_the_same():
    advice = Advice("shop", NOW.isoformat(), (INDEX, other(change=None)), (BLIND,), {"version": 17})
    assert story.advice(json.loads(json.dumps(advice.as_dict()))) == advice


def test_the_csv_has_a_row_for_each_finding_and_no_formulas():
    made = run(tried(recommendation=replace(INDEX, says="=cmd()")))
    made = replace(made, advice=(replace(made.advice[0], recommendations=(made.tried[0].recommendation, other())),))
    rows = list(csv.DictReader(io.StringIO(tuning_csv.rows(made).decode())))
    assert [(each["kind"], each["outcome"], each["ms_share"]) for each in rows] == [
        ("missing_index", "kept", "-0.6"), ("setting", "advised", ""),
    ]  # fmt: skip
    assert rows[0]["says"] == "'=cmd()"
    assert rows[0]["saved_seconds_an_hour"] == "2160.0"

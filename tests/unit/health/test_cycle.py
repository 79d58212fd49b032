"""A cycle: gaps are no zeros, silence is noticed, standings survive, and one bad target never stops the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from day2.errors import Unavailable
from day2.inventory.health import HealthPolicy
from day2.ledger.metrics import Sample, Series
from day2.metrics import thresholds
from day2.metrics.thresholds import Standing
from day2.operations.health_check.cycle import Looked, judge, keep, look, with_more
from day2.operations.health_check.host_look import Value

AT = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
DISK = Series("db-01", "disk_percent", "/data")
POLICY = HealthPolicy()


def away() -> list[Value]:
    raise Unavailable("it does not answer")


def sample(value: float, *, minutes: float = 0, series: Series = DISK) -> Sample:
    return Sample(series, AT + timedelta(minutes=minutes), value)


def test_a_target_that_does_not_answer_is_a_gap_and_no_zero():
    found = look(
        {"a": (away, lambda: [Value("cpu_percent", 5.0)]), "b": (lambda: [Value("cpu_percent", 7.0)],)}, POLICY
    )
    assert found.gaps == {"a": "it does not answer"}
    assert sorted((each.series.target, each.series.metric, each.value) for each in found.samples) == [
        ("a", "cpu_percent", 5.0), ("a", "look_failed", 1.0), ("b", "cpu_percent", 7.0), ("b", "look_failed", 0.0),
    ]  # fmt: skip
    assert found.notes == {Series("a", "look_failed"): "it does not answer"}
    assert found.said == 2


def test_asked_in_vain_is_nothing_seen():
    found = look({"a": (away,), "b": (away,)}, POLICY)
    assert (len(found.samples), found.said) == (2, 0), "a look at nothing but silence fails"


def test_what_changed_its_level_is_told_with_the_rule_it_was_judged_by():
    found = judge([sample(91)], {}, POLICY, now=AT)
    [(series, rule, change)] = found.changes
    assert (series, change.after, rule.critical) == (DISK, "critical", 90)


def test_a_metric_without_a_threshold_is_only_kept():
    assert judge([sample(1e9, series=Series("db-01", "load"))], {}, POLICY, now=AT).changes == ()


def test_a_metric_that_is_switched_off_is_not_judged():
    assert judge([sample(99)], {}, HealthPolicy(thresholds={"disk_percent": None}), now=AT).changes == ()


def test_silence_is_noticed_by_the_standings_of_before():
    before = judge([sample(50)], {}, POLICY, now=AT).standings
    later = judge([], before, POLICY, now=AT + POLICY.absent_after)
    assert [change.after for _, _, change in later.changes] == ["absent"]


def test_a_standing_survives_being_written_down():
    for values in ([sample(50)], [sample(50), sample(95, minutes=1)], []):
        [standing] = judge(values, {DISK: Standing()}, POLICY, now=AT).standings.values()
        assert thresholds.from_dict(thresholds.as_dict(standing)) == standing


class Kept:
    """Where series stood, and the samples that came."""

    def __init__(self, *targets: str) -> None:
        stood = judge([sample(50, series=Series(each, "disk_percent")) for each in targets], {}, POLICY, now=AT)
        self.stood = {series: thresholds.as_dict(each) for series, each in stood.standings.items()}
        self.written: list[Sample] = []

    def write(self, samples) -> None:
        self.written += samples

    def standings(self):
        return self.stood


def test_what_nobody_looked_at_is_not_missed():
    """A person chose some targets, or a target left the inventory: its silence is no alarm."""
    looked = Looked((sample(50, minutes=60, series=Series("a", "disk_percent")),))
    judged = keep(Kept("a", "gone"), looked, POLICY, now=AT + timedelta(minutes=60))
    assert judged.changes == ()
    assert [each.target for each in judged.standings] == ["a"]


def test_a_metric_that_a_target_says_no_more_is_missed_while_the_target_is_looked_at():
    looked = look({"a": (away,)}, POLICY)
    judged = keep(Kept("a", "gone"), looked, POLICY, now=AT + timedelta(minutes=60))
    assert ("a", "disk_percent", "absent") in [(s.target, s.metric, c.after) for s, _, c in judged.changes]


def test_samples_that_are_not_believed_are_counted_by_why():
    later = AT + timedelta(hours=1)
    skewed, twice = sample(99, minutes=120), sample(50, minutes=59)
    judged = judge([skewed, twice, twice, sample(float("nan"))], {}, POLICY, now=later)
    assert judged.dropped == {"from the future": 1, "old or a duplicate": 1, "not a number": 1}
    assert judged.changes == ()


def test_values_of_the_ledger_are_samples_like_any_other():
    more = with_more(Looked(()), {"host/a": [Value("patch_scan_age_seconds", 9.0)]}, at=AT)
    assert more.samples == (Sample(Series("host/a", "patch_scan_age_seconds"), AT, 9.0),)


def test_a_look_that_fails_in_a_way_of_its_own_is_a_gap_too():
    def odd() -> list[Value]:
        raise TypeError("a key of a kind that nobody knows")

    found = look({"a": (odd,), "b": (lambda: [Value("cpu_percent", 7.0)],)}, POLICY)
    assert found.gaps == {"a": "the look itself failed: TypeError: a key of a kind that nobody knows"}
    assert [each.value for each in found.samples if each.series.metric == "cpu_percent"] == [7.0]

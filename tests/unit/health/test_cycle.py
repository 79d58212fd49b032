"""A cycle: gaps are no zeros, silence is noticed, standings survive, and one bad target never stops the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from day2.errors import Unavailable
from day2.inventory.health import HealthPolicy
from day2.ledger.metrics import Sample, Series
from day2.metrics import thresholds
from day2.metrics.thresholds import Standing
from day2.operations.health_check.cycle import judge, look
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

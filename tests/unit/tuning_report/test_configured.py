"""A policy's limits reach the rules, and an unset policy means the rules' own defaults."""

from __future__ import annotations

from datetime import timedelta

from day2.inventory.tuning import Find
from day2.operations.performance_tuning.configured import thresholds
from day2.operations.performance_tuning.thresholds import Thresholds


def test_a_policy_that_says_nothing_means_the_defaults_of_the_rules() -> None:
    assert thresholds(Find()) == Thresholds()


def test_what_a_policy_says_is_what_the_rules_use() -> None:
    made = thresholds(Find(unused_window=timedelta(minutes=1), sequence_percent=90, regression_percent=50))
    assert (made.unused_seconds, made.sequence_share, made.regressed_factor) == (60, 0.9, 1.5)

"""What is kept: a sure gain, on the change's own statements, that nothing else pays for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.operations.performance_tuning.effect import decide, unharmed
from day2.operations.performance_tuning.samples import Block, Totals, spoilt
from tests.unit.tuning_effect.making import MEASURE, OTHER, OWN, SHOP, WRITE, Load, block, costing, trial

BETTER = costing(costing(SHOP, OWN, ms=0.1), OWN, blocks=12)


def test_a_sure_gain_is_kept_and_told_with_its_interval() -> None:
    found = decide(trial(costing(SHOP, OWN, ms=0.1, blocks=12), noise=0.1), MEASURE)
    assert found.verdict == "keep"
    assert "700 blocks" in found.says
    assert "-98.3%" in found.says
    assert "95 % interval" in found.says


def test_a_gain_below_the_policys_minimum_is_reverted() -> None:
    found = decide(trial(costing(SHOP, OWN, ms=9.5, blocks=665)), MEASURE)
    assert found.verdict == "revert"
    assert "no gain of at least 10%" in found.says


def test_no_change_at_all_is_reverted() -> None:
    assert decide(trial(SHOP, noise=0.1), MEASURE).verdict == "revert"


def test_time_alone_may_be_the_gain_when_it_was_looked_at_again_without_the_change() -> None:
    faster = costing(SHOP, OWN, ms=5)
    assert decide(trial(faster, noise=0.05), MEASURE).verdict == "keep"
    assert decide(trial(faster, noise=0.05, toggled=False), MEASURE).verdict == "revert"


def test_a_slower_own_statement_is_reverted_whatever_its_blocks_say() -> None:
    found = decide(trial(costing(SHOP, OWN, ms=20, blocks=100)), MEASURE)
    assert found.verdict == "revert"
    assert "slower" in found.says or "worse" in found.says


def test_a_gain_for_one_statement_that_slows_another_is_reverted() -> None:
    after = costing(costing(SHOP, OWN, ms=5, blocks=100), OTHER, ms=1.5)
    found = decide(trial(after, noise=0.05), MEASURE)
    assert found.verdict == "revert"
    assert f"statement {OTHER}" in found.says


def test_more_blocks_for_a_write_are_a_price_while_the_gain_is_far_greater() -> None:
    after = costing(costing(SHOP, OWN, ms=0.1, blocks=12), WRITE, blocks=15, ms=0.3)
    assert decide(trial(after), MEASURE).verdict == "keep"
    after = costing(costing(SHOP, OWN, ms=0.1, blocks=600), WRITE, blocks=90, ms=0.3)
    assert decide(trial(after), MEASURE).verdict == "revert"


def test_writing_far_more_wal_is_reverted_whatever_was_gained() -> None:
    after = costing(costing(SHOP, OWN, ms=0.1, blocks=12), WRITE, wal=700)
    found = decide(trial(after), MEASURE)
    assert found.verdict == "revert"
    assert "WAL" in found.says


@pytest.mark.parametrize(
    ("totals", "word"),
    [
        (Totals(commits=100, deadlocks=1), "deadlocks"),
        (Totals(commits=90, rollbacks=10), "failed transactions"),
        (Totals(commits=100, temp_bytes=10_000_000), "temporary bytes"),
    ],
)
def test_errors_and_temporary_files_that_came_with_it_are_reverted(totals: Totals, word: str) -> None:
    given_ = trial(costing(SHOP, OWN, ms=0.1, blocks=12))
    worse = replace(given_, after=block("with", costing(SHOP, OWN, ms=0.1, blocks=12), totals=totals))
    found = decide(worse, MEASURE)
    assert found.verdict == "revert"
    assert word in found.says


def test_nobody_called_the_statement_so_nothing_is_measurable() -> None:
    quiet = {each: costs for each, costs in SHOP.items() if each != OWN}
    found = decide(trial(quiet, before=quiet), MEASURE)
    assert found.verdict == "unmeasured"
    assert "nothing measurable: before the change none of the statements was called" in found.says


def test_too_few_calls_are_not_enough_whatever_they_cost() -> None:
    few = costing(SHOP, OWN, calls=1)
    found = decide(trial(costing(few, OWN, ms=0.1, blocks=12), before=few), MEASURE)
    assert found.verdict == "unmeasured"
    assert "only 10 calls" in found.says


def test_a_cost_that_is_another_after_taking_it_back_is_noise() -> None:
    drifting = replace(
        trial(costing(SHOP, OWN, ms=3, blocks=300)), back=block("after", costing(SHOP, OWN, ms=4, blocks=350))
    )
    found = decide(drifting, MEASURE)
    assert found.verdict == "unmeasured"
    assert "cost differently" in found.says


def test_a_gain_must_hold_against_the_better_time_without_it() -> None:
    before, back = block("before", costing(SHOP, OWN, blocks=900)), block("after", costing(SHOP, OWN, blocks=700))
    drifted = replace(trial(costing(SHOP, OWN, blocks=690)), before=before, back=back)
    assert decide(drifted, MEASURE).verdict == "revert"


def test_chance_alone_is_hardly_ever_kept() -> None:
    verdicts = [decide(trial(SHOP, noise=0.3, seed=seed), MEASURE).verdict for seed in range(60)]
    assert verdicts.count("keep") <= 3


def test_blocks_under_another_load_are_not_compared() -> None:
    half = {each: (costs[0] * 0.4, *costs[1:]) for each, costs in BETTER.items()}
    found = decide(trial(half), MEASURE)  # type: ignore[arg-type]
    assert found.verdict == "unmeasured"
    assert "the load fell" in found.says


@pytest.mark.parametrize("broken", ["before", "after", "back"])
def test_a_block_with_a_problem_makes_the_whole_measurement_worthless(broken: str) -> None:
    one = replace(trial(BETTER), **{broken: spoilt("with", "the server was restarted")})
    for found in (decide(one, MEASURE), unharmed(one, MEASURE)):
        assert found.verdict == "unmeasured"
        assert "the server was restarted" in found.says


def test_an_index_that_is_dropped_for_its_space_must_harm_no_statement() -> None:
    assert unharmed(trial(SHOP, noise=0.1), MEASURE).verdict == "keep"
    worse = unharmed(trial(costing(SHOP, OWN, ms=30, blocks=2000), noise=0.1), MEASURE)
    assert worse.verdict == "revert"
    assert f"statement {OWN}" in worse.says


shares = st.floats(0.2, 5)
seeds = st.integers(0, 10_000)
noises = st.floats(0, 0.15)
few = settings(max_examples=25, deadline=None)


@few
@given(ms=st.floats(0.92, 5), blocks=st.floats(0.92, 5), noise=st.floats(0, 0.02), seed=seeds)
def test_what_gains_nothing_is_never_kept(ms: float, blocks: float, noise: float, seed: int) -> None:
    after = costing(SHOP, OWN, ms=10 * ms, blocks=700 * blocks)
    assert decide(trial(after, noise=noise, seed=seed), MEASURE).verdict != "keep"


@few
@given(ms=shares, other=shares, blocks=shares, wal=shares, seed=seeds)
def test_nothing_is_kept_when_a_guard_got_worse(ms: float, other: float, blocks: float, wal: float, seed: int) -> None:
    after = costing(costing(SHOP, OWN, ms=10 * ms, blocks=700 * blocks), OTHER, ms=0.1 * other)
    found = decide(trial(costing(after, WRITE, wal=400 * wal), seed=seed, noise=0.05), MEASURE)
    assert found.verdict != "keep" or not any(each.worse for each in found.guards)
    if wal > 1.6 or (other > 2.5 and ms < 1):
        assert found.verdict != "keep"


@few
@given(noise=noises, seed=seeds)
def test_a_great_gain_under_a_steady_load_is_kept(noise: float, seed: int) -> None:
    assert decide(trial(costing(SHOP, OWN, ms=0.5, blocks=12), noise=noise, seed=seed), MEASURE).verdict == "keep"


@few
@given(which=st.sampled_from(["before", "after", "back"]), seed=seeds)
def test_a_restart_or_reset_is_never_a_verdict(which: str, seed: int) -> None:
    whole = trial(BETTER, seed=seed)
    block_: Block = getattr(whole, which)
    one = replace(whole, **{which: replace(block_, problems=("it was reset",))})
    assert decide(one, MEASURE).verdict == "unmeasured"


MORE: Load = {**SHOP, 4: (30, 2.0, 40, 0), 5: (30, 1.0, 20, 0)}


def slower(load: Load, factor: float, *, but: tuple[int, ...] = ()) -> Load:
    """The same work on a machine that is busier: it takes longer, and reads no more."""
    return {
        each: (calls, ms * (1.0 if each in but else factor), blocks, wal)
        for each, (calls, ms, blocks, wal) in load.items()
    }


def test_an_index_is_not_blamed_for_a_machine_that_was_busier_with_it() -> None:
    after = slower(costing(MORE, OWN, blocks=12, ms=0.2), 1.6, but=(OWN,))
    made = trial(after, before=MORE)
    assert decide(made, MEASURE).verdict == "revert", "a setting may slow everything down"
    assert decide(replace(made, index=True), MEASURE).verdict == "keep"


def test_an_index_is_blamed_for_a_statement_that_got_slower_than_the_machine() -> None:
    after = costing(slower(costing(MORE, OWN, blocks=12, ms=0.2), 1.2, but=(OWN,)), 4, ms=6.0)
    found = decide(replace(trial(after, before=MORE), index=True), MEASURE)
    assert found.verdict == "revert"
    assert "statement 4" in found.says


def test_too_few_untouched_statements_do_not_speak_for_the_machine() -> None:
    after = slower(costing(SHOP, OWN, blocks=12, ms=0.2), 1.6, but=(OWN,))
    assert decide(replace(trial(after), index=True), MEASURE).verdict == "revert"


def test_a_statement_that_writes_more_does_not_speak_for_the_machine() -> None:
    three: Load = {each: MORE[each] for each in (OWN, OTHER, WRITE, 4)}
    after = slower(costing(three, OWN, blocks=12, ms=0.2), 1.6, but=(OWN,))
    assert decide(replace(trial(after, before=three), index=True), MEASURE).verdict == "keep"
    writes = costing(after, WRITE, wal=460)
    assert decide(replace(trial(writes, before=three), index=True), MEASURE).verdict == "revert"

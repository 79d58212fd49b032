"""Where the values of a normalised statement can be taken from, and when nobody can say."""

from __future__ import annotations

import pytest

from day2.operations.performance_tuning.parameters import NoValue, Parameter, parameters, value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select * from s.t where a = $1", Parameter(1, "equal", "a", ("s.t",))),
        ("select * from s.t x where $1::date <= x.a", Parameter(1, "low", "x.a", ("s.t AS x",))),
        ("select * from t where a < $1", Parameter(1, "high", "a", ("t",))),
        ("select * from t where lower(a) like $1", Parameter(1, "pattern", "LOWER(a)", ("t",))),
        ('select * from t where "A a" = any($1)', Parameter(1, "list", '"A a"', ("t",))),
        ("select * from t limit $1", Parameter(1, "constant", constant="10")),
        ("select * from t offset $1", Parameter(1, "constant", constant="0")),
        ("select * from t where a in ($1)", Parameter(1, "equal", "a", ("t",))),
        ("select * from a, b where x = $1", Parameter(1, "equal", "x", ("a", "b"))),
    ],
)
def test_a_parameter_is_what_it_is_compared_with(text: str, found: Parameter) -> None:
    assert parameters(text) == [found]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("update t set a = $1", "it changes data"),
        ("with gone as (delete from t returning *) select * from gone where a = $1", "it changes data"),
        ("select set_config($1, $2, false)", "nothing says what \\$1 was"),
        ("select * from t where a > now() - $1", "nothing says what \\$1 was"),
        ("select 1; select 2", "it is not one statement"),
        ("vacuum t", "it is not one statement"),
    ],
)
def test_what_cannot_be_replayed_says_why(text: str, why: str) -> None:
    with pytest.raises(NoValue, match=why):
        parameters(text)


def test_both_ends_of_a_range_are_in_order_and_values_are_quoted() -> None:
    sample = ["1", "3", "5", "7"]
    low, high = Parameter(1, "low", "a", ("t",)), Parameter(2, "high", "a", ("t",))
    calls = [(value(low, sample, number), value(high, sample, number)) for number in range(8)]
    assert all(first <= last for first, last in calls)
    assert any(first < last for first, last in calls)
    assert value(Parameter(1, "equal", "a"), ["it's \\"], 0) == "E'it''s \\\\'"
    assert value(Parameter(1, "list", "a"), ['say "x"'], 0) == 'E\'{"say \\\\"x\\\\""}\''


def test_an_empty_table_has_no_values() -> None:
    with pytest.raises(NoValue, match="no value to compare"):
        value(Parameter(1, "equal", "a", ("t",)), [], 0)

"""What state two servers are in, and what is said of it."""

from __future__ import annotations

from typing import get_args

import pytest

from day2.operations.dr_drill.observe import described
from day2.operations.dr_drill.pair import Role, Seen, State, going_back_is_free, state

ROLES: tuple[Role, ...] = get_args(Role)


def seen(primary: Role, standby: Role) -> tuple[Seen, Seen]:
    return Seen("orders", primary), Seen("orders-standby", standby)


@pytest.mark.parametrize(
    ("primary", "standby", "expected"),
    [
        ("primary", "standby", "normal"),
        ("primary", "stopped", "alone"),
        ("stopped", "standby", "fenced"),
        ("stopped", "primary", "promoted"),
        ("standby", "primary", "failed_over"),
        ("standby", "standby", "no_primary"),
        ("standby", "stopped", "no_primary"),
        ("stopped", "stopped", "down"),
        ("primary", "primary", "split_brain"),
        ("primary", "unreachable", "unknown"),
        ("starting", "standby", "unknown"),
    ],
)
def test_a_pair_has_one_state(primary: Role, standby: Role, expected: State) -> None:
    assert state(*seen(primary, standby)) == expected


def test_every_pair_of_roles_has_a_state() -> None:
    found = {state(*seen(one, two)) for one in ROLES for two in ROLES}
    assert found == set(get_args(State))


def test_one_server_out_of_sight_is_never_a_safe_state() -> None:
    for one in ROLES:
        assert not going_back_is_free(state(*seen(one, "unreachable")))
        assert not going_back_is_free(state(*seen("unreachable", one)))


def test_going_back_is_free_until_the_standby_was_promoted() -> None:
    free = {each for each in get_args(State) if going_back_is_free(each)}
    assert free == {"normal", "alone", "fenced"}


def test_a_description_names_both_servers_and_the_price_of_going_back() -> None:
    assert described(*seen("stopped", "primary")) == (
        "orders is stopped; orders-standby is a primary and takes writes: state promoted; going back costs"
    )
    assert described(*seen("stopped", "standby")).endswith(
        "orders-standby is a standby that follows nobody: state fenced; going back is free"
    )
    assert "nobody knows whether going back is free" in described(*seen("unreachable", "standby"))

"""Which servers the lab takes for its own, and in what order it stops them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.halt import stop_order
from lab.postgres import postmaster


@pytest.mark.parametrize(
    ("standbys", "first", "last"),
    [
        (("orders-standby",), "orders-standby", "orders"),
        (("orders",), "orders", "orders-standby"),
    ],
)
def test_whichever_follows_is_stopped_before_the_one_it_follows(
    tmp_path: Path, standbys: tuple[str, ...], first: str, last: str
) -> None:
    for name in standbys:
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "standby.signal").touch()
    *_, earlier, latest = stop_order(tmp_path)
    assert first in earlier
    assert last in latest


def test_everything_that_has_data_is_stopped_once_whatever_its_role(tmp_path: Path) -> None:
    named = [name for group in stop_order(tmp_path) for name in group]
    assert len(named) == len(set(named))
    assert {"orders", "orders-standby", "billing", "recovery", "platform", "endpoint-orders"} <= set(named)


@pytest.mark.parametrize("lock", ["", "no number\n", f"{os.getpid()}\n/somewhere\n", "4194303\n"])
def test_a_lock_file_alone_makes_no_process_ours(tmp_path: Path, lock: str) -> None:
    (tmp_path / "postmaster.pid").write_text(lock)
    assert postmaster(tmp_path) is None


def test_without_a_lock_file_nothing_runs(tmp_path: Path) -> None:
    assert postmaster(tmp_path) is None

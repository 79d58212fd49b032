"""What a patched PostgreSQL server must still be, told from what was recorded before and after."""

from __future__ import annotations

from typing import Any

import pytest

from day2.inventory.patching import PostgresPatch
from day2.operations.security_patching import restarted

FOLLOWER = {"name": "two", "address": "10.0.0.2", "state": "streaming", "sync_state": "async", "lag_bytes": 0}


def state(**more: Any) -> dict[str, Any]:
    told = {
        "version": "17.9", "version_num": 170_009, "system_identifier": "7", "started": 1.0, "standby": False,
        "standbys": [FOLLOWER], "receiving": None, "checksum_failures": 0,
    }  # fmt: skip
    return told | more


def happened(earlier: dict[str, Any], now: dict[str, Any], installed: int | None = None) -> list[str]:
    measured = now | restarted.compared(earlier, now)
    return [each.happened for each in restarted.wrong(earlier, measured, installed=installed)]


@pytest.mark.parametrize(
    ("version", "minor"),
    [
        ("17.10-1.pgdg120+1", 170_010),
        ("15.18-0+deb12u1", 150_018),
        ("1:13.20-1.el9_5", 130_020),
        ("18.0-1PGDG.rhel9", 180_000),
        ("17.10", 170_010),
        ("15+248", None),
        ("17~rc1-1.pgdg120+1", None),
        ("18.1~beta1-1", None),
        ("9.6.24-1", None),
        ("", None),
    ],
)
def test_a_packages_version_names_the_minor_that_the_server_must_show(version, minor):
    assert restarted.minor_of(version) == minor


@pytest.mark.parametrize(
    ("key", "version"),
    [
        ("postgresql-17:amd64", "17.10-1.pgdg120+1"),
        ("postgresql17-server:x86_64", "17.10-1PGDG.rhel9"),
        ("postgresql-server:x86_64", "17.10-1.el10"),
    ],
)
def test_the_servers_package_is_found_as_each_distribution_calls_it(key, version):
    others = {"postgresql-client-17:amd64": "17.11-1", "postgresql-15:amd64": "15.18-1", "postgresql:all": "17+250"}
    assert restarted.installed_minor({**others, key: version}, 17) == 170_010


def test_a_server_that_came_from_no_package_is_not_compared_with_one():
    assert (
        restarted.installed_minor({"postgresql-15:amd64": "15.18-1", "postgresql-server:x86_64": "15.2-1"}, 17) is None
    )


def test_the_next_minor_version_with_everything_as_before_is_well():
    now = state(version="17.10", version_num=170_010, started=2.0)
    assert happened(state(), now, installed=170_010) == []


def test_a_major_upgrade_is_never_a_patch():
    [said] = happened(state(), state(version="18.1", version_num=180_001))
    assert said == "PostgreSQL 18.1 answers, 17.9 did before: a patch never changes the major version"


def test_an_older_minor_version_is_told():
    assert happened(state(), state(version="17.8", version_num=170_008)) == [
        "PostgreSQL 17.8 runs, older than 17.9 before"
    ]


def test_old_code_that_runs_on_is_told():
    assert happened(state(), state(), installed=170_010) == ["PostgreSQL 17.9 runs, and the package installed is 17.10"]


def test_two_followers_of_one_name_and_address_are_two():
    measured = restarted.compared(state(standbys=[FOLLOWER, FOLLOWER]), state())
    assert (measured["standbys_expected"], measured["standbys_back"]) == (2, 1)
    assert measured["standbys_missing"] == ["two at 10.0.0.2"]


def test_a_follower_that_only_connects_is_not_back_yet():
    measured = restarted.compared(state(), state(standbys=[FOLLOWER | {"state": "startup"}]))
    assert not restarted.streams(measured)


def test_one_more_follower_than_before_is_no_fault():
    assert happened(state(), state(standbys=[FOLLOWER, FOLLOWER | {"name": "three"}])) == []


@pytest.mark.parametrize(("earlier", "now", "new"), [(3, 3, 0), (3, 5, 2), (3, 1, 1), (None, None, None), (None, 2, 2)])
def test_only_checksum_failures_since_the_patch_count(earlier, now, new):
    measured = restarted.compared(state(checksum_failures=earlier), state(checksum_failures=now))
    assert measured["checksum_failures_new"] == new


def test_everything_wrong_is_told_at_once_and_the_worst_leads():
    now = state(version="18.1", version_num=180_001, standbys=[], checksum_failures=2, standby=True)
    measured = now | restarted.compared(state(), now)
    error = restarted.failure("db-01", restarted.wrong(state(), measured))
    assert error.runbook == "PostgreSQL runs another version than it should"
    for part in ("never changes the major", "2 pages failed", "it is a standby now", "no longer followed by two"):
        assert part in error.happened


def test_extensions_are_only_reported_unless_the_policy_says_update():
    assert not PostgresPatch().updates("hstore")
    chosen = PostgresPatch(extensions="update", only=("pg_*", "uuid-ossp"), never=("pg_cron",))
    assert [each for each in ("pg_trgm", "pg_cron", "uuid-ossp", "hstore") if chosen.updates(each)] == [
        "pg_trgm",
        "uuid-ossp",
    ]

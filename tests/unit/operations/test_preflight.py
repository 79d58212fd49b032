"""What a look at a target finds in the way; each problem says what to do."""

from __future__ import annotations

import pytest

from day2.operations.database_backup.preflight import Inside, physical_limits, privileges, scratch_bytes, space

FACTS = {
    "version": "17.10", "version_num": 170010, "may_replicate": True, "bypasses_rls": True, "extra_tablespaces": 0,
    "max_wal_senders": 10, "wal_senders_used": 2, "in_recovery": False, "cluster_bytes": 10 << 30,
    "database_bytes": 2 << 30,
}  # fmt: skip


def table(name: str, *, readable: bool = True, secured: bool = False) -> dict[str, object]:
    return {"schema_name": "public", "name": name, "readable": readable, "row_security": secured}


def inside(*tables, sequences=(), unreadable_objects: int = 0) -> Inside:
    return Inside(tables, sequences, {"total": 5, "unreadable": unreadable_objects})


@pytest.mark.parametrize("engine", ["physical", "logical"])
def test_a_role_with_every_right_has_no_problems(engine):
    assert privileges(engine, FACTS, inside(table("a"), table("b", secured=True))) == []
    assert physical_limits(FACTS, may_mark=True) == []


@pytest.mark.parametrize(
    ("engine", "facts", "seen", "words"),
    [
        ("logical", {}, inside(table("a", readable=False)), "no right to read 1 tables (public.a)"),
        ("physical", {}, inside(table("a", readable=False)), "grant pg_read_all_data"),
        ("logical", {}, inside(sequences=(table("s", readable=False),)), "no right to read 1 sequences (public.s)"),
        ("physical", {"may_replicate": False}, inside(), "REPLICATION"),
        ("logical", {"bypasses_rls": False}, inside(table("a", secured=True)), "row security would hide rows of a"),
        ("physical", {"bypasses_rls": False}, inside(table("a", secured=True)), "alter role … bypassrls"),
        ("logical", {}, inside(unreadable_objects=2), "2 of 5 large objects"),
    ],
)
def test_a_missing_right_is_named_with_its_cure(engine, facts, seen, words):
    [problem] = privileges(engine, FACTS | facts, seen)
    assert words in problem


def test_a_dump_needs_no_replication_and_a_physical_copy_no_large_objects():
    assert privileges("logical", FACTS | {"may_replicate": False}, inside()) == []
    assert privileges("physical", FACTS, inside(unreadable_objects=2)) == []


def test_a_long_list_is_cut():
    [problem] = privileges("logical", FACTS, inside(*(table(f"t{n}", readable=False) for n in range(9))))
    assert "no right to read 9 tables (public.t0, public.t1, public.t2)" in problem


@pytest.mark.parametrize(
    ("facts", "may_mark", "words"),
    [
        ({"version_num": 140009, "version": "14.9"}, True, "PostgreSQL 14.9 cannot compress"),
        ({"extra_tablespaces": 1}, True, "tablespaces of its own"),
        ({"wal_senders_used": 10}, True, "all 10 wal senders are in use"),
        ({"in_recovery": True}, False, "standby"),
        ({}, False, "watermark row"),
    ],
)
def test_what_keeps_a_physical_copy_from_being_taken_or_proven(facts, may_mark, words):
    [problem] = physical_limits(FACTS | facts, may_mark=may_mark)
    assert words in problem


def test_scratch_space_is_for_what_is_restored():
    assert scratch_bytes("physical", FACTS) == (15 << 30) + (256 << 20)
    assert scratch_bytes("logical", FACTS) == (3 << 30) + (256 << 20)
    assert space(100, 100) == []
    [problem] = space(1_000_000, 2_500_000_000)
    assert problem.startswith("the restore test needs 2.5 GB of scratch space and the worker has 1.0 MB")

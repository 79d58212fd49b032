"""Recovery points: listed when committed, swept when not, never half visible."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from day2.errors import Corrupt, StepFailed
from day2.repository import points
from day2.repository.folder import PARTIAL, FolderStore
from tests.unit.repository.builders import NOW, commit, evidence


class Dying(FolderStore):
    """Dies after so many deletions, as a killed worker does."""

    def __init__(self, root: Path, deletions: int) -> None:
        super().__init__(root)
        self.left = deletions

    def delete(self, key: str) -> None:
        if not self.left:
            raise SystemExit("killed")
        self.left -= 1
        super().delete(key)


def keys(store: FolderStore) -> list[str]:
    return [item.key for item in store.items("")]


def ids(store: FolderStore, database: str = "orders") -> list[str]:
    return [each.id for each in points.points(store, database)]


# --- listing


def test_points_are_listed_oldest_first_and_by_database(store):
    younger = commit(store, at=NOW)
    older = commit(store, at=NOW - timedelta(days=1))
    other = commit(store, "orders-eu", at=NOW)
    assert ids(store) == [older.id, younger.id]
    assert ids(store, "orders-eu") == [other.id]
    assert points.databases(store) == ["orders", "orders-eu"]


def test_an_empty_repository_has_nothing(store):
    assert points.databases(store) == []
    assert points.points(store, "orders") == []


def test_a_point_without_a_manifest_is_not_a_point(store):
    store.put(f"orders/{points.new_id(NOW)}/dump.pgdump.zst.age", b"half")
    assert ids(store) == []


@pytest.mark.parametrize(
    "folder", ["20261123T021500Z", "latest", "20261123T021500Z-0123ABCD", "x20261123T021500Z-0123abcd"]
)
def test_a_folder_that_is_not_named_like_a_point_is_left_alone(store, folder):
    store.put(f"orders/{folder}/manifest.json", b"somebody else's")
    assert ids(store) == []
    points.sweep(store, "orders")
    assert keys(store) == [f"orders/{folder}/manifest.json"]


def test_ids_sort_by_time_carry_it_and_never_repeat():
    made = [points.new_id(NOW + timedelta(milliseconds=each)) for each in range(2000)]
    assert sorted(made) == made, "also of one second"
    assert len({points.new_id(NOW) for _ in range(200)}) == 200
    assert [points.taken_at(each) for each in made[:2]] == [NOW, NOW + timedelta(milliseconds=1)]
    assert all(points.ID.match(each) for each in made)


def test_an_id_says_utc_whatever_the_zone_of_the_clock():
    berlin = datetime.fromisoformat("2026-11-23T03:15:00+01:00")
    assert points.new_id(berlin).startswith("20261123T021500.000000Z-")


def test_a_point_and_a_verdict_named_without_microseconds_still_count(store):
    old = "20261122T021500Z-0123abcd"
    store.put(f"orders/{old}/{points.MANIFEST}", b"{}")
    store.put(f"orders/{old}/verified-20261122T023000Z-passed.json", b"{}")
    newer = commit(store)
    [first, second] = points.points(store, "orders")
    assert (first.id, first.taken_at, first.verified) == (old, datetime(2026, 11, 22, 2, 15, tzinfo=UTC), True)
    assert second == newer


def test_the_newest_verdict_counts(store):
    point = commit(store)
    assert points.find(store, "orders", point.id).verified is None
    for minute, passed in ((1, True), (2, False), (3, True)):
        points.attest(store, point, passed=passed, at=NOW + timedelta(minutes=minute), content={})
        assert points.find(store, "orders", point.id).verified is passed


def test_a_held_point_says_so_until_it_is_released(store):
    point = commit(store)
    points.hold(store, point, reason="case 7", who="legal", at=NOW)
    assert points.find(store, "orders", point.id).held
    points.release(store, point)
    assert not points.find(store, "orders", point.id).held
    points.release(store, point)


def test_latest_is_the_newest_before_a_moment(store):
    older, younger = commit(store, at=NOW - timedelta(hours=2)), commit(store, at=NOW)
    assert points.find(store, "orders", "latest").id == younger.id
    assert points.find(store, "orders", "latest", before=NOW).id == younger.id
    assert points.find(store, "orders", "latest", before=NOW - timedelta(seconds=1)).id == older.id
    assert points.find(store, "orders", older.id).id == older.id


@pytest.mark.parametrize("wanted", ["latest", "20261123T021500Z-00000000", ""])
def test_what_is_not_there_is_an_error_that_names_what_is(store, wanted):
    point = commit(store)
    with pytest.raises(StepFailed) as failed:
        points.find(store, "orders", wanted, before=NOW - timedelta(days=1))
    assert point.id in str(failed.value)
    assert "day2 backup list --database orders" in failed.value.next_step


def test_an_empty_listing_is_told_as_none(store):
    with pytest.raises(StepFailed, match=r"the newest: none"):
        points.find(store, "orders", "latest")


# --- reading and verifying


def test_a_manifest_of_another_point_is_not_believed(store):
    one, other = commit(store, at=NOW), commit(store, at=NOW + timedelta(days=1))
    with store.open(one.key(points.MANIFEST)) as file:
        store.put(other.key(points.MANIFEST), file.read())
    with pytest.raises(Corrupt, match="describes orders/"):
        points.manifest(store, other)


def test_an_untouched_point_has_no_problems(store):
    point = commit(store)
    evidence(store, point)
    points.attest(store, point, passed=True, at=NOW, content={"restore_seconds": 2.5})
    points.hold(store, point, reason="case", who="legal", at=NOW)
    read: list[int] = []
    assert points.verify_objects(store, point, points.manifest(store, point), watch=read.append) == []
    assert read[-1] == len(b"roles")


def damaged(store: FolderStore, key: str, how) -> None:
    path = store.root / key
    path.write_bytes(how(path.read_bytes()))


def flip_first(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 0x80])


@pytest.mark.parametrize(
    "how", [flip_first, flip_last, lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""]
)
@pytest.mark.parametrize("which", ["dump", "roles", "verdict", "evidence", "hold", "lock-proof"])
def test_damage_to_any_object_beside_the_manifest_is_found_and_named(store, which, how):
    point = commit(store)
    verdict = points.attest(store, point, passed=True, at=NOW, content={})
    names = {
        "dump": "dump.pgdump.zst",
        "roles": "roles.sql.zst",
        "verdict": verdict,
        "evidence": evidence(store, point).removeprefix(point.prefix),
        "hold": points.HOLD,
        "lock-proof": points.LOCK_PROOF,
    }
    points.hold(store, point, reason="case", who="legal", at=NOW)
    store.put(point.key(points.LOCK_PROOF), points.seal({"purpose": "x"}))
    damaged(store, point.key(names[which]), how)
    problems = points.verify_objects(store, point, points.manifest(store, point))
    assert len(problems) == 1
    assert problems[0].startswith(f"{store.url}/{point.key(names[which])}: ")


def test_a_missing_object_is_named_and_the_others_are_still_read(store):
    point = commit(store)
    described = points.manifest(store, point)
    store.delete(point.key("dump.pgdump.zst"))
    damaged(store, point.key("roles.sql.zst"), flip_first)
    problems = points.verify_objects(store, point, described)
    assert [problem.split(": ")[0].rsplit("/", 1)[1] for problem in problems] == ["dump.pgdump.zst", "roles.sql.zst"]


# --- copying


def test_a_copy_is_a_point_only_when_its_manifest_is_written(store, tmp_path):
    there = FolderStore(tmp_path / "recovery")
    point = commit(store)
    described = points.manifest(store, point)
    assert points.copy_objects(store, there, point, described) == []
    assert ids(there) == []
    assert {item.key for item in there.items("")} == {point.key("dump.pgdump.zst"), point.key("roles.sql.zst")}


def test_a_destination_that_damages_what_it_gets_is_named(store, tmp_path):
    class Lossy(FolderStore):
        def write(self, key, source, *, expected_bytes):
            super().write(key, source, expected_bytes=expected_bytes)
            damaged(self, key, flip_first)

    there = Lossy(tmp_path / "recovery")
    point = commit(store)
    problems = points.copy_objects(store, there, point, points.manifest(store, point))
    assert len(problems) == 2
    assert all(problem.startswith(there.url) for problem in problems)


# --- removing and sweeping


@pytest.mark.parametrize("deletions", range(6))
def test_a_removal_that_dies_half_way_never_leaves_a_point_that_looks_good(tmp_path, deletions):
    root = tmp_path / "repository"
    store = FolderStore(root)
    other, point = commit(store, at=NOW - timedelta(days=1)), commit(store, at=NOW)
    evidence(store, point)
    points.attest(store, point, passed=True, at=NOW, content={})
    before = len(list(store.items(point.prefix)))
    assert before == 5
    dying = Dying(root, deletions)
    with suppress(SystemExit):
        points.remove(dying, point)
    visible = ids(store)
    assert visible == ([other.id, point.id] if deletions == 0 else [other.id])
    if deletions == 0:
        assert points.verify_objects(store, point, points.manifest(store, point)) == []
    else:
        points.sweep(store, "orders")
        assert not list(store.items(point.prefix)), "the next run's sweep removes the rest"
    assert points.verify_objects(store, other, points.manifest(store, other)) == []


def test_a_sweep_removes_what_has_no_manifest_and_nothing_else(store):
    kept = commit(store, at=NOW)
    commit(store, "billing")
    half = f"orders/{points.new_id(NOW)}/"
    store.put(half + "base.tar.zst", b"half")
    other_half = f"billing/{points.new_id(NOW)}/dump"
    store.put(other_half, b"another database's backup may be under way")
    (store.root / half / f"{PARTIAL}abc-base.tar.zst").write_bytes(b"unfinished")
    swept = points.sweep(store, "orders")
    assert {each.key for each in swept} == {half + "base.tar.zst", f"{half}{PARTIAL}abc-base.tar.zst"}
    assert all(each.kept_because is None for each in swept)
    assert ids(store) == [kept.id]
    assert not (store.root / half).exists()
    assert other_half in keys(store)
    assert points.sweep(store, "orders") == []


def test_what_a_lock_keeps_is_reported_with_the_reason(store):
    class Locked(FolderStore):
        def delete(self, key):
            raise StepFailed(f"{key}: AccessDenied: locked")

    half = f"orders/{points.new_id(NOW)}/base.tar.zst"
    store.put(half, b"half")
    [swept] = points.sweep(Locked(store.root), "orders")
    assert (swept.key, swept.kept_because) == (half, f"{half}: AccessDenied: locked")


def test_unfinished_writes_are_never_listed_or_read_as_objects(store):
    point = commit(store)
    (store.root / point.prefix / f"{PARTIAL}abc-manifest.json").write_bytes(b"x")
    assert len(list(store.items(""))) == 3
    assert points.find(store, "orders", point.id).bytes == sum(item.bytes for item in store.items(""))


def test_times_of_points_are_utc(store):
    assert commit(store).taken_at == NOW.astimezone(UTC)

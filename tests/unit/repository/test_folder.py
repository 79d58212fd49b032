"""A folder as a store: objects appear whole or not at all, and what fails is named."""

from __future__ import annotations

import io
import threading

import pytest

from day2.errors import StepFailed
from day2.repository.folder import FolderStore


def test_a_repository_that_can_be_written_passes_the_check_and_keeps_nothing_of_it(store):
    store.check()
    assert list(store.root.iterdir()) == []


def test_a_root_that_cannot_be_a_folder_fails_the_check(tmp_path):
    (tmp_path / "file").write_text("")
    store = FolderStore(tmp_path / "file" / "repository")
    with pytest.raises(StepFailed, match="Not a directory") as failed:
        store.check()
    assert failed.value.runbook == "Repository out of reach"


def test_an_object_below_a_file_is_refused_by_name(store):
    store.put("orders", b"a file where a folder should be")
    with pytest.raises(StepFailed, match="orders/x/dump: "):
        store.put("orders/x/dump", b"data")


def test_an_object_is_not_there_until_all_of_it_is(store):
    class Slow:
        def __init__(self) -> None:
            self.half_way, self.go_on, self.given = threading.Event(), threading.Event(), 0

        def read(self, size: int = -1) -> bytes:
            self.given += 1
            if self.given == 2:
                self.half_way.set()
                self.go_on.wait(10)
            return b"x" * 10 if self.given <= 2 else b""

    source = Slow()
    writer = threading.Thread(target=store.write, args=("orders/p/dump", source), kwargs={"expected_bytes": 20})
    writer.start()
    assert source.half_way.wait(10)
    assert list(store.items("")) == []
    assert [each.key.split("-", 2)[-1] for each in store.unfinished("orders/")] == [source_name := "dump"]
    source.go_on.set()
    writer.join(10)
    assert [(each.key, each.bytes) for each in store.items("")] == [(f"orders/p/{source_name}", 20)]
    assert list(store.unfinished("")) == []


def test_a_source_that_fails_leaves_no_object_and_no_leftover(store):
    class Failing:
        def read(self, size: int = -1) -> bytes:
            raise StepFailed("the source failed")

    with pytest.raises(StepFailed, match="^the source failed"):
        store.write("orders/p/dump", Failing(), expected_bytes=1)
    assert list(store.items("")) + list(store.unfinished("")) == []


def test_an_overwritten_object_is_the_old_or_the_new_one(store):
    store.put("orders/p/o", b"old")
    store.write("orders/p/o", io.BytesIO(b"newer"), expected_bytes=5)
    with store.open("orders/p/o") as file:
        assert file.read() == b"newer"


def test_a_prefix_is_text_as_in_s3(store):
    for key in ("orders/a/x", "orders-eu/a/x", "orders/b/x"):
        store.put(key, b"")
    assert [each.key for each in store.items("orders/")] == ["orders/a/x", "orders/b/x"]
    assert [each.key for each in store.items("orders/a")] == ["orders/a/x"]
    assert [each.key for each in store.items("orders")] == ["orders-eu/a/x", "orders/a/x", "orders/b/x"]
    assert list(store.items("nothing/here/")) == []


def test_deleting_is_idempotent_and_takes_empty_folders_with_it(store):
    store.put("orders/p/a", b"")
    store.put("orders/p/b", b"")
    for key in ("orders/p/a", "orders/p/a", "orders/p/b", "orders/p/b", "never/was/here"):
        store.delete(key)
    assert list(store.root.iterdir()) == []


def test_a_missing_object_is_named(store):
    with pytest.raises(StepFailed, match="orders/p/dump: No such file"), store.open("orders/p/dump"):
        pass


def test_a_folder_says_that_it_cannot_lock(store):
    from tests.unit.repository.builders import NOW

    store.put("orders/p/a", b"")
    assert store.lock("orders/p/a", mode="COMPLIANCE", until=NOW).problem == "a folder cannot lock objects"
    assert store.locked_until("orders/p/a") is None
    assert store.deletion_denied("orders/p/a") is False

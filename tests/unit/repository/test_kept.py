"""Evidence in storage is named by its hash, and says until when nobody can take it away."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from day2.inventory.model import ObjectLock
from day2.repository import kept
from day2.repository.folder import FolderStore
from day2.repository.store import LockState

LOCK = ObjectLock(mode="GOVERNANCE", days=30)


class Locking(FolderStore):
    """A folder that remembers locks, as a bucket would."""

    def lock(self, key: str, *, mode: str, until: datetime) -> LockState:
        self.until = until
        return LockState(mode, until)

    def locked_until(self, key: str) -> datetime | None:
        return getattr(self, "until", None)


def test_what_is_kept_is_told_by_address_hash_and_size(tmp_path: Path):
    told = kept.keep(FolderStore(tmp_path), "patching/report.html", b"<p>well</p>", lock=None)
    assert told == {
        "uri": f"{tmp_path.as_uri()}/patching/report.html",
        "sha256": hashlib.sha256(b"<p>well</p>").hexdigest(),
        "size": 11,
        "retain_until": None,
    }
    assert (tmp_path / "patching/report.html").read_bytes() == b"<p>well</p>"


def test_a_lock_is_told_as_the_storage_has_it(tmp_path: Path):
    store = Locking(tmp_path)
    told = kept.keep(store, "report.html", b"data", lock=LOCK)
    assert told["retain_until"] == store.until.isoformat()
    assert timedelta(days=29) < store.until - datetime.now(UTC) <= timedelta(days=30)


def test_storage_that_cannot_lock_is_a_warning_and_never_a_promise(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "day2"):
        told = kept.keep(FolderStore(tmp_path), "report.html", b"data", lock=LOCK)
    assert told["retain_until"] is None
    assert "report.html is not locked: " in caplog.text


def test_a_runs_name_is_safe_in_a_key():
    run = "security_patching.production/scheduled__2027-03-14T01:00:00+00:00"
    assert kept.named(run) == "security_patching.production_scheduled__2027-03-14T01_00_00_00_00"
    assert "/" not in kept.named("../../etc/passwd")

"""What the lab and its demo know of hosts without running any, and which machines patching may touch."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from day2 import inventory
from day2.errors import StepFailed
from lab import patchable
from lab.demo_patching import outcome
from lab.hosts import fleet, resident


def record(**targets: list[str]) -> dict[str, Any]:
    return {"targets": targets, "measures": {"web-01": {"patch": {}, "roll_back": {"rolled_back": True}}}}


@pytest.mark.parametrize(
    ("made", "host", "says"),
    [
        (record(failed=["web-01"]), "web-01", "failed, rolled back"),
        (record(failed=["web-02"]), "web-02", "failed"),
        (record(succeeded=["web-02"]), "web-02", "succeeded"),
        (record(not_attempted=["web-02"]), "web-02", "not attempted"),
        (record(succeeded=["web-02"]), "web-03", "nothing"),
        (None, "web-01", "nothing"),
    ],
)
def test_what_a_run_says_of_a_host_is_told_in_words(made: dict[str, Any] | None, host: str, says: str) -> None:
    assert outcome(made, host) == says


def test_where_no_hosts_ever_were_there_is_nothing_to_connect_to_to_show_or_to_end(tmp_path: Path) -> None:
    assert patchable.connections(tmp_path) == {}
    assert patchable.pids(tmp_path) == {}
    assert patchable.stop(tmp_path) == []
    patchable.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_cannot_run_hosts_says_why_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fleet, "why_not", lambda: "missing Debian packages: mmdebstrap")
    assert patchable.start(tmp_path) is None
    assert "no hosts to patch here: missing Debian packages: mmdebstrap. Everything else" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_tree_that_cannot_be_made_is_said_and_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_archive(_folder: Path) -> None:
        raise StepFailed("`mmdebstrap --quiet` answered 100", target="the hosts' tree")

    monkeypatch.setattr(fleet, "why_not", lambda: "")
    monkeypatch.setattr(resident, "ensure", no_archive)
    assert patchable.start(tmp_path) is None
    assert "`mmdebstrap --quiet` answered 100" in capsys.readouterr().out


def test_patching_never_touches_a_login_to_the_labs_own_machine() -> None:
    production = next(each for each in inventory.environments() if each.name == "production")
    here = [each for each in production.hosts if _is_loopback(each.address)]
    assert [each.name for each in here] == ["orders-a", "orders-b", "billing-a", "edge"]
    assert not {each.name for each in here} & {each.name for each in production.patched}
    assert [each.name for each in production.patched] == list(resident.NAMES)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

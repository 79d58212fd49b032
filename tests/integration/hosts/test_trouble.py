"""What goes wrong around an installation: locks, disks, cut connections, killed workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from day2.errors import Corrupt, StepFailed, Unavailable
from day2.hosts import job, saved
from day2.hosts.install import DEFAULT, Prepared, act, job_name, prepare
from day2.hosts.rollback import rollback
from day2.hosts.scan import scan
from day2.hosts.script import Host
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.hosts.repository import Repository
from tests.integration.hosts.making import RUN, lock_held, packages, prepared, upgrades, version

IMPATIENT = replace(DEFAULT, lock=timedelta(seconds=1))


@pytest.fixture
def slow(host: Host, fleet: Fleet, repository: Repository) -> Prepared:
    """A patch whose installation takes six seconds."""
    repository.publish("security", "acme-slow", "1.1-1")
    fleet[host.name].run("sh", "-c", "echo 6 >/etc/acme-slow.seconds")
    return prepared(host, "acme-slow")


def wait_for_dpkg(machine: Machine) -> None:
    """Until dpkg runs the package's script."""
    for _ in range(100):
        if "half-configured acme-slow:all 1.1-1" in machine.run("cat", "/var/log/dpkg.log"):
            return
        time.sleep(0.1)
    raise AssertionError("dpkg never came to configure acme-slow")


def test_a_lock_that_is_released_in_time_only_delays(host: Host, fleet: Fleet) -> None:
    ready = prepared(host, "acme-tool")
    with lock_held(fleet[host.name], seconds=2):
        done = act(host, ready, run_id=RUN)
    assert done.outcome == "changed"
    assert "waiting up to 300 s for the package manager's lock, held by" in done.log


def test_a_lock_that_stays_is_a_failure_that_names_the_holder(host: Host, fleet: Fleet) -> None:
    ready = prepared(host, "acme-tool")
    with lock_held(fleet[host.name]), pytest.raises(StepFailed, match="lock is held: .*python3") as caught:
        act(host, ready, run_id=RUN, limits=IMPATIENT)
    assert caught.value.left == "not at the version of the set: acme-tool is 3.0-1"
    assert act(host, ready, run_id=RUN).outcome == "changed"


def test_an_interrupted_dpkg_is_finished_first_and_said(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    ready = prepared(host, "acme-lib")
    machine.run("sh", "-c", "cd /tmp && apt-get -q download acme-tool=3.1-1 && dpkg --unpack acme-tool_3.1-1_all.deb")
    done = act(host, ready, run_id=RUN)
    assert done.repaired
    assert machine.run("dpkg", "--audit") == ""
    assert version(machine, "acme-lib") == "2.1-1"


def test_a_full_disk_is_told_before_anything_is_saved(host: Host, fleet: Fleet) -> None:
    fleet[host.name].run("sh", "-c", "dd if=/dev/zero of=/var/filler bs=1M count=220 2>/dev/null")
    with pytest.raises(StepFailed, match=r"no space: .* are free") as caught:
        prepared(host, "acme-tool")
    assert caught.value.runbook == "The disk of a host is full"


def test_a_disk_that_fills_up_in_the_middle_is_told_and_recovered(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    before = packages(machine)
    ready = prepared(host, "acme-lib", "acme-tool")
    machine.run("sh", "-c", "dd if=/dev/zero of=/var/filler bs=4k 2>/dev/null; true")
    with pytest.raises(StepFailed) as caught:
        act(host, ready, run_id=RUN)
    assert caught.value.runbook == "The disk of a host is full"
    machine.run("rm", "/var/filler")
    rollback(host, ready, run_id=RUN)
    assert packages(machine) == before
    assert act(host, ready, run_id="again").outcome == "changed"


def test_an_installation_survives_a_cut_cable(host: Host, fleet: Fleet, slow: Prepared) -> None:
    machine = fleet[host.name]

    def cut() -> None:
        wait_for_dpkg(machine)
        fleet.cable(host.name, plugged=False)
        time.sleep(3)
        fleet.cable(host.name, plugged=True)

    thread = threading.Thread(target=cut)
    thread.start()
    done = act(host, slow, run_id=RUN)
    thread.join()
    assert done.outcome == "changed"
    assert upgrades(machine, "acme-slow") == 1


def test_a_host_that_stays_away_goes_on_alone_and_is_found_again(host: Host, fleet: Fleet, slow: Prepared) -> None:
    machine = fleet[host.name]
    impatient = replace(DEFAULT, install=timedelta(seconds=0))
    with pytest.raises(Unavailable, match="out of sight") as caught:
        act(host, slow, run_id=RUN, limits=replace(impatient, patience=timedelta(seconds=1)))
    assert "it goes on there by itself" in caught.value.left
    assert act(host, slow, run_id=RUN).outcome == "changed"
    assert upgrades(machine, "acme-slow") == 1


DRIVER = """
import sys
from pathlib import Path
from day2.hosts.install import act, Prepared
from day2.hosts.script import Host
from lab.hosts.fleet import Fleet
from lab.hosts.repository import Repository
import pickle
folder, name, ready = pickle.loads(sys.stdin.buffer.read())
fleet = Fleet(folder, tuple(sorted(p.name for p in (folder / "hosts").iterdir())), Repository(folder, folder, folder))
act(Host(name, fleet.shell(name)), ready, run_id="killed")
"""


def test_a_killed_workers_patch_is_followed_and_not_repeated(host: Host, fleet: Fleet, slow: Prepared) -> None:
    import pickle

    machine = fleet[host.name]
    with subprocess.Popen((sys.executable, "-c", DRIVER), stdin=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        worker.stdin.write(pickle.dumps((fleet.folder, host.name, slow)))
        worker.stdin.close()
        wait_for_dpkg(machine)
        worker.send_signal(signal.SIGKILL)
    assert job.look(host, "killed-install").state == "running"
    assert act(host, slow, run_id="killed").outcome == "changed"
    assert upgrades(machine, "acme-slow") == 1


def test_two_workers_at_once_patch_a_host_once(host: Host, fleet: Fleet, slow: Prepared) -> None:
    def one(_: int) -> str:
        shell = fleet.shell(host.name)
        return act(Host(host.name, shell), slow, run_id=RUN).outcome

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(one, range(4))) == ["changed"] * 4
    assert upgrades(fleet[host.name], "acme-slow") == 1


def test_a_patch_that_the_hosts_own_crash_killed_is_repaired_and_finished(
    host: Host, fleet: Fleet, slow: Prepared
) -> None:
    machine = fleet[host.name]
    impatient = replace(DEFAULT, install=timedelta(seconds=0))
    with pytest.raises(Unavailable):
        act(host, slow, run_id=RUN, limits=impatient)
    wait_for_dpkg(machine)
    machine.run(
        "sh", "-c", "for each in [j]obs/ ^apt-get ^dpkg ^/usr/bin/dpkg [a]cme-slow; do pkill -KILL -f $each; done; true"
    )
    assert job.look(host, f"{job_name(RUN)}-install").state == "interrupted"
    machine.run("sh", "-c", "echo 0 >/etc/acme-slow.seconds")
    done = act(host, slow, run_id=RUN)
    assert done.repaired
    assert version(machine, "acme-slow") == "1.1-1"


def test_one_hanging_host_does_not_keep_the_others(more_hosts: Callable[[], Host], fleet: Fleet) -> None:
    three = [more_hosts() for _ in range(3)]
    fleet[three[0].name].signal(signal.SIGSTOP)

    def look(host: Host) -> str:
        try:
            return scan(host, seconds=6).os
        except Unavailable as error:
            return error.target

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(look, three))
    fleet[three[0].name].signal(signal.SIGCONT)
    assert answers[0] == three[0].name
    assert all("Debian" in each for each in answers[1:])


def test_a_rollback_that_fails_says_what_is_left(host: Host, fleet: Fleet) -> None:
    ready = prepared(host, "acme-lib", "acme-tool")
    act(host, ready, run_id=RUN)
    with lock_held(fleet[host.name]), pytest.raises(StepFailed, match="the rollback failed: .*lock") as caught:
        rollback(host, ready, run_id=RUN, limits=IMPATIENT)
    assert caught.value.left == "not as before: acme-lib is 2.1-1, acme-tool is 3.1-1; leave it drained"
    assert rollback(host, ready, run_id=RUN).outcome == "changed"


def test_a_saved_package_that_was_changed_is_not_installed(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    ready = prepared(host, "acme-tool")
    new, old = sorted(ready.files, key=lambda each: each.side)
    machine.run("sh", "-c", f"cp {new.path} /tmp/kept && echo >>{new.path}")
    with pytest.raises(Corrupt, match=r"acme-tool_3.1-1_all.deb is not the acme-tool 3.1-1 that was saved"):
        act(host, ready, run_id=RUN)
    assert version(machine, "acme-tool") == "3.0-1"

    machine.run("cp", "/tmp/kept", new.path)
    act(host, ready, run_id=RUN)
    machine.run("sh", "-c", f"echo >>{old.path}")
    with pytest.raises(Corrupt, match=r"acme-tool_3.0-1_all.deb is not the acme-tool 3.0-1 that was saved"):
        rollback(host, ready, run_id=RUN)
    assert version(machine, "acme-tool") == "3.1-1"


def test_old_sets_and_logs_are_removed_and_the_one_in_use_is_kept(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    ready = prepared(host, "acme-tool")
    act(host, ready, run_id=RUN)
    machine.run(
        "sh", "-c", "mkdir /var/cache/day2/old /var/cache/day2/young && touch -d '100 days ago' /var/cache/day2/old"
    )
    machine.run("sh", "-c", "touch -d '100 days ago' /var/cache/day2/[0-9a-f]*[0-9a-f]/ /var/lib/day2/jobs/*")
    gone = saved.expire(host, days=90, keep=[ready.frozen])
    assert machine.run("ls", "/var/lib/day2/jobs") == ""
    assert gone == ("/var/cache/day2/old", f"/var/lib/day2/jobs/{job_name(RUN)}-install")
    assert rollback(host, ready, run_id=RUN).outcome == "changed"


def test_a_run_that_begins_again_after_the_installation_still_knows_the_way_back(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    before = packages(machine)
    first = prepared(host, "acme-tool")
    act(host, first, run_id=RUN)
    again = prepare(host, first.frozen, run_id=RUN)
    assert again == first
    rollback(host, again, run_id=RUN)
    assert packages(machine) == before
    assert prepare(host, first.frozen, run_id="another run").part == first.part

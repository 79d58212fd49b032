"""Switches for what goes wrong on a host. Each holds for a block, and really has the effect."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from day2.errors import StepFailed
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.processes import wait_until

# POSIX locks, as dpkg takes them; the name shows up as the holder.
HOLD_LOCK = """
import fcntl, sys, time
files = [open(path, "w") for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(3600)
"""
SLOW_SECONDS = "/etc/acme-slow.seconds"
SLOW_DEB = "/root/slow.deb"
FOREVER = 3599  # seconds, and easy to tell from other sleepers
FLAPS = "/run/acme-agent.flaps"
SUDOERS = "/etc/sudoers.d/ops"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
FILLER = "/var/lab-filler"


@contextmanager
def dpkg_locked(machine: Machine) -> Iterator[None]:
    """Another process on the host holds dpkg's locks."""
    command = machine.inside("python3", "-c", HOLD_LOCK)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None  # noqa: S101 - a pipe was asked for
        if holder.stdout.readline() != "held\n":
            raise StepFailed("dpkg's locks could not be taken", target=machine.name)
        try:
            yield
        finally:
            machine.run("pkill", "-KILL", "-f", "lock-frontend")


@contextmanager
def var_full(machine: Machine) -> Iterator[None]:
    """/var, with the rest of the host's disk, has no byte left."""
    machine.run("sh", "-c", f"cat /dev/zero >{FILLER} 2>/dev/null || true")
    try:
        yield
    finally:
        machine.run("rm", "-f", FILLER)


def interrupt_dpkg(fleet: Fleet, name: str) -> None:
    """Leave dpkg as a power cut in the middle of a configuration would: it must be finished by hand."""
    machine = fleet[name]
    copy_in(machine, (fleet.repository.shelf / "acme-slow_1.1-1_all.deb").read_bytes(), SLOW_DEB)
    machine.run("sh", "-c", f"echo {FOREVER} >{SLOW_SECONDS}")
    waits = ("-f", f"sleep {FOREVER}")
    quiet = subprocess.DEVNULL
    with subprocess.Popen(machine.inside("dpkg", "--install", SLOW_DEB), stdout=quiet, stderr=quiet):
        wait_until(lambda: runs(machine, *waits), f"{name}: dpkg at work", seconds=20, every=0.05)
        machine.run("pkill", "-KILL", "-x", "dpkg")
        machine.run("pkill", "-KILL", *waits)
    machine.run("rm", SLOW_SECONDS)


@contextmanager
def slow_install(machine: Machine, seconds: int) -> Iterator[None]:
    """The release 1.1 of acme-slow takes so long to configure."""
    machine.run("sh", "-c", f"echo {seconds} >{SLOW_SECONDS}")
    try:
        yield
    finally:
        machine.run("rm", "-f", SLOW_SECONDS)


@contextmanager
def unreachable(fleet: Fleet, name: str) -> Iterator[None]:
    """The host's cable is pulled; it goes on working."""
    fleet.cable(name, plugged=False)
    try:
        yield
    finally:
        fleet.cable(name, plugged=True)


@contextmanager
def unreachable_once(fleet: Fleet, name: str, *, when: Callable[[Machine], bool]) -> Iterator[threading.Event]:
    """The host's cable is pulled at the moment `when` first says yes. The event tells that it was."""
    cut, left = threading.Event(), threading.Event()

    def watch() -> None:
        while not left.wait(0.01):
            if when(fleet[name]):
                fleet.cable(name, plugged=False)
                cut.set()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield cut
    finally:
        left.set()
        watcher.join()
        fleet.cable(name, plugged=True)


@contextmanager
def never_returns(machine: Machine) -> Iterator[None]:
    """The host goes down for a reboot and stays off; it comes up when the block ends."""
    machine.stays_off.touch()
    try:
        yield
    finally:
        machine.stays_off.unlink(missing_ok=True)


@contextmanager
def frozen(machine: Machine) -> Iterator[None]:
    """Nothing on the host runs any more: connections are accepted by its kernel and never answered."""
    machine.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        machine.signal(signal.SIGCONT)


@contextmanager
def other_host_key(machine: Machine) -> Iterator[None]:
    """The host shows a key that is not the published one, as after a reinstallation."""
    machine.run("mv", HOST_KEY, f"{HOST_KEY}.published")
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", HOST_KEY)
    machine.run("systemctl", "restart", "ssh")
    try:
        yield
    finally:
        machine.run("mv", "-f", f"{HOST_KEY}.published", HOST_KEY)
        machine.run("systemctl", "restart", "ssh")


@contextmanager
def sudo_refused(machine: Machine) -> Iterator[None]:
    """The login may no longer become root."""
    machine.run("mv", SUDOERS, "/root/sudoers")
    try:
        yield
    finally:
        machine.run("mv", "/root/sudoers", SUDOERS)


@contextmanager
def flapping(machine: Machine) -> Iterator[None]:
    """Every other answer of Acme's agent is 503."""
    machine.run("touch", FLAPS)
    try:
        yield
    finally:
        machine.run("rm", "-f", FLAPS)


@contextmanager
def held(machine: Machine, package: str) -> Iterator[None]:
    """Somebody put a package on hold."""
    machine.run("apt-mark", "hold", package)
    try:
        yield
    finally:
        machine.run("apt-mark", "unhold", package)


def edit_settings(machine: Machine) -> None:
    """Somebody edited a configuration file: release 1.1 of acme-settings, which changes it too, would ask."""
    machine.run("sh", "-c", "echo 'retries = 9  # agreed with the customer' >>/etc/acme-settings.conf")


def copy_in(machine: Machine, content: bytes, path: str) -> None:
    """Write a file on the host, without the network."""
    subprocess.run(machine.inside("sh", "-c", 'cat >"$1"', "sh", path), input=content, check=True)


def installs(machine: Machine) -> bool:
    """Whether dpkg is at work on the host: a moment for `unreachable_once`."""
    return runs(machine, "-x", "dpkg")


def is_off(machine: Machine) -> bool:
    """Whether the host is between two boots: a moment for `unreachable_once`."""
    return not machine.pid_file.exists()


def runs(machine: Machine, *pattern: str) -> bool:
    """Whether pgrep finds a process on the host; it finds none while the host is off."""
    if is_off(machine):
        return False
    return subprocess.run(machine.inside("pgrep", *pattern), capture_output=True).returncode == 0

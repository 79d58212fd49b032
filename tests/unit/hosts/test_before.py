"""What a host was before is what it must be again: what is meant to run, not what happens to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from day2.errors import StepFailed
from day2.hosts import before
from day2.hosts.before import Before
from day2.hosts.script import Host
from day2.hosts.shell import Done

# In the words of systemd 252.
LIST = """\
cron.service                 loaded active running Regular background program processing daemon
nginx.service                loaded failed failed  A high performance web server
postgresql@15-main.service   loaded active running PostgreSQL Cluster 15-main
systemd-hostnamed.service    loaded active running Hostname Service
user@1000.service            loaded active running User Manager for UID 1000
run-r5f1.service             loaded active running /usr/bin/apt-get update
"""
SHOW = """\
Id=cron.service
UnitFileState=enabled

UnitFileState=enabled-runtime
Id=postgresql@15-main.service

Id=systemd-hostnamed.service
UnitFileState=static

Id=user@1000.service
UnitFileState=static

Id=run-r5f1.service
UnitFileState=transient
"""


class Shelf:
    """A host that is this machine's shell, with a systemctl of our own."""

    label = "web-01"

    def __init__(self, programs: Path) -> None:
        self.programs = programs

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 60) -> Done:
        # Every script sets the host's own PATH.
        script = stdin.replace(b" PATH=", f" PATH={self.programs}:".encode(), 1)
        done = subprocess.run(command, input=script, capture_output=True, env={"PATH": os.defpath}, timeout=seconds)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "list").write_text(LIST)
    (tmp_path / "show").write_text(SHOW)
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\ncase $1 in list-units) cat {tmp_path}/list ;; show) cat {tmp_path}/show ;; esac\n")
    program.chmod(0o755)
    return Host("web-01", Shelf(tmp_path), become=())


def test_logins_and_what_the_bus_started_are_not_expected_back(host: Host):
    assert before.running(host) == ("cron.service", "postgresql@15-main.service")


def test_a_service_that_ran_and_does_not_is_named(host: Host):
    units = ("cron.service", "nginx.service", "postgresql@15-main.service")
    assert before.ended(host, Before("b1", units)) == ("nginx.service",)


def test_a_host_without_services_has_none(host: Host, tmp_path: Path):
    (tmp_path / "list").write_text("")
    assert before.running(host) == ()


def test_what_cannot_be_kept_is_told_before_anything_is_touched(host: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(before.script, "run", lambda *_, **__: Done(28, "", "No space left on device"))
    with pytest.raises(StepFailed, match="cannot be kept on it: No space left") as caught:
        before.forget(host, "run")
    assert caught.value.runbook == "The disk of a host is full"

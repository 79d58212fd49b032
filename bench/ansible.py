"""Ansible as the other side: its own environment, an inventory of the lab's hosts, the command that is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import codename
from day2.errors import PlanRefused
from day2.hosts import script
from lab.hosts import build
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT
from lab.say import timed

VERSION = "2.19.14"
PLAYBOOKS = Path(__file__).parent / "playbooks"
# What its apt module needs on a host, and the lab's hosts do not have.
ON_HOSTS = ("python3-apt", "python-apt-common")
OURS = ("scan.sh", "stale.sh")
# Everything that makes it fast is on; the host key is checked as strictly as on our side.
SETTINGS = """\
[defaults]
inventory = {folder}/hosts.json
forks = {at_once}
host_key_checking = True
interpreter_python = /usr/bin/python3
local_tmp = {folder}/tmp
[ssh_connection]
pipelining = True
control_path_dir = {folder}/cp
ssh_args = -F none -o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=yes \
-o UserKnownHostsFile={known_hosts} -o IdentitiesOnly=yes
"""


@dataclass(frozen=True)
class Ansible:
    """An installed Ansible. `folder` also keeps the packages that its modules need on a host."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "bin/ansible-playbook"

    def command(self, playbook: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The command line of one of our playbooks."""
        return (str(self.program), "--extra-vars", json.dumps(values), str(PLAYBOOKS / f"{playbook}.yaml"))

    def suit(self, fleet: Fleet) -> None:
        """Put on the hosts what its modules need."""
        for name in fleet.names:
            root = f"/proc/{fleet[name].init()}/root"
            for deb in (self.folder / "debs").glob("*.deb"):
                subprocess.run(("dpkg-deb", "--extract", str(deb), root), check=True)


def installed(folder: Path) -> Ansible:
    """Ansible in an environment of its own below `folder`; from PyPI, the first time."""
    made = Ansible(folder / f"ansible-core-{VERSION}")
    complete = made.folder / "complete"
    if complete.exists():
        return made
    if codename() != build.CODENAME:
        raise PlanRefused(
            f"the hosts are Debian {build.CODENAME}, and this machine is not: it has no {ON_HOSTS[0]} for them",
            target="ansible-core",
            next_step=f"run the bench on Debian {build.CODENAME}",
        )
    with timed(f"ansible-core {VERSION}"):
        subprocess.run((sys.executable, "-m", "venv", "--clear", str(made.folder)), check=True)
        pip = (str(made.folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
        subprocess.run((*pip, "install", f"ansible-core=={VERSION}"), check=True)
        (made.folder / "debs").mkdir()
        download = ("apt-get", "--quiet", "--option", "APT::Sandbox::User=root", "download", *ON_HOSTS)
        subprocess.run(download, check=True, cwd=made.folder / "debs")
    complete.touch()
    return made


def settings(fleet: Fleet, folder: Path, *, at_once: int) -> dict[str, str]:
    """Write its settings and inventory for a fleet; returns the environment that its command runs in."""
    scripts = folder / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in OURS:
        (scripts / name).write_text(f"#!/bin/sh\n{script.whole(name)}")
    values = {
        "ansible_user": build.USER,
        "ansible_ssh_private_key_file": str(fleet.login_key),
        "scripts": str(scripts),
        "health": f"http://localhost:{AGENT_PORT}/",
    }
    hosts = {name: {"ansible_host": fleet.address(name)} for name in fleet.names}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": values}}))
    text = SETTINGS.format(folder=folder, at_once=at_once, known_hosts=fleet.known_hosts)
    (folder / "ansible.cfg").write_text(text)
    own = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder), "LC_ALL": "C.UTF-8"}
    return {"PATH": os.environ["PATH"], **own}

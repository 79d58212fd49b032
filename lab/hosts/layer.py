"""What a fleet's hosts have on top of the shared tree: our first process, their login, their archive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.hosts import guest
from lab.hosts.build import USER
from lab.hosts.releases import SECURITY, releases

KEYRING = "/usr/share/keyrings/acme.gpg"
# What a host knows of vulnerabilities, in debsecan's simple format; debsecan itself needs Debian's tracker.
ADVISORIES = "var/lib/day2/advisories"
SSHD = """\
UsePAM no
PasswordAuthentication no
UseDNS no
MaxStartups 100:30:200
MaxSessions 50
"""
PROGRAMS = {
    "usr/sbin/lab-init": "init",
    "usr/bin/systemctl": "systemctl",
    "usr/sbin/reboot": "shutdown",
    "usr/sbin/poweroff": "shutdown",
    "usr/sbin/shutdown": "shutdown",
}


def make_layer(folder: Path, *, login_key: Path, signing_key: Path, sources: str) -> None:
    """Lay the files out in a folder. Keys are the public parts."""
    for path, source in PROGRAMS.items():
        _write(folder / path, guest.text(source), mode=0o755)
    _write(folder / "etc/ssh/sshd_config.d/lab.conf", SSHD)
    _write(folder / "etc/sudoers.d/ops", f"{USER} ALL=(ALL) NOPASSWD:ALL\n", mode=0o440)
    _write(folder / "etc/apt/sources.list.d/acme.list", sources)
    _write(folder / KEYRING.lstrip("/"), "")
    shutil.copyfile(signing_key, folder / KEYRING.lstrip("/"))
    _write(
        folder / ADVISORIES, "".join(f"{each.advisory} {each.name}\n" for each in releases() if each.suite == SECURITY)
    )
    authorized = folder / f"home/{USER}/.ssh/authorized_keys"
    _write(authorized, login_key.read_text(), mode=0o600)
    home = authorized.parent.parent
    for each in (home, authorized.parent, authorized):
        os.chown(each, 1000, 1000)
    authorized.parent.chmod(0o700)
    home.chmod(0o755)


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    # Folders of the layer hide the tree's of the same name: their permissions must be a system's.
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)

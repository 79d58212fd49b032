"""The tree all hosts share: a minimal Debian with the vendor's first releases, made once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from day2.errors import StepFailed
from lab.files import lock
from lab.hosts import packages
from lab.hosts.releases import BASE, releases
from lab.say import timed

CODENAME = "bookworm"
RECIPE = "2"  # another one with every change of _bootstrap
ARCHIVE = "http://deb.debian.org/debian"
INCLUDE = ("openssh-server", "sudo", "python3", "procps", "iproute2", "iputils-ping", "curl")
USER = "ops"
KINDS = ("debian", "shelf", "tree")
KEPT = 24 * 3600.0
# Killed, we leave nobody behind who goes on writing to what the next start removes.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
# What the driving machine needs, by Debian package.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "apt-ftparchive": "apt-utils",
    "gpg": "gpg",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "unshare": "util-linux",
    "dpkg-deb": "dpkg",
}


@dataclass(frozen=True)
class Golden:
    """What fleets are made from. Nothing writes to it after it was made."""

    debian: Path
    tree: Path
    shelf: Path

    @property
    def names(self) -> set[str]:
        return {self.debian.name, self.tree.name, self.shelf.name}


def missing() -> list[str]:
    """The Debian packages this machine lacks to build and run hosts."""
    return sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})


def golden(folder: Path) -> Golden:
    """The shared tree and the shelf of releases in `folder`; made if this version of them is not there yet."""
    with lock(folder / "build.lock"):
        plain = _once(folder, "debian", _digest(CODENAME, *INCLUDE, RECIPE), make=_bootstrap)
        digest = _digest(plain.name, *(repr(each) for each in releases()), _own_code())
        shelf = _once(folder, "shelf", digest, make=lambda new: packages.build(releases(), new))
        tree = _once(folder, "tree", digest, make=lambda new: _furnish(plain, shelf, new))
    return Golden(plain, tree, shelf)


def tidy(folder: Path, *, used: set[str]) -> None:
    """Remove versions that are not in `used` and that nobody asked for in a day: checkouts may share a folder."""
    for old in folder.glob("*-*"):
        forgotten = old.name.split("-")[0] in KINDS and time.time() - old.stat().st_mtime > KEPT
        if forgotten and old.name not in used:
            shutil.rmtree(old)


def _once(folder: Path, kind: str, digest: str, *, make: Callable[[Path], None]) -> Path:
    """The folder of that content. It gets its name when it is complete."""
    final = folder / f"{kind}-{digest}"
    if final.exists():
        os.utime(final)
        return final
    partial = folder / f"{kind}-part"
    if partial.exists():
        shutil.rmtree(partial)
    with timed(f"The hosts' {kind}"):
        make(partial)
    return partial.rename(final)


def _bootstrap(new: Path) -> None:
    without = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("man", "locale", "info")]
    include = f"--include={','.join(INCLUDE)}"
    _run("mmdebstrap", "--quiet", "--variant=minbase", include, *without, CODENAME, str(new), _archive())
    # A host mounts its own /dev. Device files here would have no end for whoever copies the checkout.
    for each in (new / "dev").iterdir():
        if not each.is_dir():
            each.unlink()


def _archive() -> str:
    """The Debian archive this machine installs from, which may be a mirror nearer than Debian's own."""
    listed = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE)"), capture_output=True, text=True
    )
    sites = [line.split()[1] for line in listed.stdout.splitlines() if line.startswith("Debian ")]
    return next((each for each in sites if "security" not in each), ARCHIVE)


def _furnish(plain: Path, shelf: Path, new: Path) -> None:
    """A copy of the plain tree with the vendor's first releases, a login, and none of Debian's own archives."""
    _run("cp", "-a", str(plain), str(new))
    (new / "etc/apt/sources.list").unlink()
    for key in (new / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    _run("chroot", str(new), "useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", USER)
    debs = [shelf / each.file_name for each in releases() if each.suite == BASE]
    (new / "debs").mkdir()
    for deb in debs:
        shutil.copy2(deb, new / "debs")
    _run("chroot", str(new), "dpkg", "--install", *(f"/debs/{each.name}" for each in debs))
    shutil.rmtree(new / "debs")
    wanted = new / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    for unit in ("ssh.service", "acme-agent.service"):
        (wanted / unit).unlink(missing_ok=True)
        (wanted / unit).symlink_to(f"/lib/systemd/system/{unit}")


def _run(*command: str) -> None:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run((*ENDS_WITH_US, *command), capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise StepFailed(
            f"`{' '.join(command[:2])}` answered {done.returncode}: {done.stderr[-800:].strip()}",
            target="the hosts' tree",
            left="nothing that a later start would use",
            next_step="check that this machine reaches a Debian archive",
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _own_code() -> str:
    """The code that builds is part of what is built."""
    return "".join(Path(each).read_text(encoding="utf-8") for each in (__file__, packages.__file__))

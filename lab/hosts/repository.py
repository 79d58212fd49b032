"""The vendor's signed apt repository: suites that keep one version of a package, as Debian's do."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from day2.errors import PlanRefused
from lab.hosts import keys, packages
from lab.hosts.releases import SUITES, Release, Suite, releases

HOST_NAME = "repository.lab"
LABELS = {"base": "Acme", "security": "Acme-Security", "updates": "Acme"}
VALID = timedelta(days=7)


@dataclass(frozen=True)
class Repository:
    """A folder that a web server hands out. `shelf` has every release; `keys_folder` the signing keys."""

    folder: Path
    shelf: Path
    keys_folder: Path

    def create(self) -> None:
        """Publish what is published from the start."""
        for name in ("archive", "stranger"):
            keys.make_signing_key(self.keys_folder / f"{name}.key")
        for release in releases():
            if release.suite:
                self._take(release.suite, release)
        self.index(SUITES)

    def sources(self, keyring: str) -> str:
        """The lines of a host's sources.list."""
        return "".join(f"deb [signed-by={keyring}] http://{HOST_NAME} acme-{suite} main\n" for suite in SUITES)

    def publish(self, suite: Suite, package: str, version: str) -> None:
        """Bring a release into a suite. The earlier version leaves it: a suite keeps one."""
        found = [each for each in releases() if (each.name, each.version) == (package, version)]
        if not found:
            raise PlanRefused(f"there is no {package} {version} on the shelf", target=str(self.shelf))
        self._take(suite, found[0])
        self.index([suite])

    def withdraw(self, suite: Suite, package: str) -> None:
        """Take a package out of a suite. Hosts that installed it keep it."""
        for file in self.pool(suite).glob(f"{package}_*.deb"):
            file.unlink()
        self.index([suite])

    def index(
        self, suites: Iterable[Suite], *, key: str = "archive", valid: timedelta = VALID, at: datetime | None = None
    ) -> None:
        """Write and sign the indexes of suites, as of now or of another moment."""
        with keys.signer(self.keys_folder / f"{key}.key") as gpg:
            for suite in suites:
                self._index(suite, gpg, at=at or datetime.now(UTC), valid=valid)

    def versions(self, suite: Suite) -> dict[str, str]:
        """Package and version of what a suite offers."""
        pairs = (file.name.split("_") for file in self.pool(suite).glob("*.deb"))
        return {name: version for name, version, _ in pairs}

    def _index(self, suite: Suite, gpg: tuple[str, ...], *, at: datetime, valid: timedelta) -> None:
        dist = self.folder / "dists" / f"acme-{suite}"
        listing = _run("apt-ftparchive", "packages", f"pool/acme-{suite}", cwd=self.folder)
        _write_listing(dist / "main/binary-amd64", listing)
        options = {
            "Origin": "Acme",
            "Label": LABELS[suite],
            "Suite": f"acme-{suite}",
            "Codename": f"acme-{suite}",
            "Architectures": "amd64 all",
            "Components": "main",
            "Acquire-By-Hash": "yes",
            "Date": f"{at:%a, %d %b %Y %H:%M:%S} UTC",
        }
        settings = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in options.items()]
        # apt-ftparchive leaves these two out, whatever it is told.
        more = f"Valid-Until: {at + valid:%a, %d %b %Y %H:%M:%S} UTC\n"
        more += f"Changelogs: http://{HOST_NAME}/changelogs/@CHANGEPATH@_changelog\n"
        release = more.encode() + _run("apt-ftparchive", *settings, "release", ".", cwd=dist)
        _replace(dist / "InRelease", _run(*gpg, "--clearsign", "--output", "-", "-", cwd=dist, stdin=release))

    def _take(self, suite: Suite, release: Release) -> None:
        pool = self.pool(suite)
        for file in pool.glob(f"{release.name}_*.deb"):
            file.unlink()
        packages.take(release, self.shelf, pool)
        # apt asks for main/<first letter>/<source>/<source>_<version>_changelog, without an epoch.
        notes = self.folder / "changelogs/main" / release.name[0] / release.name
        notes.mkdir(parents=True, exist_ok=True)
        (notes / f"{release.name}_{release.version}_changelog").write_text(packages.changelog(release))

    def pool(self, suite: Suite) -> Path:
        """The folder of the package files a suite offers."""
        return self.folder / "pool" / f"acme-{suite}"


def _write_listing(folder: Path, listing: bytes) -> None:
    """Under its name and under its digest: a host that read the Release before this one still finds its listing."""
    for name, content in (("Packages", listing), ("Packages.gz", gzip.compress(listing, mtime=0))):
        by_hash = folder / "by-hash/SHA512" / hashlib.sha512(content).hexdigest()
        by_hash.parent.mkdir(parents=True, exist_ok=True)
        by_hash.write_bytes(content)
        _replace(folder / name, content)


def _replace(file: Path, content: bytes) -> None:
    """Whole or not at all, and later by a second than before: apt asks only for what is newer."""
    before = file.stat().st_mtime if file.exists() else 0.0
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(content)
    moment = max(time.time(), before + 1)
    os.utime(partial, (moment, moment))
    partial.rename(file)


def _run(*command: str, cwd: Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(command, check=True, capture_output=True, cwd=cwd, input=stdin).stdout

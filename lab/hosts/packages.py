"""Build the vendor's releases as real Debian packages."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab.hosts.releases import Release

CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Acme Security <security@acme.example>
Section: admin
Priority: optional
{depends}Description: Acme's {name}, made for the lab
"""
CHANGELOG = """\
{name} ({version}) {suite}; urgency={urgency}

  * {text}

 -- Acme Security <security@acme.example>  Mon, 02 Nov 2026 09:00:00 +0000
"""


def build(releases: Iterable[Release], shelf: Path) -> None:
    """Make the .deb of each release in the folder `shelf`."""
    shelf.mkdir(parents=True, exist_ok=True)
    for release in releases:
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary) / "root"
            _lay_out(release, root)
            target = shelf / release.file_name
            subprocess.run(
                ("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, target), check=True, capture_output=True
            )


def changelog(release: Release) -> str:
    """What the release says about itself; a security release names its advisory."""
    text = f"Fix {release.advisory}." if release.advisory else "New release."
    urgency = "high" if release.advisory else "medium"
    suite = release.suite or "unreleased"
    return CHANGELOG.format(name=release.name, version=release.version, suite=suite, urgency=urgency, text=text)


def _lay_out(release: Release, root: Path) -> None:
    control = root / "DEBIAN"
    control.mkdir(parents=True)
    root.chmod(0o755)
    depends = f"Depends: {release.depends}\n" if release.depends else ""
    text = CONTROL.format(name=release.name, version=release.version, depends=depends)
    (control / "control").write_text(text)
    if release.conffiles:
        (control / "conffiles").write_text("".join(f"{each}\n" for each in release.conffiles))
    if release.postinst:
        (control / "postinst").write_text(release.postinst)
        (control / "postinst").chmod(0o755)
    notes = root / "usr/share/doc" / release.name
    notes.mkdir(parents=True)
    (notes / "changelog.Debian.gz").write_bytes(gzip.compress(changelog(release).encode(), mtime=0))
    for path, content in release.files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if content.startswith("#!") else 0o644)


def take(release: Release, shelf: Path, into: Path) -> Path:
    """Put the release's .deb into a folder, whole or not at all."""
    into.mkdir(parents=True, exist_ok=True)
    target = into / release.file_name
    partial = target.with_suffix(f".part-{os.getpid()}")
    shutil.copy2(shelf / release.file_name, partial)
    return partial.rename(target)

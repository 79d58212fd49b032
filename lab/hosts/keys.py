"""Keys of the lab: for signing a repository, for logging in, and each host's own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "Acme archive <archive@acme.example>"


def make_ssh_key(path: Path, comment: str) -> None:
    """A new ed25519 key pair without a passphrase; an existing one is replaced."""
    path.unlink(missing_ok=True)
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path), check=True)


def make_signing_key(path: Path) -> None:
    """A new OpenPGP key: the secret part in `path`, the public part beside it, as `.gpg`."""
    with _keyring() as gpg:
        _run(*gpg, "--passphrase", "", "--quick-gen-key", USER, "ed25519", "sign", "1y")
        path.touch(0o600)
        path.write_bytes(_run(*gpg, "--export-secret-keys"))
        path.with_suffix(".gpg").write_bytes(_run(*gpg, "--export"))


@contextmanager
def signer(path: Path) -> Iterator[tuple[str, ...]]:
    """The start of a gpg command line that signs with the key in `path`."""
    with _keyring() as gpg:
        _run(*gpg, "--import", str(path))
        yield gpg


@contextmanager
def _keyring() -> Iterator[tuple[str, ...]]:
    # gpg leaves an agent running, whose socket needs a short path: a folder of its own, and the agent ends with it.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        try:
            yield ("gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--no-tty")
        finally:
            _run("gpgconf", "--homedir", home, "--kill", "all")


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout

"""Switches for what goes wrong with the repository. Each holds for a block."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from lab.files import read_json
from lab.hosts.fleet import Fleet
from lab.hosts.releases import Suite
from lab.hosts.repository import Repository


@contextmanager
def unreachable(fleet: Fleet) -> Iterator[None]:
    """No machine has the repository's address."""
    fleet.repository_address(present=False)
    try:
        yield
    finally:
        fleet.repository_address(present=True)


@contextmanager
def hanging(fleet: Fleet) -> Iterator[None]:
    """The repository accepts connections and never answers."""
    pid = read_json(fleet.folder / "net.json")["repository"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def signed_by_stranger(repository: Repository, suite: Suite) -> Iterator[None]:
    """A suite's index is signed with a key no host trusts."""
    repository.index([suite], key="stranger")
    try:
        yield
    finally:
        repository.index([suite])


@contextmanager
def expired(repository: Repository, suite: Suite) -> Iterator[None]:
    """A suite's index says that it was valid until an hour ago."""
    repository.index([suite], valid=timedelta(hours=-1))
    try:
        yield
    finally:
        repository.index([suite])


@contextmanager
def file_gone(repository: Repository, suite: Suite, package: str) -> Iterator[None]:
    """The index lists a package whose file is not there."""
    file = next(repository.pool(suite).glob(f"{package}_*.deb"))
    aside = file.rename(file.with_suffix(".aside"))
    try:
        yield
    finally:
        aside.rename(file)


@contextmanager
def file_altered(repository: Repository, suite: Suite, package: str) -> Iterator[None]:
    """A package's file has the size of the index, and other content."""
    file = next(repository.pool(suite).glob(f"{package}_*.deb"))
    original = file.read_bytes()
    file.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    try:
        yield
    finally:
        file.write_bytes(original)

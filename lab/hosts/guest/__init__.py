"""Files that run inside the hosts: their first process, what stands for systemd, Acme's service."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def text(name: str) -> str:
    """The content of one of them."""
    return (FOLDER / name).read_text(encoding="utf-8")

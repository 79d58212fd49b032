"""What an interrupted start left half-made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.files import sweep

FILLS = 'while true; do echo > "$0/$RANDOM"; done'


@pytest.mark.parametrize("told", [False, True], ids=["works in it", "was told of it"])
def test_what_still_fills_a_half_made_folder_is_ended_before_it_is_removed(tmp_path: Path, told: bool) -> None:
    half, other = tmp_path / "half-made-1", tmp_path / "data"
    for each in (half, other):
        each.mkdir()
    program = shutil.copy(shutil.which("bash") or "", tmp_path / "initdb")
    where = (half if told else ".", "/" if told else half)
    with (
        subprocess.Popen([program, "-c", FILLS, where[0]], cwd=where[1]) as ours,
        subprocess.Popen([program, "-c", FILLS, other], cwd=other) as someone_elses,
    ):
        try:
            sweep(tmp_path, "half-made-*")
            ours.wait(10)  # raises if it goes on
            assert someone_elses.poll() is None
        finally:
            ours.kill()
            someone_elses.kill()
    assert not half.exists()
    assert any(other.iterdir())

"""Programs as streams: a failure is never the end of the data, and nothing is left running."""

from __future__ import annotations

import io
import os
import time

import psutil
import pytest

from day2.errors import StepFailed, Unavailable
from day2.postgres import restore
from day2.postgres.programs import run, running

ENV = {"PATH": "/usr/bin:/bin"}


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def read_all(program) -> bytes:
    return b"".join(iter(lambda: program.read(1 << 16), b""))


def test_the_output_of_a_program_that_succeeds_comes_whole():
    with running(shell("head -c 300000 /dev/zero"), env=ENV) as program:
        assert len(read_all(program)) == 300_000
    assert run(shell("printf 'größe'"), env=ENV) == "größe"


def test_a_program_that_fails_after_its_output_is_an_error_at_the_end():
    with running(shell("printf data; echo 'why it failed' >&2; exit 3"), env=ENV) as program:
        assert program.read(100) == b"data"
        with pytest.raises(StepFailed, match="sh failed with exit code 3: why it failed"):
            program.read(100)


def test_a_program_that_was_killed_is_an_error():
    with pytest.raises(StepFailed, match="was killed by signal 9: it printed nothing"):
        run(shell("kill -9 $$"), env=ENV)


def test_only_the_last_lines_of_much_stderr_are_told():
    with pytest.raises(StepFailed) as failed:
        run(shell("for n in $(seq 5000); do echo line $n >&2; done; exit 1"), env=ENV)
    assert "line 4995 | line 4996" in failed.value.happened
    assert "line 4994" not in failed.value.happened


@pytest.mark.parametrize(
    "words",
    [
        "server closed the connection unexpectedly",
        "FATAL:  terminating connection due to administrator command",
        "connection failed: Connection refused",
        "FATAL:  the database system is shutting down",
    ],
)
def test_a_server_that_went_away_is_told_from_a_program_that_failed(words):
    with pytest.raises(Unavailable) as failed:
        run(shell(f"echo 'pg_dump: error: {words}' >&2; exit 1"), env=ENV)
    assert failed.value.transient


@pytest.mark.parametrize("words", ["FATAL:  password authentication failed", "invalid page in block 3 of relation x"])
def test_what_a_retry_cannot_help_is_not_called_transient(words):
    with pytest.raises(StepFailed) as failed:
        run(shell(f"echo 'connection to server at \"x\" failed: {words}' >&2; exit 1"), env=ENV)
    assert not failed.value.transient


def test_a_program_nobody_reads_from_any_more_is_stopped():
    with running(shell("exec cat /dev/zero"), env=ENV) as program:
        program.read(10)
        process = psutil.Process(program.process.pid)
    assert not process.is_running()


def test_a_program_that_will_not_end_is_ended(monkeypatch):
    def impatient(self, timeout=None, wait=program_wait):
        return wait(self, timeout=0.2 if timeout else None)

    monkeypatch.setattr("subprocess.Popen.wait", impatient)
    with running(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"), env=ENV) as program:
        program.read(10)
        process = psutil.Process(program.process.pid)
    assert not process.is_running()


program_wait = __import__("subprocess").Popen.wait


def test_an_exception_in_the_block_stops_the_program_and_stays_itself():
    seen = []

    def work() -> None:
        with running(shell("exec sleep 60"), env=ENV) as program:
            seen.append(psutil.Process(program.process.pid))
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        work()
    assert not seen[0].is_running()


def test_only_the_environment_that_was_given_is_passed():
    os.environ["DAY2_TEST_SECRET"] = "x"
    try:
        assert "DAY2_TEST_SECRET" not in run(shell("env"), env=ENV)
    finally:
        del os.environ["DAY2_TEST_SECRET"]


# --- feeding a stream to a program


class Failing:
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        if data := self._data.read(size):
            return data
        raise StepFailed("the stored bytes are damaged")


def test_a_program_gets_all_of_a_stream(tmp_path):
    restore.feed(shell(f"cat > {tmp_path}/out"), io.BytesIO(b"x" * 3_000_000), env=ENV)
    assert (tmp_path / "out").stat().st_size == 3_000_000


def test_a_program_that_stops_reading_fails_with_its_own_words():
    with pytest.raises(StepFailed, match="exit code 2: disk full"):
        restore.feed(shell("head -c 10 >/dev/null; echo disk full >&2; exit 2"), io.BytesIO(b"x" * 9_000_000), env=ENV)


def test_a_stream_is_read_to_its_end_even_if_the_program_has_enough():
    """Only at its end is a stream known to be whole: tar stops at its end mark, and the rest may be damaged."""
    with pytest.raises(StepFailed, match="damaged"):
        restore.feed(shell("head -c 10 >/dev/null"), Failing(b"x" * 9_000_000), env=ENV)
    with pytest.raises(StepFailed, match="damaged"):
        restore.feed(shell("cat >/dev/null"), Failing(b"x" * 3_000_000), env=ENV)


def test_a_stream_that_fails_stops_the_program(tmp_path):
    begun = time.monotonic()
    script = f"echo $$ > {tmp_path}/pid; cat > /dev/null; sleep 60"
    with pytest.raises(StepFailed, match="damaged"):
        restore.feed(shell(script), Failing(b"x" * 2_000_000), env=ENV)
    assert time.monotonic() - begun < 20
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))

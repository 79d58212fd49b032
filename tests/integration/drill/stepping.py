"""A drill step by step, and ways to break it in the middle of one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from day2.errors import Unavailable
from day2.hosts.shell import Done, Local
from day2.operations.dr_drill import clear_up, fence, promote, rejoin, switch_back, telling
from day2.operations.dr_drill.pair import Node, Pair

SECONDS = 60.0
STEPS = ("fence", "replay", "promote", "rejoin", "switch_back", "clear_up")
Step = Callable[[Pair], dict[str, Any]]


def steps(mode: str = "fast") -> dict[str, Step]:
    """Every step as a function of the pair."""
    return {
        "fence": lambda pair: fence.fence(pair, mode=mode, crashed_ok=mode == "immediate"),
        "replay": lambda pair: promote.replay(pair, seconds=SECONDS),
        "promote": lambda pair: promote.promote(pair, seconds=SECONDS),
        "rejoin": lambda pair: rejoin.rejoin(pair, seconds=SECONDS),
        "switch_back": lambda pair: switch_back.switch_back(pair, seconds=SECONDS, route=lambda node: {}),
        "clear_up": lambda pair: clear_up.clear_up(pair, "test"),
    }


def told(step: Step) -> Step:
    """The step with the state of both servers in every error."""

    def tell(pair: Pair) -> dict[str, Any]:
        with telling.stated(pair):
            return step(pair)

    return tell


def drill(pair: Pair, *, since: str = "fence", until: str = "clear_up", mode: str = "fast") -> dict[str, Any]:
    """The steps from one to another, both done. Returns the measures of each."""
    doing = STEPS[STEPS.index(since) : STEPS.index(until) + 1]
    return {name: told(steps(mode)[name])(pair) for name in doing}


def before(step: str) -> str | None:
    """The step that comes before one."""
    index = STEPS.index(step)
    return STEPS[index - 1] if index else None


# Commands that only look: what matters is to break at those that change something.
LOOKS = ("printenv", "cat", "test", "ls", "find", "df", "pg_ctl status", "postgres", "env")


def changes(command: tuple[str, ...]) -> bool:
    """Whether a command on a host does something there."""
    return command[0] not in LOOKS and " ".join(command[:2]) not in LOOKS


@dataclass
class Breaking:
    """A login whose host stops answering at its nth command that changes something, or whose user dies then."""

    inner: Local
    at: int
    kill: bool = False
    commands: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.inner.label

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 60.0) -> Done:
        if changes(command):
            self.commands.append(command[0])
        if len(self.commands) < self.at:
            return self.inner.run(*command, stdin=stdin, seconds=seconds)
        if not self.kill:
            raise Unavailable("SSH failed: the network is cut", target=self.label)
        self._die_during(command, stdin)

    def _die_during(self, command: tuple[str, ...], stdin: bytes) -> Any:
        """The command has begun on the host and goes on there; who asked for it is gone."""
        env = {"PATH": os.defpath, "LC_ALL": "C", **self.inner.env}
        began = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", env=env,
            user=self.inner.user, group=self.inner.group, start_new_session=True,
        )  # fmt: skip
        assert began.stdin
        began.stdin.write(stdin)
        began.stdin.close()
        os.kill(os.getpid(), signal.SIGKILL)


def breaking(pair: Pair, at: int, *, kill: bool = False) -> tuple[Pair, list[Breaking]]:
    """The pair with both hosts' logins breaking at their nth command."""

    def broken(node: Node) -> Node:
        assert isinstance(node.shell, Local)
        return replace(node, shell=Breaking(node.shell, at, kill))

    made = replace(pair, primary=broken(pair.primary), standby=broken(pair.standby))
    return made, [each.shell for each in made.nodes if isinstance(each.shell, Breaking)]


def in_a_process(step: str, pair: Pair) -> int | None:
    """Run a step as a worker does, in a process of its own. Returns the exit code: negative if it was killed.

    Not forked from this process: its threads, one of them in libpq, may hold a lock that the child waits for.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_work, args=(step, pair))
    process.start()
    process.join(120)
    return process.exitcode


def _work(step: str, pair: Pair) -> None:
    steps()[step](pair)

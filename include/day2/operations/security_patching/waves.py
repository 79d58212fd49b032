"""Which host may start now, and whether the next wave may begin. Pure.

Every host's task asks for itself, at the same time as others. No lock is needed: free places go to the
first waiting hosts in the plan's order, so two tasks that see the same states never claim the same place,
and a place only becomes free when a host succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from day2.control.window import Deadline
from day2.inventory.model import Host
from day2.inventory.patching import WAVES, PatchPolicy
from day2.operations.security_patching import budget
from day2.operations.security_patching.budget import HostState
from day2.units import utc


@dataclass(frozen=True)
class Wave:
    """Hosts that are patched together. `budget` is how many of them may be out of service at once."""

    name: str
    hosts: tuple[str, ...]
    budget: int
    max_failures: int
    bake_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For a plan."""
        return asdict(self) | {"hosts": list(self.hosts)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Wave:
        """The wave that `as_dict` told, also after JSON."""
        return cls(**{**told, "hosts": tuple(told["hosts"])})


@dataclass(frozen=True)
class Rollout:
    """Where a run stands. A host without a state is waiting."""

    waves: tuple[Wave, ...]
    fleet_budget: int
    states: Mapping[str, HostState]
    deadline: Deadline | None = None

    def state(self, host: str) -> HostState:
        """The state of a host."""
        return self.states.get(host, "waiting")

    def those(self, wave: Wave, *states: HostState) -> list[str]:
        """The hosts of a wave in one of these states."""
        return [each for each in wave.hosts if self.state(each) in states]

    @property
    def hosts(self) -> list[str]:
        """All of them, in the order they run."""
        return [each for wave in self.waves for each in wave.hosts]


@dataclass(frozen=True)
class Answer:
    """`go` now, `wait` and ask again (at `at`, if that is known), or `stop` for this run."""

    word: Literal["go", "wait", "stop"]
    why: str
    at: datetime | None = None


def arrange(hosts: Sequence[Host], policy: PatchPolicy, *, fleet: int) -> tuple[tuple[Wave, ...], int]:
    """The waves of these hosts, empty ones left out, and the budget of a fleet of so many hosts."""
    made = []
    for name in WAVES:
        names = tuple(each.name for each in hosts if each.wave == name)
        rule = policy.waves.of(name)
        if names:
            share = budget.allowed(rule.disruption_budget, len(names))
            made.append(Wave(name, names, share, rule.max_failures, rule.bake.total_seconds()))
    return tuple(made), budget.allowed(policy.disruption_budget, fleet)


def may_start(rollout: Rollout, host: str, now: datetime) -> Answer:
    """Whether this host may be drained now."""
    state = rollout.state(host)
    if state == "busy":
        # Its worker died. It is out of service and counted already: what was begun is brought to an end.
        return Answer("go", "it was begun and not finished")
    if state != "waiting":
        return Answer("stop", f"it is {state.replace('_', ' ')}")
    position = next(number for number, each in enumerate(rollout.waves) if host in each.hosts)
    wave = rollout.waves[position]
    return (
        _late(rollout, now)
        or _earlier(rollout, rollout.waves[:position])
        or _too_many_failures(rollout, wave)
        or _place(rollout, wave, host)
    )


def startable(rollout: Rollout, now: datetime) -> tuple[str, ...]:
    """Every waiting host that may start now."""
    return tuple(
        each
        for each in rollout.hosts
        if rollout.state(each) == "waiting" and may_start(rollout, each, now).word == "go"
    )


def gate(rollout: Rollout, wave: Wave, *, finished: datetime, now: datetime) -> Answer:
    """Whether the wave after this one may begin. `finished` is when this one's last host was done."""
    if unfinished := rollout.those(wave, "waiting", "busy"):
        return Answer("stop", f"{wave.name}: not finished: {_named(unfinished)}")
    if skipped := rollout.those(wave, "not_attempted"):
        return Answer("stop", f"{wave.name}: not attempted: {_named(skipped)}")
    if answer := _too_many_failures(rollout, wave):
        return answer
    if wave.hosts and not rollout.those(wave, "succeeded"):
        return Answer("stop", f"{wave.name}: no host succeeded, so nothing is known of the patch")
    if len(gone := budget.lost(rollout.states, rollout.hosts)) >= rollout.fleet_budget:
        return Answer("stop", _used_up("fleet", rollout.fleet_budget, gone))
    opens = finished + timedelta(seconds=wave.bake_seconds)
    if rollout.deadline and max(opens, now) >= rollout.deadline.at:
        return Answer("stop", f"{rollout.deadline.why} comes before the end of the bake time of {wave.name}")
    if now < opens:
        return Answer("wait", f"{wave.name} bakes until {utc(opens)}", at=opens)
    return Answer("go", f"{wave.name}: {len(rollout.those(wave, 'succeeded'))} of {len(wave.hosts)} hosts succeeded")


def to_roll_back(rollout: Rollout, wave: Wave, scope: Literal["host", "wave"]) -> tuple[str, ...]:
    """The hosts of a wave that get their earlier versions back, last first.

    `wave` takes those that succeeded too, once more hosts failed than the wave allows: then it is the patch.
    """
    failed = rollout.those(wave, "failed")
    whole = scope == "wave" and len(failed) > wave.max_failures
    return tuple(reversed(rollout.those(wave, "failed", "succeeded") if whole else failed))


def ended(rollout: Rollout) -> dict[str, HostState]:
    """The states when nothing runs any more: who never began was not attempted, who never ended failed."""
    final: dict[HostState, HostState] = {"waiting": "not_attempted", "busy": "failed"}
    return {each: final.get(state := rollout.state(each), state) for each in rollout.hosts}


def left_to_do(targets: Sequence[str], states: Mapping[str, HostState]) -> tuple[str, ...]:
    """What a rerun takes, with the same frozen set: everything but what succeeded."""
    return tuple(each for each in targets if states.get(each, "not_attempted") != "succeeded")


def _late(rollout: Rollout, now: datetime) -> Answer | None:
    if rollout.deadline and now >= rollout.deadline.at:
        return Answer("stop", f"{rollout.deadline.why} was at {utc(rollout.deadline.at)}: no further host starts")
    return None


def _earlier(rollout: Rollout, earlier: Sequence[Wave]) -> Answer | None:
    """A host's task of a later wave cannot run before its gate opened; if it does, that is caught here."""
    for wave in earlier:
        if unfinished := rollout.those(wave, "waiting", "busy"):
            return Answer("wait", f"the wave {wave.name} is not finished: {_named(unfinished)}")
        if skipped := rollout.those(wave, "not_attempted"):
            return Answer("stop", f"the wave {wave.name} was not finished: {_named(skipped)}")
        if answer := _too_many_failures(rollout, wave):
            return answer
    return None


def _too_many_failures(rollout: Rollout, wave: Wave) -> Answer | None:
    failed = rollout.those(wave, "failed")
    if len(failed) <= wave.max_failures:
        return None
    return Answer("stop", f"{wave.name}: {len(failed)} failed ({_named(failed)}), more than {wave.max_failures}")


def _place(rollout: Rollout, wave: Wave, host: str) -> Answer:
    """Whether there is a free place for it, in the wave's budget and in the fleet's."""
    free = []
    # The wave's budget limits what this run takes out; the fleet's what people miss, whoever took it out.
    ours = [each for each in wave.hosts if rollout.state(each) != "blocked"]
    for name, hosts, limit in (("fleet", rollout.hosts, rollout.fleet_budget), (wave.name, ours, wave.budget)):
        if len(gone := budget.lost(rollout.states, hosts)) >= limit:
            return Answer("stop", _used_up(name, limit, gone))
        free.append(limit - len(budget.out(rollout.states, hosts)))
    waiting = rollout.those(wave, "waiting")
    if waiting.index(host) < min(free):
        return Answer("go", f"{min(free)} places are free")
    return Answer(
        "wait", f"{len(budget.out(rollout.states, rollout.hosts))} hosts are out of service; it is not its turn"
    )


def _used_up(name: str, limit: int, gone: Sequence[str]) -> str:
    return f"the disruption budget of {name} ({limit}) is used up by {_named(gone)}"


def _named(hosts: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(hosts) - 5} more" if len(hosts) > 5 else ""
    return ", ".join(hosts[:5]) + more

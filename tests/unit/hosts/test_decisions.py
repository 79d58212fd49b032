"""What is decided without a host: the set, what fits, what failed and why, who is well, what is restarted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.errors import StepFailed
from day2.hosts import failures, freeze, health, services
from day2.hosts.drain import Command, Hook, drain, undrain
from day2.hosts.model import Change, Package, PatchSet, Service
from day2.hosts.script import Host
from day2.hosts.services import Restarted
from day2.hosts.shell import Done

names = st.text("abcdefgh-", min_size=1, max_size=6)
changes = st.builds(Change, names, st.sampled_from(["all", "amd64"]), st.none() | names, names)


class Scripted:
    """A shell that answers from a list and keeps what it was told."""

    label = "lb"

    def __init__(self, *answers: Done) -> None:
        self.answers = list(answers)
        self.told: list[tuple[tuple[str, ...], bytes]] = []

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 60.0) -> Done:
        self.told.append((command, stdin))
        return self.answers.pop(0)


@given(st.lists(changes))
def test_a_digest_depends_on_versions_and_not_on_order_or_on_what_was_before(some: list[Change]) -> None:
    frozen = PatchSet.of(some)
    assert PatchSet.of(reversed(some)).digest == frozen.digest
    assert PatchSet.of(Change(c.name, c.arch, "other", c.after) for c in some).digest == frozen.digest
    assert PatchSet.from_dict(frozen.as_dict()) == frozen


def test_a_set_whose_changes_were_tampered_with_is_refused() -> None:
    told = PatchSet.of([Change("app", "all", "1", "2")]).as_dict()
    told["changes"][0]["after"] = "3"
    with pytest.raises(ValueError, match="digest"):
        PatchSet.from_dict(told)


def test_the_canarys_version_rules_where_hosts_froze_different_ones() -> None:
    canary = PatchSet.of([Change("app", "all", "1", "2")])
    later = PatchSet.of([Change("app", "all", "1", "3"), Change("web", "all", "1", "2")])
    assert {each.key: each.after for each in freeze.merge([canary, later]).changes} == {"app:all": "2", "web:all": "2"}


@pytest.mark.parametrize(
    ("wanted", "package", "taken"),
    [
        (freeze.Wanted(), Package("app", "all", "1", "2", security=True), True),
        (freeze.Wanted(), Package("app", "all", "1", "2"), False),
        (freeze.Wanted(security_only=False), Package("app", "all", "1", "2"), True),
        (freeze.Wanted(), Package("app", "all", "1", "2", security=True, held=True), False),
        (freeze.Wanted(rejected=("a*",)), Package("app", "all", "1", "2", security=True), False),
        (freeze.Wanted(approved=("b*",)), Package("app", "all", "1", "2", security=True), False),
        (freeze.Wanted(), Package("app", "all", "1"), False),
    ],
)
def test_the_policy_decides_what_belongs_in_the_set(wanted: freeze.Wanted, package: Package, taken: bool) -> None:
    assert wanted.takes(package) is taken


def test_apts_simulation_is_read_with_new_packages_and_epochs() -> None:
    lines = [
        "Reading package lists...",
        "Inst app [1.0] (1.1 Lab-Security:lab-security [all]) []",
        "Inst libc6:i386 [2.36-9] (2.36-9+deb12u13 Debian:12.12/oldstable, Debian-Security:12/bookworm [i386])",
        "Inst newdep (1:1.0 Lab:lab [amd64])",
        # As our script puts what dnf would do:
        "Inst acme-lib [1:2.0-1] (1:2.1-1 acme [noarch])",
        "Conf app (1.1 Lab-Security:lab-security [all])",
    ]
    assert freeze.simulated(lines) == (
        Change("app", "all", "1.0", "1.1"),
        Change("libc6", "i386", "2.36-9", "2.36-9+deb12u13"),
        Change("newdep", "amd64", None, "1:1.0"),
        Change("acme-lib", "noarch", "1:2.0-1", "1:2.1-1"),
    )


@pytest.mark.parametrize(
    ("said", "happened", "runbook"),
    [
        ("dpkg: error: cannot write: No space left on device", "the disk is full", "The disk of a host is full"),
        (
            "day2: waiting up to 1 s\nday2: lock held by 12 apt-get upgrade",
            "the package manager's lock is held: 12 apt-get upgrade",
            "The package manager's lock is held",
        ),
        (
            "E: Held packages were changed and -y was used without --allow-change-held-packages.",
            "a held package would have to change",
            "A held package stands in the way",
        ),
        ("The following packages have unmet dependencies:", "dependencies cannot be satisfied", "A broken dependency"),
        (
            "E: Version '1.1' for 'app' was not found",
            "a version of the set is not there: 1.1, app",
            "A package version is gone from the repository",
        ),
        (
            "dpkg: error processing package app (--configure):",
            "a package does not install: app",
            "A package does not install",
        ),
        ("strange words", "the installation answered 7: strange words", "A package does not install"),
    ],
)
def test_apts_words_become_a_cause(said: str, happened: str, runbook: str) -> None:
    found = failures.cause(said, 7)
    assert (found.happened, found.runbook) == (happened, runbook)


def verdict(answers: str) -> str:
    return health.judge([each == "y" for each in answers], in_a_row=3, flaps=2)


def test_a_service_is_well_after_enough_good_answers_in_a_row() -> None:
    assert verdict("yyy") == "well"
    assert verdict("nnnnnyyy") == "well"  # it took its time to start
    assert verdict("yy") == "undecided"
    assert verdict("yynyyy") == "well"  # one slip is forgiven
    assert verdict("yyn") == "ill"


def test_a_service_that_falls_twice_flaps_however_well_it_looks_now() -> None:
    assert verdict("ynyn") == "flapping"
    assert verdict("ynynyyy") == "flapping"


def test_what_is_restarted_is_each_unit_once_and_never_what_only_a_reboot_renews() -> None:
    found = [
        Service("web.service", 1, ("/usr/lib/a",)),
        Service("web.service", 2, ("/usr/lib/a",)),
        Service("dbus.service", 3, ("/usr/lib/a",)),
        Service("user@1000.service", 4, ("/usr/lib/a",)),
        Service("db.service", 5, ("/usr/lib/a",)),
        Service("", 6, ("/usr/lib/a",)),
    ]
    assert services.restartable(found) == ("db.service", "web.service")
    assert services.restartable(found, never=("db*",)) == ("web.service",)


def test_what_a_scan_has_just_shown_is_not_looked_for_again() -> None:
    only_a_reboot = (Service("dbus.service", 3, ("/usr/lib/a",)),)
    asked = Scripted()
    assert services.restart(Host("web-01", asked), found=only_a_reboot) == Restarted((), only_a_reboot)
    asked = Scripted(Done(0, "", ""), Done(0, "", ""))
    done = services.restart(Host("web-01", asked), found=(Service("web.service", 1, ("/usr/lib/a",)),))
    assert done == Restarted(("web.service",), ())
    assert [command[6] for command, _ in asked.told] == ["restart.sh", "stale.sh"]


def test_needrestart_adds_units_but_no_second_entry() -> None:
    lines = ["12\tweb.service\t/usr/lib/a", "12\tweb.service\t/usr/lib/b", "0\tweb.service\tneedrestart"]
    lines.append("0\tperl.service\tneedrestart")
    assert services.parse(lines) == (
        Service("perl.service", 0, ("needrestart",)),
        Service("web.service", 12, ("/usr/lib/a", "/usr/lib/b")),
    )


HAPROXY = Command(("haproxy-control",), "set server web/{host} state drain\n", expect="")


def test_a_load_balancer_that_refuses_with_exit_code_zero_is_believed() -> None:
    shell = Scripted(Done(0, "No such server.\n", ""))
    with pytest.raises(StepFailed, match=r"cannot be drained: .* said No such server.") as caught:
        drain(Hook(shell, HAPROXY, HAPROXY), "web-1")
    assert caught.value.left == "still in service; nothing was changed on it"
    assert shell.told == [(("haproxy-control",), b"set server web/web-1 state drain\n")]


def test_a_host_that_cannot_be_put_back_is_said_to_be_out() -> None:
    shell = Scripted(Done(1, "", "connection refused"))
    with pytest.raises(StepFailed, match="cannot be put back: .*connection refused") as caught:
        undrain(Hook(shell, HAPROXY, HAPROXY), "web-1")
    assert caught.value.left == "drained: it is well, and takes no traffic"


def test_a_drained_host_is_waited_for_until_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("day2.hosts.drain.POLL_SECONDS", 0.0)
    idle = Command(("sessions", "{host}"), expect="0")
    shell = Scripted(Done(0, "", ""), Done(0, "7\n", ""), Done(0, "0\n", ""))
    drain(Hook(shell, HAPROXY, HAPROXY, idle), "web-1")
    assert shell.answers == []

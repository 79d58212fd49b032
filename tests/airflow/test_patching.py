"""Security patching in a running Airflow, on real hosts: a broken release, then its correction on every host."""

from __future__ import annotations

import csv
import io
import os
import signal
from typing import Any

import httpx
import pytest

from lab import patchable
from lab.hosts import fleet as lab_hosts
from lab.hosts import resident
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT, SECURITY
from tests.booted import Finished, Suite

pytest_plugins = ("tests.booted",)
# The lab, a backup and a run are set up for the first of them.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
DAG = "security_patching.production"
CANARY, EARLY, BROAD = ("web-01",), ("web-02", "app-01"), ("web-03", "app-02", "db-01")
OTHERS = (*EARLY, *BROAD)
BROKEN, MENDED, WORSE = "1.2-1", "1.3-1", "1.4-1"
SLOW_SECONDS = 15


@pytest.fixture(scope="module")
def hosts(suite: Suite) -> Fleet:
    if reason := lab_hosts.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    return resident.require(patchable.folder(suite.lab.places.state))


@pytest.fixture(scope="module")
def broken(suite: Suite, hosts: Fleet) -> Finished:
    """The run of a release that answers 500."""
    suite.run("database_backup.production", reason="before patching")
    hosts.repository.publish(SECURITY, "acme-agent", BROKEN)
    return patched(suite)


@pytest.fixture(scope="module")
def good(suite: Suite, hosts: Fleet, broken: Finished) -> Finished:
    """The run of its correction. On the way a worker is killed, and the repository moves on to a worse release."""
    hosts.repository.publish(SECURITY, "acme-agent", MENDED)
    hosts.repository.publish(SECURITY, "acme-slow", "1.1-1")
    hosts[BROAD[0]].run("sh", "-c", f"echo {SLOW_SECONDS} >/etc/acme-slow.seconds")
    run_id = begin(suite)
    suite.wait(lambda: begun(suite, run_id, EARLY[0]) is not None, "the wave after the canary")
    hosts.repository.publish(SECURITY, "acme-agent", WORSE)
    suite.wait(lambda: configuring(hosts, BROAD[0]), "a host in the middle of its installation")
    intent = begun(suite, run_id, BROAD[0])
    assert intent is not None
    os.kill(intent["pid"], signal.SIGKILL)
    return suite.finish(DAG, run_id)


def begin(suite: Suite, **conf: Any) -> str:
    run_id = suite.start(DAG, **{"reason": "patch test", **conf})
    suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question")
    suite.approver.approve(DAG, run_id)
    return run_id


def patched(suite: Suite, **conf: Any) -> Finished:
    return suite.finish(DAG, begin(suite, **conf))


def begun(suite: Suite, run_id: str, host: str) -> dict[str, Any] | None:
    found = [each for each in suite.entries(DAG, run_id, "intent") if each["target"] == host]
    return found[-1] if found else None


def configuring(hosts: Fleet, name: str) -> bool:
    return "half-configured" in hosts[name].run("dpkg-query", "-W", "-f", "${Status}", "acme-slow")


def versions(hosts: Fleet, package: str = "acme-agent") -> dict[str, str]:
    return {name: hosts[name].run("dpkg-query", "-W", "-f", "${Version}", package) for name in hosts.names}


def answers(hosts: Fleet, name: str) -> str:
    """The service as somebody sees it who knows nothing of packages."""
    return httpx.get(f"http://{hosts.address(name)}:{AGENT_PORT}/", trust_env=False).text


def measures(finished: Finished, step: str, host: str) -> dict[str, Any]:
    return dict(finished.record["measures"][host][step])


def file_of(suite: Suite, finished: Finished, ending: str) -> str:
    """A file of the run's evidence, as an auditor fetches it."""
    (uri,) = [each["uri"] for each in finished.record["artefacts"] if each["uri"].endswith(ending)]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    store = next(each for each in suite.lab.stores if each.region in bucket)
    return str(store.client().get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def states(suite: Suite, finished: Finished) -> dict[tuple[str, str], str]:
    rows = csv.DictReader(io.StringIO(file_of(suite, finished, "states.csv")))
    return {(each["host"], each["package"]): each["state"] for each in rows}


def text(suite: Suite, finished: Finished, task: str) -> str:
    return "\n".join(str(line.get("event")) for line in suite.log(finished, task))


def test_a_broken_release_ends_at_the_canary(suite: Suite, broken: Finished) -> None:
    assert (broken.record["verdict"], broken.state) == ("FAILED", "failed")
    assert broken.record["targets"]["failed"] == [*CANARY]
    assert sorted(broken.record["targets"]["not_attempted"]) == sorted(OTHERS)
    assert {each["target"] for each in broken.record["steps"]} == {*CANARY}
    assert broken.state_of("early.open_wave") == broken.state_of("broad.open_wave") == "failed"


def test_the_canary_is_as_it_was_and_well_and_the_others_were_not_touched(broken: Finished, hosts: Fleet) -> None:
    told = measures(broken, "roll_back", CANARY[0])
    assert (told["rolled_back"], told["healthy"], told["in_service"]) == (True, True, True)
    # The fixture `good` may have run since: what counts is what was seen then.
    assert "1.2-1" not in "".join(versions(hosts).values())


def test_the_record_tells_the_state_of_every_package_of_every_host(suite: Suite, broken: Finished) -> None:
    found = states(suite, broken)
    assert found[CANARY[0], "acme-agent"] == "rolled_back"
    assert {found[each, "acme-agent"] for each in OTHERS} == {"not_attempted"}


def test_on_call_reads_what_was_ill_and_what_to_do(suite: Suite, broken: Finished) -> None:
    log = text(suite, broken, "canary.patch[0]")
    assert "The requested URL returned error: 500" in log
    assert "Runbook: A service is ill after the patch." in log
    assert "canary: 1 failed (web-01), more than 0" in text(suite, broken, "early.open_wave")
    assert "web-01: its earlier versions are back; it is in service" in text(suite, broken, "canary.roll_back[0]")


def test_the_report_is_one_page_that_tells_of_the_rollback(suite: Suite, broken: Finished) -> None:
    page = file_of(suite, broken, "report.html")
    assert "rolled back" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://127.0.0.1:8390", "")


def test_the_correction_goes_through_all_waves(good: Finished, hosts: Fleet) -> None:
    assert (good.record["verdict"], good.state) == ("PASSED", "success"), good.record["reason"]
    assert set(versions(hosts).values()) == {MENDED}
    assert {answers(hosts, each).split("\n")[0].split()[1] for each in hosts.names} == {MENDED}


def test_what_was_published_meanwhile_reached_nobody(suite: Suite, good: Finished, hosts: Fleet) -> None:
    assert hosts.repository.versions(SECURITY)["acme-agent"] == WORSE
    assert WORSE not in versions(hosts).values()
    assert f"nowhere to be had: acme-agent {MENDED}" in text(suite, good, "broad.patch[1]"), "it came from the canary"


def test_a_killed_worker_patches_no_host_twice_and_forgets_none(good: Finished, hosts: Fleet) -> None:
    name = BROAD[0]
    tries = [each["outcome"] for each in good.record["steps"] if (each["step"], each["target"]) == ("patch", name)]
    assert tries == ["interrupted", "succeeded"]
    assert measures(good, "patch", name)["resumed"] is True
    log = hosts[name].run("cat", "/var/log/dpkg.log").splitlines()
    assert sum(" upgrade acme-slow:" in line for line in log) == 1


def test_waves_keep_their_order_and_their_budget(good: Finished) -> None:
    times = {each["target"]: (each["started"], each["ended"]) for each in good.record["steps"] if each["ended"]}
    assert times[CANARY[0]][1] < min(times[each][0] for each in EARLY)
    assert max(times[each][1] for each in EARLY) < min(times[each][0] for each in BROAD)


def test_a_fleet_that_has_everything_is_only_looked_at(suite: Suite, good: Finished, hosts: Fleet) -> None:
    hosts.repository.publish(SECURITY, "acme-agent", MENDED)
    finished = suite.run(DAG, reason="nothing to do")
    assert finished.record["verdict"] == "PASSED", finished.record["reason"]
    assert finished.record["change"] == "standard", "nobody is asked to approve nothing"
    assert not any(measures(finished, "patch", each)["changed"] for each in hosts.names)


def test_nothing_is_patched_without_a_recovery_point(suite: Suite, good: Finished) -> None:
    log = text(suite, good, "plan")
    assert "database/billing: verified recovery point" in log

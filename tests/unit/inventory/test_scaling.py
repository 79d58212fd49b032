"""Resources and the scaling policy: what loads, and what could never work as written."""

from __future__ import annotations

import pytest

from day2 import inventory
from tests.unit.inventory.homes import GOOD, Home

RESOURCE = """resources:
  - name: workers
    driver: {kind: auto_scaling_group, connection: aws, group: workers}
    count: {min: 1, max: 8, cost: 0.1}
    follows: {target: host/web-01, metric: cpu_percent}
    budget: 0.5
    schedules:
      - {start: 0 7 * * 1-5, duration: PT10H, at_least: "2"}
  - name: orders-class
    driver: {kind: rds_class, connection: aws, instance: orders}
    ladder:
      - {name: db.t3.medium, capacity: 2, cost: 0.07}
      - {name: db.t3.large, capacity: 4, cost: 0.14}
    less_at: null
  - name: spool
    driver:
      kind: command
      host: web-01
      read: [spool-size]
      write: [spool-size, "{size}"]
    count: {min: 64, max: 256, by: 64}
services:
"""
POLICY = "  scale_resource:\n    schedule: '*/15 * * * *'\n    verify_within: PT5M\n"
WITH = GOOD.replace("services:\n", RESOURCE) + POLICY


def problems(home: Home, text: str) -> list[str]:
    home.write(text)
    return [each.partition(": ")[2] for each in home.problems()]


def test_resources_load_and_have_their_sizes(home: Home) -> None:
    home.write(WITH)
    assert home.problems() == []
    [here] = inventory.environments(home.folder)
    workers, orders, spool = here.resources
    assert [each.name for each in workers.sizes] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert [each.cost for each in workers.sizes][2] == 0.3, "three of 0.1 cost 0.3, not 0.30000000000000004"
    assert [each.name for each in orders.sizes] == ["db.t3.medium", "db.t3.large"]
    assert [each.capacity for each in spool.sizes] == [64, 128, 192, 256]
    assert here.resource("spool") == spool
    assert inventory.select_resources(here, ["spool", "workers"]) == (workers, spool)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("host: web-01", "host: web-1", "resources/spool: driver.host 'web-1' is not one of the hosts; did you mean"),
        (
            "target: host/web-01",
            "target: host/web-1",
            "follows.target 'host/web-1' is nothing that health_check",
        ),
        ("metric: cpu_percent", "metric: CPU %", "'CPU %' is not the name of a metric"),
        ("capacity: 4,", "capacity: 2,", "ladder[1].capacity 2 is not more than 2 of 'db.t3.medium'"),
        ("cost: 0.14", "cost: 0.01", "ladder[1].cost 0.01 is less than 0.07 of 'db.t3.medium', which is smaller"),
        ("{name: db.t3.large", "{name: db.t3.medium", "'db.t3.medium' is already a size of this ladder"),
        ("{name: db.t3.large", "{name: -rf", "'-rf' is not the name of a size; write one such as"),
        ("min: 1, max: 8", "min: 8, max: 1", "count min 8 is above max 1"),
        ("min: 1, max: 8", "min: 0, max: 8", "count.min must be greater than or equal to 1"),
        ("by: 64", "by: 100", "count no whole number of steps of 100 leads from 64 to 256"),
        ("budget: 0.5", "budget: 0.05", "budget 0.05 does not pay for the smallest size, 1"),
        ("budget: 0.5", "less_at: 70", "less_at 70 is too near to more_at 75 with a margin of 10"),
        ('at_least: "2"', 'at_least: "9"', "schedules[0].at_least '9' is not one of its sizes"),
        (', at_least: "2"', "", "schedules[0].start asks for nothing; give it at_least, at_most, or both"),
        ('at_least: "2"', 'at_least: "3", at_most: "2"', "schedules[0].at_least '3' is more than at_most '2'"),
        ("kind: rds_class", "kind: rds_storage", "ladder has names; a driver of kind rds_storage counts"),
        ("    count: {min: 64, max: 256, by: 64}\n", "", "'spool' needs its sizes: either ladder or count"),
        ('"{size}"', '"128"', "driver write does not say where the size goes; put {size} into it"),
        ("host: web-01", "host: web-01\n      connection: ssh_web", "driver a command needs a host, or a connection"),
        ("group: workers}", "grup: workers}", "driver: unknown field 'grup'; did you mean 'group'?"),
        ("kind: auto_scaling_group", "kind: asg", "driver"),
        ("name: spool", "name: workers", "'workers' is already the name of another one"),
        ("    schedule: '*/15 * * * *'\n", "", "resources/workers: schedules are kept only when a run begins"),
        ("verify_within: PT5M", "verify_within: PT2H", "lease_ttl must be longer than verify_within"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(home: Home, old: str, new: str, says: str) -> None:
    assert old in WITH
    found = problems(home, WITH.replace(old, new, 1))
    assert any(says in each for each in found), found


def test_one_thing_has_one_name(home: Home) -> None:
    twin = (
        RESOURCE.replace("resources:\n", "")
        .partition("  - name: orders-class")[0]
        .replace("name: workers", "name: w", 1)
    )
    text = WITH.replace("services:\n", f"{twin}services:\n", 1)
    assert any("driver is that of 'workers'; one thing has one name" in each for each in problems(home, text))


def test_storage_that_could_only_be_made_less_by_magic_is_refused(home: Home) -> None:
    store = "{kind: rds_storage, connection: aws, instance: orders}"
    text = WITH.replace("{kind: auto_scaling_group, connection: aws, group: workers}", store)
    assert any(
        "less_at must be null: a driver of kind rds_storage can only grow" in each for each in problems(home, text)
    )


def test_a_policy_without_anything_to_scale_is_refused(home: Home) -> None:
    assert any("there is nothing to scale" in each for each in problems(home, GOOD + POLICY))


def test_the_policy_hash_changes_with_a_resource_and_not_for_who_has_none(home: Home) -> None:
    home.write(WITH)
    [before] = inventory.environments(home.folder)
    home.write(WITH.replace("budget: 0.5", "budget: 0.6"))
    [after] = inventory.environments(home.folder)
    assert inventory.policy_hash(before) != inventory.policy_hash(after)

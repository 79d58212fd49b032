"""The drivers of AWS against moto over HTTP: simulated, and it says so. What moto cannot do is made by a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from day2.errors import StepFailed, Unavailable
from day2.inventory.scaling import ScalingPolicy
from day2.operations.scale_resource import attempt
from day2.operations.scale_resource.choose import Choice
from day2.operations.scale_resource.drivers import aws, verify
from lab.faults import Proxy
from lab.ports import LOOPBACK, free_port

SOON = timedelta(seconds=1)
OFTEN = timedelta(milliseconds=50)
POLICY = ScalingPolicy(verify_within=SOON, look_every=OFTEN)


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    """Moto's port."""
    port = free_port()
    server = ThreadedMotoServer(LOOPBACK, port, verbose=False)
    server.start()
    yield port
    server.stop()


def client(port: int, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://{LOOPBACK}:{port}",
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=60, proxies={}),
    )


@pytest.fixture(scope="module")
def group(moto: int) -> aws.AutoScalingGroup:
    made = client(moto, "autoscaling")
    made.create_launch_configuration(LaunchConfigurationName="workers", ImageId="ami-12c6146b", InstanceType="t3.micro")
    made.create_auto_scaling_group(
        AutoScalingGroupName="workers",
        LaunchConfigurationName="workers",
        MinSize=1,
        MaxSize=8,
        DesiredCapacity=2,
        AvailabilityZones=["eu-west-1a"],
    )
    return aws.AutoScalingGroup(made, "workers")


@pytest.fixture(scope="module")
def instance(moto: int) -> str:
    client(moto, "rds").create_db_instance(
        DBInstanceIdentifier="orders",
        AllocatedStorage=100,
        DBInstanceClass="db.t3.medium",
        Engine="postgres",
        MasterUsername="day2",
        MasterUserPassword="long-enough",
    )
    return "orders"


@pytest.fixture(scope="module")
def service(moto: int) -> aws.EcsService:
    made = client(moto, "ecs")
    made.create_cluster(clusterName="shop")
    made.register_task_definition(family="web", containerDefinitions=[{"name": "web", "image": "web", "memory": 64}])
    made.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=2)
    return aws.EcsService(made, "shop", "web")


def test_an_auto_scaling_group_grows_and_shrinks_by_its_desired_capacity(group: aws.AutoScalingGroup) -> None:
    assert group.simulated
    for size in ("3", "2"):
        group.write(size)
        seen = verify.wait(group, size, within=SOON, every=OFTEN)
        assert seen.words == f"{size} desired, {size} of {size} instances healthy and in service"


def test_an_instance_that_is_not_healthy_is_not_there(group: aws.AutoScalingGroup) -> None:
    [found] = group.client.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"]
    sick = found["Instances"][0]["InstanceId"]
    group.client.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    with pytest.raises(StepFailed, match="2 is not there after .*last seen: 2 desired, 1 of 2 instances healthy"):
        verify.wait(group, "2", within=OFTEN, every=OFTEN)
    group.client.set_instance_health(InstanceId=sick, HealthStatus="Healthy")
    assert group.read().settled


def test_a_class_and_a_storage_of_rds_are_changed_at_once(moto: int, instance: str) -> None:
    for field, size in (("class", "db.t3.large"), ("storage", "120")):
        driver = aws.RdsInstance(client(moto, "rds"), instance, field)
        driver.write(size)
        seen = verify.wait(driver, size, within=SOON, every=OFTEN)
        assert (seen.size, seen.settled) == (size, True)
        assert seen.words.endswith(f"{size}, available, nothing pending")


def test_a_service_is_there_when_its_tasks_run(service: aws.EcsService) -> None:
    assert service.read().words == "2 desired, 0 running, 2 pending"
    assert not service.read().settled
    service.write("3")
    assert verify.wait(service, "3", within=SOON, every=OFTEN).words == "3 desired, 3 running, 0 pending"


@pytest.mark.parametrize("what", ["group", "instance", "service"])
def test_what_is_not_there_says_so_and_is_no_size(moto: int, service: aws.EcsService, what: str) -> None:
    drivers = {
        "group": aws.AutoScalingGroup(client(moto, "autoscaling"), "nobody"),
        "instance": aws.RdsInstance(client(moto, "rds"), "nobody", "class"),
        "service": aws.EcsService(client(moto, "ecs"), "shop", "nobody"),
    }
    with pytest.raises(StepFailed, match="nobody.*(there is no such thing at its API|AWS refused: .*nobody)"):
        drivers[what].read()


def broken(service: aws.EcsService, line: Proxy) -> aws.EcsService:
    return aws.EcsService(client(line.port, "ecs"), service.cluster, service.service)


def step(driver: aws.EcsService, before: str, size: str) -> dict[str, Any]:
    target = {
        "name": "web",
        "before": before,
        "size": size,
        "direction": "more",
        "why": "",
        "ask": False,
        "blocked": "",
    }
    measures: dict[str, Any] = {}
    again = Choice(before=before, size=size, direction="more", why="80 % used")
    attempt.scale(driver, target, POLICY, asked_before=False, decide_again=lambda _: again, measures=measures)
    return measures


@pytest.mark.parametrize(("status", "kind"), [("403 Forbidden", StepFailed), ("503 Service Unavailable", Unavailable)])
def test_an_api_that_refuses_half_way_says_what_was_asked_and_what_is_there(
    service: aws.EcsService, moto: int, broken_line: Callable[[int], Proxy], status: str, kind: type[Exception]
) -> None:
    service.write("3")
    line = broken_line(moto)
    line.faults.matching, line.faults.error_status, line.faults.errors = b"UpdateService", status, 1
    driver = broken(service, line)
    with pytest.raises(kind, match="asked to become 4, and that failed.*it is now: 3 desired, 3 running") as caught:
        step(driver, "3", "4")
    assert caught.value.runbook == "The API refuses"  # type: ignore[attr-defined]
    assert service.read().size == "3"
    assert step(driver, "3", "4")["present"] == "4", "the next try takes the step"


def test_an_answer_that_is_lost_takes_no_second_step(
    service: aws.EcsService, moto: int, broken_line: Callable[[int], Proxy]
) -> None:
    service.write("3")
    line = broken_line(moto)
    driver = broken(service, line)
    assert driver.read().size == "3"
    service.write("4")  # what a worker did whose answer never came, or who was killed
    measures = step(driver, "3", "4")
    assert (measures["decided"], measures["present"], service.read().size) == ("4", "4", "4")


def test_an_api_that_does_not_answer_is_not_a_size(
    service: aws.EcsService, broken_line: Callable[[int], Proxy]
) -> None:
    line = broken_line(free_port())
    line.faults.refuse = True
    with pytest.raises(Unavailable, match="AWS does not answer"):
        broken(service, line).read()

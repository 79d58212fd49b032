"""Sizes of what runs in Amazon Web Services, through clients of boto3 that are passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlparse

from day2.errors import StepFailed, Unavailable
from day2.operations.scale_resource.drivers.driver import Seen

AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
RUNBOOK = "The API refuses"
# What AWS answers when it is asked too often, or is not well: it may work later.
BUSY = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"})
SERVER_ERROR = 500
# An instance that enlarges its storage serves all the while (RDS User Guide, "Viewing Amazon RDS DB instance status").
SERVES = ("available", "storage-optimization")
T = TypeVar("T")


@dataclass(frozen=True)
class AutoScalingGroup:
    """The desired capacity of an Auto Scaling group. `client` is of service `autoscaling`."""

    client: Any
    group: str

    @property
    def label(self) -> str:
        return f"Auto Scaling group {self.group}"

    @property
    def simulated(self) -> bool:
        return simulated(self.client)

    def read(self) -> Seen:
        """Desired, and as many healthy instances in service."""
        answer = told(self.label, lambda: self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group]))
        found = only(self.label, answer["AutoScalingGroups"])
        desired, instances = int(found["DesiredCapacity"]), found["Instances"]
        serve = sum(each["LifecycleState"] == "InService" and each["HealthStatus"] == "Healthy" for each in instances)
        words = f"{desired} desired, {serve} of {len(instances)} instances healthy and in service"
        return Seen(str(desired), desired == serve == len(instances), words)

    def write(self, size: str) -> None:
        """Set the desired capacity; the group's own cooldown does not apply, ours was kept."""
        told(self.label, lambda: self.client.set_desired_capacity(
            AutoScalingGroupName=self.group, DesiredCapacity=int(size), HonorCooldown=False,
        ))  # fmt: skip


@dataclass(frozen=True)
class EcsService:
    """The desired count of an ECS service. `client` is of service `ecs`."""

    client: Any
    cluster: str
    service: str

    @property
    def label(self) -> str:
        return f"ECS service {self.cluster}/{self.service}"

    @property
    def simulated(self) -> bool:
        return simulated(self.client)

    def read(self) -> Seen:
        """Desired, and as many tasks running."""
        answer = told(self.label, lambda: self.client.describe_services(cluster=self.cluster, services=[self.service]))
        found = only(self.label, [each for each in answer["services"] if each["status"] == "ACTIVE"])
        desired, running, pending = (int(found[f"{name}Count"]) for name in ("desired", "running", "pending"))
        words = f"{desired} desired, {running} running, {pending} pending"
        return Seen(str(desired), desired == running and not pending, words)

    def write(self, size: str) -> None:
        """Set the desired count."""
        told(self.label, lambda: self.client.update_service(
            cluster=self.cluster, service=self.service, desiredCount=int(size),
        ))  # fmt: skip


@dataclass(frozen=True)
class RdsInstance:
    """The class or the storage of an RDS instance. `client` is of service `rds`; `field` is what is changed of it."""

    client: Any
    instance: str
    field: str

    @property
    def label(self) -> str:
        return f"RDS instance {self.instance}"

    @property
    def simulated(self) -> bool:
        return simulated(self.client)

    def read(self) -> Seen:
        """What it will be; it is there when the instance serves and nothing is pending.

        Nothing at all: what else waits for its maintenance window would be applied at once with our change.
        """
        answer = told(self.label, lambda: self.client.describe_db_instances(DBInstanceIdentifier=self.instance))
        found = only(self.label, answer["DBInstances"])
        pending = {name: value for name, value in found.get("PendingModifiedValues", {}).items() if value}
        name = "DBInstanceClass" if self.field == "class" else "AllocatedStorage"
        size, status = str(pending.get(name, found[name])), str(found["DBInstanceStatus"])
        waits = ", ".join(f"{what} {value}" for what, value in sorted(pending.items()))
        words = f"{name} {found[name]}, {status}, {f'pending: {waits}' if waits else 'nothing pending'}"
        return Seen(size, status in SERVES and not pending, words)

    def write(self, size: str) -> None:
        """Change it at once, and not in its maintenance window."""
        change = {"DBInstanceClass": size} if self.field == "class" else {"AllocatedStorage": int(size)}
        told(self.label, lambda: self.client.modify_db_instance(
            DBInstanceIdentifier=self.instance, ApplyImmediately=True, **change,
        ))  # fmt: skip


def simulated(client: Any) -> bool:
    """Whether what answers is not AWS itself."""
    return not str(urlparse(client.meta.endpoint_url).hostname).endswith(AMAZON)


def only(label: str, found: list[Any]) -> Any:
    """The one there is. Raises StepFailed."""
    if len(found) != 1:
        raise StepFailed(
            "there is no such thing at its API" if not found else f"{len(found)} of that name are there",
            target=label,
            left="nothing was changed by this call",
            next_step="correct its name, or the connection's region and account, in the inventory",
            runbook=RUNBOOK,
        )
    return found[0]


def told(label: str, call: Callable[[], T]) -> T:
    """Call AWS; its errors name the resource. Raises StepFailed, and Unavailable where it may work later."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        kind = Unavailable if code in BUSY or status >= SERVER_ERROR else StepFailed
        raise kind(
            f"AWS refused: {error}",
            target=label,
            next_step="read what AWS says; check limits and the rights of the Airflow connection",
            runbook=RUNBOOK,
        ) from error
    except BotoCoreError as error:
        raise Unavailable(
            f"AWS does not answer: {error}",
            target=label,
            next_step="check the way from the worker to AWS",
            runbook=RUNBOOK,
        ) from error

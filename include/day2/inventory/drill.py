"""The policy of disaster-recovery drills: what is failed over, how clients follow, what is promised."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from day2.inventory.fields import ConnectionId, Cron, Duration, Model, Name, PositiveDuration


class MultiHost(Model):
    """Clients know both servers and take the one that accepts writes (libpq's target_session_attrs)."""

    kind: Literal["multi_host"] = Field(description="nothing is moved; it is proven that clients follow")


class RouteCommand(Model):
    """A command on a host: a reload of HAProxy or pgbouncer, a virtual address, your own tool."""

    kind: Literal["command"] = Field(description="run a command")
    connection: ConnectionId = Field(description="Airflow connection of type ssh")
    command: tuple[str, ...] = Field(
        min_length=1, description="its arguments; {host} and {port} become those of the server that takes writes"
    )


class Route53(Model):
    """A record in Amazon Route 53. Clients follow when its time to live has passed."""

    kind: Literal["route53"] = Field(description="change a CNAME record")
    connection: ConnectionId = Field(description="Airflow connection of type aws")
    zone: str = Field(description="id of the hosted zone")
    record: str = Field(description="the record's full name")
    ttl: int = Field(default=5, ge=1, le=86400, description="seconds resolvers may keep it")


Route = Annotated[MultiHost | RouteCommand | Route53, Field(discriminator="kind")]


class Assertion(Model):
    """A question to the recovered data, and the answer it must give."""

    sql: str = Field(min_length=1, description="a query that returns one value")
    expect: str = Field(description="that value, as psql shows it: t, 42, 2026-11-23")


class ManualStep(Model):
    """What a person does during the failover. Its time counts in the RTO."""

    name: Name = Field(description="what the graph calls it")
    after: Literal["fence", "promote", "route"] = Field(description="the step it follows")
    instructions: str = Field(min_length=3, description="what to do, and how to tell that it is done")
    timeout: PositiveDuration = Field(
        default="PT30M", validate_default=True, description="not done by then is a failure that names the step"
    )


class DrillPolicy(Model):
    """How a disaster is rehearsed. Set for the environment; a database may override most fields."""

    schedule: Cron = Field(default="0 6 15 3,9 *", description="cron, in the environment's time zone")
    strategy: Literal["failover", "restore"] = Field(
        default="failover",
        description="failover promotes the standby; restore rebuilds in the recovery region from the repository alone",
    )
    scenario: str = Field(
        default="the primary region is lost", min_length=3, description="what is supposed to have happened"
    )
    roles: dict[str, str] = Field(default={}, description="who does what: commander, communication, observer")
    abort_criteria: tuple[str, ...] = Field(
        default=("a customer is affected", "the standby lags behind after the fence"),
        description="when the commander stops the drill",
    )
    rto: PositiveDuration = Field(
        default="PT5M", validate_default=True, description="recovery time objective: declaration to first write"
    )
    rpo: Duration = Field(default="PT1M", validate_default=True, description="recovery point objective")
    max_lag: PositiveDuration = Field(
        default="PT30S", validate_default=True, description="a standby that is further behind may not take over"
    )
    max_restore_test_age: PositiveDuration = Field(
        default="P35D", validate_default=True, description="no drill unless a restore test passed since"
    )
    connection: ConnectionId | None = Field(
        default=None, description="Airflow connection of the drill's role on the primary; the database's own if unset"
    )
    standby_connection: ConnectionId | None = Field(
        default=None, description="the same on the standby; the standby's own if unset"
    )
    endpoint: ConnectionId | None = Field(
        default=None, description="Airflow connection of what clients connect to; needed for failover"
    )
    route: Route = Field(default=MultiHost(kind="multi_host"), description="how clients get to the new primary")
    fence: Literal["fast", "immediate"] = Field(
        default="fast",
        description="fast hands everything to the standby first; immediate is a crash, and may lose commits",
    )
    promote_timeout: PositiveDuration = Field(
        default="PT1M", validate_default=True, description="for the replay, and again for the promotion"
    )
    verify_timeout: PositiveDuration = Field(
        default="PT2M", validate_default=True, description="by when the probe must have written and read"
    )
    verify_writes: int = Field(default=5, ge=1, description="writes in a row the probe must see accepted")
    assertions: tuple[Assertion, ...] = Field(default=(), description="what must hold of the recovered data")
    manual_steps: tuple[ManualStep, ...] = Field(default=(), description="what a person does in between")
    on_failure: Literal["hold", "roll_back"] = Field(
        default="hold",
        description="when verification fails after the promotion: stay there, or fail back at once",
    )
    hold: Duration = Field(
        default="PT1M", validate_default=True, description="how long the recovery region serves before failback"
    )
    recovery_connection: ConnectionId | None = Field(
        default=None, description="a server in the recovery region whose role may create databases; for restore"
    )
    recovery_repository: Name | None = Field(
        default=None, description="the repository that survives the primary region; for restore"
    )
    response_timeout: PositiveDuration = Field(
        default="PT4H", validate_default=True, description="after this an unanswered approval is a refusal"
    )
    live_approval: Literal["person", "break_glass"] = Field(
        default="person", description="who approves an emergency: a person before, or nobody until the sign-off"
    )
    sign_off_timeout: PositiveDuration = Field(
        default="P3D", validate_default=True, description="after this a scorecard nobody signed is a failure"
    )
    action_due: PositiveDuration = Field(
        default="P30D", validate_default=True, description="when corrective actions are due"
    )
    max_targets: int = Field(default=5, ge=1, description="blast radius: more databases and the run is refused")
    lease_ttl: PositiveDuration = Field(
        default="PT6H", validate_default=True, description="how long a lease on a database lasts if nobody releases it"
    )

"""The policy of health checks: what is looked at, from when on it is bad, who is told, and for how long it is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from day2.inventory.fields import ConnectionId, Cron, Duration, Model, PositiveDuration

DAY = 24 * 3600
Severity = Literal["critical", "warning", "info"]
METRIC = r"^[a-z][a-z0-9_]{0,62}$"
MetricName = Annotated[str, StringConstraints(pattern=METRIC)]


class Threshold(Model):
    """From which value of a metric on somebody is told. A threshold that is exactly met counts."""

    warning: float | None = Field(default=None, description="in the metric's unit; none: never a warning")
    critical: float | None = Field(default=None, description="in the metric's unit; none: never critical")
    bad: Literal["high", "low"] = Field(default="high", description="whether high or low values are the bad ones")
    margin: float = Field(default=0, ge=0, description="it is well again when it is better than the threshold by this")
    hold: Duration = Field(default="PT0S", validate_default=True, description="it has to last this long to count")

    @model_validator(mode="after")
    def _in_order(self) -> Threshold:
        if self.warning is None and self.critical is None:
            raise ValueError("give warning, critical, or both")
        if self.warning is not None and self.critical is not None:
            worse = self.critical > self.warning if self.bad == "high" else self.critical < self.warning
            if not worse:
                raise ValueError(f"critical ({self.critical:g}) is not worse than warning ({self.warning:g})")
        return self


# What is bad on any machine. Each can be changed, or switched off with null.
THRESHOLDS: dict[str, Threshold | None] = {
    "cpu_percent": Threshold(warning=85, critical=95, margin=5, hold="PT10M"),  # type: ignore[arg-type]
    "memory_percent": Threshold(warning=85, critical=95, margin=5, hold="PT5M"),  # type: ignore[arg-type]
    "swap_percent": Threshold(warning=50, margin=10, hold="PT10M"),  # type: ignore[arg-type]
    "disk_percent": Threshold(warning=80, critical=90, margin=2),
    "inodes_percent": Threshold(warning=80, critical=90, margin=2),
    "load_per_cpu": Threshold(warning=2, critical=4, margin=0.5, hold="PT10M"),  # type: ignore[arg-type]
    "connections_percent": Threshold(warning=80, critical=95, margin=5),
    "xid_age_percent": Threshold(warning=25, critical=50, margin=1),
    "multixact_age_percent": Threshold(warning=25, critical=50, margin=1),
    "sequence_percent": Threshold(warning=75, critical=90),
    "replay_lag_seconds": Threshold(warning=60, critical=300, margin=10, hold="PT2M"),  # type: ignore[arg-type]
    "oldest_transaction_seconds": Threshold(warning=3600, critical=14400, margin=60),
    "slot_retained_bytes": Threshold(warning=1e9, critical=1e10, margin=1e8),
    "look_failed": Threshold(critical=1, hold="PT4M"),  # type: ignore[arg-type]
    "probe_failed": Threshold(critical=1),
    "checksum_failures": Threshold(critical=1),
    # What should be there, asked of the repository and the ledger, not of the run that should have made it.
    "recovery_points": Threshold(critical=0, bad="low"),
    "recovery_point_age_percent": Threshold(warning=100, critical=200),
    "undeclared_databases": Threshold(warning=1),
    "unowned_recovery_points": Threshold(warning=1),
    "patch_scan_age_seconds": Threshold(warning=8 * DAY, critical=15 * DAY),
    "drill_age_seconds": Threshold(warning=200 * DAY, critical=380 * DAY),
}


class Source(Model):
    """Where samples come from."""

    kind: Literal["own", "prometheus", "cloudwatch"] = Field(description="own: over SSH and SQL, by us")
    connection: ConnectionId | None = Field(default=None, description="of type http, or aws; none for own")
    queries: dict[MetricName, str] = Field(
        default={},
        description="metric: what to ask, in PromQL or as namespace/metric/statistic (docs/monitoring.md)",
    )

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if (self.kind == "own") == (self.connection is not None):
            raise ValueError("a source needs a connection, except the kind `own`, which uses those of its targets")
        if self.kind != "own" and not self.queries:
            raise ValueError(f"a source of kind {self.kind} needs queries")
        for metric, query in self.queries.items():
            if self.kind == "cloudwatch" and query.partition("?")[0].count("/") < 2:  # a namespace may have one too
                raise ValueError(
                    f"{metric}: '{query}' is not namespace/metric/statistic: AWS/RDS/CPUUtilization/Average"
                )
        return self


class Route(Model):
    """Who is told of what: the first of these notifiers that takes it; the next one where it does not."""

    severities: tuple[Severity, ...] = Field(
        min_length=1, description="which changes go here; an end goes where its beginning went"
    )
    notifiers: tuple[ConnectionId, ...] = Field(min_length=1, description="the first one is tried first, then the next")


class Differently(Model):
    """Thresholds of some targets, where they are not those of all."""

    targets: tuple[str, ...] = Field(min_length=1, description="as kind/name: host/web-01, database/orders")
    thresholds: dict[MetricName, Threshold | None] = Field(description="metric: its threshold here; null: none")


class Silence(Model):
    """Nobody is told of these targets for a while. What ends is told, and what is still bad afterwards, too."""

    targets: tuple[str, ...] = Field(min_length=1, description="as kind/name")
    since: AwareDatetime = Field(description="ISO 8601, with its zone")
    until: AwareDatetime = Field(description="ISO 8601, with its zone; silence always ends")
    reason: str = Field(min_length=3, description="why")

    @model_validator(mode="after")
    def _ends(self) -> Silence:
        if self.until <= self.since:
            raise ValueError("it ends before it begins")
        return self


class Receipt(Model):
    """Where it can be seen that a message of a notifier arrived: not that it was sent."""

    notifier: ConnectionId = Field(description="whose messages")
    connection: ConnectionId = Field(description="of type http: the receiver's own interface")
    path: str = Field(
        default="{token}", description="what is asked there; `{token}` is the test's own word, which must come back"
    )


class AlertDrill(Model):
    """A test alert through every notifier, that must be seen to arrive."""

    schedule: Cron = Field(default="0 10 * * 1", description="cron, in the environment's time zone")
    wait: PositiveDuration = Field(default="PT2M", validate_default=True, description="it must have arrived by then")
    receipts: tuple[Receipt, ...] = Field(default=(), description="a notifier without one: a person is asked")
    response_timeout: PositiveDuration = Field(
        default="PT8H", validate_default=True, description="how long the person has to type what arrived"
    )


class Retention(Model):
    """For how long samples are kept, rolled up step by step."""

    raw: PositiveDuration = Field(default="P35D", validate_default=True, description="every sample, by whole months")
    hours: PositiveDuration = Field(default="P400D", validate_default=True, description="one value an hour; days stay")


class HealthPolicy(Model):
    """How everything is looked at every few minutes. Set for the environment."""

    schedule: Cron = Field(default="*/5 * * * *", description="cron, in the environment's time zone")
    sources: tuple[Source, ...] = Field(
        default=(Source(kind="own"),), min_length=1, description="where samples come from"
    )
    thresholds: dict[MetricName, Threshold | None] = Field(
        default={}, description="metric: its threshold; null switches ours off; what is not named keeps ours"
    )
    differently: tuple[Differently, ...] = Field(default=(), description="other thresholds for some targets")
    absent_after: PositiveDuration = Field(
        default="PT15M", validate_default=True, description="a metric that is silent for so long is an alarm"
    )
    silences: tuple[Silence, ...] = Field(
        default=(), description="nobody is told; whatever an operation works on is silent by itself"
    )
    routes: tuple[Route, ...] = Field(default=(), description="who is told; nobody, if there is none")
    attempts: int = Field(default=3, ge=1, le=10, description="tries of one notifier before the next one is taken")
    alert_drill: AlertDrill | None = Field(
        default=AlertDrill(), description="the weekly test of the whole way to whoever is told; never, with null"
    )
    dead_man: ConnectionId | None = Field(
        default=None, description="of type http: called after each look, so that somebody outside notices its absence"
    )
    retention: Retention = Field(default=Retention(), description="for how long samples are kept")
    at_once: int = Field(default=20, ge=1, le=200, description="targets looked at side by side")
    timeout: PositiveDuration = Field(
        default="PT30S", validate_default=True, description="a target that does not answer by then is a gap"
    )

    def threshold(self, metric: str, target: str = "") -> Threshold | None:
        """The threshold of a metric of a target; none where nobody is told of it."""
        for each in self.differently:
            if target in each.targets and metric in each.thresholds:
                return each.thresholds[metric]
        return self.thresholds[metric] if metric in self.thresholds else THRESHOLDS.get(metric)

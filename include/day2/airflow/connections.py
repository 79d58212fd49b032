"""Airflow connections in, plain clients out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from day2.errors import PlanRefused
from day2.inventory.model import BackupPolicy, Environment, Repository
from day2.postgres.server import Server
from day2.repository.folder import FolderStore
from day2.repository.store import Store

if TYPE_CHECKING:
    from day2.hosts.shell import Ssh
    from day2.ledger import Ledger
    from day2.metrics.cloudwatch import CloudWatch
    from day2.metrics.prometheus import Prometheus

FROM_CONNECTION = "connection:"
POSTGRES_PORT = 5432
SSH_PORT = 22
# Of libpq's parameters, those with which clients find the server that takes writes among several.
LIBPQ = frozenset({"port", "target_session_attrs", "load_balance_hosts"})


def server(connection: str, *, dbname: str | None = None) -> Server:
    """The PostgreSQL server behind a connection; `dbname` wins over the connection's own."""
    found = get(connection)
    options = {key: str(value) for key, value in found.extra_dejson.items() if key.startswith("ssl") or key in LIBPQ}
    name = dbname or found.schema
    if not (found.host and found.login and name):
        raise PlanRefused(
            f"the connection {connection!r} lacks a host, a login or a database",
            left="nothing was touched",
            next_step="complete the connection in Airflow's secrets backend",
        )
    return Server(
        host=found.host,
        port=found.port or POSTGRES_PORT,
        user=found.login,
        dbname=name,
        password=found.password or "",
        options=options,
    )


def aws(connection: str, service: str) -> Any:
    """A boto3 client of a service, with the connection's credentials, region and endpoint."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    get(connection)
    return AwsBaseHook(aws_conn_id=connection, client_type=service).get_conn()


def prometheus(connection: str, *, seconds: float = 30.0) -> Prometheus:
    """The Prometheus behind a connection of type http.

    Its host may be a whole URL, with a path. Its login and password are for basic authentication; a password alone is
    a bearer token. Of its extra, `headers` are sent, and `verify` is false, or the file of a certificate authority.
    """
    from day2.metrics.prometheus import Prometheus

    found = get(connection)
    extra = found.extra_dejson
    headers = {str(key): str(value) for key, value in extra.get("headers", {}).items()}
    if found.password and not found.login:
        headers.setdefault("Authorization", f"Bearer {found.password}")
    login = (found.login, found.password or "") if found.login else None
    verify = extra.get("verify", True)
    if not found.host:
        raise PlanRefused(
            f"the connection {connection!r} lacks a host",
            left="nothing was touched",
            next_step="complete the connection in Airflow's secrets backend",
        )
    return Prometheus(url(found), login, headers, verify, seconds)


def cloudwatch(connection: str) -> CloudWatch:
    """CloudWatch, in the region and with the credentials of a connection of type aws."""
    from day2.metrics.cloudwatch import CloudWatch

    return CloudWatch(aws(connection, "cloudwatch"))


def token(connection: str) -> str | None:
    """The password of a connection that may be missing; none where it is, and where it is empty."""
    try:
        found: str | None = get(connection).password
    except PlanRefused:
        return None
    return found or None


def store(repository: Repository) -> Store:
    """The store behind a repository of the inventory."""
    place = urlparse(repository.url)
    if place.scheme == "file":
        return FolderStore(Path(unquote(place.path)))
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from day2.repository.s3 import S3Store

    if repository.connection:
        get(repository.connection)
    client: Any = S3Hook(aws_conn_id=repository.connection).get_conn()
    return S3Store(client, place.netloc, unquote(place.path))


def shell(connection: str) -> Ssh:
    """A login on a host, through Airflow's SSH connection. The host's key must be known: strict, always."""
    from airflow.providers.ssh.hooks.ssh import SSHHook

    from day2.hosts.shell import Ssh

    found = get(connection)

    def connect() -> Any:
        hook = SSHHook(ssh_conn_id=connection, conn_retry_attempts=1, no_host_key_check=False, conn_timeout=10)
        return hook.get_conn()

    return Ssh(f"{found.login or ''}@{found.host}:{found.port or SSH_PORT}", connect)


def ledger(environment: Environment) -> Ledger:
    """The ledger of an environment, opened. Close it, or use it in a `with`."""
    from psycopg.conninfo import make_conninfo

    from day2.ledger import Ledger

    at = server(environment.ledger)
    fields: dict[str, Any] = {"host": at.host, "port": at.port, "user": at.user, "dbname": at.dbname}
    return Ledger.connect(make_conninfo(**fields, password=at.password or None, **at.options))


def url(found: Any) -> str:
    """The URL of a connection of type http: its host, port and schema, and the extra `path`; empty without a host."""
    if not found.host:
        return ""
    base = urlparse(found.host if "://" in found.host else f"{found.schema or 'http'}://{found.host}")
    if found.port and base.port is None:  # the host may be a whole URL, with its own path
        base = base._replace(netloc=f"{base.netloc}:{found.port}")
    return f"{base.geturl().rstrip('/')}/{str(found.extra_dejson.get('path', '')).lstrip('/')}"


def recipients(policy: BackupPolicy) -> tuple[str, ...]:
    """The age public keys of a policy; none where it says `none`."""
    if policy.encryption == "none":
        return ()
    return tuple(_recipient(each) for each in policy.encryption.recipients)


def identity(policy: BackupPolicy) -> str | None:
    """The age secret key a restore needs; none where nothing is encrypted."""
    if policy.encryption == "none":
        return None
    found: str | None = get(policy.encryption.identity).password
    return found


def _recipient(written: str) -> str:
    if not written.startswith(FROM_CONNECTION):
        return written
    return str(get(written.removeprefix(FROM_CONNECTION)).login)


def get(connection: str) -> Any:
    """Airflow's connection. Raises PlanRefused where there is none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(connection)
    except AirflowNotFoundException as error:
        raise PlanRefused(
            f"Airflow has no connection {connection!r}",
            left="nothing was touched",
            next_step="add it to the secrets backend, or correct the inventory",
            runbook="Credentials refused",
        ) from error

"""What a command is given, opened: the repository, the key, the server to restore to. No Airflow, no ledger."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlparse

import typer

from day2 import inventory
from day2.errors import StepFailed, Unavailable
from day2.postgres.server import Server
from day2.repository.folder import FolderStore
from day2.repository.store import Store

IDENTITY = "AGE-SECRET-KEY-"
AMAZON = ("amazonaws.com", "amazonaws.com.cn")
CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_ENDPOINT_URL_S3 names another endpoint"
)

RepositoryOption = Annotated[
    str | None,
    typer.Option(help="s3://bucket/prefix or file:///folder.", envvar="DAY2_REPOSITORY", show_default=False),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(help="Use the backup repository of this environment of the inventory.", show_default=False),
]
DatabaseOption = Annotated[str | None, typer.Option(help="The database's name in the repository.", show_default=False)]
IdentityOption = Annotated[
    Path | None,
    typer.Option(help="File with the age identity.", envvar="DAY2_AGE_IDENTITY_FILE", show_default=False),
]


def store(url: str | None, environment: str | None) -> Store:
    """The repository at a url, or the one an environment backs up to. Raises a Day2Error if it is out of reach."""
    url = url or _url_of(environment)
    place = urlparse(url)
    if place.scheme == "file":
        return _folder(Path(unquote(place.path)))
    if place.scheme != "s3" or not place.netloc:
        raise StepFailed(
            f"{url!r} is not a repository", next_step="write s3://bucket/prefix, or file:///an/absolute/folder"
        )
    from day2.repository.s3 import S3Store

    opened = S3Store(_s3_client(), place.netloc, unquote(place.path))
    opened.check()
    return opened


def identity(path: Path | None) -> str | None:
    """The secret key in an age identity file, as age-keygen writes it; None if no file is named."""
    if path is None:
        return None
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"cannot read the identity file {path}: {error}") from error
    found = [line.strip() for line in lines if line.strip().startswith(IDENTITY)]
    if len(found) != 1:
        raise StepFailed(
            f"{path} holds {len(found)} age identities", next_step=f"name a file with one {IDENTITY}1… line"
        )
    return found[0]


def server(conninfo: str) -> Server:
    """The server behind a libpq connection string, which libpq completes: environment, password file, service."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise StepFailed(f"--to-server: {str(error).strip()}", next_step='write "host=… port=… user=…"') from error
    if "password" in given:
        raise StepFailed(
            "--to-server has a password in it, which everyone on this machine can read in the process list",
            left="nothing was touched",
            next_step="use PGPASSWORD or a password file (PGPASSFILE)",
        )
    if not ("dbname" in given or "service" in given or os.environ.get("PGDATABASE")):
        conninfo += " dbname=postgres"
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as connection:
            info = connection.info
            secure = {key: value for key, value in info.get_parameters().items() if key.startswith("ssl")}
            return Server(info.host, info.port, info.user, info.dbname, info.password, secure)
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"cannot connect to the target server: {str(error).strip().splitlines()[-1]}",
            left="nothing was touched",
            next_step="check --to-server, and PGPASSWORD or PGPASSFILE",
            runbook="The target server refused",
        ) from error


def tell_progress() -> None:
    """The library's own lines, on stderr: what it does, how far, how fast."""
    logger = logging.getLogger("day2")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _url_of(environment: str | None) -> str:
    if environment is None:
        raise StepFailed(
            "no repository is named",
            next_step="give --repository s3://bucket/prefix (or DAY2_REPOSITORY), or --environment",
        )
    path = inventory.environments_folder() / f"{environment}.yaml"
    if not path.is_file():
        raise StepFailed(f"there is no environment {environment!r} in {path.parent}")
    found = inventory.load(path)
    return found.repository(found.policies.database_backup.repository).url


def _folder(path: Path) -> FolderStore:
    # Checked by looking: a repository to read from may be mounted read-only.
    if not path.is_dir():
        raise StepFailed(f"{path} is not a folder", next_step="check the url; is the disk mounted?")
    return FolderStore(path)


def _s3_client() -> Any:
    """A client made the usual way: environment, profile, instance role."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session()
        if session.get_credentials() is None:
            raise StepFailed("no S3 credentials were found", left="nothing was touched", next_step=CREDENTIALS)
        client = session.client("s3")
        host = urlparse(client.meta.endpoint_url).hostname or ""
        if host.endswith(AMAZON):
            return client
        # Another make of object store, seldom reached by a host name for each bucket.
        return session.client("s3", config=Config(s3={"addressing_style": "path"}))
    except (BotoCoreError, ValueError) as error:
        raise StepFailed(f"S3: {error}", left="nothing was touched", next_step=CREDENTIALS) from error

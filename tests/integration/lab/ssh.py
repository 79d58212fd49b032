"""A login on one of the lab's hosts, made from Airflow's connection as its SSH hook would."""

from __future__ import annotations

import base64
from typing import Any

import paramiko

from day2.hosts.shell import Ssh


def shell(connection: dict[str, Any], label: str = "a host") -> Ssh:
    """Commands on the host behind a connection."""
    return Ssh(label, lambda: client(connection))


def client(connection: dict[str, Any], **more: Any) -> paramiko.SSHClient:
    """A session that believes the connection's host key and no other."""
    extra, made = connection["extra"], paramiko.SSHClient()
    kind, key = extra["host_key"].split()[:2]
    known = paramiko.Ed25519Key(data=base64.b64decode(key))
    host, port = connection["host"], connection["port"]
    made.get_host_keys().add(host if port == paramiko.config.SSH_PORT else f"[{host}]:{port}", kind, known)
    login = {"username": connection["login"], "key_filename": extra["key_file"]}
    try:
        made.connect(
            connection["host"],
            port=connection["port"],
            look_for_keys=False,
            allow_agent=False,
            **{**login, **more},
        )
    except Exception:
        made.close()
        raise
    return made

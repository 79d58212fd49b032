"""What is generated once, at the first boot: passwords, keys and tokens, in one private file."""

from __future__ import annotations

import secrets
from pathlib import Path

from lab.files import read_json, write_json

# Characters that break careless quoting in a shell, a URL, a .pgpass file, SQL or an ini file.
AWKWARD = """ '"%:\\@/&?#$(id) """


class Secrets:
    """Named secrets; one that is asked for the first time is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = read_json(path)

    def password(self, name: str) -> str:
        """A password of letters, digits, `-` and `_`."""
        return self._get(name, secrets.token_urlsafe(18))

    def awkward_password(self, name: str) -> str:
        """A password with quotes, spaces, `%`, backslash and shell characters in it."""
        return self._get(name, f"{secrets.token_urlsafe(9)}{AWKWARD}{secrets.token_urlsafe(9)}")

    def key(self, name: str) -> str:
        """A long key, for signing tokens."""
        return self._get(name, secrets.token_urlsafe(64))

    def fernet(self) -> str:
        """Airflow's key for connections and variables in its own database."""
        from cryptography.fernet import Fernet

        return self._get("airflow/fernet", Fernet.generate_key().decode())

    def age(self) -> tuple[str, str]:
        """An age key pair: the recipient (public) and the identity (secret)."""
        from pyrage import x25519

        identity = x25519.Identity.from_str(self._get("age/identity", str(x25519.Identity.generate())))
        return str(identity.to_public()), str(identity)

    def _get(self, name: str, fresh: str) -> str:
        if name not in self._known:
            self._known[name] = fresh
            write_json(self._path, self._known)
        return self._known[name]

"""Somebody on call: a webhook, a mailbox, and whoever notices when no sign of life comes.

`python -m lab.receiver <http port> <smtp port> <folder>` takes JSON at /webhook and mail, and appends each message to
<folder>/received.jsonl; /messages/<word> gives those that hold the word back, which is the receipt that an alert drill
asks for. /alive and /alive/fail are the sign of life, in <folder>/alive.jsonl. What <folder>/deaf names is deaf; what
<folder>/swallows names takes messages, and loses them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

from lab.ports import LOOPBACK, Ports
from lab.processes import Processes
from lab.ssh import python_environment

NAME = "on-call"
RECEIVED, ALIVE, DEAF, SWALLOWS = "received.jsonl", "alive.jsonl", "deaf", "swallows"
WEBHOOK, MAIL, SIGN = "webhook", "mail", "alive"
MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class OnCall:
    """The process and its files."""

    folder: Path
    http: int
    smtp: int
    processes: Processes

    def start(self) -> None:
        """Start it, unless it runs; returns when both doors are open."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if not self.processes.pid(NAME):
            command = (sys.executable, "-m", "lab.receiver", str(self.http), str(self.smtp), str(self.folder))
            self.processes.start(NAME, command, env=python_environment())

    def messages(self, via: str = "") -> list[dict[str, Any]]:
        """What arrived, oldest first."""
        return [each for each in read(self.folder / RECEIVED) if via in ("", each["via"])]

    def signs(self) -> list[dict[str, Any]]:
        """The signs of life that came."""
        return read(self.folder / ALIVE)

    def deafen(self, *doors: str) -> None:
        """Let these doors answer with an error of their own, until others are named."""
        (self.folder / DEAF).write_text(" ".join(doors), encoding="utf-8")

    def swallow(self, *doors: str) -> None:
        """Let these doors take messages and lose them, until others are named."""
        (self.folder / SWALLOWS).write_text(" ".join(doors), encoding="utf-8")

    def connections(self) -> dict[str, dict[str, Any]]:
        """How Airflow reaches it."""
        web = {"conn_type": "http", "host": LOOPBACK, "port": self.http, "schema": "http"}
        mail = {"disable_ssl": True, "disable_tls": True, "from_email": "day2@lab.test", "to": "on-call@lab.test"}
        return {
            "on_call_webhook": web | {"extra": {"path": WEBHOOK}},
            "on_call_mail": {"conn_type": "smtp", "host": LOOPBACK, "port": self.smtp, "extra": mail},
            "on_call_receipts": web,
            "on_call_dead_man": web | {"extra": {"path": f"{SIGN}/"}},
        }


def on_call(state: Path, ports: Ports, processes: Processes) -> OnCall:
    """The lab's one. It need not run."""
    runs = bool(processes.pid(NAME))
    http, smtp = (ports.known(f"{NAME}-{each}", running=runs) for each in ("http", "smtp"))
    return OnCall(state / NAME, http, smtp, processes)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of ours; none before it is there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class Mailbox:
    """What came in, by either door."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()

    def deaf(self, door: str) -> bool:
        return self._named(DEAF, door)

    def _named(self, name: str, door: str) -> bool:
        path = self.folder / name
        return path.exists() and door in path.read_text(encoding="utf-8").split()

    def keep(self, name: str, **told: Any) -> None:
        if self._named(SWALLOWS, str(told.get("via", ""))):
            return
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **told})
        with self._lock, (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.deaf(MAIL):
            return "451 the mailbox is full"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body()
        text = body.get_content() if body else ""
        self.keep(RECEIVED, via=MAIL, title=str(mail["Subject"]), body=text, to=envelope.rcpt_tos)
        return "250 taken"


def serve(http: int, smtp: int, folder: Path) -> None:
    """Take messages until stopped."""
    from aiosmtpd.controller import Controller

    mailbox = Mailbox(folder)

    class Web(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            door, _, rest = self.path.strip("/").partition("/")
            data = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BYTES))
            if mailbox.deaf(door):
                self._answer(503, "nobody is here")
            elif door == WEBHOOK:
                told = json.loads(data)
                mailbox.keep(RECEIVED, via=WEBHOOK, title=told["title"], body=told["body"], whole=told)
                self._answer(202, "taken")
            elif door == SIGN:
                mailbox.keep(ALIVE, sign=rest or "works")
                self._answer(200, "OK")
            else:
                self._answer(404, "webhook, alive, messages")

        def do_GET(self) -> None:
            door, _, word = unquote(self.path).strip("/").partition("/")
            if door != "messages" or not word:
                return self._answer(404, "messages/<word>")
            found = [each for each in read(folder / RECEIVED) if word in each["title"] + each["body"]]
            return self._answer(200 if found else 404, json.dumps(found))

        def _answer(self, code: int, text: str) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

    Controller(mailbox, hostname=LOOPBACK, port=smtp).start()
    ThreadingHTTPServer((LOOPBACK, http), Web).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

"""What the lab's vendor, Acme, publishes: small packages, each with the releases a patch run must survive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.hosts import guest

Suite = str
BASE, SECURITY, UPDATES = "base", "security", "updates"
SUITES: tuple[Suite, ...] = (BASE, SECURITY, UPDATES)
AGENT_PORT = 8390

NEEDS_REBOOT = """\
#!/bin/sh
set -e
# On an update, not at the first installation: a new system runs what was just installed.
if [ "$1" = configure ] && [ -n "$2" ]; then
  echo '*** System restart required ***' >/run/reboot-required
  grep -qx acme-core /run/reboot-required.pkgs 2>/dev/null || echo acme-core >>/run/reboot-required.pkgs
fi
"""
RESTARTS_AGENT = """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl restart acme-agent.service
fi
"""
FAILS = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
echo 'acme-badpost: migration failed' >&2
exit 1
"""
WAITS = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
sleep "$(cat /etc/acme-slow.seconds 2>/dev/null || echo 0)"
"""


@dataclass(frozen=True)
class Release:
    """One version of a package. `suite` is where it is published from the start; none: on the shelf only."""

    name: str
    version: str
    suite: Suite | None = None
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()
    postinst: str = ""
    advisory: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_all.deb"


def _versions(first: Release, *later: tuple[str, Suite | None, str]) -> list[Release]:
    """The release and its successors, which have a file of their own and nothing else in common with it."""
    made = [first, *(replace(first, version=v, suite=s, advisory=a) for v, s, a in later)]
    return [replace(each, files={**each.files, f"/usr/share/{each.name}/version": each.version}) for each in made]


def _agent(version: str, suite: Suite | None, advisory: str = "") -> Release:
    files = {
        "/usr/lib/acme-agent/agent": guest.text("agent.py").replace("@VERSION@", version),
        "/etc/acme-agent.conf": "level = info\n",
        "/lib/systemd/system/acme-agent.service": guest.text("acme-agent.service"),
    }
    return Release(
        "acme-agent", version, suite, "python3, acme-lib", files, ("/etc/acme-agent.conf",), RESTARTS_AGENT, advisory
    )


def _library(version: str, suite: Suite, advisory: str = "") -> Release:
    # Larger than a page, so that what a process mapped of the old one is the old one's.
    content = f"acme-lib {version}\n" + "#" * 8192 + "\n"
    return Release("acme-lib", version, suite, "", {"/usr/lib/acme/libacme.so.2": content}, (), "", advisory)


def _settings(version: str, suite: Suite | None) -> Release:
    files = {"/etc/acme-settings.conf": f"# made for {version}\nretries = 3\n"}
    return Release("acme-settings", version, suite, "", files, ("/etc/acme-settings.conf",))


def releases() -> list[Release]:
    """Every release there is: the good ones published, the troublesome ones on the shelf."""
    core = Release("acme-core", "5.0-1", BASE)
    later = [("5.1-1", SECURITY, "CVE-2026-5100")]
    badpost, slow, broken = (Release(f"acme-{name}", "1.0-1", BASE) for name in ("badpost", "slow", "broken"))
    return [
        _agent("1.0-1", BASE),
        _agent("1.1-1", SECURITY, "CVE-2026-1100"),
        _agent("1.2-1", None, "CVE-2026-1200"),  # starts, and answers 500
        _agent("1.3-1", None, "CVE-2026-1200"),  # the correction of 1.2
        _agent("1.4-1", None, "CVE-2026-1400"),  # does not start
        _library("2.0-1", BASE),
        _library("2.1-1", SECURITY, "CVE-2026-2100"),
        *(replace(each, postinst=NEEDS_REBOOT) for each in _versions(core, *later)),
        *_versions(Release("acme-tool", "3.0-1", BASE), ("3.1-1", UPDATES, ""), ("3.2-1", None, "")),
        *_versions(Release("acme-held", "1.0-1", BASE), ("1.1-1", None, "CVE-2026-1001")),
        badpost,
        replace(badpost, version="1.1-1", suite=None, postinst=FAILS),
        replace(slow, postinst=WAITS),
        replace(slow, version="1.1-1", suite=None, postinst=WAITS),
        broken,
        replace(broken, version="1.1-1", suite=None, depends="acme-nowhere (>= 9)"),
        _settings("1.0-1", BASE),
        _settings("1.1-1", None),
    ]

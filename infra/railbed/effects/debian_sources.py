"""Where this machine's apt takes Debian from: mirror, keyring, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from debian.deb822 import Deb822

from railbed.errors import HostError

APT_DIR = Path("/etc/apt")
DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def debian_source(suite: str) -> tuple[str, Path]:
    """The machine's own Debian mirror and keyring, from its deb822 or one-line sources. Raises HostError without one."""
    for stanza in _stanzas():
        if suite in stanza["Suites"].split() and "main" in stanza.get("Components", ""):
            return stanza["URIs"].split()[0], Path(stanza.get("Signed-By", DEFAULT_KEYRING))
    classic = APT_DIR / "sources.list"
    text = classic.read_text() if classic.exists() else ""
    line = re.search(rf"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+{suite}\s.*\bmain\b", text, re.MULTILINE)
    if line:
        return line[1], Path(DEFAULT_KEYRING)
    raise HostError(
        f"this machine's apt sources name no Debian {suite} mirror", path=str(APT_DIR),
        hint="images are made of the machine's own Debian sources; add them",
    )  # fmt: skip


def debian_sources_text(suite: str, components: str | None = None) -> str:
    """The machine's Debian source stanzas as deb822; with ``components`` these instead of the machine's own."""
    found = [one for one in _stanzas() if any(part.startswith(suite) for part in one["Suites"].split())]
    if not found:
        uri, keyring = debian_source(suite)
        made = {
            "Types": "deb",
            "URIs": uri,
            "Suites": f"{suite} {suite}-updates",
            "Components": "main",
            "Signed-By": str(keyring),
        }
        found.append(Deb822(made))
    if components:
        for stanza in found:
            stanza["Components"] = components
    return "\n".join(stanza.dump() for stanza in found)


def _stanzas() -> Iterator[Deb822]:
    """Of the machine's deb822 sources (sources.list(5)); what lacks a suite or an address is none."""
    for source in sorted((APT_DIR / "sources.list.d").glob("*.sources")):
        for stanza in Deb822.iter_paragraphs(source.read_text(), use_apt_pkg=False):
            if "Suites" in stanza and "URIs" in stanza:
                yield stanza

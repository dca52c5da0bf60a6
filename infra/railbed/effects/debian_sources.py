"""Where this machine's apt takes Debian from: mirror, keyring, sources."""

from __future__ import annotations

import re
from pathlib import Path

from railbed.errors import HostError

APT_DIR = Path("/etc/apt")
DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def debian_source(suite: str) -> tuple[str, Path]:
    """The machine's own Debian mirror and keyring, from its deb822 or one-line sources. Raises HostError without one."""
    for source in sorted((APT_DIR / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", source.read_text()):
            fields = dict(re.findall(r"^(\S+):\s*(.+)$", stanza, re.MULTILINE))
            if suite in fields.get("Suites", "").split() and "main" in fields.get("Components", ""):
                return fields["URIs"].split()[0], Path(fields.get("Signed-By", DEFAULT_KEYRING))
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
    texts = [source.read_text().strip() for source in sorted((APT_DIR / "sources.list.d").glob("*.sources"))]
    found = [stanza for text in texts for stanza in re.split(r"\n\s*\n", text)]
    stanzas = [stanza for stanza in found if re.search(rf"^Suites:.*\b{suite}", stanza, re.MULTILINE)]
    if components:
        instead = f"Components: {components}"
        stanzas = [re.sub(r"^Components:.*$", instead, stanza, flags=re.MULTILINE) for stanza in stanzas]
    if not stanzas:
        uri, keyring = debian_source(suite)
        stanzas.append(
            f"Types: deb\nURIs: {uri}\nSuites: {suite} {suite}-updates\n"
            f"Components: {components or 'main'}\nSigned-By: {keyring}"
        )
    return "\n\n".join(stanzas) + "\n"

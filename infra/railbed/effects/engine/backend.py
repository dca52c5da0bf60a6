"""Where the engine keeps its state, and with what it encrypts secrets: this checkout's own, or a team's object store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from railbed.catalog import nearest, strict_yaml
from railbed.effects import files
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

STORES = ("s3", "gs", "azblob", "file")
KEYS = ("awskms", "gcpkms", "azurekeyvault", "hashivault")
"""Secrets providers that a team shares; a passphrase is shared by telling it, and so is refused."""
SECRET_WORDS = re.compile(r"key|secret|token|password|signature|\bsig\b", re.IGNORECASE)
HARMLESS = ("key-id", "keyid", "kms_key")
PROJECT = "Pulumi.yaml"
COMMENT = "# The team's state; `railbed state init` wrote this."


@dataclass(frozen=True)
class Team:
    """What a team shares."""

    backend: str
    """Object store of the state, e.g. ``s3://acme-railbed-state?region=us-east-2``."""
    secrets: str
    """Key that encrypts secrets in it, e.g. ``awskms://alias/railbed?region=us-east-2``."""


def checked(backend: str, secrets: str) -> Team:
    """The two addresses. Raises UsageError for an unknown scheme, or where an address carries a credential."""
    _scheme(backend, STORES, "--backend", "s3://BUCKET?region=REGION")
    _scheme(secrets, KEYS, "--secrets-provider", "awskms://alias/NAME?region=REGION")
    for option, url in (("--backend", backend), ("--secrets-provider", secrets)):
        parts = urlsplit(url)
        words = [word for word in parse_qs(parts.query) if SECRET_WORDS.search(word) and word not in HARMLESS]
        if parts.password or words:
            raise UsageError(
                "the address carries a credential, and it would be written into a file", code="STATE_SECRET",
                path=option, found=words or "a password", allowed="no credentials",
                hint="give them as the provider's SDKs expect them: environment, profile or instance role",
            )  # fmt: skip
    return Team(backend, secrets)


def _scheme(url: str, known: tuple[str, ...], option: str, example: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in known:
        near = nearest(scheme, list(known))
        raise UsageError(
            "not an address that the engine knows", code="STATE_ADDRESS", path=option, found=url.split("?")[0],
            allowed=[f"{one}://…" for one in known], hint=f"did you mean {near}://…?" if near else f"like {example}",
        )  # fmt: skip


def team_backend(root: Path) -> str:
    """The backend that the project file names; empty where the state is this checkout's own."""
    file = root / PROJECT
    data = strict_yaml.read(file) if file.is_file() else None
    backend = data.get("backend") if isinstance(data, dict) else None
    return str(backend.get("url", "")) if isinstance(backend, dict) else ""


def local_backend(work: Workspace) -> str:
    """The file backend under ``.railbed/``.

    Without ``metadata=skip`` each state file has a second one beside it that is not written atomically: a kill at the wrong
    moment leaves it empty, and the engine then cannot load the state.
    """
    return f"file://{work.local / 'state'}?metadata=skip"


def write_team_backend(root: Path, url: str) -> None:
    """Puts the backend into the project file, which the team commits; everything else in it stays as it is."""
    file = root / PROJECT
    lines = file.read_text().splitlines()
    if COMMENT in lines:
        at = lines.index(COMMENT)
        del lines[at : at + 3]
    files.replace(file, "\n".join([*lines, COMMENT, "backend:", f"  url: {url}"]) + "\n")

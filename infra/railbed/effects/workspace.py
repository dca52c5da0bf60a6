"""Where a checkout keeps things: ``.railbed/<stack>/`` and the cache. The only place that knows these paths."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from railbed.catalog import nearest
from railbed.defaults import NAME_MAX, NAME_PATTERN
from railbed.effects.files import Register
from railbed.errors import UsageError

LOCAL = ".railbed"


def find_root(start: Path | None = None) -> Path:
    """The checkout: the nearest folder upwards with Pulumi.yaml and infra/. Raises UsageError outside one."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "infra").is_dir():
            return folder
    raise UsageError(
        "this command needs a railbed checkout", code="NO_CHECKOUT", path=str(here),
        hint="run it inside a clone of railbed (the folder with Pulumi.yaml)",
    )  # fmt: skip


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/railbed``: engine, images, packages, training stack; shared by all checkouts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "railbed"


def stack_name(text: str) -> str:
    """``text``, where it may be the name of a stack; it becomes part of paths. Raises UsageError ``STACK_NAME``."""
    if len(text) > NAME_MAX or not re.fullmatch(NAME_PATTERN, text):
        raise UsageError(
            "that cannot be the name of a stack", code="STACK_NAME", path="--stack", found=text[: NAME_MAX + 1],
            allowed=f"lower-case letters, digits and hyphens within, at most {NAME_MAX}", hint="e.g. --stack prod",
        )  # fmt: skip
    return text


@dataclass(frozen=True)
class Workspace:
    """The folders and files of one stack of one checkout. Raises UsageError as `stack_name` does."""

    root: Path
    stack: str

    def __post_init__(self) -> None:
        stack_name(self.stack)

    @property
    def local(self) -> Path:
        """``.railbed/``: engine state, passphrase and the stacks' folders."""
        return self.root / LOCAL

    @property
    def dir(self) -> Path:
        """``.railbed/<stack>/``."""
        return self.local / self.stack

    @property
    def published_keys(self) -> Path:
        """Copies of publishers' signing keys."""
        return self.local / "keys"

    @property
    def secrets(self) -> Path:
        """0700; every file in it 0600."""
        return self.dir / "secrets"

    @property
    def operator_key(self) -> Path:
        """Private SSH key with which railbed logs in to this stack's nodes."""
        return self.secrets / "operator_ed25519"

    @property
    def signing_key(self) -> Path:
        """Private SSH key that signs this stack's certificates."""
        return self.secrets / "certificate_ed25519"

    @property
    def contract_file(self) -> Path:
        return self.dir / "contract.json"

    @property
    def ssh_config(self) -> Path:
        return self.dir / "ssh" / "config"

    @property
    def known_hosts(self) -> Path:
        return self.dir / "ssh" / "known_hosts"

    @property
    def reports(self) -> Path:
        """``reports/<time>/`` and the link ``latest``."""
        return self.dir / "reports"

    @property
    def certificate_file(self) -> Path:
        """The standing certificate; a quick check never replaces it."""
        return self.dir / "certificate.json"

    @property
    def releases(self) -> Register:
        """Node name → software release that the roles last brought it to."""
        hint = "remove it: railbed then asks the nodes"
        return Register(self.dir / "releases.json", "the nodes' releases", "release", hint)

    @property
    def accepted(self) -> Register:
        """Node name → identity of the nodes that passed a full validation."""
        hint = "remove it and validate again: nodes then count as new"
        return Register(self.dir / "accepted.json", "accepted nodes", "identity", hint)

    @property
    def places(self) -> Register:
        """Node name → the node whose place it took in a swap; those at their own place are left out."""
        hint = "remove it: spares are then those of the spec again, and `railbed converge` holds them"
        return Register(self.dir / "places.json", "swapped nodes", "place", hint)

    @property
    def identities_file(self) -> Path:
        """Node name → what the accepted machine showed of itself."""
        return self.dir / "identities.json"

    @property
    def observed_file(self) -> Path:
        """Node name → what it is made of, as it was last observed."""
        return self.dir / "observed.json"

    @property
    def new_host_keys_file(self) -> Path:
        """Instance ids, one a line, whose host key may be another one in the run that is going on."""
        return self.dir / "new-host-keys"

    @property
    def archive(self) -> Path:
        """Survives destroy: journal and last reports."""
        return self.dir / "archive"

    @property
    def journal_file(self) -> Path:
        return self.archive / "journal.jsonl"

    @property
    def runner_dir(self) -> Path:
        """ansible-runner's private data folder."""
        return self.dir / "ansible"

    @property
    def stack_file(self) -> Path:
        return self.root / f"Pulumi.{self.stack}.yaml"

    @property
    def lab_id(self) -> str:
        """Six characters that distinguish this checkout's stack from every other on the machine (interface names are short)."""
        return hashlib.sha256(f"{self.root}\0{self.stack}".encode()).hexdigest()[:6]

    @property
    def lab_dir(self) -> Path:
        """Overlays, logs and facts of the lab's hosts."""
        return self.dir / "lab"


def stacks(root: Path) -> list[str]:
    """The stacks of a checkout: those with a file, and those that were made there."""
    files = {file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in root.glob("Pulumi.*.yaml")}
    made = {file.parent.name for file in (root / LOCAL).glob("*/contract.json")}
    kept = {file.parent.parent.name for file in (root / LOCAL).glob("*/archive/journal.jsonl")}
    return sorted(files | made | kept)


def known(root: Path, stack: str) -> Workspace:
    """The place of a stack of this checkout. Raises UsageError ``STACK_UNKNOWN`` naming those there are."""
    there = stacks(root)
    if there and stack not in there:
        near = nearest(stack, there)
        raise UsageError(
            f"this checkout has no stack {stack}", code="STACK_UNKNOWN", path="--stack", found=stack, allowed=there,
            hint=f"did you mean --stack {near}?" if near else f"name one of them, or write Pulumi.{stack}.yaml",
        )  # fmt: skip
    return Workspace(root, stack)

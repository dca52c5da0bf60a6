"""What this machine must have to build on a platform that is elsewhere: the provider's SDK, its plugin, an engine, gpg."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from railbed.defaults import INSTALL_EXTRA
from railbed.effects import openpgp
from railbed.effects.engine.binaries import built_dir, official
from railbed.platforms.findings import Finding

PULUMI = "pulumi-"
"""Begins the distributions of SDKs whose engine plugin has the rest of their name."""


def examine(kind: str) -> list[Finding]:
    """Looks at SDK, plugin, engine and tools for ``kind``; changes nothing."""
    support = importlib.import_module(f"railbed.platforms.{kind}.support")
    sdk: str = support.SDK
    findings = [_package(kind, sdk, "Python SDK")]
    if sdk.startswith(PULUMI) and findings[0].ok:
        findings.append(_plugin(sdk.removeprefix(PULUMI), importlib.metadata.version(sdk)))
    # What railbed itself asks the provider with, where no SDK of Pulumi's brings it along.
    if client := getattr(support, "CLIENT", ""):
        findings.append(_package(kind, client, "API client"))
    return [*findings, _engine(), _gpg()]


def _package(kind: str, sdk: str, name: str) -> Finding:
    there = importlib.util.find_spec(sdk.replace("-", "_")) is not None
    found = f"{sdk} {importlib.metadata.version(sdk)}" if there else "not installed"
    return Finding(name, there, found, INSTALL_EXTRA.format(kind=kind))


def _plugin(name: str, version: str) -> Finding:
    """The engine acquires nothing by itself here: the plugin is installed once, by hand, at the SDK's version."""
    folders = [Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi"), Path(".railbed/pulumi")]
    installed = [f / "plugins" / f"resource-{name}-v{version}" for f in folders]
    on_path = shutil.which(f"pulumi-resource-{name}")
    place = on_path or next((str(folder) for folder in installed if folder.is_dir()), None)
    hint = f"run `. .railbed/env && pulumi plugin install resource {name} {version} --checksum SHA256-OF-THE-RELEASE`"
    return Finding("engine plugin", place is not None, place or f"no {name} {version}", hint)


def _gpg() -> Finding:
    place = shutil.which("gpg")
    return Finding("gpg", place is not None, place or "not installed", f"install it ({openpgp.PACKAGES})")


def _engine() -> Finding:
    engine = official() or (built_dir() if (built_dir() / "pulumi").is_file() else None)
    return Finding("engine", engine is not None, str(engine or "none yet"), "run `make setup`", needed=False)

"""What this machine must have to build on a platform that is elsewhere: the provider's SDK, its plugin, an engine, gpg."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from railbed.effects import openpgp
from railbed.effects.engine.binaries import built_dir, official
from railbed.platforms.findings import Finding


@dataclass(frozen=True)
class Needs:
    """Python module and distribution of the SDK, and the engine's plugin; empty where there is none."""

    module: str
    distribution: str
    plugin: str = ""


NEEDS = {
    "aws": Needs("pulumi_aws", "pulumi-aws", "aws"),
    "azure": Needs("pulumi_azure_native", "pulumi-azure-native", "azure-native"),
    "gcp": Needs("pulumi_gcp", "pulumi-gcp", "gcp"),
    "oci": Needs("pulumi_oci", "pulumi-oci", "oci"),
    "volcengine": Needs("pulumi_volcengine", "pulumi-volcengine", "volcengine"),
    "alicloud": Needs("pulumi_alicloud", "pulumi-alicloud", "alicloud"),
    "nebius": Needs("pulumi_nebius", "pulumi-nebius", "nebius"),
    "openstack": Needs("pulumi_openstack", "pulumi-openstack", "openstack"),
    # Its resources come from railbed's own provider (plugins/pulumi/railbed).
    "metal": Needs("sushy", "sushy"),
}


def examine(kind: str) -> list[Finding]:
    """Looks at SDK, plugin, engine and tools for ``kind``; changes nothing."""
    needs = NEEDS[kind]
    findings = [_sdk(kind, needs)]
    if needs.plugin and findings[0].ok:
        findings.append(_plugin(needs.plugin, importlib.metadata.version(needs.distribution)))
    return [*findings, _engine(), _gpg()]


def _sdk(kind: str, needs: Needs) -> Finding:
    there = importlib.util.find_spec(needs.module) is not None
    found = (
        f"{needs.distribution} {importlib.metadata.version(needs.distribution)}" if there else "not installed"
    )
    hint = f"run `.railbed/uv/bin/uv sync --frozen --inexact --extra {kind}` (or `pip install 'railbed[{kind}]'`)"
    return Finding("Python SDK", there, found, hint)


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

"""Which `pulumi` to use: the official one on PATH where it fits, else one built once from tools/go.mod."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S, PULUMI_MAX_MAJOR, PULUMI_MIN, PULUMI_VERSION
from railbed.effects import built_once
from railbed.effects.workspace import Workspace, cache_dir
from railbed.errors import HostError
from railbed.run import run

MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
SDK_FILES = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
LANGUAGE_HOST = "pulumi-language-python"


def parse_version(text: str) -> tuple[int, ...]:
    """``v3.259.0`` → (3, 259, 0); empty for anything else."""
    match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in match.groups()) if match else ()


def fits(version: tuple[int, ...]) -> bool:
    """True for an engine that the locked SDK works with."""
    return PULUMI_MIN <= version < (PULUMI_MAX_MAJOR,)


def official() -> Path | None:
    """Folder of a fitting official installation on PATH: the engine with its Python language host beside it."""
    found = shutil.which("pulumi")
    if found is None or shutil.which(LANGUAGE_HOST, path=str(Path(found).parent)) is None:
        return None
    version = run([found, "version"], check=False, env={"PULUMI_SKIP_UPDATE_CHECK": "true"})
    return Path(found).parent if fits(parse_version(version.stdout)) else None


def built_dir() -> Path:
    """Where the built engine is, or would be."""
    return cache_dir() / "engine" / PULUMI_VERSION


def ensure_engine(work: Workspace, say: Callable[[str], None]) -> list[Path]:
    """Folders to put in front of PATH; the engine is built if need be.

    Raises HostError where there is neither a fitting official installation nor a Go toolchain to build one.
    """
    there = official()
    if there is not None:
        return [there]

    def make(building: Path) -> None:
        say(
            f"building the Pulumi engine {PULUMI_VERSION} from tools/go.mod (once; 3 to 6 minutes on two cores)"
        )
        _build(work.root / "tools", building)

    return [_checkout_bin(work, built_once.ensure(built_dir(), "the engine's build", make))]


def _build(tools: Path, building: Path) -> None:
    if shutil.which("go") is None:
        raise HostError(
            "neither an official Pulumi nor Go is on PATH", found=None, allowed=f"pulumi ≥ {PULUMI_VERSION} or go ≥ 1.26",
            hint="install one of the two, then run the same command again",
        )  # fmt: skip
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    version = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}"
    run(
        ["go", "build", "-trimpath", "-ldflags", f"-s -w {version}", "-o", building / "pulumi", MODULE],
        cwd=tools, env=env, timeout_s=BUILD_TIMEOUT_S, log=building.parent / "build.log",
    )  # fmt: skip
    sdk = Path(run(["go", "list", "-m", "-f", "{{.Dir}}", SDK_MODULE], cwd=tools, env=env).stdout.strip())
    for name in SDK_FILES:
        target = building / Path(name).name
        shutil.copy(sdk / name, target)
        target.chmod(0o755)


def _checkout_bin(work: Workspace, built: Path) -> Path:
    """``.railbed/bin``: the built files, and the starter of the language host, which runs in this checkout's environment.

    The engine takes a language host without a word only from its own folder, so the binary is linked there; it looks at
    the file that runs, not at a symbolic link to it.
    """
    folder = work.local / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for source in built.iterdir():
        target = folder / source.name
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            target.unlink(missing_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:  # the cache is on another filesystem
                shutil.copy2(source, target)
    starter = folder / LANGUAGE_HOST
    text = f'#!/bin/sh\nexec "{sys.prefix}/bin/python" "{work.root}/tools/pulumi_language_python.py" "$@"\n'
    if not starter.exists() or starter.read_text() != text:
        starter.write_text(text)
        starter.chmod(0o755)
    return folder

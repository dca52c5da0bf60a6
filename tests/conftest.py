"""Settings of every tier."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from railbed.effects.local_repository import LocalRepository

# A loaded machine is no failed law; timings are benchmarks' business.
settings.register_profile("railbed", deadline=None)
settings.load_profile("railbed")


@pytest.fixture(scope="session", autouse=True)
def _publishers() -> Iterator[None]:
    """No test asks a vendor for a signing key or an archive: what stands for one has its form, and says whose it would be."""

    def stand_in(keys: Path, url: str, fingerprint: str) -> str:
        text = base64.b64encode(f"the key {fingerprint} of {url}".encode()).decode()
        return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{text}\n-----END PGP PUBLIC KEY BLOCK-----\n"

    def own(release: str, wanted: Sequence[Any], cache: Path, say: object) -> LocalRepository:
        return LocalRepository("stand-in", stand_in(cache, "cluster", "0" * 40), "0" * 40, {})

    def wheels(release: str, wanted: Sequence[Any], lists: object, cache: Path, say: object) -> str:
        return "0" * 12

    def found(wanted: Sequence[Any], cache: Path) -> LocalRepository:
        return own("", wanted, cache, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("railbed.effects.publishers.armoured", stand_in)
        patch.setattr("railbed.effects.local_repository.find", found)
        patch.setattr("railbed.effects.local_repository.ensure", own)
        patch.setattr("railbed.effects.local_wheels.ensure", wheels)
        yield


@pytest.fixture(scope="session", autouse=True)
def _session_folder() -> Iterator[None]:
    """Sockets of shared SSH connections lie in no folder of whoever runs the tests; its path must be short."""
    with (
        tempfile.TemporaryDirectory(prefix="rb-", dir="/tmp") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield

"""Settings of every tier."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A loaded machine is no failed law; timings are benchmarks' business.
settings.register_profile("railbed", deadline=None)
settings.load_profile("railbed")


@pytest.fixture(scope="session", autouse=True)
def _publishers() -> Iterator[None]:
    """No test asks a vendor for a signing key: what stands for one says whose it would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "railbed.effects.publishers.armoured",
            lambda work, url, fingerprint: f"the key {fingerprint} of {url}",
        )
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

"""One control plane for the tier; every test file has nodes of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kube import building, running
from tests.kube.cluster import Cluster


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.ControlPlane]:
    programs = building.ensure(print)
    with running.control_plane(programs, tmp_path_factory.mktemp("plane")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(plane: running.ControlPlane) -> Iterator[Cluster]:
    made = Cluster(plane)
    yield made
    made.remove_nodes()

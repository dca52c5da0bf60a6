"""Steps of a part: each looks at one thing of a cluster that stands, and goes on where the one before it broke off."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

from tests.lab.conftest import Cli

from railbed.errors import RailbedError

from .page import Row

Found = tuple[str, list[str]]
"""What was found in words, and everything that is otherwise than it must be."""
Steps = Mapping[str, Callable[[Cli], Found]]


def rows(cli: Cli, steps: Steps) -> Iterator[Row]:
    """Each step; one that breaks off is a row that fails, and the next goes on."""
    for name, step in steps.items():
        start = time.monotonic()
        try:
            found, bad = step(cli)
        except (AssertionError, ValueError, subprocess.SubprocessError, RailbedError) as broke:
            found, bad = "it broke off", [" ".join(str(broke).split())[:300]]
        yield Row(name, found, time.monotonic() - start, bad)

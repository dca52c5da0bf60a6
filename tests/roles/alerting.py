"""Programs with which tests check alerts and send them: this machine's, or those that `tests/roles/setup.py` unpacked."""

from __future__ import annotations

import pytest
from tests.roles.setup import PACKAGES, program

__all__ = ["needs", "program"]


def needs(name: str) -> pytest.MarkDecorator:
    """A test that runs the program."""
    return pytest.mark.skipif(program(name) is None, reason=f"not run: no {name} (package {PACKAGES[name]})")

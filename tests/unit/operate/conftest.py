"""The small cluster of the validation's tests."""

from tests.unit.validate.conftest import contract

__all__ = ["contract"]

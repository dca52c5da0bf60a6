"""Errors inside the engine's loop, raised again as the engine's own, so that Pulumi prints no traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import pulumi
from pydantic import ValidationError

from railbed.defaults import SHOWN_CHARACTERS
from railbed.errors import ContractError, RailbedError

P = ParamSpec("P")
T = TypeVar("T")


class EngineRunError(RailbedError, pulumi.RunError):
    """A RailbedError whose whole text the engine prints, and no traceback."""

    def __init__(self, error: RailbedError) -> None:
        super().__init__(
            error.message,
            path=error.path,
            found=error.found,
            allowed=error.allowed,
            hint=error.hint,
            code=error.code,
        )

    def __str__(self) -> str:
        return self.as_text()


def without_traceback(step: Callable[P, T]) -> Callable[P, T]:
    """``step`` for use in ``Output.apply``: its RailbedError reaches the user as text, without a traceback.

    So does a value that a provider gave and that has no place in a contract.
    """

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(*args, **kwargs)
        except RailbedError as error:
            raise EngineRunError(error) from None
        except ValidationError as wrong:
            raise EngineRunError(_unfit(wrong)) from None

    return run


def _unfit(wrong: ValidationError) -> ContractError:
    first = wrong.errors()[0]
    return ContractError(
        f"what was made does not fit the contract: {first['msg']}", code="CONTRACT_FORM",
        path=f"{wrong.title}.{'.'.join(map(str, first['loc']))}", found=str(first.get("input"))[:SHOWN_CHARACTERS],
        hint="change it where it comes from: the spec, or a name that the provider lets you choose",
    )  # fmt: skip

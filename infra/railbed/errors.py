"""Errors that help: what was found, what was expected, where, what to do; with a stable code and an exit status."""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit statuses of every railbed command; USAGE over FAIL over UNPROVEN over PASS when several apply."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNPROVEN = 3


class RailbedError(Exception):
    """Base of every error that a user may see; printed as text or as the JSON of design §11, never as a traceback."""

    code = "ERROR"
    exit_status = Exit.FAIL

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        found: Any = None,
        allowed: Any = None,
        hint: str = "",
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.found = found
        self.allowed = allowed
        self.hint = hint
        if code:
            self.code = code

    def as_json(self) -> dict[str, Any]:
        """The body of ``{"error": …}``."""
        return {
            "code": self.code,
            "message": self.message,
            "path": self.path,
            "found": self.found,
            "allowed": self.allowed,
            "hint": self.hint,
        }

    def as_text(self) -> str:
        """One paragraph for a terminal."""
        lines = [f"{self.code}: {self.message}"]
        if self.path:
            lines.append(f"  where    {self.path}")
        if self.found is not None:
            lines.append(f"  found    {self.found!r}")
        if self.allowed is not None:
            lines.append(f"  allowed  {self.allowed}")
        if self.hint:
            lines.append(f"  do       {self.hint}")
        return "\n".join(lines)


class UsageError(RailbedError):
    """The command or its input is wrong; nothing was changed."""

    code = "USAGE"
    exit_status = Exit.USAGE


class SpecError(UsageError):
    """The spec does not hold; ``path`` is ``file:key.path``."""

    code = "SPEC_INVALID"


class Unsupported(UsageError):
    """A feature that a platform, or this release, does not have; never dropped silently."""

    code = "UNSUPPORTED"

    def __init__(self, platform: str, feature: str, hint: str = "", *, path: str = "") -> None:
        super().__init__(f"{platform} does not support {feature}", path=path, hint=hint)


class CatalogError(UsageError):
    """A catalogue file or key is wrong or unknown."""

    code = "CATALOG"


class ContractError(UsageError):
    """The contract is missing, truncated, of an older schema or does not match its hash."""

    code = "CONTRACT"


class HostError(UsageError):
    """This machine lacks something that railbed needs (tool, kernel feature, memory, disk, right)."""

    code = "HOST"


class Busy(UsageError):
    """Another operator is at work on the same stack."""

    code = "BUSY"


class CommandError(RailbedError):
    """A program that railbed ran ended badly."""

    code = "COMMAND"


class UnprovenError(RailbedError):
    """Something could not be measured; neither passed nor failed."""

    code = "UNPROVEN"
    exit_status = Exit.UNPROVEN


def refused(error: OSError, path: str = "") -> RailbedError:
    """What the operating system refuses in the middle of a command: a full disk, a missing right. Code ``SYSTEM``."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return RailbedError(
        f"the operating system refused: {error.strerror or error}", code="SYSTEM",
        path=path or str(error.filename or ""),
        hint="make room, and run the same command again" if full else "check that the path exists and may be used",
    )  # fmt: skip

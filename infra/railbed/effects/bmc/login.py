"""Users and passwords of BMCs: from a file that only its owner can read, or from the environment; never from argv."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed.catalog import strict_yaml
from railbed.errors import UsageError

USER_VARIABLE = "RAILBED_BMC_USER"
PASSWORD_VARIABLE = "RAILBED_BMC_PASSWORD"  # noqa: S105 - the name of a variable
EXAMPLE = "user: …, password: …, and where they differ: machines: {h100-0: {user: …, password: …}}"


@dataclass(frozen=True)
class Login:
    """One user of one BMC; the password never shows in a representation."""

    user: str
    password: str = field(repr=False)


IRONIC_USER_VARIABLE = "RAILBED_IRONIC_USER"
IRONIC_PASSWORD_VARIABLE = "RAILBED_IRONIC_PASSWORD"  # noqa: S105 - the name of a variable


def login(file: Path, name: str) -> Login:
    """The login for machine ``name``: its own in ``file``, else the file's common one, else the environment's.

    Raises UsageError where none is to be had, or where others can read the file.
    """
    return _login(file, name, f"the BMC of {name}", (USER_VARIABLE, PASSWORD_VARIABLE), EXAMPLE)


def of_ironic(file: Path) -> Login:
    """The login for the site's own Ironic, of ``file`` or the environment. Raises as ``login``."""
    variables = (IRONIC_USER_VARIABLE, IRONIC_PASSWORD_VARIABLE)
    return _login(file, "", "the site's Ironic", variables, "user: …, password: …")


def _login(file: Path, name: str, whose: str, variables: tuple[str, str], example: str) -> Login:
    entry = _from_file(file, name) if file.exists() else {}
    user = entry.get("user") or os.environ.get(variables[0])
    password = entry.get("password") or os.environ.get(variables[1])
    if not user or not password:
        raise UsageError(
            f"no user and password for {whose}", code="BMC_LOGIN", path=str(file),
            hint=f"write them into the file, mode 0600 ({example}), or set {' and '.join(variables)}",
        )  # fmt: skip
    return Login(user, password)


def _from_file(file: Path, name: str) -> dict[str, str]:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise UsageError(
            "others can read the passwords in it", code="BMC_LOGIN", path=str(file), found=oct(mode),
            allowed="0o600", hint=f"chmod 600 {file}",
        )  # fmt: skip
    try:
        data = strict_yaml.read(file)
    except strict_yaml.YamlProblem as problem:
        # The problem's own words may quote the line, and with it a password.
        raise UsageError(
            f"line {problem.line} is not plain YAML", code="BMC_LOGIN", path=str(file), allowed=EXAMPLE
        ) from None
    machines = data.get("machines", {}) if isinstance(data, dict) else None
    own = machines.get(name, {}) if isinstance(machines, dict) else None
    entry = {**data, **own} if isinstance(own, dict) else None
    if entry is None or not _texts(entry):
        raise UsageError(
            "user and password must be quoted text", code="BMC_LOGIN", path=str(file), allowed=EXAMPLE
        )
    return {key: str(entry[key]) for key in ("user", "password") if entry.get(key)}


def _texts(entry: dict[str, Any]) -> bool:
    return all(isinstance(entry.get(key, ""), str) for key in ("user", "password"))

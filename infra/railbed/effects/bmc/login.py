"""Users and passwords of BMCs and a site's Ironic: from a file that only its owner can read, or from the environment."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from railbed.catalog import strict_yaml
from railbed.effects.workspace import LOCAL
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


def logins_file(root: Path) -> Path:
    """The site's BMC users and passwords, one file for a checkout: 0600, written by the operator, never by railbed."""
    return root / LOCAL / "bmc.yaml"


def login(file: Path, name: str) -> Login:
    """The login for machine ``name``: its own in ``file``, else the file's common one, else the environment's.

    Raises UsageError where none is to be had, or where others can read the file.
    """
    return _login(
        file, name, _Wanted(f"the BMC of {name}", "BMC_LOGIN", USER_VARIABLE, PASSWORD_VARIABLE, EXAMPLE)
    )


def of_ironic(file: Path) -> Login:
    """The login for the site's own Ironic, of ``file`` or the environment. Raises as ``login``."""
    wanted = _Wanted(
        "the site's Ironic",
        "IRONIC_LOGIN",
        IRONIC_USER_VARIABLE,
        IRONIC_PASSWORD_VARIABLE,
        "user: …, password: …",
    )
    return _login(file, "", wanted)


class _Wanted(NamedTuple):
    """Whose login is looked for, and the words of what is wrong with it."""

    whose: str
    code: str
    user_variable: str
    password_variable: str
    example: str


def _login(file: Path, name: str, wanted: _Wanted) -> Login:
    entry = _from_file(file, name, wanted) if file.exists() else {}
    user = entry.get("user") or os.environ.get(wanted.user_variable)
    password = entry.get("password") or os.environ.get(wanted.password_variable)
    if not user or not password:
        raise UsageError(
            f"no user and password for {wanted.whose}", code=wanted.code, path=str(file),
            hint=f"write them into the file, mode 0600 ({wanted.example}), or set {wanted.user_variable} and "
            f"{wanted.password_variable}",
        )  # fmt: skip
    return Login(user, password)


def _from_file(file: Path, name: str, wanted: _Wanted) -> dict[str, str]:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise UsageError(
            f"others can read the password for {wanted.whose} in it", code=wanted.code, path=str(file), found=oct(mode),
            allowed="0o600", hint=f"chmod 600 {file}",
        )  # fmt: skip
    try:
        data = strict_yaml.read(file)
    except strict_yaml.YamlProblem as problem:
        # The problem's own words may quote the line, and with it a password.
        raise UsageError(
            f"line {problem.line} is not plain YAML", code=wanted.code, path=str(file), allowed=wanted.example
        ) from None
    machines = data.get("machines", {}) if isinstance(data, dict) else None
    own = machines.get(name, {}) if isinstance(machines, dict) else None
    entry = {**data, **own} if isinstance(own, dict) else None
    if entry is None or not _texts(entry):
        raise UsageError(
            "user and password must be quoted text", code=wanted.code, path=str(file), allowed=wanted.example
        )
    return {key: str(entry[key]) for key in ("user", "password") if entry.get(key)}


def _texts(entry: dict[str, Any]) -> bool:
    return all(isinstance(entry.get(key, ""), str) for key in ("user", "password"))

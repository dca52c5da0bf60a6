"""Secrets of the site that a contract refers to: files on the operator's machine, looked at before anything runs."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from railbed.contract.site import Services
from railbed.effects.secret_files import SecretError, flaw_of_file
from railbed.effects.workspace import Workspace

DIRECTORY_FILE = "directory.password"
"""Of whom nodes log in to the directory as; below the stack's secrets."""

PROXY_FILE = "proxy.login"
"""``USER:PASSWORD`` of the proxy."""
RECEIVER_FILE = "alerts.{}"
"""Of one receiver of alerts, by its name: a password, a token, a key or an address."""
LOGIN = re.compile(r"[^\s:\"']+:[^\s\"']+")
"""As apt_auth.conf(5) takes them: words, without quotes."""
ADDRESS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9._~:/?#@!&'()*+,;=%-]*")
"""RFC 3986; whoever reads it on the way may write to the receiver."""


def wanted(services: Services) -> dict[str, str]:
    """File name → what it is for."""
    directory, proxy = services.directory, services.proxy
    found = (
        {DIRECTORY_FILE: f"the password of {directory.bind_dn}"} if directory and directory.bind_dn else {}
    )
    receivers = services.alerts.receivers if services.alerts else []
    return {
        **found,
        **({PROXY_FILE: "the login of the proxy"} if proxy and proxy.authenticated else {}),
        **{
            RECEIVER_FILE.format(one.name): f"the {one.file} of the receiver {one.name}"
            for one in receivers
            if one.file != "none"
        },
    }


def require_secrets(work: Workspace, services: Services) -> None:
    """Raises SecretError for a file that is missing, empty, of several lines, or open to others."""
    for name, what in wanted(services).items():
        file = work.secrets / name
        wrong = flaw_of_file(file) or _flaw(file)
        if not wrong and name == PROXY_FILE and not LOGIN.fullmatch(file.read_text().strip()):
            wrong = "is not USER:PASSWORD without blanks or quotes"
        if not wrong and what.startswith("the url ") and not ADDRESS.fullmatch(file.read_text().strip()):
            wrong = "is not an address that begins with https://"
        if wrong:
            raise SecretError(
                f"{what} {wrong}", path=str(file), allowed="one line, mode 0600",
                hint=f"write it with an editor, then: chmod 600 {file}",
            )  # fmt: skip


def _flaw(file: Path) -> str:
    if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        return "can be read by others"
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return "is not text"
    return "" if len(text.splitlines()) == 1 and text.strip().isprintable() else "is not one line"

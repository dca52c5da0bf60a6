"""Why a node could not be reached, or no task could become root there, in a few words in front of what was said. Pure."""

from __future__ import annotations

import re

BROKE_OFF = "connection broke off"
"""It was reached, and what it was doing is not known."""
REASONS = (
    ("host key changed: this is not the machine that was made, or somebody is in between; nothing was sent to it",
     r"HOST IDENTIFICATION HAS CHANGED|has changed and you have requested strict checking"),
    ("host key unknown: none was recorded when the node was made; nothing was sent to it",
     r"host key is known for|Host key verification failed"),
    ("login refused", r"Permission denied \("),
    ("disk full", r"No space left on device"),
    (BROKE_OFF, r"closed by remote host|Broken pipe|Connection reset|client_loop|not responding"),
    ("no answer", r"timed out|Connection refused|No route to host|Network is unreachable|Could not resolve"),
)  # fmt: skip
"""Reason, and OpenSSH's ssh(1) (or Ansible's) words for it; the first that fits."""


NO_ROOT = "railbed's login may not become root there: give it NOPASSWD:ALL in /etc/sudoers.d"
SUDO_REFUSED = re.compile(r"(?:Missing|Incorrect) sudo password|sudo: a password is required")
"""Ansible's words (ansible-core 2.19, plugins/connection/ssh.py), and sudo's own where Ansible passes them on."""


def refused_root(said: str) -> str:
    """`NO_ROOT` where a task failed for that; else empty."""
    return NO_ROOT if SUDO_REFUSED.search(said) else ""


def reason(said: str) -> str:
    """The reason that ``said`` gives; empty where it gives none of them."""
    return next((known for known, words in REASONS if re.search(words, said)), "")

"""Contract → configured nodes: inventory, and the roles run through ansible-runner.

Imports the contract, effects and what is below; never a spec, a plan or a platform. It measures nothing: that is
``railbed.validate``.
"""

from __future__ import annotations

from railbed.configure import progress
from railbed.configure.events import Event, OnEvent
from railbed.configure.playbook import converge, require_roles
from railbed.configure.releases import learn, refuse_move
from railbed.configure.results import ConvergeResult, NodeResult, NodeState, broken
from railbed.configure.site_secrets import require_secrets
from railbed.configure.stack import converged_file, let_go

__all__ = [
    "ConvergeResult",
    "Event",
    "NodeResult",
    "NodeState",
    "OnEvent",
    "broken",
    "converge",
    "converged_file",
    "learn",
    "let_go",
    "progress",
    "refuse_move",
    "require_roles",
    "require_secrets",
]

"""ansible-runner, wrapped: one playbook run, its events, and nothing of it that holds a secret on disk."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from railbed.configure.redact import Redactor
from railbed.defaults import CONVERGE_SILENCE_S, KEPT_RUNS
from railbed.effects.workspace import Workspace

PROGRAMS = Path(__file__).with_name("bin")
"""First on the run's PATH: an ansible-playbook that does not outlive this process."""
KEPT_EVENTS = frozenset(
    {"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed", "playbook_on_stats"}
)
"""Events that stay on disk, beside those that changed something."""
PASSED_ON = ("PATH", "HOME", "LANG", "USER", "LOGNAME", "TERM", "TMPDIR", "SSH_AUTH_SOCK", "XDG_CACHE_HOME")
PASSED_ON_PREFIXES = (
    "ANSIBLE_",
    "AWX_",
    "RUNNER_",
    "LC_",
    "PYTHON",
    "VIRTUAL_ENV",
    "LIBSSH",
    "ORIGINAL_STDOUT",
)
"""Of the operator's environment; the rest may hold credentials and would be written down."""


@dataclass(frozen=True)
class Run:
    """How a playbook run ended."""

    status: str
    """``successful``, ``failed``, ``timeout``, ``canceled``, …"""
    log: Path


def play(
    work: Workspace, playbook: str, inventory: Path, hosts: list[str], *, contract_hash: str, options: str,
    forks: int, redactor: Redactor, take: Callable[[dict[str, Any]], None],
) -> Run:  # fmt: skip
    """Runs a playbook on ``hosts``; ``take`` gets every event, without secrets, as it comes."""
    import ansible_runner  # a tenth of a second that only a run should pay

    ident = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    folder = work.runner_dir / "artifacts" / ident
    folder.mkdir(parents=True, mode=0o700)
    _settings(work)
    log = folder / "log"

    def handle(event: dict[str, Any]) -> bool:
        if event.get("event") == "runner_on_start":
            return False
        # The same dictionary is what ansible-runner writes to disk afterwards.
        event.update(redactor.data(event))
        take(event)
        if event.get("stdout"):
            with log.open("a") as sink:
                sink.write(event["stdout"] + "\n")
        result = (event.get("event_data") or {}).get("res") or {}
        return event.get("event") in KEPT_EVENTS or bool(result.get("changed"))

    def starting(status: Mapping[str, Any], runner_config: Any) -> None:
        if status.get("status") == "starting":
            runner_config.env = {k: v for k, v in runner_config.env.items() if _passes(k)}

    try:
        with _signals_kept():
            runner = ansible_runner.run(
                private_data_dir=str(work.runner_dir), project_dir=str(work.root), ident=ident,
                playbook=f"playbooks/{playbook}", inventory=str(inventory), limit=",".join(hosts),
                forks=forks,
                cmdline=options or None, envvars=_environment(work),
                rotate_artifacts=KEPT_RUNS, suppress_env_files=True, quiet=True,
                # Facts change when hosts do, and hosts when the contract does.
                fact_cache=str(work.runner_dir / "facts" / contract_hash[:12]),
                event_handler=handle, status_handler=starting,
            )  # fmt: skip
    finally:
        redactor.folder(folder)
    if runner.status == "canceled":
        raise KeyboardInterrupt
    return Run(str(runner.status), log)


def _settings(work: Workspace) -> None:
    """ansible-runner takes these from a file only; its copy of the screen would hold secrets until the run's end."""
    path = work.runner_dir / "env" / "settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"suppress_output_file": True, "idle_timeout": CONVERGE_SILENCE_S}))


def _environment(work: Workspace) -> dict[str, str]:
    """Ansible's settings that depend on where the checkout is; all others are in ansible.cfg."""
    return {
        # The Ansible beside this Python, whatever else is installed.
        "PATH": os.pathsep.join(
            [str(PROGRAMS), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        ),
        "ANSIBLE_CONFIG": str(work.root / "ansible.cfg"),
        "ANSIBLE_HOME": str(work.runner_dir / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
    }


def _passes(name: str) -> bool:
    return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """ansible-runner takes SIGINT and SIGTERM to end its child, and does not give them back."""
    try:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

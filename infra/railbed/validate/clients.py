"""What each client of a shared filesystem sees, before anything is measured: whose fault is it when something does not answer?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from railbed import ended
from railbed.contract import Filesystem, further
from railbed.defaults import SSH_FANOUT, STORAGE_TIMEOUT_S
from railbed.parse.numbers import integer
from railbed.run import TIMED_OUT, Result
from railbed.text import shown
from railbed.validate.node.mounts import mounted_as, wrong_mount
from railbed.validate.validation_run import ValidationRun

CLIENT = "storage client"
"""The part that is to blame where one node does not see what others do, or is far slower than they."""
CLIENT_STAT_S = 10.0
"""A filesystem in service answers a `stat -f` within milliseconds; MooseFS's client waits 5 s before it asks its master again."""

SCRIPT = """
set -u
folder=$(mktemp -d) || exit 3
python3 -c '' 2> "$folder/python"
echo "python $? $(head -n 1 "$folder/python")"
(stat -f --format=%T {path} > "$folder/said" 2>&1; echo $? > "$folder/code") < /dev/null > /dev/null 2>&1 &
waited=0
until [ -s "$folder/code" ] || [ "$waited" -ge {tenths} ]; do sleep 0.1; waited=$((waited + 1)); done
echo "stat $(cat "$folder/code" 2> /dev/null || echo silent) $(head -n 1 "$folder/said" 2> /dev/null)"
rm -rf "$folder"
cat /proc/mounts
"""
"""A stat that waits inside the kernel cannot be ended, and `timeout` would wait for it: so nobody does."""


class Seen(StrEnum):
    """How a client is."""

    WELL = "well"
    BROKEN = "broken"
    """The filesystem is not there, is another one, or does not answer."""
    UNABLE = "unable"
    """It is there, but what measures it cannot run."""
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Client:
    """One client; ``reason`` is empty where it is well."""

    name: str
    seen: Seen
    reason: str = ""


def probe(validation: ValidationRun, filesystem: Filesystem, names: Sequence[str]) -> dict[str, Client]:
    """Asks all clients at once. Those that cannot be reached are written down as such for the rest of the run."""
    script = SCRIPT.format(path=shlex.quote(filesystem.mount), tenths=int(CLIENT_STAT_S * 10))

    def ask(name: str) -> Result:
        return validation.remote.run(name, script, timeout_s=CLIENT_STAT_S + STORAGE_TIMEOUT_S, check=False)

    answers = validation.remote.each(names, ask, SSH_FANOUT)
    validation.keep(
        f"{further.folder(validation.contract, filesystem)}/clients.json",
        {name: f"{one.stdout}\n{one.stderr}" for name, one in answers.items()},
    )
    found = {name: judge(name, answer, filesystem) for name, answer in answers.items()}
    for name, client in found.items():
        if client.seen is Seen.UNREACHABLE:
            validation.unreachable.setdefault(name, client.reason)
    return found


def judge(name: str, answer: Result, filesystem: Filesystem) -> Client:
    """How a client is, from what the script printed; pure."""
    python, _, rest = answer.stdout.partition("\n")
    stat, _, table = rest.partition("\n")
    words, said = python.split(" ", 2), stat.split(" ", 2)
    if not answer.ok or words[0] != "python" or said[0] != "stat" or len(words) < 2 or len(said) < 2:
        reason = (
            "it does not answer"
            if answer.returncode == TIMED_OUT
            else ended.why(answer, "the check of its filesystem", name)
        )
        return unreachable(name, f"blocked by {name}, which cannot be reached: {reason}")
    wrong = wrong_mount(mounted_as(table), filesystem.mount, filesystem.kind)
    if not wrong and said[1] == "silent":
        wrong = f"{filesystem.mount} does not answer within {CLIENT_STAT_S:g} s"
    elif not wrong and said[1] != "0":
        wrong = f"{filesystem.mount} does not answer: {shown(said[-1])}"
    if wrong:
        return Client(name, Seen.BROKEN, wrong)
    if words[1] != "0":
        why = ended.sentence("python3", integer(words[1]) or 1, words[-1], name)
        return Client(name, Seen.UNABLE, f"blocked by {name}, where python3 cannot be run: {why}")
    return Client(name, Seen.WELL)


def unreachable(name: str, why: str) -> Client:
    """A client of which nobody knows how it is; ``why`` begins with ``blocked by``."""
    return Client(name, Seen.UNREACHABLE, why)


def outage(clients: dict[str, Client]) -> bool:
    """Whether the filesystem itself is down: several clients say how it is, and for none it is well. One may be its own fault."""
    known = [one for one in clients.values() if one.seen is not Seen.UNREACHABLE]
    return len(known) > 1 and all(one.seen is Seen.BROKEN for one in known)

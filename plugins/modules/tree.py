#!/usr/bin/python
"""Writes a role's whole set of files, folders and links in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tree
short_description: Write a role's whole set of files in one call
description:
  - Brings files, folders and symbolic links to the given content, mode and owner.
  - Each file is replaced atomically.
  - Content comes rendered from the controller, with C(lookup('rendered', …)).
options:
  files:
    description:
      - Path to its content, or to V(content), V(mode) (octal text), V(owner), V(group).
      - V(sensitive) keeps the content out of diffs.
      - V(base64) says that the content is base64 of the bytes to write.
      - V(validate) is a program with arguments, C(%s) stands for the new file; it must end with 0 before the
        file is put in place.
      - V(unless_exists) is a list of paths; while one of them exists the file is not looked at.
    type: dict
    default: {}
  directories:
    description: Path to V(mode), V(owner), V(group); made with their parents, which keep the usual mode.
    type: dict
    default: {}
  links:
    description: Path of a symbolic link to its target.
    type: dict
    default: {}
  modes:
    description: Path of a file or folder that others made to its mode (octal text); one that is not there is passed over.
    type: dict
    default: {}
  absent:
    description: Files and links that must not be there.
    type: list
    elements: path
    default: []
  purge:
    description: Folders below which there may be no files and links but those of this call, and those of O(keep).
    type: list
    elements: path
    default: []
  keep:
    description: Files below folders of O(purge) that stay as they are, where they are there.
    type: list
    elements: path
    default: []
  units:
    description: Units to bring to their state once the files are there, as in module M(units).
    type: list
    elements: dict
    default: []
  timeout_s:
    description:
      - How long one start, restart or enabling may take, in seconds. A start that hangs is ended by systemd itself before (90 s).
    type: int
    default: 300
  settle_s:
    description: How long a unit that was just started must stay up before it counts as started, in seconds.
    type: float
    default: 0.5
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Configure the time service
  tree:
    files:
      /etc/chrony/chrony.conf: "{{ lookup('rendered', 'chrony.conf.j2') }}"
    units:
      - name: chrony.service
        files: [/etc/chrony/chrony.conf]
"""

RETURN = r"""
paths:
  description: What was (or, in check mode, would be) changed.
  type: list
  returned: always
kept:
  description: Every path that the call names.
  type: list
  returned: always
states:
  description: ActiveState of each unit afterwards.
  type: dict
  returned: always
"""

import base64
import binascii
import grp
import os
import pwd
import stat
import tempfile
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.railbed_units import ARGUMENTS, bring_all

FILE_KEYS = {"content", "mode", "owner", "group", "base64", "sensitive", "validate", "unless_exists"}
DIRECTORY_KEYS = {"mode", "owner", "group"}
DIFF_BYTES = 100_000
NEW = ".railbed-"
"""How the name of a file begins that is not in its place yet."""
Attributes = tuple[int, int, int]
"""Mode, user id, group id."""


class Discreet(AnsibleModule):  # type: ignore[misc]
    """A failure would repeat the arguments, and with them the content of every file."""

    def fail_json(self, msg: str, **more: Any) -> None:
        """As everywhere, but for the content."""
        super().fail_json(msg, invocation={"module_args": {}}, **more)


class Tree:
    """The wanted set of paths, and what had to be changed for it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.check = module.check_mode
        self.paths: list[str] = []
        self.diffs: list[dict[str, Any]] = []

    def _changed(self, path: str, before: str, after: str) -> None:
        self.paths.append(path)
        header = {"before_header": path, "after_header": path}
        self.diffs.append({**header, "before": before, "after": after})

    def _attributes(self, path: str, want: dict[str, Any], mode: int, fallback_owner: str) -> Attributes:
        """In check mode an account that a package would bring is -1: unknown."""
        text = want.get("mode")
        if text is not None:
            try:
                mode = int(str(text), 8)
            except ValueError:
                self.module.fail_json(msg=f"{path}: mode {text!r} is not octal text like '0644'")
        owner = want.get("owner") or fallback_owner
        group = want.get("group") or owner
        uid = gid = -1
        try:
            uid = pwd.getpwnam(owner).pw_uid
            gid = grp.getgrnam(group).gr_gid
        except KeyError as unknown:
            if not self.check:
                self.module.fail_json(msg=f"{path}: no such account: {unknown}")
        return mode, uid, gid

    def directory(self, path: str, want: dict[str, Any]) -> None:
        """Makes a folder with its parents, or corrects its mode and owner."""
        mode, uid, gid = self._attributes(path, want, 0o755, "root")
        if not os.path.isdir(path):
            if os.path.lexists(path):
                self.module.fail_json(msg=f"{path} is there and is not a folder")
            self._changed(path, "", "folder\n")
            if not self.check:
                os.makedirs(path, exist_ok=True)
        elif _attributes_of(path, uid, gid) != (mode, uid, gid):
            self._changed(path, _words(os.stat(path)), f"mode {mode:04o} owner {uid}:{gid}\n")
        else:
            return
        if not self.check:
            os.chown(path, uid, gid)
            os.chmod(path, mode)

    def file(self, path: str, want: dict[str, Any]) -> None:
        """Replaces a file whose bytes, mode or owner differ."""
        if any(os.path.lexists(other) for other in want.get("unless_exists", [])):
            return
        data = self._bytes(path, want)
        mode, uid, gid = self._attributes(path, want, 0o644, "root")
        regular = os.path.lexists(path) and stat.S_ISREG(os.lstat(path).st_mode)
        if os.path.isdir(path) and not os.path.islink(path):
            self.module.fail_json(msg=f"{path} is a folder")
        current = _read(path) if regular else None
        if current == data:
            if _attributes_of(path, uid, gid) != (mode, uid, gid):
                self._changed(path, _words(os.stat(path)), f"mode {mode:04o} owner {uid}:{gid}\n")
                if not self.check:
                    os.chown(path, uid, gid)
                    os.chmod(path, mode)
            return
        self._changed(path, _shown(current, want), _shown(data, want))
        if not self.check:
            self._replace(path, data, (mode, uid, gid), want.get("validate"))

    def _bytes(self, path: str, want: dict[str, Any]) -> bytes:
        content = want.get("content")
        if not isinstance(content, str):
            self.module.fail_json(msg=f"{path}: content must be text, not {type(content).__name__}")
        if not want.get("base64"):
            return content.encode("utf-8", errors="surrogateescape")
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error as broken:
            self.module.fail_json(msg=f"{path}: content is not base64: {broken}")
        return b""

    def _replace(self, path: str, data: bytes, want: Attributes, validate: Optional[list[str]]) -> None:
        mode, uid, gid = want
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        # The new file lies beside the old one, so that the rename cannot be torn; private until complete.
        fd, building = tempfile.mkstemp(prefix=NEW, dir=folder)
        try:
            with os.fdopen(fd, "wb") as sink:
                sink.write(data)
                sink.flush()
                os.fsync(sink.fileno())
            os.chown(building, uid, gid)
            os.chmod(building, mode)
            if validate:
                argv = [building if part == "%s" else part for part in validate]
                code, out, err = self.module.run_command(argv)
                if code != 0:
                    self.module.fail_json(
                        msg=f"{path}: {argv[0]} refuses the new content: {(err or out).strip()}"
                    )
            os.rename(building, path)
        finally:
            if os.path.lexists(building):
                os.unlink(building)

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link; replaces another link, never a file or folder."""
        current = os.readlink(path) if os.path.islink(path) else None
        if current == target:
            return
        if current is None and os.path.lexists(path):
            self.module.fail_json(msg=f"{path} is there and is not a link")
        self._changed(path, f"-> {current}\n" if current else "", f"-> {target}\n")
        if self.check:
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        building = f"{path}.railbed-new"
        if os.path.lexists(building):
            os.unlink(building)
        os.symlink(target, building)
        os.rename(building, path)

    def mode(self, path: str, wanted: str) -> None:
        """Corrects the mode of what others made; never through a link."""
        if os.path.islink(path) or not os.path.exists(path):
            return
        now = os.stat(path)
        mode, _, _ = self._attributes(path, {"mode": wanted}, 0, "root")
        if stat.S_IMODE(now.st_mode) == mode:
            return
        self._changed(path, _words(now), f"mode {mode:04o} owner {now.st_uid}:{now.st_gid}\n")
        if not self.check:
            os.chmod(path, mode)

    def remove(self, path: str) -> None:
        """Removes a file or link."""
        if not os.path.lexists(path):
            return
        if os.path.isdir(path) and not os.path.islink(path):
            self.module.fail_json(msg=f"{path} is a folder; only files and links are removed")
        self._changed(path, "there\n", "")
        if not self.check:
            os.unlink(path)

    def purge(self, folder: str, keep: set[str]) -> None:
        """Removes the files and links below ``folder`` that are not in ``keep``."""
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(parent, name)
                if path not in keep and not name.endswith(".pyc"):
                    self.remove(path)


def _whole(want: Any) -> dict[str, Any]:
    """The long form of a file that was given by its content alone."""
    return want if isinstance(want, dict) else {"content": want}


def _read(path: str) -> bytes:
    with open(path, "rb") as source:
        return source.read()


def _attributes_of(path: str, uid: int, gid: int) -> Attributes:
    """Mode and owner as they are; an owner that cannot be known yet counts as right."""
    now = os.stat(path)
    return stat.S_IMODE(now.st_mode), now.st_uid if uid >= 0 else -1, now.st_gid if gid >= 0 else -1


def _words(now: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(now.st_mode):04o} owner {now.st_uid}:{now.st_gid}\n"


def _shown(data: Optional[bytes], want: dict[str, Any]) -> str:
    """What a diff shows of a content."""
    if data is None:
        return ""
    if want.get("sensitive") or want.get("base64"):
        return "(hidden)\n"
    if len(data) > DIFF_BYTES or b"\0" in data:
        return f"({len(data)} bytes)\n"
    return data.decode(errors="replace")


def _refuse_unknown(module: AnsibleModule, kind: str, given: dict[str, Any], known: set[str]) -> None:
    for path, want in given.items():
        if not path.startswith("/"):
            module.fail_json(msg=f"{kind} {path}: not an absolute path")
        unknown = set(want or {}) - known
        if unknown:
            module.fail_json(msg=f"{kind} {path}: unknown {sorted(unknown)}, allowed {sorted(known)}")


def main() -> None:
    """Entry point of the module."""
    module = Discreet(
        argument_spec={
            "files": {"type": "dict", "default": {}},
            "directories": {"type": "dict", "default": {}},
            "links": {"type": "dict", "default": {}},
            "modes": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "path", "default": []},
            "purge": {"type": "list", "elements": "path", "default": []},
            "keep": {"type": "list", "elements": "path", "default": []},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    given = module.params
    given["files"] = {path: _whole(want) for path, want in given["files"].items()}
    _refuse_unknown(module, "file", given["files"], FILE_KEYS)
    _refuse_unknown(module, "folder", given["directories"], DIRECTORY_KEYS)
    tree = Tree(module)
    try:
        for path, want in given["directories"].items():
            tree.directory(path, want or {})
        for path, want in given["files"].items():
            tree.file(path, want)
        for path, target in given["links"].items():
            tree.link(path, target)
        for path, wanted in given["modes"].items():
            tree.mode(path, wanted)
        for path in given["absent"]:
            tree.remove(path)
        for folder in given["purge"]:
            tree.purge(folder, {*given["files"], *given["links"], *given["keep"]})
    except OSError as refused:
        # A write that finds the disk full does not say which file it was about, or names the new one beside it.
        known = refused.filename and not os.path.basename(refused.filename).startswith(NEW)
        path = refused.filename if known or not tree.paths else tree.paths[-1]
        module.fail_json(msg=f"{path}: {refused.strerror}", paths=tree.paths)
    actions, states = bring_all(module, tree.paths)
    done = "".join(f"systemctl {' '.join(argv)}\n" for argv in actions)
    diffs = [*tree.diffs, *([{"before": "", "after": done}] if done else [])]
    # Without an invocation of its own the result would repeat the content of every file.
    named = sorted({*given["files"], *given["directories"], *given["links"], *given["absent"]})
    module.exit_json(
        changed=bool(tree.paths or actions), paths=tree.paths, kept=named, states=states,
        diff=diffs if module._diff else [], invocation={"module_args": {"paths": named}},
    )  # fmt: skip


if __name__ == "__main__":
    main()

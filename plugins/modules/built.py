#!/usr/bin/python
"""Builds a program from its hashed source into a folder of its own, or opens a hashed archive of programs there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: built
short_description: Build a program from its hashed source into a folder of its own
description:
  - Takes the archive only if it has the given hash, configures and makes it, and keeps what is named. Owners and modes of the
    archive do not count, all may read and its owner, root, alone may write, and one with links to outside is not opened.
  - The folder appears whole or not at all. Only then the link is moved, in one step. One in which a file of O(needs) is absent
    or empty is built anew.
  - An optional build that failed on this node is not tried again before O(to) or O(sha256) changes, or the file C(.failed-*)
    beside O(to), which says why, is removed. What could not be fetched, or lacked something to build with, is.
  - Folders of earlier builds beside it are removed, but for the one that the link named before, jobs of which may still run.
  - With O(kernel_module), DKMS then has sources of the folder where it looks for them, and builds and installs the module for the
    kernel that runs; for kernels that come later it does so by itself. It signs what it builds where it was given a key. A module
    that was built from other sources, or under another version, is built anew, and other versions of it are removed. One that
    does not build is tried again by the next run. Nothing is loaded or unloaded.
  - In a word of O(configure) or O(make) of the form V(NAME=VALUE) a C({built}) stands for a folder that is built into, and of a
    path with V(*) the first that is there counts.
options:
  url:
    description: The archive, a tar file with one folder at its top.
    type: str
    required: true
  sha256:
    description: Its hash.
    type: str
    required: true
  to:
    description: The folder. Its name tells all versions that the build depends on, as what is there is not built again.
    type: path
    required: true
  link:
    description: Link to the folder in use, beside it.
    type: path
    required: true
  needs:
    description: Files that make must leave, below where it builds; without one of them it is no build.
    type: list
    elements: str
    required: true
  keep:
    description:
      - Patterns of the files that are kept, without their folders; none, those of O(needs). A link to a name beside it stays one.
    type: list
    elements: str
    default: []
  configure:
    description: Words of the source's own C(configure), which runs first; none, it is not run.
    type: list
    elements: str
    default: []
  defines:
    description: Names that C(config.h) must define after that, each a feature without which it is no build.
    type: list
    elements: str
    default: []
  make:
    description: Words of make.
    type: list
    elements: str
    default: []
  whole:
    description:
      - Whether the archive is of programs already. Nothing is configured or made, and all of its folder is kept as it is; what
        O(needs) names lies below it.
    type: bool
    default: false
  gpus:
    description: Whether make is told what nvcc builds for, NVCC_GENCODE, by the GPUs of this node.
    type: bool
    default: false
  kernel_module:
    description: A module of the kernel that DKMS builds from files of the folder.
    type: dict
    suboptions:
      name:
        description: Of the module.
        type: str
        required: true
      version:
        description: Tells all that the build depends on, as an equal one is not built again.
        type: str
        required: true
      patterns:
        description: Patterns of the files of O(to) that make the module.
        type: list
        elements: str
        required: true
      make:
        description: Words of make. V($kernelver) is the kernel's version.
        type: str
        required: true
  optional:
    description: Whether a node may do without. A build that fails is then a warning; an archive with another hash is not.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Build the scheduler's plugin
  built:
    url: https://github.com/NVIDIA/pyxis/archive/refs/tags/v0.24.0.tar.gz
    sha256: "{{ sha256_of_pyxis }}"
    to: /opt/railbed/pyxis/0.24.0-slurm23.11.4
    link: /opt/railbed/pyxis/bin
    needs: [spank_pyxis.so]
"""

RETURN = r"""
lacking:
  description: Why an optional program, or its kernel module, could not be built; empty where all is there.
  type: str
  returned: always
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ansible.module_utils import railbed_archive, railbed_dkms
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.railbed_program import Failed, Refused, run

FETCH_TIMEOUT_S = 60
QUERY_TIMEOUT_S = 30
BUILD_TIMEOUT_S = 1800
JOBS_MOST = 16
"""Compilers at once: one of nvcc takes some GB, and a node may have hundreds of CPUs."""
BUILT = re.compile(r"\d.*-")
"""Names of the folders that this module makes."""


class Altered(Refused):
    """What came is not what was published: never optional."""


def fetch(url: str, sha256: str) -> bytes:
    """The archive at ``url``. Raises Refused where it cannot be had, Altered where it has another hash."""
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
            archive: bytes = answer.read()
    except (OSError, urllib.error.URLError, ValueError) as failed:
        raise Refused(f"{url}: {failed}") from None
    found = hashlib.sha256(archive).hexdigest()
    if found != sha256:
        raise Altered(f"{url} has SHA-256 {found}, not {sha256}: ask its publisher whether it was replaced")
    return archive


def gpus() -> str:
    """nvcc's options for the GPUs of this node. Raises Refused where nvidia-smi does not name them; it may yet."""
    try:
        smi = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        return targets(run(smi, QUERY_TIMEOUT_S))
    except Failed as failed:
        raise Refused(str(failed)) from None


def targets(answer: str) -> str:
    """nvcc's options for the GPUs whose compute capabilities nvidia-smi printed, e.g. ``9.0``. Raises Refused for none."""
    found = sorted({line.strip() for line in answer.splitlines() if re.fullmatch(r"\s*\d+\.\d\s*", line)})
    if not found:
        raise Refused(f"nvidia-smi names no GPU to build for: {answer.strip()!r}")
    codes = [one.replace(".", "") for one in found]
    return " ".join(f"-gencode=arch=compute_{code},code=sm_{code}" for code in codes)


def worded(word: str, built: Path) -> str:
    """A word with its place and paths filled in. Raises Refused where nothing fits a path with ``*``."""
    name, equals, value = word.replace("{built}", str(built)).partition("=")
    if "*" in value:
        found = [str(path) for path in sorted(Path("/").glob(value.lstrip("/")))]
        if not found:
            raise Refused(f"{name}: nothing is at {value}")
        value = found[0]
    return f"{name}{equals}{value}"


def unpacked(archive: bytes, work: Path) -> Path:
    """The source's folder, below ``work``. Raises Refused for what is no archive of one folder, Failed for an unsafe one."""
    packed = work / "source"
    packed.write_bytes(archive)
    try:
        railbed_archive.opened(packed, work / "opened")
    except railbed_archive.Unsafe as unsafe:
        raise Failed(f"the archive is not opened: {unsafe}") from None
    except (tarfile.TarError, OSError, EOFError) as broken:
        raise Refused(f"the archive cannot be unpacked: {broken}") from None
    tops = list((work / "opened").iterdir())
    if len(tops) != 1:
        raise Refused(f"the archive has {len(tops)} folders at its top, not one")
    return tops[0]


def configured(source: Path, words: list[str], defines: list[str]) -> None:
    """Runs the source's own configure. Raises Failed where it ends badly, or one of ``defines`` is left out."""
    if not (source / "configure").is_file():
        raise Failed(
            "the archive has no configure: is it the publisher's release, and not a tag of its repository?"
        )
    run(["./configure", *words], BUILD_TIMEOUT_S, source)
    header = source / "config.h"
    text = header.read_text(errors="replace") if header.is_file() else ""
    absent = [name for name in defines if not re.search(rf"^#define {re.escape(name)}\b", text, re.M)]
    if absent:
        raise Failed(
            f"configure ended well and found no {', '.join(absent)}: a header or library is too old, or lacks"
        )


def build(source: Path, wanted: dict[str, object], work: Path) -> Path:
    """Folder with what make left, below ``work``. Raises Failed where it fails or leaves no needed file; Refused where what
    it is built with lacks."""
    built = work / "built"
    words = {name: [worded(word, built) for word in wanted[name]] for name in ("configure", "make")}
    if wanted["gpus"]:
        words["make"].append(f"NVCC_GENCODE={gpus()}")
    if words["configure"]:
        configured(source, words["configure"], list(wanted["defines"]))
    jobs = min(os.cpu_count() or 1, JOBS_MOST)
    run(["make", f"-j{jobs}", "-C", str(source), *words["make"]], BUILD_TIMEOUT_S)
    left = built if built.is_dir() else source
    if missing := lacking(left, wanted["needs"]):
        raise Failed(f"make ended well and left no {', '.join(missing)}")
    return left


def opened(source: Path, needs: list[str]) -> Path:
    """The archive's folder, which is kept whole. Raises Failed where it has not what it is opened for."""
    if missing := lacking(source, needs):
        raise Failed(f"the archive has no {', '.join(missing)}: is it of this version, and for this machine?")
    return source


def lacking(folder: Path, needs: list[str]) -> list[str]:
    """Those of ``needs`` that are absent or empty."""
    paths = {name: folder / name for name in needs}
    return [name for name, path in paths.items() if not (path.is_file() and path.stat().st_size)]


def kept(left: Path, keep: list[str]) -> Path:
    """Folder with the files that fit ``keep``, on the disk."""
    whole = left.with_name("whole")
    whole.mkdir(mode=0o755)
    for program in [found for pattern in keep for found in left.glob(pattern)]:
        shutil.copy2(program, whole / program.name, follow_symlinks=not beside(program))
    for path in (*whole.iterdir(), whole):
        on_disk(path)
    return whole


def place(whole: Path, to: Path) -> None:
    """Puts a folder in place in one step."""
    if to.is_dir():
        to.rename(whole.with_name("broken"))
    whole.rename(to)
    on_disk(to.parent)


def beside(path: Path) -> bool:
    """Whether it is a link to a name in its own folder: as ldconfig(8) does."""
    return path.is_symlink() and os.sep not in os.readlink(path)


def on_disk(path: Path) -> None:
    """A file or folder as it is now outlives a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_of(to: Path) -> Path:
    """Where is noted that and why this build failed on this node."""
    return to.with_name(f".failed-{to.name}")


def failed_before(to: Path, sha256: str) -> str:
    """Why this very source did not build here; empty where that was not tried, or the note cannot be read."""
    try:
        noted = json.loads(mark_of(to).read_text())
        return str(noted["reason"]) if noted["sha256"] == sha256 else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def point(link: Path, to: Path) -> None:
    """Moves the link in one step, then removes what earlier builds left and nobody uses."""
    before = link.resolve()
    new = link.with_name(f".{link.name}.new")
    if os.path.lexists(new):
        new.unlink()
    new.symlink_to(to)
    new.rename(link)
    for other in to.parent.iterdir():
        if (
            other.is_dir()
            and not other.is_symlink()
            and other not in (to, before)
            and BUILT.match(other.name)
        ):
            shutil.rmtree(other)


def put(wanted: dict[str, Any], to: Path, link: Path, built: bool) -> None:
    """Builds what is not ``built``, and moves the link to it. Raises Refused."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if not built:
        with tempfile.TemporaryDirectory(prefix=".building-", dir=to.parent) as work:
            source = unpacked(fetch(wanted["url"], wanted["sha256"]), Path(work))
            if wanted["whole"]:
                # Thousands of files: one call for all of them.
                os.sync()
                place(opened(source, wanted["needs"]), to)
            else:
                place(kept(build(source, wanted, Path(work)), wanted["keep"] or wanted["needs"]), to)
    point(link, to)
    for mark in to.parent.glob(".failed-*"):
        mark.unlink()


def main() -> None:
    """Entry point of the module."""
    words = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "to": {"type": "path", "required": True},
            "link": {"type": "path", "required": True},
            "needs": {"type": "list", "elements": "str", "required": True},
            **dict.fromkeys(("keep", "configure", "defines", "make"), words),
            "whole": {"type": "bool", "default": False},
            "gpus": {"type": "bool", "default": False},
            "kernel_module": {"type": "dict", "options": railbed_dkms.KERNEL_MODULE},
            "optional": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # Users run what is built, whatever mask the login of this run has.
    os.umask(0o022)
    wanted = module.params
    to, link = Path(wanted["to"]), Path(wanted["link"])
    needs = wanted["needs"] if wanted["whole"] else [Path(name).name for name in wanted["needs"]]
    built = to.is_dir() and not lacking(to, needs)
    done = built and link.is_symlink() and os.readlink(link) == str(to)
    without = f"{to.parent.name} could not be built, and this node does without"
    if not module.check_mode:
        for left in to.parent.glob(".building-*"):
            shutil.rmtree(left, ignore_errors=True)
    if wanted["optional"] and not built and (reason := failed_before(to, wanted["sha256"])):
        module.warn(f"{without}: {reason}")
        module.exit_json(changed=False, lacking=reason)
    changed = False
    try:
        if not (done or module.check_mode):
            put(wanted, to, link, built)
        changed = not done
        if wanted["kernel_module"]:
            changed = railbed_dkms.bring(wanted["kernel_module"], to, module.check_mode) or changed
    except (Refused, OSError) as refused:
        if not wanted["optional"] or isinstance(refused, Altered):
            module.fail_json(msg=str(refused), lacking=str(refused), changed=changed)
        if isinstance(refused, Failed):
            with contextlib.suppress(OSError):  # Without the note it is tried again.
                mark_of(to).write_text(json.dumps({"sha256": wanted["sha256"], "reason": str(refused)}))
        module.warn(f"{without}: {refused}")
        module.exit_json(changed=changed, lacking=str(refused))
    module.exit_json(changed=changed, lacking="")


if __name__ == "__main__":
    main()

"""A recipe: the template that Packer builds, the playbook's variables beside it, and a page that says how to run it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.plugins import Plugin, plugins
from railbed.platforms.packer.template import Template, Value, text, var

TEMPLATE = "image.pkr.json"
VARIABLES = "image.json"
PAGE = "README.md"
PLAYBOOK_GROUPS = (
    "cuda_nodes", "container_nodes", "training_fetched", "gpu_nodes", "nvswitch_nodes", "rdma_nodes",
)  # fmt: skip
"""Groups that plays of the playbook name, whoever is in them."""
BOOTED = ["cloud-init status --wait"]
"""The first boot installs and writes too, and must be over."""
DEGRADED = 2
"""cloud-init's exit status where it is done and warned of something (cloud-init 23.4 and newer)."""


@dataclass(frozen=True)
class Variable:
    """Something that whoever runs the recipe must say, or may say otherwise."""

    name: str
    description: str
    default: str | None = None
    pattern: str = ""
    """A regular expression of Packer's (RE2) that a value must match."""


DISK_GIB = 200
"""Of the machine that the image is made on, where it must be said. Chosen here with room to spare, not measured."""
SECURITY_GROUP = Variable(
    "security_group", "Security group that lets SSH in from where Packer runs, and nothing else."
)


@dataclass(frozen=True)
class Source:
    """What a platform puts into a recipe."""

    builder: str
    """Packer's type, e.g. ``amazon-ebs``: a key of ``plugins.yaml``."""
    attributes: Mapping[str, Value]
    """Arguments and nested blocks."""
    result: str
    """What the spec then calls the image, and where it is seen."""
    variables: Sequence[Variable] = ()
    login: str = "ubuntu"
    """The base image's own login, which becomes root by sudo."""
    last: Sequence[str] = ()
    """Commands after the playbook."""
    notes: Sequence[str] = field(default=())
    """What to know before running it."""


@dataclass(frozen=True)
class Machine:
    """The playbook's variables of the machine that the image is made on."""

    name: str
    groups: Sequence[str]
    variables: Mapping[str, Any]


def image_name(plan: ClusterPlan, pool: PlannedPool) -> str:
    """Release and machine: ``railbed-2026-12-aws-p5-48xlarge``; letters, digits and dashes, as every provider takes."""
    words = f"railbed-{plan.software.release}-{pool.machine.key}"
    return "".join(letter if letter.isalnum() else "-" for letter in words).lower()[:60].rstrip("-")


def labels(plan: ClusterPlan, pool: PlannedPool) -> dict[str, Value]:
    """What an image is marked with, in the form that most providers take."""
    return {"railbed-release": plan.software.release, "railbed-machine": pool.machine.key}


def stamped(plan: ClusterPlan, pool: PlannedPool) -> Template:
    """The image's name with the build's time behind it: no two are called alike."""
    return Template(f"{image_name(plan, pool)}-${{local.stamp}}")


def render(plan: ClusterPlan, pool: PlannedPool, source: Source, machine: Machine) -> dict[str, str]:
    """File name → content. It holds no secret: plugins find credentials by themselves."""
    plugin = plugins().plugins[source.builder]
    provided = bool(machine.variables.get("railbed_repositories"))
    asked = [
        *_own(plan, provided=provided),
        Variable("login", "Login of the base image.", source.login),
        *source.variables,
    ]
    template: dict[str, Value] = {
        "//": f"Written by `railbed image recipe`: {pool.machine.key}, release {plan.software.release}.",
        "packer": _required(plugin),
        "locals": {"stamp": Template('${formatdate("YYYYMMDDhhmmss", timestamp())}')},
        "variable": {one.name: _variable(one) for one in asked},
        "source": {source.builder: {"image": {**_login(source), **source.attributes}}},
        "build": _build(plan, pool, source, machine, provided=provided),
    }
    return {
        TEMPLATE: text(template),
        VARIABLES: json.dumps(machine.variables, indent=1, sort_keys=True) + "\n",
        PAGE: _page(plan, pool, source, plugin, asked),
    }


def _own(plan: ClusterPlan, *, provided: bool) -> list[Variable]:
    torch = plan.software.versions.get("torch", "")
    locked = f"List of the training stack's Python packages with hashes, as pip takes it; it must have torch {torch}."
    found = [
        Variable("checkout", "Folder of a checkout of railbed, whose playbook and roles are used."),
        Variable("requirements_file", locked),
    ]
    if not provided:
        what = "A JSON file with `railbed_repositories`: the signed package sources of the release."
        found.append(Variable("repositories_file", what))
    return found


def _login(source: Source) -> dict[str, Value]:
    return {"communicator": "ssh", "ssh_username": var("login")} if source.login else {}


def _required(plugin: Plugin) -> dict[str, Value]:
    wanted: dict[str, Value] = {
        one.name: {"source": one.address, "version": f"= {one.version}"}
        for one in (plugin, plugins().plugins["ansible"])
    }
    return {"required_version": plugins().required_packer["value"], "required_plugins": wanted}


def _variable(one: Variable) -> dict[str, Value]:
    found: dict[str, Value] = {"type": "string", "description": one.description}
    if one.default is not None:
        found["default"] = one.default
    if one.pattern:  # this program's own text, never the spec's
        found["validation"] = {
            "condition": Template(f"${{can(regex({json.dumps(one.pattern)}, var.{one.name}))}}"),
            "error_message": f"It must match {one.pattern}.",
        }
    return found


def _build(
    plan: ClusterPlan, pool: PlannedPool, source: Source, machine: Machine, *, provided: bool
) -> dict[str, Value]:
    given: list[Value] = ["--extra-vars", Template(f"@${{path.root}}/{VARIABLES}"), "--become"]
    given += ["--extra-vars", Template("training_stack_requirements_file=${var.requirements_file}")]
    if not provided:
        given += ["--extra-vars", Template("@${var.repositories_file}")]
    bake: dict[str, Value] = {
        "playbook_file": Template("${var.checkout}/playbooks/bake.yml"),
        "host_alias": machine.name,
        "user": var("login"),
        "groups": list(machine.groups),
        "empty_groups": [name for name in PLAYBOOK_GROUPS if name not in machine.groups],
        "extra_arguments": given,
        # The machine's own inventory, which Packer writes, and not a stack's.
        "ansible_env_vars": [
            Template("ANSIBLE_CONFIG=${var.checkout}/ansible.cfg"),
            "ANSIBLE_INVENTORY_ENABLED=ini",
        ],
    }
    steps: list[Value] = [
        {"shell": {"inline": BOOTED, "valid_exit_codes": [0, DEGRADED]}},
        {"ansible": bake},
    ]
    if source.last:
        steps.append({"shell": {"inline": list(source.last)}})
    return {
        "name": image_name(plan, pool),
        "sources": [f"source.{source.builder}.image"],
        "provisioner": steps,
        "post-processor": {"manifest": {"output": "manifest.json", "strip_path": True}},
    }


def _page(
    plan: ClusterPlan, pool: PlannedPool, source: Source, plugin: Plugin, asked: Sequence[Variable]
) -> str:
    needed = [one for one in asked if one.default is None]
    words = " \\\n  ".join(f"-var {one.name}=…" for one in needed)
    lines = [
        f"# Image of {pool.machine.key}, release {plan.software.release}", "",
        f"Made for pool `{pool.name}` of `{plan.name}` on {plan.platform}; for every pool of this machine and release.",
        "It was rendered and checked, and never built in a real account.", "",
        "```sh", "packer init .", f"packer build \\\n  {words} .", "```", "",
        f"Packer {plugins().required_packer['value']}, and `ansible-playbook` of the checkout's own environment first on "
        "PATH. Credentials:",
        f"{plugin.credentials}. None is in these files.", "",
        "| variable | meaning | default |", "|---|---|---|",
        *(f"| `{one.name}` | {one.description} | {_default(one)} |" for one in asked), "",
        f"Then: {source.result}", "",
    ]  # fmt: skip
    notes = [
        "Packer does not verify the host key of the machine that it builds on: build in a network of your own. What was "
        "built says in `/etc/railbed/image.json` by which roles.",
        "Roles are those of the checkout when it is built; after a change of release or roles render the recipe again.",
        *source.notes,
    ]
    lines += [f"- {note}" for note in notes]
    lines += [
        "",
        f"Plugins, pinned: {plugin.address} {plugin.version} ({plugin.published}; {plugin.documentation}).",
    ]
    return "\n".join(lines) + "\n"


def _default(one: Variable) -> str:
    return "needed" if one.default is None else f"`{one.default}`" if one.default else "none"

"""What nodes, NICs and switches of a fabric are called; an observed fabric is compared by these names and ports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter

from railbed.errors import UsageError

WIDTH = re.compile(r"^(0?\d{1,2}d?)?$")


@dataclass(frozen=True)
class Names:
    """Templates of Python's format language; the numbers that each may hold count from 0."""

    nodes: Sequence[str] = ()
    """Host names in the order of their places; empty: ``node`` gives them."""
    nics: Sequence[str] = ()
    """NICs of a node, rail by rail and plane by plane; empty: ``nic`` gives them."""
    node: str = "node-{node}"
    nic: str = "mlx5_{nic}"
    """``nic`` counts rail by rail, the planes of a rail together; ``rail`` and ``plane`` may be used too."""
    switch: str = "{tier}{index}"
    """``tier`` is leaf, spine or core; ``index`` counts within the tier and plane."""
    extra: str = "extra-{index}"
    """Devices on the ports of --extra-endpoints; verification takes any device that is not in the plan."""

    def checked(self, planes: int) -> Names:
        """These names for so many planes. Raises UsageError for a template that would name two things alike."""
        many = planes > 1
        own = self.switch == Names.switch
        fits = Names(**{**self.__dict__, "switch": "p{plane}-{tier}{index}" if many and own else self.switch})
        by_plane = ["plane"] if many else []
        _check("--node-name", fits.node, [["node"]], ["node"])
        _check("--nic-name", fits.nic, [["nic"], ["rail", *by_plane]], ["nic", "rail", "plane"])
        _check("--switch-name", fits.switch, [["tier", "index", *by_plane]], ["tier", "index", "plane"])
        return fits

    def node_name(self, node: int) -> str:
        """Host name of the node in this place."""
        return self.nodes[node] if self.nodes else self.node.format(node=node)

    def nic_names(self, rails: int, planes: int) -> list[str]:
        """NICs of one node; that of a rail in a plane stands at ``rail × planes + plane``."""
        if self.nics:
            return list(self.nics)
        places = [(rail, plane) for rail in range(rails) for plane in range(planes)]
        return [self.nic.format(nic=i, rail=rail, plane=plane) for i, (rail, plane) in enumerate(places)]

    def switch_names(self, tier: str, plane: int, count: int) -> list[str]:
        """The switches of one tier and plane."""
        return [self.switch.format(tier=tier, plane=plane, index=index) for index in range(count)]

    def extra_name(self, index: int) -> str:
        """The device on an extra endpoint."""
        return self.extra.format(index=index)


def _check(option: str, template: str, needs: list[list[str]], allowed: list[str]) -> None:
    try:
        parts = [
            (field, spec, how) for _, field, spec, how in Formatter().parse(template) if field is not None
        ]
    except ValueError:
        parts = [("", "", None)]
    fields = {field for field, _, _ in parts}
    plain = fields <= set(allowed) and all(WIDTH.match(spec or "") and not how for _, spec, how in parts)
    text = all(not spec for field, spec, _ in parts if field == "tier")
    if (
        not plain
        or not text
        or not any(set(one) <= fields for one in needs)
        or re.search(r"[\s,\"]", template)
    ):
        raise UsageError(
            "this template does not give every one its own name",
            code="FABRIC_NAMES",
            path=option,
            found=template[:80],
            allowed=" or ".join(" and ".join(f"{{{name}}}" for name in one) for one in needs)
            + "; no blanks, commas or quotes; a width such as {node:03d} may stand",
        )

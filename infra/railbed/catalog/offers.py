"""Filesystems that platforms offer: sizes, throughput by step, and what a client reaches."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Facts, Published

RATES = ("steps", "unit_nodes")


class Step(Facts):
    """One throughput that an offer sells, with the sizes that it comes in."""

    mbytes_per_s_per_tib: float = Field(gt=0)
    """MB/s for each TiB bought."""
    min_tib: float | None = Field(default=None, gt=0)
    """Smallest size at this step; None: the offer's own."""
    increment_tib: float | None = Field(default=None, gt=0)
    """Sizes are the smallest plus whole multiples of this."""


class FilesystemOffer(Published):
    """One filesystem that a platform offers."""

    kind: Literal["moosefs", "lustre", "external"]
    min_capacity_tib: float | None = Field(default=None, gt=0)
    max_capacity_tib: float | None = Field(default=None, gt=0)
    default_copies: int = Field(default=1, ge=1)
    max_copies: int = Field(default=1, ge=1)
    max_per_cluster: int = Field(default=16, ge=1)
    data_path_root: str = ""
    """Folder under which a data server keeps one folder per filesystem; empty: the servers are not the cluster's."""
    write_floor_mbytes_per_s: float | None = Field(default=None, gt=0)
    read_floor_mbytes_per_s: float | None = Field(default=None, gt=0)
    floor_reason: str = ""
    """Why the floors are what they are."""
    capacity_enforced: bool = True
    """False where the size in the spec is a label and the disk below is the only limit."""
    steps: list[Step] = Field(default_factory=list)
    """Throughput sold by size; reads and writes share it."""
    whole_step_mbytes_per_s: float | None = Field(default=None, gt=0)
    """Where throughput is sold for the filesystem as a whole, whatever its size: in multiples of this, MB/s."""
    whole_most_mbytes_per_s: float | None = Field(default=None, gt=0)
    unit_nodes: int | None = Field(default=None, ge=1)
    """Where storage is bought by groups of nodes (a SuperPOD's scalable unit): nodes of one group."""
    unit_read_gbytes_per_s: float | None = Field(default=None, gt=0)
    """All reads of one group together."""
    unit_write_gbytes_per_s: float | None = Field(default=None, gt=0)
    node_read_gbytes_per_s: float | None = Field(default=None, gt=0)
    """Most that one node reads."""
    node_write_gbytes_per_s: float | None = Field(default=None, gt=0)
    metadata_note: str = ""
    """What the provider asks for besides, e.g. to use RDMA."""
    unmounted: str = ""
    """Why roles cannot mount what is made of the offer, and the way round; empty where they can."""
    price_usd_per_tib_month: dict[str, float] = Field(default_factory=dict)
    """List price by step (MB/s per TiB, as text); ``any`` where there is one price."""

    def must_say(self) -> tuple[str, ...]:
        return (
            "min_capacity_tib", "max_capacity_tib", "node_read_gbytes_per_s", "node_write_gbytes_per_s",
            "price_usd_per_tib_month",
        )  # fmt: skip

    @property
    def exempt(self) -> bool:
        return self.key.startswith("lab/")

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if self.exempt or any(name in self.provenance or name in self.unpublished for name in RATES):
            return self
        raise ValueError("neither `steps` nor `unit_nodes` is a fact or named in `unpublished`")

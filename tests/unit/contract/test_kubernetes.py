"""The part of a contract about a Kubernetes cluster: references only, and nothing that changes contracts of other stacks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.support import kube_objects
from tests.unit.validate.conftest import contract

from railbed.contract import Contract, Kubernetes, authenticated, parse

__all__ = ["contract"]
KEY = b"k" * 32


def test_a_contract_of_another_scheduler_has_neither_key_and_keeps_its_hash(contract: Contract) -> None:
    body = contract.as_json()
    assert "kubernetes" not in body and not any("api_name" in node for node in body["nodes"])


def test_it_is_read_back_whole_and_lets_nothing_log_in(contract: Contract) -> None:
    made = kube_objects.stack(contract, "~/.kube/config", "site", ["gpu-a.site.example", "gpu-b"])
    back = parse(authenticated(made.as_json(), KEY), "here", KEY)
    assert back == made and back.hash == made.digest()
    assert [node.api_name for node in back.nodes] == ["gpu-a.site.example", "gpu-b"]
    assert back.known_hosts() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kubeconfig", "apiVersion: v1"), ("kubeconfig", "kubeconfig"), ("kubeconfig", "/a b"), ("context", "-x"),
        ("cluster_id", "x"), ("namespace", "Not_A_Label"), ("server", "ftp://x"), ("taints", ["a b"]),
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(field: str, value: object) -> None:
    body = {
        "kubeconfig": "/k", "context": "c", "server": "https://s:6443", "version": "1.37", "namespace": "n",
        "cluster_id": kube_objects.CLUSTER_ID, "taints": ["nvidia.com/gpu"], "gate": False,
    }  # fmt: skip
    Kubernetes.model_validate(body)
    with pytest.raises(ValidationError):
        Kubernetes.model_validate({**body, field: value})

"""The OpenSSH ProxyCommand of each way to a node that a contract may choose, every value quoted."""

from __future__ import annotations

import shlex
import sys

from railbed.contract import Iap, Jump, Netns, Node, OciBastion, Proxy, Ssm, Through
from railbed.effects.workspace import Workspace

ALIAS = "railbed-gate"
HOST, PORT = "%h", "%p"
"""OpenSSH's own tokens; a percent sign of a value is doubled."""


def lines(work: Workspace, node: Node) -> list[str]:
    """Lines for the node's block in the stack's ssh config; none where it is reached directly."""
    proxy = node.ssh.proxy
    if proxy is None:
        return []
    words = (word if word in (HOST, PORT) else _quoted(word) for word in _words(work, node, proxy))
    command = [f"  ProxyCommand {' '.join(words)}"]
    return [*command, "  ProxyUseFdpass yes"] if isinstance(proxy, Netns) else command


def _quoted(word: str) -> str:
    """One word for the shell; tokens of OpenSSH within an option's value (``%h:%p``) stand for themselves."""
    return word if word == f"{HOST}:{PORT}" else shlex.quote(word).replace("%", "%%")


def _words(work: Workspace, node: Node, proxy: Proxy) -> list[str]:
    match proxy:
        case Netns():
            return ["ip", "netns", "exec", proxy.namespace, "nc", "-F", HOST, PORT]
        case Jump():
            return _jump(work, proxy)
        case Through():
            return ["ssh", "-F", str(work.ssh_config), "-W", f"{HOST}:{PORT}", proxy.node]
        case Ssm():
            session = ["aws", "ssm", "start-session", "--region", proxy.region, "--target", proxy.instance]
            return [
                *session,
                "--document-name",
                "AWS-StartSSHSession",
                "--parameters",
                f"portNumber={node.ssh.port}",
            ]
        case Iap():
            tunnel = ["gcloud", "compute", "start-iap-tunnel", proxy.instance, PORT, "--listen-on-stdin"]
            return [*tunnel, "--project", proxy.project, "--zone", proxy.zone, "--verbosity", "error"]
        case OciBastion():
            login = [sys.executable, "-m", "railbed.platforms.oci.login"]
            return [*login, proxy.bastion, proxy.region, node.address, str(work.operator_key)]


def _jump(work: Workspace, proxy: Jump) -> list[str]:
    """Through a gate whose host key comes with the command (``KnownHostsCommand``, OpenSSH 8.5 and later).

    It was read over the provider's own channel; neither a file of the user nor a first use decides on it.
    """
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": ALIAS,
        "KnownHostsCommand": f"/bin/echo {ALIAS} {' '.join(proxy.host_key.split()[:2])}",
    }
    words = ["ssh", "-F", "/dev/null", "-i", str(work.operator_key), "-l", proxy.user, "-p", str(proxy.port)]
    words += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return [*words, "-W", f"{HOST}:{PORT}", proxy.host]

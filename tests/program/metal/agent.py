"""A stand-in for ironic-python-agent on a machine that the emulator says is on: it reports, and says yes to every command.

Simulated: no disk is written. It speaks the agent's protocol over TLS (docs.openstack.org/ironic-python-agent, "How it works"),
so that the real Ironic goes its whole way, and keeps every command that it was given.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from railbed.effects.bmc.certificate import certify

VERSION = {"X-OpenStack-Ironic-API-Version": "1.68"}
AGENT_VERSION = "13.0.0"
BEAT_S = 1.0
MANAGER = "GenericHardwareManager"
WRITING = [("deploy", "write_image")]
STEPS = [("deploy", "erase_devices"), ("deploy", "erase_devices_metadata"), ("raid", "delete_configuration"),
         ("raid", "create_configuration")]  # fmt: skip
"""Cleaning steps that the real agent offers and railbed uses."""


class Agent:
    """One machine's agent, while Ironic waits for one."""

    def __init__(self, api: str, ca_file: str, node: str, folder: Path, disc: Callable[[], str]) -> None:
        self.api, self.ca_file, self.node, self._disc = api, ca_file, node, disc
        self.refused: list[str] = []
        self.commands: list[dict[str, Any]] = []
        """Every command in order, over all boots: ``command_name``, ``command_params``, …"""
        self._since_boot = 0
        self.ended = threading.Event()
        self._token = ""
        certificate, key = certify(folder, "127.0.0.1")
        self._certificate = certificate.read_text()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"commands": agent.commands[agent._since_boot :]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert parse_qs(urlsplit(self.path).query)["agent_token"] == [agent._token]
                self._answer(agent.run(body["name"], body["params"]))

            def _answer(self, data: Any) -> None:
                content = json.dumps(data).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def names(self) -> list[str]:
        return [one["command_name"] for one in self.commands]

    def given(self, name: str) -> list[Any]:
        """Parameters of the commands of that name."""
        return [one["command_params"] for one in self.commands if one["command_name"] == name]

    def run(self, name: str, params: Any) -> dict[str, Any]:
        short = name.split(".")[-1]
        done = {
            "id": str(len(self.commands)), "command_name": short, "command_params": params, "command_status": "SUCCEEDED",
            "command_error": None, "command_result": self._result(short, params),
        }  # fmt: skip
        self.commands.append(done)
        return done

    def _result(self, name: str, params: Any) -> Any:
        version = {"hardware_manager_version": {MANAGER: "1.2"}}
        if name in ("get_clean_steps", "get_deploy_steps"):
            kind = name.removeprefix("get_")
            offered = [
                {"interface": of, "step": step, "priority": 0, "reboot_requested": False}
                for of, step in (STEPS if kind == "clean_steps" else WRITING)
            ]
            return {kind: {MANAGER: offered}, **version}
        if name == "execute_deploy_step":
            return {"deploy_result": {"result": "said only, not done"}, "deploy_step": params["step"]}
        if name == "execute_clean_step":
            built = (
                params["node"]["target_raid_config"]
                if params["step"]["step"] == "create_configuration"
                else None
            )
            return {"clean_result": built, "clean_step": params["step"]}
        if name == "get_partition_uuids":
            return {"root uuid": "a", "efi system partition uuid": "b"}
        return {"result": f"{name}: said only, not done"}

    def beat(self) -> None:
        """As the agent does: its token stands on the kernel line of the disc that it was booted from; then it reports."""
        while not self.ended.wait(BEAT_S):
            if not self._token:
                self._token = self._booted()
                continue
            told = {
                "callback_url": f"https://127.0.0.1:{self._server.server_address[1]}", "agent_version": AGENT_VERSION,
                "agent_token": self._token, "agent_verify_ca": self._certificate,
            }  # fmt: skip
            answer = requests.post(
                f"{self.api}/v1/heartbeat/{self.node}",
                json=told,
                verify=self.ca_file,
                headers=VERSION,
                timeout=10,
            )
            if not answer.ok:
                self.refused.append(f"{answer.status_code}: {answer.text[:200]}")
            if answer.status_code in (400, 401):
                self._token = ""  # Ironic has given it up: the machine boots anew

    def _booted(self) -> str:
        """The token on the disc that the BMC shows now; empty where there is none."""
        url = self._disc()
        if not url:
            return ""
        disc = requests.get(url, verify=self.ca_file, timeout=10)
        line = re.search(rb"ipa-agent-token=(\S+)", disc.content) if disc.ok else None
        self._since_boot = len(self.commands)
        return line.group(1).decode() if line else ""

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def answering(api: str, ca_file: str, node: str, folder: Path, disc: Callable[[], str]) -> Iterator[Agent]:
    """An agent that reports for the node of that name until the end; ``disc`` tells the URL in the machine's drive."""
    agent = Agent(api, ca_file, node, folder, disc)
    beating = threading.Thread(target=agent.beat, daemon=True)
    beating.start()
    try:
        yield agent
    finally:
        agent.close()
        beating.join(timeout=20)

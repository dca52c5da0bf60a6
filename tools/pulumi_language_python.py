#!/usr/bin/env python3
"""A small Pulumi language host for Python programs, for machines without an official Pulumi installation.

Serves the engine's LanguageRuntime protocol: the last argument is the engine's address, the port goes to stdout, SIGINT
and SIGTERM end it quietly. It runs programs, policy packs and plugins in the virtualenv that their project names. It
does not create projects, generate code, attach debuggers or install packages, and never makes the engine fetch a plugin.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import language_pb2_grpc as services
from pulumi.runtime.proto import plugin_pb2 as plugins

BAIL = 32
"""Exit status of a program that has already told the engine what went wrong."""
MESSAGE_BYTES = 400 << 20
EXECUTOR = "pulumi-language-python-exec"


def interpreter(info: Any, folder: str) -> tuple[str, str]:
    """Python and virtualenv that ``info`` (ProgramInfo) names, else this process's own."""
    options = json_format.MessageToDict(info.options) if info.HasField("options") else {}
    venv = options.get("virtualenv") or ""
    if not venv:
        return sys.executable, sys.prefix
    venv = os.path.join(info.root_directory or folder, venv)
    return os.path.join(venv, "bin", "python"), venv


def environment(venv: str, extra: list[str]) -> dict[str, str]:
    """This process's environment with the virtualenv in front, and ``KEY=value`` pairs added."""
    env = {**os.environ, "VIRTUAL_ENV": venv}
    env["PATH"] = os.path.join(venv, "bin") + os.pathsep + env.get("PATH", "")
    env.pop("PYTHONHOME", None)
    env.update(pair.split("=", 1) for pair in extra)
    return env


class Host(services.LanguageRuntimeServicer):
    """One host serves one engine."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.running: set[subprocess.Popen[bytes]] = set()

    def Handshake(self, request: Any, context: Any) -> Any:
        self.engine = request.engine_address or self.engine
        return messages.LanguageHandshakeResponse()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return messages.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return messages.GetRequiredPluginsResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugins.PluginInfo(version="0.1.0")

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        return messages.RuntimeOptionsResponse()

    def About(self, request: Any, context: Any) -> Any:
        return messages.AboutResponse(
            executable=sys.executable, version=".".join(map(str, sys.version_info[:3]))
        )

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return messages.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        yield messages.InstallDependenciesResponse(
            stdout=b"nothing to install: uv.lock decides the environment\n"
        )

    def Run(self, request: Any, context: Any) -> Any:
        python, venv = interpreter(request.info, request.pwd)
        program = os.path.join(request.info.program_directory or request.pwd, request.info.entry_point or ".")
        command = [
            python, "-u", shutil.which(EXECUTOR) or EXECUTOR, "--monitor", request.monitor_address,
            "--engine", self.engine, "--project", request.project, "--stack", request.stack, "--pwd", request.pwd,
            "--parallel", str(request.parallel), "--dry_run", str(request.dryRun).lower(),
            "--organization", request.organization, "--root_directory", request.info.root_directory,
            program, *request.args,
        ]  # fmt: skip
        config = [
            "PULUMI_CONFIG=" + json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS=" + json.dumps(list(request.configSecretKeys)),
        ]
        process = subprocess.Popen(command, env=environment(venv, config), cwd=request.pwd)
        self.running.add(process)
        status = process.wait()
        self.running.discard(process)
        if status == BAIL:
            return messages.RunResponse(bail=True)
        return messages.RunResponse(error=f"program exited with code {status}" if status else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        python, venv = interpreter(request.info, request.pwd)
        program = os.path.join(request.info.program_directory, request.info.entry_point or ".")
        if request.kind == "analyzer":
            command = [
                python,
                "-u",
                "-m",
                "pulumi.policy",
                request.args[0] if request.args else self.engine,
                program,
            ]
        else:
            command = [python, "-u", program, *request.args]
        process = subprocess.Popen(
            command, env=environment(venv, list(request.env)), cwd=request.pwd or None,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        context.add_callback(lambda: process.poll() is None and process.terminate())
        for stream, data in _output(process):
            yield messages.RunPluginResponse(**{stream: data})
        yield messages.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Any) -> Any:
        for process in list(self.running):
            process.terminate()
        return empty_pb2.Empty()


def _output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """What the process prints, as it comes, until both of its streams are closed."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, stream: Any) -> None:
        while data := stream.read1(65536):
            chunks.put((name, data))
        chunks.put((name, b""))

    for name in ("stdout", "stderr"):
        threading.Thread(target=pump, args=(name, getattr(process, name)), daemon=True).start()
    open_streams = 2
    while open_streams:
        name, data = chunks.get()
        if data:
            yield name, data
        else:
            open_streams -= 1


def main() -> None:
    """Serves until a signal comes."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
        ],
    )
    services.add_LanguageRuntimeServicer_to_server(Host(words[-1] if words else ""), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.stop(0)
    os._exit(0)


if __name__ == "__main__":
    main()

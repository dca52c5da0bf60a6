"""A stand-in that runs already: the engine attaches to it (PULUMI_DEBUG_PROVIDERS) instead of starting one for each run."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc
from tests.program.engine.stand_in import VERSION

START_S, POLL_S = 20.0, 0.02


class Attachable(ProviderServicer):
    """The SDK's own server, and what attaching needs beyond it."""

    async def Handshake(self, request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the SDK's server has no handshake")

    async def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


@contextmanager
def serving(provider: sdk.Provider) -> Iterator[int]:
    """Serves ``provider`` from a thread of this process; gives its port."""
    ports: queue.Queue[int] = queue.Queue()
    ended = threading.Event()

    async def serve() -> None:
        server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        servicer = Attachable([], VERSION, provider, "")
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        ports.put(port)
        while not ended.is_set():
            await asyncio.sleep(POLL_S)
        await server.stop(grace=None)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield ports.get(timeout=START_S)
    finally:
        ended.set()
        thread.join()

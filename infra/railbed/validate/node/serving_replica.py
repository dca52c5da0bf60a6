"""One replica of the reference service: streams the tokens of a small decoder with random weights over HTTP.

Standard library, and PyTorch. It listens on the node's management address; each caller shows the token of ``--token-file``.
``POST /generate`` (``{"prompt": [ids], "tokens": n}``) gives a line for each token and a last one, ``GET /stats`` what is in
flight. Weights are spread over the replica's GPUs, layer by layer. Up to ``--slots`` requests share each step of the decoder.
SIGTERM drains it: new requests get status 503, and it ends when what it has is answered.
"""

from __future__ import annotations

import argparse
import hmac
import http.server
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, NamedTuple

SEED = 20261203
BODY_BYTES = 4 << 20
"""Of a request: 65,536 tokens take less than 0.5 MB."""
SEND_S = 30.0
"""A caller that takes nothing for so long is left."""
DRAIN_S = 60.0
"""Longest that SIGTERM waits for what is in flight."""


class Size(NamedTuple):
    """A decoder."""

    vocabulary: int
    width: int
    heads: int
    layers: int


SIZES = {"cpu": Size(256, 64, 4, 2), "cuda": Size(32768, 1024, 16, 12)}
"""A processor of the lab has a millisecond for a token; a GPU gets 2e8 parameters. Neither says anything of a user's model."""


class Decoder:
    """Random weights; keys and values of ``slots`` sequences of ``longest`` tokens at most. The likeliest token is next."""

    def __init__(self, torch: Any, device: str, slots: int, longest: int) -> None:
        self.torch, self.size = torch, SIZES[device]
        size, half = self.size, torch.bfloat16 if device == "cuda" else torch.float32
        torch.manual_seed(SEED)
        count = torch.cuda.device_count() if device == "cuda" else 1
        places = [
            f"cuda:{at * count // size.layers}" if device == "cuda" else "cpu" for at in range(size.layers)
        ]

        def weight(place: str, rows: int, columns: int) -> Any:
            return (torch.randn(rows, columns) * rows**-0.5).to(place, half)

        self.embedding = weight(places[0], size.vocabulary, size.width)
        self.layers = []
        for place in places:
            shape = (slots, size.heads, longest, size.width // size.heads)
            self.layers.append(
                {
                    "threefold": weight(place, size.width, 3 * size.width), "joined": weight(place, size.width, size.width),
                    "wide": weight(place, size.width, 4 * size.width), "narrow": weight(place, 4 * size.width, size.width),
                    "keys": torch.zeros(shape, dtype=half, device=place), "values": torch.zeros(shape, dtype=half, device=place),
                }
            )  # fmt: skip
        self.head = weight(places[-1], size.width, size.vocabulary)

    def begin(self, slot: int, prompt: list[int]) -> int:
        """Reads a prompt into a slot; the first token of its answer."""
        return self._run([slot], [[one % self.size.vocabulary for one in prompt]], [0])[0]

    def step(self, slots: list[int], tokens: list[int], places: list[int]) -> list[int]:
        """The next token of each slot, whose last token stands at its place."""
        return self._run(slots, [[token] for token in tokens], places)

    def _run(self, slots: list[int], tokens: list[list[int]], places: list[int]) -> list[int]:
        torch, size, attend = self.torch, self.size, self.torch.nn.functional.scaled_dot_product_attention
        many, length = len(slots), len(tokens[0])
        with torch.inference_mode():
            x = self.embedding[torch.tensor(tokens, device=self.embedding.device)]
            for layer in self.layers:
                place = layer["keys"].device
                x = x.to(place)
                at, rows = torch.tensor(places, device=place), torch.tensor(slots, device=place)
                parts = (self._normal(x) @ layer["threefold"]).view(many, length, 3, size.heads, -1)
                query, key, value = parts.permute(2, 0, 3, 1, 4)
                if length > 1:
                    layer["keys"][slots[0], :, :length], layer["values"][slots[0], :, :length] = (
                        key[0],
                        value[0],
                    )
                    seen = attend(query, key, value, is_causal=True)
                else:
                    layer["keys"][rows, :, at], layer["values"][rows, :, at] = key[:, :, 0], value[:, :, 0]
                    end = max(places) + 1
                    mask = (torch.arange(end, device=place)[None] <= at[:, None])[:, None, None]
                    seen = attend(
                        query, layer["keys"][rows, :, :end], layer["values"][rows, :, :end], attn_mask=mask
                    )
                x = x + seen.transpose(1, 2).reshape(many, length, size.width) @ layer["joined"]
                x = x + torch.nn.functional.gelu(self._normal(x) @ layer["wide"]) @ layer["narrow"]
            chosen = (self._normal(x[:, -1]) @ self.head).argmax(-1)
            return [int(one) for one in chosen.tolist()]

    def _normal(self, x: Any) -> Any:
        return self.torch.nn.functional.layer_norm(x, (self.size.width,))


class Answering(NamedTuple):
    """A request that the engine has."""

    prompt: list[int]
    tokens: int
    out: "queue.Queue[int]"
    """Its tokens."""
    left: threading.Event
    """Set when its caller is gone."""


class Engine(threading.Thread):
    """Gives every running request one token a step; those that wait get a slot as one is free, in their order."""

    def __init__(self, decoder: Any, slots: int) -> None:
        super().__init__(daemon=True)
        self.decoder, self.free = decoder, list(range(slots))
        self.waiting: "queue.Queue[Answering]" = queue.Queue()
        self.running: dict[int, tuple[Answering, int, int]] = {}
        """Slot → its request, its last token and that token's number in the answer."""

    def run(self) -> None:
        while True:
            self._admit()
            self._step()

    def _admit(self) -> None:
        while self.free and not (self.running and self.waiting.empty()):
            one = self.waiting.get()
            slot = self.free.pop()
            token = self.decoder.begin(slot, one.prompt)
            self._give(slot, one, token, 1)

    def _step(self) -> None:
        if not self.running:
            return
        slots = sorted(self.running)
        last = [self.running[slot] for slot in slots]
        places = [len(one.prompt) + number - 1 for one, _, number in last]
        tokens = self.decoder.step(slots, [token for _, token, _ in last], places)
        for slot, (one, _, number), token in zip(slots, last, tokens):  # noqa: B905 - Python 3.9
            self._give(slot, one, token, number + 1)

    def _give(self, slot: int, one: Answering, token: int, number: int) -> None:
        one.out.put(token)
        if number >= one.tokens or one.left.is_set():
            self.running.pop(slot, None)
            self.free.append(slot)
        else:
            self.running[slot] = (one, token, number)


class Replica(http.server.ThreadingHTTPServer):
    """The server, and what it has in flight."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], engine: Engine, token: str, longest: int) -> None:
        super().__init__(address, Handler)
        self.engine, self.token, self.longest = engine, token, longest
        self.lock = threading.Condition()
        self.in_flight = self.answered = 0
        self.draining = False

    def take(self) -> bool:
        """Counts one more in flight, unless it drains."""
        with self.lock:
            self.in_flight += not self.draining
            return not self.draining

    def give_back(self, *, whole: bool) -> None:
        with self.lock:
            self.in_flight -= 1
            self.answered += whole
            self.lock.notify_all()

    def drain(self, limit_s: float) -> None:
        """Takes nothing more, and waits for what is in flight."""
        with self.lock:
            self.draining = True
            self.lock.wait_for(lambda: self.in_flight == 0, limit_s)

    def stats(self) -> dict[str, Any]:
        with self.lock:
            return {"in_flight": self.in_flight, "answered": self.answered, "draining": self.draining}


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Replica
    timeout = SEND_S

    def log_message(self, *_: Any) -> None:
        """Nothing: a line for each request would fill the node's disk."""

    def _known(self) -> bool:
        shown = self.headers.get("Authorization", "")
        if hmac.compare_digest(shown.encode(), f"Bearer {self.server.token}".encode()):
            return True
        self._answer(401, {"error": "no token"})
        return False

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() + b"\n")

    def do_GET(self) -> None:
        if self._known():
            self._answer(200, self.server.stats())

    def do_POST(self) -> None:
        if not self._known():
            return
        if not self.server.take():
            self._answer(503, {"error": "draining"})
            return
        whole = False
        try:
            whole = self._generate()
        finally:
            self.server.give_back(whole=whole)

    def _generate(self) -> bool:
        """Whether all tokens were sent."""
        try:
            asked = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), BODY_BYTES)))
            prompt, tokens = [int(one) for one in asked["prompt"]], int(asked["tokens"])
        except (KeyError, TypeError, ValueError):
            self._answer(400, {"error": "not a request"})
            return False
        if not prompt or tokens < 1 or len(prompt) + tokens > self.server.longest:
            self._answer(400, {"error": f"1 to {self.server.longest} tokens in all"})
            return False
        one = Answering(prompt, tokens, queue.Queue(), threading.Event())
        self.server.engine.waiting.put(one)
        try:
            self.send_response(200)
            self.end_headers()
            for _ in range(tokens):
                self.wfile.write(b'{"token": %d}\n' % one.out.get())
                self.wfile.flush()
            self.wfile.write(b'{"done": %d}\n' % tokens)
            return True
        except OSError:
            one.left.set()
            return False


def ended(args: Any) -> None:
    """Ends the process with a thread that broke: without its engine it would keep its callers waiting."""
    sys.excepthook(args.exc_type, args.exc_value, args.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def write_state(path: str, state: dict[str, Any]) -> None:
    """So that who reads it sees the whole of it."""
    with open(path + ".new", "w") as sink:
        sink.write(json.dumps(state) + "\n")
    os.replace(path + ".new", path)


def serve(replica: Replica, state: str, index: int, life_s: float) -> None:
    """Serves until SIGTERM, and then what is in flight; or for ``life_s``, should nobody end it."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=replica.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    write_state(state, {"index": index, "pid": os.getpid(), "port": replica.server_address[1]})
    stop.wait(life_s)
    replica.drain(DRAIN_S)
    replica.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description="railbed's reference service: one replica")
    parser.add_argument("--device", required=True, choices=SIZES)
    parser.add_argument("--index", type=int, required=True, help="of the replica on its node")
    parser.add_argument("--gpus", type=int, required=True, help="of one replica")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--state-file", required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--longest", type=int, required=True, help="tokens of a prompt and its answer")
    parser.add_argument("--life-s", type=float, required=True)
    options = parser.parse_args()
    if options.device == "cuda":
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        first = options.index * options.gpus
        mine = slice(first, first + options.gpus)
        cards = seen.split(",") if seen else [str(one) for one in range(first + options.gpus)]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(cards[mine])
    import torch

    if options.device == "cpu":
        torch.set_num_threads(1)
    decoder = Decoder(torch, options.device, options.slots, options.longest)
    # The first steps of a process load libraries: no request waits for that.
    decoder.step([0], [decoder.begin(0, [1, 2, 3])], [3])
    threading.excepthook = ended
    engine = Engine(decoder, options.slots)
    engine.start()
    with open(options.token_file) as source:
        token = source.read().strip()
    replica = Replica((options.address, options.port), engine, token, options.longest)
    serve(replica, options.state_file, options.index, options.life_s)


if __name__ == "__main__":
    main()

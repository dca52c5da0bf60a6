"""The load client of the reference service: open loop, with a router that asks another replica where one does not answer.

Requests arrive as a Poisson process of a fixed seed, and are sent when they are due, whatever was answered before: a slow service
gets no fewer of them. Every time counts from when its request was due, not from when it was sent, so that a wait which the client
itself brought about is not left out (coordinated omission: Gil Tene, "How NOT to Measure Latency", 2013; wrk2). The plan is JSON
on standard input. It prints a JSON line for each request, and a last one for the replicas.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sys
from typing import Any, Optional

VOCABULARY = 256
"""Of prompts: every size of the decoder has so many."""
DOWN_S = 0.3
"""For which a replica that did not answer is asked for nothing."""
AGAIN_S = 0.02
STOP_POLL_S = 0.2
HEAD_LINES = 64


class Endpoint:
    """A replica as the router knows it."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.open, self.down_until = 0, 0.0
        self.tally = {"answered": 0, "refused": 0, "unavailable": 0, "broken": 0, "stalled": 0}


class Router:
    """Gives each request to the replica with the fewest open ones, of those that are not down."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        self.endpoints, self.turn = endpoints, 0

    def pick(self, now: float) -> Optional[Endpoint]:
        self.turn += 1
        order = (
            self.endpoints[self.turn % len(self.endpoints) :]
            + self.endpoints[: self.turn % len(self.endpoints)]
        )
        up = [one for one in order if one.down_until <= now]
        return min(up, key=lambda one: one.open) if up else None


class Attempt:
    """One try at one replica."""

    def __init__(self) -> None:
        self.first: Optional[float] = None
        self.last: Optional[float] = None
        self.tokens = 0
        self.taken = False
        """Whether the replica said that it has the request."""
        self.said = ""


async def attempt(endpoint: Endpoint, head: bytes, body: bytes, plan: dict[str, Any], one: Attempt) -> str:
    """How it ended: a key of the endpoint's tally."""
    clock, writer = asyncio.get_running_loop().time, None
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(endpoint.address, endpoint.port), plan["stall_s"]
        )
        writer.write(head + body)
        await asyncio.wait_for(writer.drain(), plan["stall_s"])
        status = (await asyncio.wait_for(reader.readline(), plan["stall_s"])).split()
        if len(status) < 2:
            one.said = "closed before an answer"
            return "refused"
        if status[1] != b"200":
            one.said = "status " + status[1].decode(errors="replace")
            return "unavailable"
        one.taken = True
        for _ in range(HEAD_LINES):
            if not (await asyncio.wait_for(reader.readline(), plan["stall_s"])).strip():
                break
        while True:
            line = await asyncio.wait_for(reader.readline(), plan["stall_s"])
            if line.startswith(b'{"token"'):
                one.last = clock()
                one.first = one.first or one.last
                one.tokens += 1
            elif line.startswith(b'{"done"') and one.tokens == plan["output_length"]:
                return "answered"
            else:
                one.said = "the answer broke off"
                return "broken"
    except asyncio.TimeoutError:
        one.said = "nothing came for %g s" % plan["stall_s"]
        return "stalled"
    except (OSError, ValueError) as error:
        one.said = str(error)
        return "broken" if one.taken else "refused"
    finally:
        if writer is not None:
            writer.close()


async def request(
    router: Router, due: float, prompt: list[int], token: str, plan: dict[str, Any], begin: float
) -> dict[str, Any]:
    """One request until it is answered whole, or its time is over."""
    clock = asyncio.get_running_loop().time
    body = json.dumps({"prompt": prompt, "tokens": plan["output_length"]}).encode()
    head = "POST /generate HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (
        token,
        len(body),
    )
    late, tries, said = clock() - due, 0, "no replica was up"
    while True:
        endpoint = router.pick(clock())
        if endpoint is not None:
            tries, one = tries + 1, Attempt()
            endpoint.open += 1
            try:
                left = max(due + plan["deadline_s"] - clock(), AGAIN_S)
                how = await asyncio.wait_for(attempt(endpoint, head.encode(), body, plan, one), left)
            except asyncio.TimeoutError:
                how, one.said = "stalled", "it was not answered in time"
            finally:
                endpoint.open -= 1
            endpoint.tally[how] += 1
            if how == "answered" and one.first is not None and one.last is not None:
                between = (one.last - one.first) / (one.tokens - 1) if one.tokens > 1 else 0.0
                return row(due - begin, late, tries, True, "", one.first - due, between, one.last - due)
            endpoint.down_until, said = clock() + DOWN_S, one.said
        if clock() >= due + plan["deadline_s"]:
            return row(due - begin, late, tries, False, said, None, None, None)
        await asyncio.sleep(AGAIN_S)


def row(
    due: float, late: float, tries: int, ok: bool, said: str, ttft: Optional[float], tpot: Optional[float], stay: Optional[float]
) -> dict[str, Any]:  # fmt: skip
    """What is printed of a request; seconds."""
    times = {"ttft_s": ttft, "tpot_s": tpot, "stay_s": stay}
    shown = {name: None if value is None else round(value, 6) for name, value in times.items()}
    return {
        "due_s": round(due, 6),
        "late_s": round(max(late, 0.0), 6),
        "tries": tries,
        "ok": ok,
        "said": said[:200],
        **shown,
    }


def arrivals(seed: int, rate: float, count: int) -> list[float]:
    """Seconds from the begin at which requests are due: a Poisson process, whose gaps are exponential."""
    drawn, at, found = random.Random(seed), 0.0, []
    for _ in range(count):
        at += drawn.expovariate(rate)
        found.append(at)
    return found


async def load(plan: dict[str, Any], token: str) -> None:
    """Sends all that is due until the plan's end, or until its stop file is there, and waits for the answers."""
    clock = asyncio.get_running_loop().time
    router = Router([Endpoint(address, port) for address, port in plan["endpoints"]])
    drawn, tasks = random.Random(plan["seed"] + 1), []
    begin, stopped = clock(), False
    for at in arrivals(plan["seed"], plan["rate"], plan["count"]):
        while not stopped and (wait := begin + at - clock()) > 0:
            await asyncio.sleep(min(wait, STOP_POLL_S))
            stopped = bool(plan["stop_file"]) and os.path.exists(plan["stop_file"])
        if stopped:
            break
        prompt = [drawn.randrange(VOCABULARY) for _ in range(plan["input_length"])]
        tasks.append(asyncio.ensure_future(request(router, begin + at, prompt, token, plan, begin)))
    for one in await asyncio.gather(*tasks):
        print(json.dumps(one))
    replicas = [{"address": one.address, "port": one.port, **one.tally} for one in router.endpoints]
    print(json.dumps({"replicas": replicas, "sent": len(tasks), "stopped": stopped}), flush=True)


def main() -> None:
    plan = json.load(sys.stdin)
    with open(plan["token_file"]) as source:
        token = source.read().strip()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(load(plan, token))


if __name__ == "__main__":
    main()

"""Latency, throughput and processor time of the service at the loopback, by kind of route and number of clients.

    python -m benchmarks.serving [--questions 1000] [--alternatives]

Needs releases to serve and their key, as `tandem serve` does. Two kinds of questions: a stranger's, answered with
popular products, shows what HTTP costs; the last events of real histories show what ranking adds. Client and
server share the machine, so that the server's processor time per request is the steadiest of the numbers.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.rankers import RANKERS
from services.service import SERVING
from tandem import release, settings
from tandem.data import schema
from tandem.settings import Settings

SERVICE = "services.service:Tandem"
ALTERNATIVES = [f"benchmarks.serving_alternatives:{name}" for name in ("ApiAsync", "Api", "Fast")]
EVENTS = 20
DISTINCT = 50
CLIENTS = (1, 8)
"""Numbers of clients that ask at the same time, each its next question when the last is answered."""


@dataclass(frozen=True)
class Measured:
    """What one load did: seconds of each request, of all together, and of the server's processors."""

    requests: list[float]
    wall: float
    processor: float

    def __str__(self) -> str:
        p50, p95 = np.percentile(np.array(self.requests) * 1e3, [50, 95])
        per_request = self.processor / len(self.requests) * 1e3
        return f"{p50:7.2f} {p95:7.2f} {len(self.requests) / self.wall:7.0f} {per_request:8.2f}"


def main() -> None:
    """Print a table: p50 and p95 (ms), requests per second, processor time per request (ms)."""
    settings.quiet()
    options = argparse.ArgumentParser()
    options.add_argument("--questions", type=int, default=1000, help="for each row of the table")
    options.add_argument("--alternatives", action="store_true", help="measure the other kinds of routes too")
    chosen = options.parse_args()
    asked = {"stranger": strangers(), "history": histories()}
    print(f"{'service':45} {'question':9} clients     p50     p95   req/s   cpu ms")
    for target in [SERVICE, *(ALTERNATIVES if chosen.alternatives else [])]:
        with served(target) as (process, port):
            for kind, bodies in asked.items():
                asyncio.run(load(port, bodies, 1, 100))
                for clients in CLIENTS:
                    row = measure(process, port, bodies, clients, chosen.questions // clients)
                    print(f"{target:45} {kind:9} {clients:7} {row}", flush=True)
            print(f"{target:45} worker's memory: {memory(process) >> 20} MiB")


def strangers() -> list[bytes]:
    """Questions of users whom nobody knows."""
    return [json.dumps({"user_id": f"stranger-{number}"}).encode() for number in range(DISTINCT)]


def histories() -> list[bytes]:
    """Questions with the last events of users of the release, who need no id so."""
    found = release.read((Settings().serving or SERVING) / "recommend", RANKERS)
    known = found.histories
    users = np.random.default_rng(7).choice(len(known), DISTINCT)
    product, kind, _, time_us = known.take(users).last(EVENTS)
    return [
        json.dumps(
            {
                "events": [
                    {"product_id": found.vocabulary.ids[p - 1], "kind": schema.KINDS[k - 1], "time": written(t)}
                    for p, k, t in zip(*cells, strict=True)
                    if p
                ]
            }
        ).encode()
        for cells in zip(product.tolist(), kind.tolist(), time_us.tolist(), strict=True)
    ]


def written(time_us: int) -> str:
    """ISO 8601 of microseconds since 1970."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat()


@contextmanager
def served(target: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`bentoml serve` of the target, ready on a free port; stopped when the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", target, "--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        wait(process, port)
        yield process, port
    finally:
        process.terminate()
        process.wait()


def wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the server is ready; end the benchmark when it is gone."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the server did not start")


def measure(process: subprocess.Popen[bytes], port: int, bodies: list[bytes], clients: int, each: int) -> Measured:
    """One load of `clients` clients with `each` questions each."""
    before, start = processor(process), time.perf_counter()
    requests = asyncio.run(load(port, bodies, clients, each))
    return Measured(requests, time.perf_counter() - start, processor(process) - before)


async def load(port: int, bodies: list[bytes], clients: int, each: int) -> list[float]:
    """Seconds that each request of all clients took."""
    done = await asyncio.gather(*(ask(port, bodies[start:] + bodies[:start], each) for start in range(clients)))
    return [seconds for one in done for seconds in one]


async def ask(port: int, bodies: list[bytes], count: int) -> list[float]:
    """Seconds of each of `count` requests, one after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /recommend HTTP/1.1\r\nhost: tandem\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    taken = []
    for number in range(count):
        body = bodies[number % len(bodies)]
        start = time.perf_counter()
        writer.write(head % len(body) + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        taken.append(time.perf_counter() - start)
        if b" 200 " not in answered[:16]:
            sys.exit(f"the server answered {answered.decode()}")
    writer.close()
    return taken


def workers(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the server's workers."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def processor(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that the workers have used."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers(process))
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def memory(process: subprocess.Popen[bytes]) -> int:
    """Bytes of memory that the workers hold."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in workers(process))
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

"""Closed-loop load: each client sends its next request when it has the answer to the last."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from tests.performance.requests import captions
from tests.performance.systems import System
from tests.reliability.harness.raw_http import RawConnection


@dataclass
class Sample:
    """What one system did in one cell of a round.

    Attributes:
        latencies: of each request, in ms.
        seconds: the measured time.
        cpu_ms: CPU time a request of each root process with its children, in ms; by psutil, in
            steps of 10 ms of all requests together.
    """

    seconds: float
    latencies: list[float] = field(repr=False)
    cpu_ms: dict[str, float]

    def figures(self) -> dict[str, float]:
        p50, p95, p99 = np.percentile(self.latencies, [50, 95, 99])
        cpu = {f"cpu_ms_{name}": round(ms, 3) for name, ms in self.cpu_ms.items()}
        return {
            "requests": len(self.latencies),
            "req_s": round(len(self.latencies) / self.seconds, 2),
            "p50_ms": round(float(p50), 2),
            "p95_ms": round(float(p95), 2),
            "p99_ms": round(float(p99), 2),
            **cpu,
            "cpu_ms": round(sum(self.cpu_ms.values()), 3),
        }


class Load:
    """Requests with one picture, with seeds (and captions, where they are new) from a number on."""

    def __init__(self, system: System, picture: bytes, caption_kind: str, start: int) -> None:
        self._system, self._picture = system, picture
        self._requests = zip(captions(caption_kind, start), count(start), strict=False)

    def measure(self, clients: int, seconds: float) -> Sample:
        """Warm up for a quarter of the time, then measure."""
        return asyncio.run(self._measure(clients, seconds))

    async def _measure(self, clients: int, seconds: float) -> Sample:
        seen: Counter[str] = Counter()
        lines = [await RawConnection.open(self._system.port, seen) for _ in range(clients)]
        try:
            await self._run(lines, seconds / 4)
            before, start = self._system.cpu_seconds(), time.perf_counter()
            latencies = await self._run(lines, seconds)
            spent, after = time.perf_counter() - start, self._system.cpu_seconds()
        finally:
            for line in lines:
                line.close()
        cpu = {name: (after[name] - before[name]) * 1000 / len(latencies) for name in after}
        return Sample(spent, latencies, cpu)

    async def _run(self, lines: list[RawConnection], seconds: float) -> list[float]:
        """Send for that long; every request that began is waited for. Each client sends one."""
        end, latencies = time.perf_counter() + seconds, list[float]()

        async def run_client(line: RawConnection) -> None:
            while True:
                request = self._next()
                start = time.perf_counter()
                await line.send(request)
                reply = await line.reply()
                if reply.status != 200 or not reply.body.startswith(b"\x89PNG"):
                    raise RuntimeError(f"{reply.status}: {reply.body[:200]!r}")
                latencies.append((time.perf_counter() - start) * 1000)
                if time.perf_counter() > end:
                    return

        await asyncio.gather(*map(run_client, lines))
        return latencies

    def _next(self) -> bytes:
        caption, seed = next(self._requests)
        kind, body = self._system.encode(self._picture, caption, seed % 2**32)
        head = (
            "POST /inpaint HTTP/1.1\r\nHost: localhost\r\nAccept: image/png\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

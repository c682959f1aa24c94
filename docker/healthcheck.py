"""Check the health of a container: `python healthcheck.py api|worker` exits with 0 if it is well.

The images have no curl, and a worker has no port: its heartbeat in the queue is checked.
"""

import asyncio
import socket
import sys
from urllib.request import urlopen

from service.config.settings import Settings
from service.errors.queue import QueueUnavailable
from service.queue.client import Queue


def api_is_well(settings: Settings) -> bool:
    """Whether the API on this host answers ``GET /healthz``."""
    try:
        with urlopen(f"http://127.0.0.1:{settings.port}/healthz", timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def worker_is_well(settings: Settings) -> bool:
    """Whether a worker of this host (for a container, its own) has sent a heartbeat recently."""
    try:
        workers = asyncio.run(_workers(settings))
    except QueueUnavailable:
        return False
    return any(name.startswith(f"{socket.gethostname()}-") for name in workers)


async def _workers(settings: Settings) -> list[str]:
    queue = Queue(settings)
    try:
        return list(await queue.workers())
    finally:
        await queue.close()


if __name__ == "__main__":
    checks = {"api": api_is_well, "worker": worker_is_well}
    sys.exit(0 if checks[sys.argv[1]](Settings()) else 1)

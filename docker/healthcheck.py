"""Is this container's process well? `python healthcheck.py api|worker` exits with 0 if so.

The images have no curl, and a worker has no port: its sign of life is its beat in the queue.
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
    """Whether the queue heard a worker of this host (for a container, its own) just now."""
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

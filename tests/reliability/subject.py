"""The service under a suite: a cluster with keys on and short patience, and a client for it."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from service.auth.api_keys import ApiKeyFile
from tests.reliability.cluster import Cluster

# Clients that dawdle are given up soon, so that a suite meets many of them.
PATIENCE = {"HEADER_TIMEOUT": "3", "UPLOAD_TIMEOUT": "4"}


class Subject(Cluster):
    """A cluster whose processes can be replaced by faulty ones, as controls.

    Attributes:
        fault: what `tests.reliability.faulty` is to do wrong in API and worker; empty for nothing.
    """

    fault = ""

    def api(self, port: int | None = None):
        if not self.fault:
            return super().api(port)
        more = {"PORT": str(port or self.port), "HOST": "127.0.0.1"}
        return self._spawn("api", ["-m", "tests.reliability.faulty", "api", self.fault], more)

    def worker(self):
        if not self.fault:
            return super().worker()
        return self._spawn("worker", ["-m", "tests.reliability.faulty", "worker", self.fault])

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))


@contextmanager
def subject(folder: Path, fault: str = "", **settings: str) -> Iterator[tuple[Subject, str]]:
    """A running service with one API and one worker, and a key for it."""
    keys = folder / "keys.jsonl"
    key = ApiKeyFile(keys).create("suite")
    chosen = {"AUTH": "on", "KEYS_FILE": str(keys), "RATE_LIMIT": "0", **PATIENCE, **settings}
    with Subject(folder, chosen) as cluster:
        cluster.fault = fault
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster, key


class Gauge:
    """Watches a process: its resident memory as it goes, its connections at rest."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def mib(self) -> float:
        """Resident memory of the process and its children."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(process.memory_info().rss for process in family) / 2**20

    def peak_mib(self) -> float:
        """The most it ever had resident, by the kernel's own account."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def connections(self, port: int) -> int:
        """Connections that clients hold, or left and were not let go of."""
        held = self._process.net_connections("tcp")
        return sum(one.laddr.port == port and one.status != psutil.CONN_LISTEN for one in held)

    async def settle(self, port: int, seconds: float) -> int:
        """Wait until there is no connection; how many there are then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.connections(port):
                    await asyncio.sleep(0.1)
        return self.connections(port)

"""The service under test: a cluster with API keys and short timeouts, and a process monitor."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from service.auth.api_keys import ApiKeyFile
from tests.reliability.harness.cluster import Cluster

# Slow clients are dropped soon, so that a suite can test many of them.
SHORT_TIMEOUTS = {"HEADER_TIMEOUT": "3", "UPLOAD_TIMEOUT": "4"}


class ServiceUnderTest(Cluster):
    """A cluster that can run with injected faults, as a negative control.

    Attributes:
        fault: faults of `harness.defective_process` for API and worker; empty for none.
    """

    fault = ""

    def api(self, port: int | None = None):
        if not self.fault:
            return super().api(port)
        more = {"PORT": str(port or self.port), "HOST": "127.0.0.1"}
        return self._spawn(
            "api", ["-m", "tests.reliability.harness.defective_process", "api", self.fault], more
        )

    def worker(self):
        if not self.fault:
            return super().worker()
        return self._spawn(
            "worker", ["-m", "tests.reliability.harness.defective_process", "worker", self.fault]
        )

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))


@contextmanager
def running_service(
    folder: Path, fault: str = "", **settings: str
) -> Iterator[tuple[ServiceUnderTest, str]]:
    """Run a service with one API and one worker; yield it and an API key."""
    keys = folder / "keys.jsonl"
    key = ApiKeyFile(keys).create("suite")
    chosen = {"AUTH": "on", "KEYS_FILE": str(keys), "RATE_LIMIT": "0", **SHORT_TIMEOUTS, **settings}
    with ServiceUnderTest(folder, chosen) as cluster:
        cluster.fault = fault
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster, key


class ProcessMonitor:
    """Measures the resident memory and the connections of a process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def mib(self) -> float:
        """Resident memory [MiB] of the process and its children."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(process.memory_info().rss for process in family) / 2**20

    def peak_mib(self) -> float:
        """Peak resident memory [MiB], by the kernel's count."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def connections(self, port: int) -> int:
        """Number of open connections, with those that only the client has closed."""
        held = self._process.net_connections("tcp")
        return sum(one.laddr.port == port and one.status != psutil.CONN_LISTEN for one in held)

    async def settle(self, port: int, seconds: float) -> int:
        """Wait until there is no connection; return how many are left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.connections(port):
                    await asyncio.sleep(0.1)
        return self.connections(port)
